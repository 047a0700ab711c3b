"""What a glyph file consists of: its columns, its texts, and the digest over both.

Layout of a glyph file (N glyphs of H x W pixels; the first axis is the order of writing):

    /gray (N, H, W) u1   255 is paper       /form (N,) u1     0 upright form, 1 form for vertical lines
    /label (N,) i4       into the charset   /em (N, 4) f4     x0, y0, x1, y1 of the em square in canvas px
    /writer (N,) i4      into the writers   /advance (N,) f4  horizontal advance in em; NaN: unknown
    /source (N,) i2      into the sources   /index (N,) i8    position inside the source
    /meta/NAME (N,)      what the sources know besides: sheet, code, quality, split ...; 0 where a source knows nothing
    /text/charset, writers, styles, sources, normalisation    utf-8: the charset's text, and JSON
    /text/columns, inputs                                     JSON: the meta columns of each source; the files read

A glyph without a known em square (NaN) is normalised to fill its canvas. Label 0 is a picture of no known character.
Attributes: format, jphtr, digest.

Pixels are stored a glyph a chunk, deflated: random glyphs are then read without unpacking their neighbours, measured at
42,000 a second against 2,200 from chunks of 16, for a tenth more bytes. Raw files have chunks of 1 MiB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

FORMAT = 1
COLUMNS: dict[str, tuple[str, int]] = {  # name -> dtype, values a glyph; /gray stands beside them
    "label": ("<i4", 1),
    "writer": ("<i4", 1),
    "source": ("<i2", 1),
    "index": ("<i8", 1),
    "form": ("u1", 1),
    "em": ("<f4", 4),
    "advance": ("<f4", 1),
}
TEXTS = ("charset", "writers", "styles", "sources", "normalisation")
MORE_TEXTS = ("columns", "inputs")  # of archives
_ROWS = 1 << 16  # rows of a small column hashed at a time


@dataclass(frozen=True, slots=True)
class Source:
    """Where glyphs came from: a name, the sha256 of the archive ("" if there is none) and its licence."""

    name: str
    sha256: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """A file that glyphs were read from: its name without folders, its bytes and their sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: glyphs and writers counted, and the content digest."""

    glyphs: int
    writers: int
    digest: str


def digest(file: h5py.File, gray: str) -> str:
    """sha256 over every column's decoded bytes, whatever the chunking or compression, and over the texts.

    Parameters
    ----------
    file : the glyph file.
    gray : hexadecimal sha256 of all pixels in order.
    """
    parts = {"gray": gray}
    for name in COLUMNS:
        parts[name] = _sha256(file[name])
    for name in file.get("meta", {}):
        parts[f"meta/{name}"] = _sha256(file[f"meta/{name}"])
    whole = hashlib.sha256()
    for name in sorted(parts):
        whole.update(f"{name} {parts[name]}\n".encode())
    for name in (*TEXTS, *(name for name in MORE_TEXTS if name in file["text"])):
        whole.update(f"{name} {get_text(file, name)}\n".encode())
    return whole.hexdigest()


def _sha256(column: h5py.Dataset) -> str:
    found = hashlib.sha256()
    for start in range(0, len(column), _ROWS):
        found.update(np.ascontiguousarray(column[start : start + _ROWS]).tobytes())
    return found.hexdigest()


def put_texts(file: h5py.File, texts: Mapping[str, str]) -> None:
    """Attributes are limited to 64 KiB in HDF5, so each text lies in a data set under /text."""
    for name, text in texts.items():
        file.create_dataset(f"text/{name}", data=np.frombuffer(text.encode(), dtype="u1"))


def get_text(file: h5py.File, name: str) -> str:
    return bytes(file[f"text/{name}"][()]).decode()


def append(file: h5py.File, count: int, rows: Mapping[str, NDArray[Any]]) -> None:
    """Put rows behind the `count` that every column holds."""
    for name, values in rows.items():
        file[name].resize(count + len(values), axis=0)
        file[name][count:] = values


def create(file: h5py.File, names: Iterable[str]) -> None:
    """Empty growing columns."""
    for name in names:
        dtype, width = COLUMNS[name]
        shape = (width,) if width > 1 else ()
        file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(4096, *shape), compression="lzf")
