"""HDF5 in and out: glyph files, written whole or not at all, with a digest that `verify` checks.

Layout of a glyph file (N glyphs on S x S canvases; the first axis is the order of writing):

    /gray (N, S, S) u1   255 is paper       /form (N,) u1     0 upright form, 1 form for vertical lines
    /label (N,) i4       into the charset   /em (N, 4) f4     x0, y0, x1, y1 of the em square in canvas px
    /writer (N,) i4      into the writers   /advance (N,) f4  horizontal advance in em; NaN: unknown
    /source (N,) i2      into the sources   /index (N,) i8    position inside the source
    /text/charset, writers, styles, sources, normalisation    utf-8: the charset's text, and JSON

A glyph without a known em square (NaN) is normalised to fill its canvas. Attributes: format, jphtr, digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from jphtr import __version__
from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError
from jphtr.records import Glyph, Gray

FORMAT = 1
CHUNK = 256  # glyphs a chunk: 1 MiB of pixels, read in about a millisecond
COLUMNS: dict[str, tuple[str, int]] = {  # name -> dtype, values a glyph; /gray stands beside them
    "label": ("<i4", 1),
    "writer": ("<i4", 1),
    "source": ("<i2", 1),
    "index": ("<i8", 1),
    "form": ("u1", 1),
    "em": ("<f4", 4),
    "advance": ("<f4", 1),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where glyphs came from: a name, the sha256 of the archive ("" if there is none) and its licence."""

    name: str
    sha256: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_glyphs` left: glyphs and writers counted, and the content digest."""

    glyphs: int
    writers: int
    digest: str


class _Digest:
    """sha256 over every column's decoded bytes, whatever the chunking or compression."""

    def __init__(self) -> None:
        self._columns = {name: hashlib.sha256() for name in ("gray", *COLUMNS)}

    def add(self, name: str, rows: NDArray[Any]) -> None:
        self._columns[name].update(np.ascontiguousarray(rows).tobytes())

    def hex(self, attributes: Mapping[str, str]) -> str:
        whole = hashlib.sha256()
        for name in sorted(self._columns):
            whole.update(f"{name} {self._columns[name].hexdigest()}\n".encode())
        for name in ("charset", "writers", "styles", "sources", "normalisation"):
            whole.update(f"{name} {attributes[name]}\n".encode())
        return whole.hexdigest()


def write_glyphs(
    path: Path,
    glyphs: Iterable[Glyph],
    charset: Charset,
    *,
    sources: Sequence[Source] = (),
    normalisation: Mapping[str, Any] | None = None,
) -> Written:
    """Stream glyphs into a glyph file; the file appears when it is complete, or not at all.

    Parameters
    ----------
    path : the file to write; an older one is replaced.
    glyphs : pictures of one size (S, S) uint8, 255 is paper; `meta` may hold `form`, `em` (4 floats, px),
        `advance` (em) and `style`.
    charset : every glyph's char must be in it.
    sources : name, digest and licence of what is read, looked up when the last glyph has come, so that a
        list may grow meanwhile; a source that glyphs name and this does not is noted by its name alone.
    normalisation : how the pictures were brought to their size, for the reader of the file.

    Raises
    ------
    CharsetError
        If a char is not in the charset.
    DataError
        If there is no glyph, sizes differ, or the file cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(beside, "w", libver="v110") as file:
            written = _fill(file, path, glyphs, charset, sources, dict(normalisation or {}))
        with open(beside, "rb+") as handle:
            os.fsync(handle.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()
    return written


def _fill(
    file: h5py.File,
    path: Path,
    glyphs: Iterable[Glyph],
    charset: Charset,
    given: Sequence[Source],
    normalisation: dict[str, Any],
) -> Written:
    labels = {char: label for label, char in enumerate(charset.chars) if char}
    writers: dict[str, int] = {}
    styles: dict[str, str] = {}
    source_rows: dict[str, int] = {}
    digest = _Digest()
    size, count = 0, 0
    for batch in _batches(glyphs, CHUNK):
        if not count:
            size = batch[0].gray.shape[0]
            _create(file, size)
        for glyph in batch:
            if glyph.gray.shape != (size, size) or glyph.gray.dtype != np.uint8:
                raise DataError(
                    f"{path}: the glyph {glyph.char!r} of {glyph.writer} is {glyph.gray.shape} "
                    f"{glyph.gray.dtype}, not ({size}, {size}) uint8"
                )
            if glyph.char not in labels:
                raise CharsetError(f"{path}: {glyph.char!r} of {glyph.writer} is not in the charset")
            writers.setdefault(glyph.writer, len(writers))
            if style := glyph.meta.get("style"):
                styles.setdefault(glyph.writer, str(style))
            source_rows.setdefault(glyph.source, len(source_rows))
        rows: dict[str, NDArray[Any]] = {
            "gray": np.stack([glyph.gray for glyph in batch]),
            "label": np.array([labels[glyph.char] for glyph in batch]),
            "writer": np.array([writers[glyph.writer] for glyph in batch]),
            "source": np.array([source_rows[glyph.source] for glyph in batch]),
            "index": np.array([glyph.index for glyph in batch]),
            "form": np.array([glyph.meta.get("form", 0) for glyph in batch]),
            "em": np.array([glyph.meta.get("em", (np.nan,) * 4) for glyph in batch]),
            "advance": np.array([glyph.meta.get("advance", np.nan) for glyph in batch]),
        }
        for name, values in rows.items():
            data = values.astype(COLUMNS[name][0]) if name in COLUMNS else values
            file[name].resize(count + len(batch), axis=0)
            file[name][count:] = data
            digest.add(name, data)
        count += len(batch)
    if not count:
        raise DataError(f"{path}: nothing to write: no glyph came out of the source")
    known = {source.name: source for source in given}
    sources = [known.get(name, Source(name)) for name in source_rows]
    attributes = {
        "charset": charset.to_text(),
        "writers": json.dumps(list(writers), ensure_ascii=False),
        "styles": json.dumps(styles, ensure_ascii=False),
        "sources": json.dumps([asdict(source) for source in sources], ensure_ascii=False),
        "normalisation": json.dumps(normalisation, ensure_ascii=False, sort_keys=True),
    }
    for name, text in attributes.items():
        _put_text(file, name, text)
    file.attrs["format"] = FORMAT
    file.attrs["jphtr"] = __version__
    file.attrs["digest"] = digest.hex(attributes)
    return Written(count, len(writers), str(file.attrs["digest"]))


def _create(file: h5py.File, size: int) -> None:
    """Empty growing columns; lzf because the composer reads pixels all day and writes them once."""
    file.create_dataset(
        "gray",
        (0, size, size),
        "u1",
        maxshape=(None, size, size),
        chunks=(CHUNK, size, size),
        compression="lzf",
    )
    for name, (dtype, width) in COLUMNS.items():
        shape = (width,) if width > 1 else ()
        file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(4096, *shape), compression="lzf")


def _put_text(file: h5py.File, name: str, text: str) -> None:
    """Attributes are limited to 64 KiB in HDF5, so text lies in a one-element data set under /text."""
    file.create_dataset(f"text/{name}", data=np.frombuffer(text.encode(), dtype="u1"))


def _get_text(file: h5py.File, name: str) -> str:
    return bytes(file[f"text/{name}"][()]).decode()


def _batches(glyphs: Iterable[Glyph], size: int) -> Iterator[list[Glyph]]:
    batch: list[Glyph] = []
    for glyph in glyphs:
        batch.append(glyph)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class GlyphFile:
    """An open glyph file: small columns in memory, pixels read when asked for.

    It may be pickled or forked into workers: each process opens the file for itself on first use.

    Attributes
    ----------
    label, writer : (N,) int32; `writer` indexes `writers`, `label` indexes `charset.chars`.
    form : (N,) uint8; em : (N, 4) float32 px; advance : (N,) float32 em.
    source : (N,) int16 into `sources`; index : (N,) int64.
    charset, writers, styles, sources, normalisation, digest : what the file says about itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._owner = 0
        file = self._open()
        try:
            if int(file.attrs["format"]) != FORMAT:
                raise DataError(f"{path}: glyph file format {file.attrs['format']}, not {FORMAT}; write it again")
            self.digest = str(file.attrs["digest"])
            self.charset = Charset.from_text(_get_text(file, "charset"))
            self.writers: tuple[str, ...] = tuple(json.loads(_get_text(file, "writers")))
            self.styles: dict[str, str] = json.loads(_get_text(file, "styles"))
            self.sources = tuple(Source(**row) for row in json.loads(_get_text(file, "sources")))
            self.normalisation: dict[str, Any] = json.loads(_get_text(file, "normalisation"))
            self.label: NDArray[np.int32] = file["label"][()]
            self.writer: NDArray[np.int32] = file["writer"][()]
            self.source: NDArray[np.int16] = file["source"][()]
            self.index: NDArray[np.int64] = file["index"][()]
            self.form: NDArray[np.uint8] = file["form"][()]
            self.em: NDArray[np.float32] = file["em"][()]
            self.advance: NDArray[np.float32] = file["advance"][()]
        except (KeyError, ValueError, OSError) as error:
            self.close()
            raise DataError(f"{path}: not a whole glyph file ({error}); write it again") from error

    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():  # a handle does not survive a fork
            try:
                self._file = h5py.File(self.path, "r")
                self._owner = os.getpid()
            except OSError as error:
                reason = "no such file" if not self.path.exists() else "not an HDF5 glyph file, or cut short"
                raise DataError(f"{self.path}: {reason}") from error
        return self._file

    @property
    def gray(self) -> h5py.Dataset:
        """(N, S, S) uint8, 255 is paper: an HDF5 data set; slices read from the disk."""
        return self._open()["gray"]

    def __len__(self) -> int:
        return len(self.label)

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
        for start in range(0, len(self), CHUNK):
            for offset, pixels in enumerate(self.gray[start : start + CHUNK]):
                yield self._glyph(start + offset, pixels)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


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
    digest = _Digest()
    with open_glyphs(path) as glyphs:
        file = glyphs._open()
        try:
            for start in range(0, len(glyphs), CHUNK):
                digest.add("gray", file["gray"][start : start + CHUNK])
            for name in COLUMNS:
                digest.add(name, file[name][()])
            texts = ("charset", "writers", "styles", "sources", "normalisation")
            found = digest.hex({name: _get_text(file, name) for name in texts})
        except OSError as error:
            raise DataError(f"{path}: damaged: {error}; write it again") from error
        if found != glyphs.digest:
            raise DataError(
                f"{path}: content digest is {found[:12]}, the file says {glyphs.digest[:12]}; write it again"
            )
        return Written(len(glyphs), len(glyphs.writers), found)
