"""Pictures of every kind a person may have become upright gray pixels, or one clear line of error."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jphtr.errors import ImageError
from jphtr.image import expand, load_gray
from jphtr.pages_in import pages_of

GRAY = (np.add.outer(np.arange(20) * 5, np.arange(30) * 3)).astype(np.uint8)  # no symmetry: turns show


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_gray_png_is_read_exactly(tmp_path: Path) -> None:
    gray = load_gray(save(tmp_path / "a.png", Image.fromarray(GRAY)))
    assert gray.dtype == np.uint8
    assert np.array_equal(gray, GRAY)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "gif", "jpg", "jp2", "pgm"])
def test_every_container(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    gray = load_gray(save(tmp_path / f"a.{suffix}", Image.fromarray(GRAY), **options))
    assert gray.shape == GRAY.shape
    assert np.abs(gray.astype(int) - GRAY).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "PA"])
def test_every_mode_keeps_paper_light_and_ink_dark(mode: str) -> None:
    picture = np.full((12, 40), 250, np.uint8)
    picture[4:8, 10:30] = 5
    image = Image.fromarray(picture).convert("RGB")
    image = image.convert("L").convert(mode) if mode in ("I", "F", "LA", "PA") else _convert(image, mode)
    gray = load_gray(image)
    assert gray.shape == (12, 40)
    assert gray[5, 15:25].max() < 30
    assert gray[1].min() > 220


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return image.convert(mode)
    light = image.convert("L")
    return Image.merge("LAB", (light, Image.new("L", light.size, 128), Image.new("L", light.size, 128)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {
        1: GRAY, 2: GRAY[:, ::-1], 3: GRAY[::-1, ::-1], 4: GRAY[::-1], 5: GRAY.T,
        6: np.rot90(GRAY, -1), 7: GRAY[::-1, ::-1].T, 8: np.rot90(GRAY),
    }[orientation]  # fmt: skip
    options = {"quality": 100} if suffix == "jpg" else {}
    gray = load_gray(save(tmp_path / f"a.{suffix}", Image.fromarray(GRAY), exif=exif, **options))
    assert gray.shape == turned.shape
    assert np.abs(gray.astype(int) - turned).max() <= 3


def test_broken_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(GRAY), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert np.array_equal(load_gray(path), GRAY)


@pytest.mark.parametrize("top", [1023, 4095, 65535])
def test_deep_pictures_are_scaled_by_their_depth(tmp_path: Path, top: int) -> None:
    deep = np.linspace(0, top, 200).reshape(10, 20).astype(np.uint16)
    gray = load_gray(save(tmp_path / "a.png", Image.fromarray(deep)))
    assert np.abs(gray - deep * (255 / top)).max() <= 0.51


def test_deep_container_with_eight_bit_values_is_left_alone(tmp_path: Path) -> None:
    assert np.array_equal(load_gray(save(tmp_path / "a.png", Image.fromarray(GRAY.astype(np.uint16)))), GRAY)


def test_noise_of_a_deep_blank_sheet_is_not_stretched(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(64000, 65536, (20, 30)).astype(np.uint16)
    gray = load_gray(save(tmp_path / "a.tif", Image.fromarray(deep)))
    assert gray.min() >= 248


@pytest.mark.parametrize("suffix", ["tif"])
def test_float_tiff(tmp_path: Path, suffix: str) -> None:
    gray = load_gray(save(tmp_path / f"a.{suffix}", Image.fromarray((GRAY / 255).astype(np.float32))))
    assert np.array_equal(gray, GRAY)


def test_alpha_is_laid_on_white() -> None:
    rgba = np.zeros((10, 20, 4), np.uint8)  # black where opaque, "black" behind full transparency
    rgba[3:6, 5:15, 3] = 255
    gray = load_gray(Image.fromarray(rgba))
    assert gray[0, 0] == 255
    assert gray[4, 10] == 0


def test_white_ink_on_nothing_is_laid_on_black() -> None:
    rgba = np.full((10, 20, 4), 255, np.uint8)
    rgba[:, :, 3] = 0
    rgba[3:6, 5:15, 3] = 255
    gray = load_gray(Image.fromarray(rgba))
    assert gray[4, 10] == 255
    assert gray[0, 0] == 0


def test_palette_with_transparent_entry(tmp_path: Path) -> None:
    image = Image.new("P", (20, 10), 0)
    image.putpalette([0, 0, 0, 40, 40, 40])
    image.paste(1, (5, 3, 15, 6))
    gray = load_gray(save(tmp_path / "a.png", image, transparency=0))
    assert gray[0, 0] == 255
    assert gray[4, 10] == 40


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(GRAY), Image.new("L", (30, 20), 7), Image.new("L", (30, 20), 9)]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert np.abs(load_gray(path).astype(int) - GRAY).max() <= 3


def test_arrays() -> None:
    colour = np.repeat(GRAY[:, :, None], 3, axis=2)
    assert np.array_equal(load_gray(GRAY), GRAY)
    assert np.array_equal(load_gray(GRAY[:, :, None]), GRAY)
    assert np.array_equal(load_gray(colour), GRAY)
    assert np.array_equal(load_gray(GRAY > 100), np.where(GRAY > 100, 255, 0))
    assert np.array_equal(load_gray((GRAY / 255).astype(np.float32)), GRAY)
    assert np.array_equal(load_gray(GRAY.astype(np.int64)), GRAY)
    assert np.array_equal(load_gray(GRAY[:, ::2]), GRAY[:, ::2])
    own = GRAY.copy()
    load_gray(own)[:] = 0
    assert np.array_equal(own, GRAY)  # the caller's pixels are the caller's


@pytest.mark.parametrize("shape", [(0, 4), (5,), (4, 4, 5), (2, 4, 4, 3), (4, 4, 0)])
def test_arrays_that_are_no_pictures(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="no picture"):
        load_gray(np.zeros(shape, np.uint8))


def test_array_of_strings_is_no_picture() -> None:
    with pytest.raises(ImageError, match="no picture"):
        load_gray(np.array([["a"]]))


def test_standard_input_and_pipes() -> None:
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, "PNG")
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(buffer.getvalue())
    with os.fdopen(read_end, "rb") as pipe:
        assert np.array_equal(load_gray(pipe, name="-"), GRAY)


def bomb() -> bytes:
    """A PNG whose header promises 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def one_line(error: ImageError, name: str) -> None:
    assert "\n" not in str(error)
    assert str(error).startswith(name + ": ")


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("これは絵ではない")
    empty = tmp_path / "empty.png"
    empty.touch()
    huge = tmp_path / "bomb.png"
    huge.write_bytes(bomb())
    eps = tmp_path / "a.png"
    eps.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    folder = tmp_path / "folder.png"
    folder.mkdir()
    for path, why in [
        (text, "not a picture"),
        (empty, "empty"),
        (huge, "pixels"),
        (eps, "not a picture"),
        (folder, "no pictures"),
        (tmp_path, "folder"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path / "nul\0.png", "cannot be opened"),
    ]:
        with pytest.raises(ImageError, match=why) as caught:
            load_gray(path)
        one_line(caught.value, str(path))


def test_the_kinds_of_files_are_named_that_could_be_read_there(tmp_path: Path) -> None:
    text = tmp_path / "a.docx"
    text.write_text("no picture", "utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (text, empty):
        with pytest.raises(ImageError, match="bmp gif jpeg jpg png tif tiff webp"):
            load_gray(path)
        with pytest.raises(ImageError, match="bmp gif jpeg jpg pdf png tif tiff webp"):
            list(pages_of(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(GRAY))
    path.chmod(0)
    with pytest.raises(ImageError, match="permission denied"):
        load_gray(path)


@pytest.mark.filterwarnings("ignore")  # decoders warn about what they then raise
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "jp2"])
def test_broken_bytes_never_raise_anything_else(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(7)
    buffer = io.BytesIO()
    options = {"compression": "tiff_lzw"} if suffix == "tif" else {}
    kind = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix)
    Image.fromarray(rng.integers(0, 256, (40, 60), np.uint8)).save(buffer, kind, **options)
    good = buffer.getvalue()
    for cut in np.linspace(1, len(good) - 1, 40).astype(int):
        read_or_refuse(good[:cut])
    for _ in range(80):
        bad = np.frombuffer(good, np.uint8).copy()
        bad[rng.integers(0, min(len(bad), 300), 3)] = rng.integers(0, 256, 3)
        read_or_refuse(bad.tobytes())


def read_or_refuse(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return load_gray(io.BytesIO(data), name="x")
    except ImageError as error:
        one_line(error, "x")
        return None


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(3)
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(rng.integers(0, 256, (60, 90), np.uint8)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"broken|not a picture"):
        load_gray(path)


def test_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ["b.png", "a.JPG", "notes.txt", "sub/c.webp", ".hidden/d.png", "x[1].png", "other/e.tif"]:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert list(expand(["."])) == ["a.JPG", "b.png", "other/e.tif", "sub/c.webp", "x[1].png"]
    assert list(expand(["*.png"])) == ["b.png", "x[1].png"]
    assert list(expand(["x[1].png"])) == ["x[1].png"]  # a name that looks like a pattern, but is a file
    assert list(expand(["**/*.tif", "-", "s*"])) == ["other/e.tif", "-", "sub/c.webp"]
    assert list(expand(["none.png", "q*.png", ".hidden"])) == ["none.png", "q*.png", ".hidden/d.png"]
    Path("void").mkdir()
    assert list(expand(["void"])) == ["void"]
