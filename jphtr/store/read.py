"""A glyph file, open for reading."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from jphtr.charset import Charset
from jphtr.errors import DataError
from jphtr.records import Glyph, GlyphBlock, Gray
from jphtr.store.columns import FORMAT, Input, Source, Written, digest, get_text
from jphtr.store.deflate import ERRORS, inflated
from jphtr.store.handle import OpenFile

_ROWS = 1024  # glyphs read at a time on the way through a file
_DAMAGED: tuple[type[Exception], ...] = (ValueError, OSError, *ERRORS)


class GlyphFile(OpenFile):
    """An open glyph file: small columns in memory, pixels read when asked for.

    Attributes
    ----------
    label, writer : (N,) int32; `writer` indexes `writers`, `label` indexes `charset.chars`.
    form : (N,) uint8; em : (N, 4) float32 px; advance : (N,) float32 em.
    source : (N,) int16 into `sources`; index : (N,) int64.
    shape : (H, W) of every picture.
    charset, writers, styles, sources, normalisation, digest : what the file says about itself.
    columns : source -> the names that `column` knows of it. inputs : the files that were read.
    """

    _called = "glyph file"
    _own = ("_file", "_places")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._read = 0  # glyphs, one by one
        self._places: NDArray[np.int64] | None = None  # (2, N) offset and bytes of each glyph in the file
        file = self._open()
        try:
            if int(file.attrs["format"]) != FORMAT:
                raise DataError(f"{path}: glyph file format {file.attrs['format']}, not {FORMAT}; write it again")
            self.digest = str(file.attrs["digest"])
            self.charset = Charset.from_text(get_text(file, "charset"))
            self.writers: tuple[str, ...] = tuple(json.loads(get_text(file, "writers")))
            self.styles: dict[str, str] = json.loads(get_text(file, "styles"))
            self.sources = tuple(Source(**row) for row in json.loads(get_text(file, "sources")))
            self.normalisation: dict[str, Any] = json.loads(get_text(file, "normalisation"))
            self.label: NDArray[np.int32] = file["label"][()]
            self.writer: NDArray[np.int32] = file["writer"][()]
            self.source: NDArray[np.int16] = file["source"][()]
            self.index: NDArray[np.int64] = file["index"][()]
            self.form: NDArray[np.uint8] = file["form"][()]
            self.em: NDArray[np.float32] = file["em"][()]
            self.advance: NDArray[np.float32] = file["advance"][()]
            self.columns: dict[str, list[str]] = (
                json.loads(get_text(file, "columns")) if "columns" in file["text"] else {}
            )
            self.inputs = tuple(
                Input(**row) for row in (json.loads(get_text(file, "inputs")) if "inputs" in file["text"] else ())
            )
            self.shape: tuple[int, int] = file["gray"].shape[1:]
        except (KeyError, ValueError, OSError) as error:
            self.close()
            raise DataError(f"{path}: not a whole glyph file ({error}); write it again") from error

    @property
    def gray(self) -> h5py.Dataset:
        """(N, S, S) uint8, 255 is paper: an HDF5 data set; slices read from the disk."""
        return self._open()["gray"]

    def __len__(self) -> int:
        return len(self.label)

    def grays(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """The pictures of any rows, in the order asked for: (n, H, W) uint8."""
        wanted = np.asarray(rows, np.int64)
        pixels = self.gray
        if pixels.chunks[0] != 1 or pixels.compression != "gzip":
            order, back = np.unique(wanted, return_inverse=True)
            whole = len(order) and order[-1] - order[0] + 1 == len(order)
            found: NDArray[np.uint8] = pixels[order[0] : order[-1] + 1] if whole else pixels[order]
            return found[back]
        out = np.empty((len(wanted), *self.shape), np.uint8)
        flat, read = out.reshape(len(wanted), -1), self._packed(len(wanted))
        try:
            for place, row in enumerate(wanted.tolist()):
                flat[place] = np.frombuffer(inflated(read(row)), np.uint8)
        except _DAMAGED as error:
            raise DataError(f"{self.path}: row {row} is damaged ({error}); write the file again") from None
        return out

    def _packed(self, count: int) -> Callable[[int], bytes]:
        """What gives a row's deflated picture, past HDF5's own selection, which takes ten times as long.

        HDF5 finds a glyph in about 20 us. All places in the file together cost 1 us each and a look-up next to
        nothing, so they are taken down once a process has read a twentieth of the glyphs; `count` more are to come.
        """
        chunks = self.gray.id
        self._read += count
        if self._places is None and self._read > len(self) / 20 and hasattr(os, "pread"):
            places = np.zeros((2, len(self)), np.int64)

            def note(chunk: Any) -> None:
                places[:, chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size

            chunks.chunk_iter(note)
            self._places = places
        if self._places is None:
            return lambda row: chunks.read_direct_chunk((row, 0, 0))[1]
        offset, size = self._places
        handle = self._open().id.get_vfd_handle()
        return lambda row: os.pread(handle, int(size[row]), int(offset[row]))

    def column(self, name: str) -> NDArray[Any]:
        """A meta column (N,), such as "sheet" or "split"; 0 for the glyphs of sources that do not have it.

        Raises
        ------
        DataError
            If no source of the file has it.
        """
        group = self._open().get("meta", {})
        if name not in group:
            raise DataError(f"{self.path}: no column {name}; there are: {', '.join(group) or 'none'}")
        try:
            values: NDArray[Any] = group[name][()]
        except OSError as error:
            raise DataError(f"{self.path}: the column {name} is damaged ({error}); write the file again") from None
        return values

    def blocks(self, size: int = 4096) -> Iterator[GlyphBlock]:
        """Everything in the file again as blocks, each of one source."""
        codes = np.array([ord(c) if c else 0 for c in self.charset.chars], np.uint32)
        meta = {name: self.column(name) for name in self._open().get("meta", {})}
        edges = np.flatnonzero(np.diff(self.source)) + 1
        for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(self)], strict=True):
            name = self.sources[self.source[first]].name
            own = self.columns.get(name, [])
            for start in range(first, last, size):
                rows = slice(start, min(start + size, last))
                yield GlyphBlock(
                    self.grays(np.arange(rows.start, rows.stop)), codes[self.label[rows]], self.writer[rows],
                    self.writers, name, self.index[rows], {key: meta[key][rows] for key in own},
                )  # fmt: skip

    def glyph(self, row: int) -> Glyph:
        """The glyph of one row, with `form`, `em`, `advance` and `style` in its `meta`."""
        pixels: Gray = self.gray[row]
        return self._glyph(row, pixels)

    def _glyph(self, row: int, pixels: Gray) -> Glyph:
        writer = self.writers[self.writer[row]]
        meta = {
            "form": int(self.form[row]),
            "em": tuple(float(value) for value in self.em[row]),
            "advance": float(self.advance[row]),
            "style": self.styles.get(writer, ""),
        }
        char = self.charset.chars[self.label[row]]
        return Glyph(pixels, char, writer, self.sources[self.source[row]].name, int(self.index[row]), meta)

    def __iter__(self) -> Iterator[Glyph]:
        for start in range(0, len(self), _ROWS):
            for offset, pixels in enumerate(self.grays(np.arange(start, min(start + _ROWS, len(self))))):
                yield self._glyph(start + offset, pixels)


def open_glyphs(path: Path) -> GlyphFile:
    """Open a glyph file for reading.

    Raises
    ------
    DataError
        If it is missing, cut short, no glyph file, or of a newer format.
    """
    return GlyphFile(path)


def verify(path: Path) -> Written:
    """Read every byte of a glyph file and compare with its digest.

    Raises
    ------
    DataError
        If the content is not what was written.
    """
    gray = hashlib.sha256()
    with open_glyphs(path) as glyphs:
        try:
            for start in range(0, len(glyphs), _ROWS):
                gray.update(glyphs.grays(np.arange(start, min(start + _ROWS, len(glyphs)))).data)
            found = digest(glyphs._open(), gray.hexdigest())
        except OSError as error:
            raise DataError(f"{path}: damaged: {error}; write it again") from error
        if found != glyphs.digest:
            raise DataError(
                f"{path}: content digest is {found[:12]}, the file says {glyphs.digest[:12]}; write it again"
            )
        return Written(len(glyphs), len(glyphs.writers), found)
