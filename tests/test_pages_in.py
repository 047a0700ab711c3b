"""Files of one page and of many: every page in its order, upright, one at a time, or one clear line of error."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from test_image import GRAY, bomb

from jphtr import pages_in
from jphtr.errors import ImageError, MissingExtraError
from jphtr.image import load_gray
from jphtr.pages_in import PagePicture, Pictures, pages_of

SECOND = (255 - GRAY[:, :17]).copy()


def tiff(path: Path, *frames: Image.Image | np.ndarray, **options: object) -> Path:
    images = [frame if isinstance(frame, Image.Image) else Image.fromarray(frame) for frame in frames]
    images[0].save(path, "TIFF", save_all=True, append_images=images[1:], **options)
    return path


def pdf(path: Path, *sheets: np.ndarray, dpi: float = 100, **options: object) -> Path:
    images = [Image.fromarray(sheet) for sheet in sheets]
    images[0].save(path, "PDF", resolution=dpi, save_all=True, append_images=images[1:], **options)
    return path


def same(page: PagePicture, gray: np.ndarray, off: int = 0) -> None:
    assert (page.height, page.width) == gray.shape
    assert np.abs(page.gray().astype(int) - gray).max() <= off
    assert page.image().mode in ("1", "L", "RGB")
    assert np.abs(np.asarray(page.image().convert("L"), int) - gray).max() <= max(off, 1)


def refused(source: object, why: str, name: str = "x", **options: object) -> None:
    with pytest.raises(ImageError, match=why) as caught:
        for page in pages_of(source, name=name, **options):  # type: ignore[arg-type]
            page.gray()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(name)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "gif", "pgm"])
def test_a_picture_is_one_page(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GRAY).save(path)
    (page,) = pages_of(path)
    same(page, GRAY)
    assert (page.name, page.number, page.dpi) == (str(path), 1, None)
    assert (page.file == path.read_bytes()) == (suffix == "png")


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_every_page_of_a_tiff(compression: str | None, tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", GRAY, SECOND, GRAY.T.copy(), compression=compression, dpi=(400, 400))
    pages = list(pages_of(path))
    assert [page.name for page in pages] == [f"{path}, page {n}" for n in (1, 2, 3)]
    for page, gray in list(zip(pages, (GRAY, SECOND, GRAY.T), strict=True))[::-1]:  # in any order, after the end
        same(page, gray)
        same(page, gray)
        assert page.dpi == 400
    assert np.array_equal(load_gray(path), GRAY)  # as before: the first


def test_fax_pages_and_deep_pages(tmp_path: Path) -> None:
    bits = Image.fromarray(GRAY > 60)
    (one, two) = pages_of(
        tiff(tmp_path / "fax.tif", bits, bits.transpose(Image.Transpose.ROTATE_90), compression="group4")
    )
    same(one, np.where(GRAY > 60, 255, 0))
    same(two, np.rot90(np.where(GRAY > 60, 255, 0)))
    assert one.image().mode == "1"
    deep = GRAY.astype(np.uint16) * 257
    (one, two) = pages_of(tiff(tmp_path / "deep.tif", deep, deep[::-1].copy()))
    same(one, GRAY, 1)
    same(two, GRAY[::-1], 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pages_are_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tiff(tmp_path / "a.tif", GRAY, SECOND, exif=exif)
    upright = load_gray(path)
    (first, second) = pages_of(path)
    same(first, upright)
    assert second.gray().shape == (second.height, second.width)
    jpeg = tmp_path / "a.jpg"
    Image.fromarray(GRAY).save(jpeg, exif=exif, quality=100)
    (page,) = pages_of(jpeg)
    same(page, upright, 3)
    assert page.orientation == orientation


def raw_tiff(*frames: tuple[np.ndarray, dict[int, int]]) -> io.BytesIO:
    """A plain TIFF of gray frames, each with tags of its own."""
    data = bytearray(b"II*\0\0\0\0\0")
    link = 4  # where the place of the next directory goes
    for gray, more in frames:
        pixels = len(data)
        data += gray.tobytes() + bytes(gray.size % 2)
        height, width = gray.shape
        tags = {
            256: width,
            257: height,
            258: 8,
            259: 1,
            262: 1,
            273: pixels,
            277: 1,
            278: height,
            279: gray.size,
        } | more
        struct.pack_into("<I", data, link, len(data))
        data += struct.pack("<H", len(tags))
        for tag, value in sorted(tags.items()):
            data += struct.pack("<HHII", tag, 4, 1, value)
        link = len(data)
        data += bytes(4)
    return io.BytesIO(data)


def test_a_page_turned_alone() -> None:
    (first, second) = pages_of(raw_tiff((GRAY, {}), (GRAY, {274: 6})), name="a.tif")
    same(first, GRAY)
    same(second, np.rot90(GRAY, -1))


def test_thumbnails_and_masks_are_no_pages() -> None:
    small = GRAY[::4, ::4].copy()
    kinds = ((small, {254: 1}), (GRAY, {254: 0}), (small, {254: 1}), (SECOND, {254: 2}), (GRAY, {254: 4}))
    pages = list(pages_of(raw_tiff(*kinds), name="a.tif"))
    assert [page.number for page in pages] == [1, 2]
    same(pages[0], GRAY)
    same(pages[1], SECOND)
    (only,) = pages_of(raw_tiff((small, {254: 1}), (small, {254: 1})), name="b.tif")
    same(only, small)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"lossless": True} if suffix == "webp" else {}))
    (page,) = pages_of(path)
    same(page, GRAY, 3)
    assert page.file is None


@pytest.mark.parametrize(
    ("dpi", "said"),
    [((300, 300), 300), ((72, 72), None), ((96, 96), None), ((1, 1), None), ((299.9994, 299.9994), 300)],
)
def test_resolution_where_the_file_knows_it(dpi: tuple[float, float], said: float | None, tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png", dpi=dpi)
    (page,) = pages_of(tmp_path / "a.png")
    assert page.dpi == (None if said is None else pytest.approx(said, abs=0.1))


def test_colour_is_kept_for_showing_and_transparency_lies_on_white() -> None:
    red = Image.new("RGBA", (8, 6), (200, 0, 0, 255))
    red.paste((0, 0, 0, 0), (0, 0, 4, 6))
    (page,) = pages_of(red)
    assert page.image().getpixel((6, 3)) == (200, 0, 0)
    assert page.image().getpixel((1, 3)) == (255, 255, 255)
    (page,) = pages_of(np.asarray(red.convert("RGB")))
    assert page.image().getpixel((6, 3)) == (200, 0, 0)
    (page,) = pages_of(GRAY)
    same(page, GRAY)


def test_a_broken_page_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", GRAY, SECOND, GRAY, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        image.seek(1)
        start = image.tag_v2[273][0]  # type: ignore[attr-defined]  # where its pixels are
    data[start : start + 40] = b"\xff" * 40
    pages = list(pages_of(io.BytesIO(data), name="a.tif"))
    same(pages[0], GRAY)
    same(pages[2], GRAY)
    with pytest.raises(ImageError, match=r"^a.tif, page 2: broken picture"):
        pages[1].gray()
    with pytest.raises(ImageError, match=r"^a.tif, page 2: broken picture"):
        pages[1].image()


@pytest.mark.filterwarnings("ignore")  # decoders warn about what they then raise
def test_broken_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (30, 40), np.uint8)
    good = tiff(tmp_path / "a.tif", noise, noise, compression="tiff_adobe_deflate").read_bytes()
    for _ in range(150):
        bad = np.frombuffer(good, np.uint8).copy()
        bad[rng.integers(0, len(bad), 4)] = rng.integers(0, 256, 4)
        cut = bad.tobytes()[: rng.integers(1, len(good))] if rng.random() < 0.5 else bad.tobytes()
        try:
            for page in pages_of(io.BytesIO(cut), name="x", max_pages=50):
                page.gray()
                page.image()
        except ImageError as error:
            assert str(error).startswith("x")
            assert "\n" not in str(error)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    refused(io.BytesIO(b""), "is empty")
    refused(io.BytesIO(b"hello"), "not a picture")
    refused(io.BytesIO(bomb()), "pixels")
    refused(tmp_path / "none.tif", "no such file", str(tmp_path / "none.tif"))
    refused(tmp_path, "is a folder|no pictures", str(tmp_path))
    refused(tiff(tmp_path / "a.tif", GRAY, GRAY, GRAY), "more than 2 pages", max_pages=2)


def test_pictures_finds_pages_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tiff(tmp_path / "a.tif", GRAY, SECOND, GRAY))
    opened = []

    def counted(*args: object, **options: object) -> object:
        opened.append(args[0])
        return pages_of(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pages_in, "pages_of", counted)
    pictures = Pictures({"-": io.BytesIO(Path(path).read_bytes()), None: GRAY})
    for number, gray in [(1, GRAY), (1, GRAY), (2, SECOND), (3, GRAY)]:
        same(pictures(path, number), gray)
    assert len(opened) == 1
    same(pictures(path, 2), SECOND)
    for _ in range(2):
        same(pictures("-", 2), SECOND)
        same(pictures(None), GRAY)
    with pytest.raises(ImageError, match="has no page 4"):
        pictures(path, 4)
    with pytest.raises(ImageError, match="no path"):
        Pictures()(None)


class TestPdf:
    """What PDFium draws; pages are made by Pillow, which draws them as pictures at 100 dpi."""

    @pytest.fixture(autouse=True)
    def _pdfium(self) -> None:
        pytest.importorskip("pypdfium2", reason="PDFium draws pages of PDF")

    def test_every_page(self, tmp_path: Path) -> None:
        first = np.full((200, 300), 255, np.uint8)
        first[50:100, 30:200] = 0
        path = pdf(tmp_path / "a.pdf", first, first.T.copy())
        pages = list(pages_of(path, dpi=100))
        assert [page.name for page in pages] == [f"{path}, page 1", f"{path}, page 2"]
        for page, gray in zip(pages, (first, first.T), strict=True):
            same(page, gray, 30)  # a scan comes out as it went in, but for what JPEG did
            assert page.dpi == 100
        (fine, _) = pages_of(path)
        assert (fine.width, fine.height, fine.dpi) == (900, 600, 300)
        assert fine.gray().shape == (600, 900)
        assert (fine.gray()[160:290, 100:590] < 5).all()

    def test_colour_and_a_page_without_suffix(self, tmp_path: Path) -> None:
        red = Image.new("RGB", (60, 40), (200, 10, 10))
        ImageDraw.Draw(red).rectangle((0, 0, 29, 39), fill=(10, 10, 200))
        red.save(tmp_path / "a", "PDF", resolution=72)
        (page,) = pages_of(tmp_path / "a", dpi=72)
        assert page.name == str(tmp_path / "a")
        assert np.abs(np.subtract(page.image().getpixel((50, 20)), (200, 10, 10))).max() < 8
        assert page.file is None

    def test_a_turned_page(self, tmp_path: Path) -> None:
        pypdf = pytest.importorskip("pypdf", reason="pypdf turns a page")
        sheet = np.full((60, 90), 255, np.uint8)
        sheet[:20, :45] = 0
        writer = pypdf.PdfWriter(clone_from=pdf(tmp_path / "a.pdf", sheet, dpi=72))
        writer.pages[0].rotate(90)
        writer.write(tmp_path / "b.pdf")
        (page,) = pages_of(tmp_path / "b.pdf", dpi=72)
        same(page, np.rot90(sheet, -1), 60)

    def test_a_huge_sheet_is_drawn_coarser(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages_in, "_PDF_PIXELS", 10_000)
        (page,) = pages_of(pdf(tmp_path / "a.pdf", np.full((400, 100), 255, np.uint8), dpi=72))
        assert page.gray().shape == (page.height, page.width) == (200, 50)
        assert page.dpi == 36

    def test_locked_broken_and_too_many(self, tmp_path: Path) -> None:
        path = pdf(tmp_path / "a.pdf", GRAY, GRAY, GRAY)
        refused(io.BytesIO(b"%PDF-1.7 nothing more"), "broken PDF")
        refused(io.BytesIO(path.read_bytes()[:150]), "broken PDF")
        refused(path, "more than 2 pages", max_pages=2)
        pypdf = pytest.importorskip("pypdf", reason="pypdf locks a PDF")
        writer = pypdf.PdfWriter(clone_from=path)
        writer.encrypt("secret", algorithm="RC4-128")
        writer.write(tmp_path / "locked.pdf")
        refused(tmp_path / "locked.pdf", "locked with a password; save it without one")

    @pytest.mark.parametrize("method", ["get_page_size", "get_page"])
    def test_a_broken_page_does_not_cost_the_others(
        self, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which bytes are a broken page differs from one PDFium to the next; that the page says so does not."""
        pdfium = pytest.importorskip("pypdfium2")
        real = getattr(pdfium.PdfDocument, method)

        def failing(document: object, index: int) -> object:
            if index == 0:
                raise pdfium.PdfiumError("Failed to load page.")
            return real(document, index)

        monkeypatch.setattr(pdfium.PdfDocument, method, failing)
        first, second = pages_of(pdf(tmp_path / "a.pdf", GRAY, SECOND), name="a.pdf", dpi=100)
        for pixels in (first.gray, first.image):
            with pytest.raises(ImageError, match=r"^a.pdf, page 1: broken page"):
                pixels()
        same(second, SECOND, 30)

    def test_broken_bytes_never_raise_anything_else(self, tmp_path: Path) -> None:
        good = pdf(tmp_path / "a.pdf", GRAY, GRAY).read_bytes()
        rng = np.random.default_rng(2)
        for _ in range(60):
            bad = np.frombuffer(good, np.uint8).copy()
            bad[rng.integers(8, len(bad), 6)] = rng.integers(0, 256, 6)
            try:
                for page in pages_of(io.BytesIO(bad.tobytes()), name="x", dpi=50):
                    page.gray()
            except ImageError as error:
                assert str(error).startswith("x")
                assert "\n" not in str(error)


def test_without_pdfium_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdfium2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "jphtr\[pdf\]"'):
        list(pages_of(io.BytesIO(b"%PDF-1.7"), name="x.pdf"))
