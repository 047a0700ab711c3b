"""The pages of a file, one at a time: a photo or scan, each page of a TIFF or a PDF; pixels come when they are asked for."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Lock
from typing import Any, NoReturn, cast

import numpy as np
from PIL import Image

from jphtr.errors import ImageError, require
from jphtr.image import (
    MAX_PIXELS,
    UPRIGHT,
    Picture,
    decoding,
    gist,
    load_gray,
    name_of,
    open_image,
    orientation_of,
    read_bytes,
)
from jphtr.records import Gray

PDF_DPI = 300  # what a page of a PDF is drawn at
MAX_PAGES = 10_000

_PDF_PIXELS = 40_000_000  # a larger sheet, a poster say, is drawn coarser; A3 at 300 dpi has 17 million
_PDF_LOCK = Lock()  # PDFium is not made for several threads
_NO_RESOLUTION = (72, 96)  # what cameras and screens write who know none
_NEW_SUBFILE_TYPE, _SMALLER_OR_MASK = 254, 0b101  # TIFF 6.0, page 36: a thumbnail of another page, or its mask
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


@dataclass(frozen=True, slots=True, eq=False)
class PagePicture:
    """A page that can be looked at: what is known of it without decoding, and how to decode it, anew each time.

    Attributes
    ----------
    name : what to call it in messages: the file, and the page where the file may have several.
    number : of the page in its file, from 1.
    width, height : in pixels, upright as a viewer shows it; 0 of a page that is broken.
    dpi : dots per inch, where the file says; None where it does not or says what screens say.
    gray : gives (H, W) uint8, as `load_gray` does; raises ImageError.
    image : gives the upright picture in mode 1, L or RGB, transparency laid on white; raises ImageError.
    file : the bytes of a JPEG or PNG file that holds just this picture, else None.
    orientation : EXIF's number (1 to 8) for how the picture lies in `file`.
    lossy : whether the pixels come from a lossy format or a drawing, so that keeping them exactly buys nothing.
    """

    name: str
    number: int
    width: int
    height: int
    dpi: float | None
    gray: Callable[[], Gray]
    image: Callable[[], Image.Image]
    file: bytes | None = None
    orientation: int = 1
    lossy: bool = False


def pages_of(
    picture: Picture, *, name: str | None = None, dpi: float = PDF_DPI, max_pages: int = MAX_PAGES
) -> Iterator[PagePicture]:
    """The pages of a picture file or PDF, in their order.

    A TIFF gives each of its pages, without thumbnails and masks; an animation its first frame; everything else is one
    page. A page that is broken fails when its pixels are asked for, so that the others can still be read.

    Parameters
    ----------
    picture : as for `load_gray`, or a PDF: what it is is told by its bytes, not by its name.
    name : what to call it in messages; by default the path.
    dpi : what pages of a PDF are drawn at; very large ones are drawn coarser.
    max_pages : how many are allowed.

    Raises
    ------
    ImageError
        One line: missing, unreadable, empty, not a picture, locked with a password, broken, too many pages.
    MissingExtraError
        If it is a PDF, and the package that draws PDFs is not installed.
    """
    called = name or name_of(picture) or "picture"
    if isinstance(picture, np.ndarray | Image.Image):
        yield _of_pixels(picture, called)
        return
    data = read_bytes(picture, called)
    pages = _pdf_pages(data, called, dpi) if b"%PDF-" in data[:1024] else _frames(data, called)
    for page in pages:
        if page.number > max_pages:
            raise ImageError(f"{called}: more than {max_pages:,} pages; cut it into parts")
        yield page


class Pictures:
    """Finds the page behind a result again, by path and number; the file found last stays open for its next page.

    Parameters
    ----------
    known : pictures that are not found by their path: those from standard input or from memory.
    dpi : what pages of a PDF are drawn at; the same as when they were read.
    """

    def __init__(self, known: Mapping[str | None, Picture] | None = None, dpi: float = PDF_DPI) -> None:
        self._known, self._dpi = dict(known or {}), dpi
        self._path: str | None = None
        self._pages: Iterator[PagePicture] = iter(())
        self._page: PagePicture | None = None

    def __call__(self, path: str | None, number: int = 1) -> PagePicture:
        """The page `number` of the file at `path`.

        Raises
        ------
        ImageError
            If it cannot be opened, or has no such page.
        """
        if self._page is None or self._path != path or self._page.number > number:
            picture = self._known.get(path, path)
            if picture is None:
                raise ImageError("picture: has no path to be found by; hand it over in Pictures({None: picture})")
            if isinstance(picture, io.IOBase) and picture.seekable():
                picture.seek(0)
            self._path, self._pages, self._page = path, pages_of(picture, name=path, dpi=self._dpi), None
        while self._page is None or self._page.number < number:
            self._page = next(self._pages, None)
            if self._page is None:
                raise ImageError(f"{path}: has no page {number}")
        return self._page


def _frames(data: bytes, name: str) -> Iterator[PagePicture]:
    """The pages of a TIFF, or the one picture of another format."""
    with decoding(name):
        header = open_image(data)
    if header.format != "TIFF" or not getattr(header, "is_animated", False):
        with decoding(name):
            page = _of_frame(data, header, 0, 1, name)
        yield page
        return
    number, aside = 0, None
    for frame in count():
        called = f"{name}, page {number + 1}"
        with decoding(called):
            try:
                header.seek(frame)
            except EOFError:
                break
            page, is_aside = _of_frame(data, header, frame, number + 1, called), _is_aside(header)
        if is_aside:
            aside = aside or page
        else:
            number += 1
            yield page
    if not number and aside is not None:  # thumbnails of nothing
        yield aside


def _is_aside(header: Image.Image) -> bool:
    kind = header.tag_v2.get(_NEW_SUBFILE_TYPE, 0)  # type: ignore[attr-defined]  # a TIFF has it
    return isinstance(kind, int) and bool(kind & _SMALLER_OR_MASK)


def _of_frame(data: bytes, header: Image.Image, frame: int, number: int, name: str) -> PagePicture:
    width, height = header.size
    if header.format == "TIFF":  # Pillow's size may be turned already
        tags = header.tag_v2  # type: ignore[attr-defined]
        width, height = tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
    orientation = orientation_of(header)
    if orientation >= 5:
        width, height = height, width

    def opened() -> Image.Image:
        with decoding(name):
            image = open_image(data)
            if frame:
                image.seek(frame)
            return image

    alone = header.format in ("JPEG", "PNG") and not getattr(header, "is_animated", False)
    return PagePicture(
        name, number, width, height, _dpi(header),
        gray=lambda: load_gray(opened(), name=name),
        image=lambda: _in_colour(opened(), name),
        file=data if alone else None,
        orientation=orientation if orientation in UPRIGHT else 1,
        lossy=header.format not in ("PNG", "TIFF", "BMP", "DIB", "GIF", "PPM"),
    )  # fmt: skip


def _of_pixels(picture: Any, name: str) -> PagePicture:
    """An array or a Pillow image, which is in memory anyway."""
    if isinstance(picture, Image.Image):
        colour = _in_colour(picture, name)
    else:
        gray = load_gray(picture, name=name)
        rgb = picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        colour = Image.fromarray(np.ascontiguousarray(picture) if rgb else gray)
    return PagePicture(
        name, 1, *colour.size, _dpi(colour), gray=partial(load_gray, picture, name=name), image=colour.copy
    )


def _dpi(image: Image.Image) -> float | None:
    value = image.info.get("dpi")
    try:
        across = float(value[0])  # type: ignore[index]  # what is no pair raises
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return None
    return round(across, 2) if 30 <= across <= 9600 and round(across) not in _NO_RESOLUTION else None


def _in_colour(image: Image.Image, name: str) -> Image.Image:
    """Upright, of mode 1, L or RGB."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{name}: more than {MAX_PIXELS:,} pixels; cut it into parts")
    with decoding(name):
        image.load()
        turn, info = UPRIGHT.get(orientation_of(image)), image.info
        if image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(image.convert("RGBA"))
            image = paper.convert("RGB")
        elif image.mode.startswith("I") or image.mode == "F":
            return Image.fromarray(load_gray(image, name=name))
        elif image.mode not in ("1", "L", "RGB"):
            image = image.convert("RGB")
        upright = image.copy() if turn is None else image.transpose(turn)
        upright.info = {"dpi": info["dpi"]} if "dpi" in info else {}
        return upright


def _pdf_pages(data: bytes, name: str, dpi: float) -> Iterator[PagePicture]:
    pdfium = require("pypdfium2", "pdf")
    with _PDF_LOCK:
        try:
            document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if "password" in str(error).lower():
                raise ImageError(f"{name}: is locked with a password; save it without one") from None
            raise ImageError(f"{name}: broken PDF: {gist(error)}") from None
        document.init_forms()  # so that what was filled in is drawn
        pages = len(document)
    if not pages:
        raise ImageError(f"{name}: a PDF without pages")
    for index in range(pages):
        yield _of_sheet(document, index, dpi, f"{name}, page {index + 1}" if pages > 1 else name)


def _of_sheet(document: Any, index: int, dpi: float, name: str) -> PagePicture:
    """A page of a PDF."""
    with _PDF_LOCK:
        try:
            across, down = document.get_page_size(index)  # in 1/72 inch, turned as the page is
        except RuntimeError:  # PdfiumError is one
            across = down = 0.0
    if not (across > 0 and down > 0):

        def fails() -> NoReturn:
            raise ImageError(f"{name}: broken page: it has no size")

        return PagePicture(name, index + 1, 0, 0, None, gray=fails, image=fails)
    # a little less, so that 900.0001 pixels are 900: a scan comes out as it went in
    scale = min(dpi / 72, math.sqrt(_PDF_PIXELS / (across * down))) * (1 - 1e-6)

    def drawn(**options: bool) -> Any:
        with _PDF_LOCK:
            try:
                page = document[index]
                bitmap = page.render(scale=scale, **options)
                pixels = np.array(bitmap.to_numpy())
                bitmap.close()
                page.close()
            except (RuntimeError, MemoryError) as error:
                raise ImageError(f"{name}: broken page: {gist(error)}") from None
        return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels

    return PagePicture(
        name, index + 1, math.ceil(across * scale), math.ceil(down * scale), round(scale * 72, 2),
        gray=lambda: cast(Gray, drawn(grayscale=True)),
        image=lambda: Image.fromarray(drawn(rev_byteorder=True)),
        lossy=True,
    )  # fmt: skip
