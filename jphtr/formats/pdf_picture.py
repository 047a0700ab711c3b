"""A picture as an image of a PDF: JPEG and PNG files go in as they are, everything else as one of the two."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from jphtr.pages_in import PagePicture

_QUALITY = 92  # of a JPEG made from what has lost pixels before
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: ("/DeviceGray", 1), 2: ("/DeviceRGB", 3)}  # PNG's colour type -> colour space, channels
_JPEG_COLOURS = {"L": "/DeviceGray", "RGB": "/DeviceRGB"}
# EXIF's orientation -> how PDF lays the unit square on a sheet of width 1 and height 1: a b c d e f
_LAID = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}


@dataclass(frozen=True, slots=True)
class PdfPicture:
    """The bytes of an image stream, the entries of its dictionary, and how it lies on the page.

    Attributes
    ----------
    data : the stream, encoded as `entries` say.
    entries : of the dictionary but for Type, Subtype and Length.
    laid : the matrix a b c d e f that puts it upright on a sheet of width and height 1.
    """

    data: bytes
    entries: dict[str, Any]
    laid: tuple[int, ...] = field(default=_LAID[1])


def pdf_picture(picture: PagePicture) -> PdfPicture:
    """A page's picture for a PDF.

    Raises
    ------
    ImageError
        If it cannot be decoded, which is tried only where its bytes cannot be taken over.
    """
    laid = _LAID[picture.orientation]
    if picture.file is not None and (taken := _png(picture.file) or _jpeg(picture.file)):
        return PdfPicture(*taken, laid)
    image, buffer = picture.image(), io.BytesIO()
    if picture.lossy and image.mode != "1":
        image.save(buffer, "JPEG", quality=_QUALITY)
    else:
        image.save(buffer, "PNG")
    made = _png(buffer.getvalue()) or _jpeg(buffer.getvalue())
    if made is None:
        raise AssertionError("Pillow wrote a PNG or JPEG unlike those that PDF takes")
    return PdfPicture(*made)


def _jpeg(data: bytes) -> tuple[bytes, dict[str, Any]] | None:
    """A JPEG of gray or colour; CMYK is inverted by some programs and not by others."""
    with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
        if image.format != "JPEG" or image.mode not in _JPEG_COLOURS:
            return None
        width, height = image.size
    return data, {
        "Width": width, "Height": height, "ColorSpace": _JPEG_COLOURS[image.mode], "BitsPerComponent": 8,
        "Filter": "/DCTDecode",
    }  # fmt: skip


def _png(data: bytes) -> tuple[bytes, dict[str, Any]] | None:
    """A PNG's pixels as they are compressed in it, which PDF can undo; not if interlaced, deep or transparent."""
    if not data.startswith(_PNG_HEAD):
        return None
    palette, pixels = b"", []
    width = height = depth = colour = interlaced = 0
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            return None
        elif kind == b"IDAT":
            pixels.append(body)
    if colour == 3 and palette:
        space, channels = f"[/Indexed /DeviceRGB {len(palette) // 3 - 1} <{palette.hex()}>]", 1
    elif colour in _PNG_COLOURS:
        space, channels = _PNG_COLOURS[colour]
    else:
        return None
    if interlaced or depth > 8:
        return None
    return b"".join(pixels), {
        "Width": width, "Height": height, "ColorSpace": space, "BitsPerComponent": depth, "Filter": "/FlateDecode",
        "DecodeParms": f"<</Predictor 15 /Colors {channels} /BitsPerComponent {depth} /Columns {width}>>",
    }  # fmt: skip


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG_HEAD)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += length + 12
