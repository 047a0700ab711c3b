"""A picture, from a file or from memory -> gray pixels (H, W) uint8, upright, first frame, alpha on white.

The polarity is still the picture's own: `geometry` finds out whether the ink is the darker part.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from jphtr.errors import ImageError
from jphtr.records import Gray

Picture = str | Path | BinaryIO | NDArray[Any] | Image.Image
"""Whatever a line can be read from: a path, an open binary file, an array or a Pillow image."""

STDIN = "-"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
MAX_PIXELS = 178_000_000  # just under what Pillow refuses by itself
_MAX_BYTES = 1 << 29

# Decoders for pictures of text; the others (EPS runs Ghostscript) are not offered a stranger's bytes.
_DECODERS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF", "MPO")
# What decoders raise when their bytes are broken.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, EOFError,
    MemoryError, RuntimeError, struct.error, zlib.error, Image.DecompressionBombError, Warning,
)  # fmt: skip
# EXIF orientation -> how to turn the picture upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112


def name_of(picture: Picture) -> str | None:
    """What to call a picture in messages and results: its path, or None for pixels in memory."""
    if isinstance(picture, str | Path):
        return str(picture)
    name = getattr(picture, "name", None) or getattr(picture, "filename", None)
    return name if isinstance(name, str) else None


def load_gray(picture: Picture, *, name: str | None = None) -> Gray:
    """Gray pixels of a picture.

    Parameters
    ----------
    picture : a path, an open binary file, a Pillow image, or an array: (H, W) or (H, W, 1 to 4) of bool,
        integers or floats, where floats up to 1.0 mean 0 to 1 and larger values 0 to the full scale of the
        smallest bit depth that holds them.
    name : what to call it in messages; by default the path.

    Returns
    -------
    (H, W) uint8, H and W at least 1; dark or light paper as in the picture. A light drawing on nothing
    (alpha) is put on black, where it can be seen.

    Raises
    ------
    ImageError
        One line: missing, unreadable, a directory, empty, not a picture, broken, or too large.
    """
    called = name or name_of(picture) or "picture"
    if isinstance(picture, np.ndarray):
        return _from_array(picture, called)
    if isinstance(picture, Image.Image):
        return _decoded(picture, called)
    data = read_bytes(picture, called, documents=False)
    with decoding(called, documents=False), open_image(data) as image:
        return _decoded(image, called)


def read_bytes(picture: str | Path | BinaryIO, name: str, *, documents: bool = True) -> bytes:
    """The whole of a file, for a pipe cannot seek.

    What is said of a folder names PDF among the kinds of files unless `documents` says otherwise.

    Raises
    ------
    ImageError
        If it is missing, unreadable, a directory, empty or too large.
    """
    try:
        if isinstance(picture, str | Path):
            with open(picture, "rb") as file:
                size = os.fstat(file.fileno()).st_size or _MAX_BYTES  # of a pipe nobody knows
                data = file.read(min(size, _MAX_BYTES) + 1)  # room for all that is allowed takes a millisecond to get
        else:
            data = picture.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = f"cannot be read: {gist(error)}"
        if isinstance(picture, str | Path):
            why = _why_not(Path(picture), error, documents)
        raise ImageError(f"{name}: {why}") from None
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes)")
    if len(data) > _MAX_BYTES:
        raise ImageError(f"{name}: more than {_MAX_BYTES:,} bytes; cut it into parts")
    return data


def open_image(data: bytes) -> Image.Image:
    """The picture in `data`, header read, pixels not yet decoded; what it raises is for `decoding` to translate."""
    # the five commonest decoders; the rest cost 60 ms, paid only when these do not know the bytes
    Image.preinit()
    try:
        return Image.open(io.BytesIO(data), formats=[d for d in _DECODERS if d in Image.OPEN])
    except UnidentifiedImageError:
        Image.init()
        return Image.open(io.BytesIO(data), formats=[d for d in _DECODERS if d in Image.OPEN])


@contextmanager
def decoding(name: str, *, documents: bool = True) -> Iterator[None]:
    """Within it, what Pillow raises becomes an ImageError of one line about the picture.

    It names the kinds of files that can be read; PDF is one of them unless `documents` says otherwise.
    """
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name}: more than {MAX_PIXELS:,} pixels; cut it into parts") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read; use one of: {_kinds(documents)}") from None
    except _DECODER_ERRORS as error:
        raise ImageError(f"{name}: broken picture: {gist(error)}") from None


def expand(inputs: Iterable[str], *, documents: bool = False) -> Iterator[str]:
    """Paths of pictures from what a person types: files, folders (searched recursively), globs, "-".

    In folders PDF files count as well where `documents` says so. What leads nowhere is handed on as it is, so that trying
    to read it gives its error.

    Raises
    ------
    ImageError
        If a name is empty.
    """
    for item in inputs:
        if not item:  # which pathlib takes for the folder one is in
            raise ImageError("'' names no picture; is a variable of the shell empty?")
        path = Path(item)
        if item == STDIN or path.is_file():
            yield item
        elif path.is_dir():
            yield from pictures_in(path, documents=documents) or [item]
        elif matches := _matches(item):
            yield from expand(matches, documents=documents)
        else:
            yield item


def _matches(pattern: str) -> list[str]:
    return sorted(glob(pattern, recursive=True)) if has_magic(pattern) else []  # noqa: PTH207 (it may be absolute)


def pictures_in(folder: Path, *, documents: bool = False) -> list[str]:
    """Paths of all pictures, and PDF files if `documents`, below a folder, by suffix, sorted; hidden ones are left out."""
    wanted = _suffixes(documents)
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in wanted
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    return [str(path) for path in sorted(found)]


def _suffixes(documents: bool) -> frozenset[str]:
    return SUFFIXES | {".pdf"} if documents else SUFFIXES


def _kinds(documents: bool) -> str:
    """What can be read, as a person is told."""
    return " ".join(sorted(suffix[1:] for suffix in _suffixes(documents)))


def _decoded(image: Image.Image, name: str) -> Gray:
    """Gray of a Pillow image, which may not have been decoded yet."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width} x {image.height} is more than {MAX_PIXELS:,} pixels; cut it into parts"
        )
    if not image.width or not image.height:
        raise ImageError(f"{name}: has no pixels ({image.width} x {image.height})")
    with decoding(name):
        image.load()
        turn = UPRIGHT.get(orientation_of(image))
        gray = _flattened(image)
        return gray if turn is None else np.array(Image.fromarray(gray).transpose(turn))


def orientation_of(image: Image.Image) -> int:
    """EXIF's number for how it lies, 1 where it says nothing."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 1  # pixels with a broken note beside them are still pixels
    return value if isinstance(value, int) else 1


def _flattened(image: Image.Image) -> Gray:
    """One channel of 8 bits: deep pixels scaled, transparency laid on paper."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(np.asarray(image))
    if image.has_transparency_data:
        light = image.convert("RGBA").convert("LA")
        ink, alpha = (np.asarray(band, np.uint16) for band in light.split())
        for paper in (255, 0):
            gray = ((ink * alpha + paper * (255 - alpha) + 127) // 255).astype(np.uint8)
            if np.ptp(gray) > 0 or np.ptp(alpha) == 0:
                break  # white ink on nothing vanishes on white paper
        return gray
    return np.array(image.getchannel(0) if image.mode == "LAB" else image.convert("L"))


def _from_array(array: NDArray[Any], name: str) -> Gray:
    if array.ndim not in (2, 3) or not array.size or (array.ndim == 3 and array.shape[2] > 4):
        raise ImageError(f"{name}: an array of shape {array.shape} is no picture; give (H, W) or (H, W, channels)")
    if array.dtype.kind not in "buif":
        raise ImageError(f"{name}: an array of {array.dtype} is no picture; give uint8, uint16 or float")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    eight = array if array.dtype == np.uint8 else _eight_bits(array)
    if eight.ndim == 3 and eight.shape[2] == 1:
        eight = eight[:, :, 0]
    if eight.ndim == 2:
        return np.array(eight)
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}[eight.shape[2]]
    return _decoded(Image.frombytes(mode, eight.shape[1::-1], np.ascontiguousarray(eight).tobytes()), name)


def _eight_bits(deep: NDArray[Any]) -> NDArray[np.uint8]:
    """Values of any depth -> 0 to 255, by the smallest bit depth that holds the largest of them.

    Not stretched from the darkest to the lightest: that would turn the noise of a blank sheet into ink.
    """
    values = np.nan_to_num(deep.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    values -= min(0.0, float(values.min()))
    top = float(values.max())
    unit = top <= 1.0 and deep.dtype.kind == "f"
    full = 1.0 if unit else max(255.0, 2.0 ** np.ceil(np.log2(top + 1)) - 1)
    return np.clip(values * (255 / full) + 0.5, 0, 255).astype(np.uint8)


def _why_not(path: Path, error: Exception, documents: bool) -> str:
    """Why a path could not be opened, and what to do."""
    if path.is_dir():  # Windows says "permission denied" here
        if pictures_in(path, documents=documents):
            return "is a folder; name the pictures in it"
        return f"no pictures in this folder ({_kinds(documents)})"
    if isinstance(error, FileNotFoundError):
        return "no such file: nothing fits this pattern" if has_magic(str(path)) else "no such file"
    if isinstance(error, PermissionError):
        return "permission denied; make the file readable"
    return f"cannot be opened: {gist(error)}"


def gist(error: BaseException) -> str:
    """The gist of an error from a library, which may be long or empty."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
