"""Glyphs -> a glyph file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from jphtr import __version__
from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError
from jphtr.records import Glyph, GlyphBlock
from jphtr.store.columns import COLUMNS, FORMAT, Input, Source, Written, append, create, digest, put_texts
from jphtr.store.deflate import deflated
from jphtr.store.handle import whole_file

_BATCH = 256  # glyphs of `write_glyphs` written at a time
_SHARE = 128  # glyphs that one thread deflates at a time
_THREADS = 2 + min(8, os.cpu_count() or 2)  # one reads ahead, one waits for the disk, the others deflate and hash
_RAW_CHUNK = 1 << 20  # bytes of uncompressed pixels that lie together
_SYNCED = 1 << 26  # bytes of them after which they are sent to the disk
_ROWS = 1 << 15  # rows of the small columns written at a time


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
    labels = {char: label for label, char in enumerate(charset.chars) if char}

    def fill(sink: _Sink) -> Charset:
        for batch in _batches(glyphs, _BATCH):
            size = sink.shape or (batch[0].gray.shape[0],) * 2
            for glyph in batch:
                if glyph.gray.shape != size or glyph.gray.dtype != np.uint8:
                    raise DataError(
                        f"{path}: the glyph {glyph.char!r} of {glyph.writer} is {glyph.gray.shape} "
                        f"{glyph.gray.dtype}, not {size} uint8"
                    )
                if glyph.char not in labels:
                    raise CharsetError(f"{path}: {glyph.char!r} of {glyph.writer} is not in the charset")
                if style := glyph.meta.get("style"):
                    sink.styles.setdefault(glyph.writer, str(style))
            sink.put(
                np.stack([glyph.gray for glyph in batch]),
                {
                    "label": np.array([labels[glyph.char] for glyph in batch]),
                    "writer": np.array([sink.writer(glyph.writer) for glyph in batch]),
                    "source": np.array([sink.source(glyph.source) for glyph in batch]),
                    "index": np.array([glyph.index for glyph in batch]),
                    "form": np.array([glyph.meta.get("form", 0) for glyph in batch]),
                    "em": np.array([glyph.meta.get("em", (np.nan,) * 4) for glyph in batch]),
                    "advance": np.array([glyph.meta.get("advance", np.nan) for glyph in batch]),
                },
            )
        return charset

    return _write(path, fill, sources, normalisation, compress=True)


def write_blocks(
    path: Path,
    blocks: Iterable[GlyphBlock],
    charset: Charset,
    *,
    sources: Sequence[Source] = (),
    inputs: Sequence[Input] = (),
    normalisation: Mapping[str, Any] | None = None,
    compress: bool = True,
) -> Written:
    """Stream blocks of an archive into a glyph file; as `write_glyphs`, a thousand times as many at a time.

    Parameters
    ----------
    path : the file to write; an older one is replaced.
    blocks : pictures of one size. Characters that the charset does not hold are added behind it, in the order in
        which they come; pictures without a character get label 0.
    charset : where labels start from.
    sources, normalisation : as for `write_glyphs`.
    inputs : the files that are read; like `sources` looked at when the last block has come.
    compress : deflate the pixels; without, they lie as they are, one after the other.

    Raises
    ------
    DataError
        If there is no glyph, sizes differ, or the file cannot be written.
    """

    def fill(sink: _Sink) -> Charset:
        chars = list(charset.chars)
        table = np.full(0x110000, -1, np.int32)  # code point -> label
        table[0] = 0
        for label, char in enumerate(chars):
            if len(char) == 1:
                table[ord(char)] = label
        for block in _ahead(blocks, sink.pool):
            if not len(block):
                continue
            labels = table[block.chars]
            if (labels < 0).any():
                for code in dict.fromkeys(block.chars[labels < 0].tolist()):
                    table[code] = len(chars)
                    chars.append(chr(code))
                labels = table[block.chars]
            if sink.shape not in (None, block.gray.shape[1:]):
                raise DataError(
                    f"{path}: {block.source} is {block.gray.shape[1:]} px and what came before {sink.shape}; "
                    "give a size, or write a file for each"
                )
            places = np.array([sink.writer(name) for name in block.writers], np.int32)
            count = len(block)
            sink.put(
                block.gray,
                {
                    "label": labels,
                    "writer": places[block.writer],
                    "source": np.full(count, sink.source(block.source)),
                    "index": block.index,
                    "form": np.zeros(count),
                    "em": np.full((count, 4), np.nan),
                    "advance": np.full(count, np.nan),
                },
                block.source,
                block.meta,
            )
        return charset if len(chars) == len(charset) else Charset(chars[1:])

    return _write(path, fill, sources, normalisation, inputs, compress=compress)


def _write(
    path: Path,
    fill: Callable[[_Sink], Charset],
    given: Sequence[Source],
    normalisation: Mapping[str, Any] | None,
    inputs: Sequence[Input] = (),
    *,
    compress: bool,
) -> Written:
    path = Path(path)
    with whole_file(path) as file, ThreadPoolExecutor(_THREADS) as pool:
        sink = _Sink(file, pool, compress)
        charset = fill(sink)
        if not sink.count:
            raise DataError(f"{path}: nothing to write: no glyph came out of the source")
        return sink.finish(charset, given, dict(normalisation or {}), inputs)


class _Sink:
    """A glyph file in the making: rows go in, in order; names become places."""

    def __init__(self, file: h5py.File, pool: ThreadPoolExecutor, compress: bool) -> None:
        self.file, self.pool, self.compress = file, pool, compress
        self.shape: tuple[int, ...] | None = None
        self.count = 0
        self.styles: dict[str, str] = {}
        self._writers: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._gray = hashlib.sha256()
        self._raw = np.empty((0, 0, 0), np.uint8)  # the chunk of uncompressed pixels that is being filled
        self._rows = _Rows(file)
        self._unsynced = 0  # bytes of it that were written since the last were sent to the disk
        self._drained: Future[None] | None = None
        self._hashed: Future[None] | None = None

    def writer(self, name: str) -> int:
        return self._writers.setdefault(name, len(self._writers))

    def source(self, name: str) -> int:
        return self._sources.setdefault(name, len(self._sources))

    def put(
        self,
        gray: NDArray[np.uint8],
        rows: dict[str, NDArray[Any]],
        source: str = "",
        meta: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Append rows; `meta` are further columns, which may differ from source to source."""
        gray = np.ascontiguousarray(gray)
        if self.shape is None:
            self.shape = gray.shape[1:]
            chunk = 1 if self.compress else max(1, _RAW_CHUNK // gray[0].size)
            self.file.create_dataset(
                "gray", (0, *self.shape), "u1", maxshape=(None, *self.shape), chunks=(chunk, *self.shape),
                **({"compression": "gzip", "compression_opts": 1} if self.compress else {}),
            )  # fmt: skip
            self._raw = np.zeros((chunk, *self.shape), np.uint8)
        if self._hashed is not None:  # the digest goes over the blocks in their order
            self._hashed.result()
        self._hashed = self.pool.submit(self._gray.update, gray.data)
        self.file["gray"].resize(self.count + len(gray), axis=0)
        (self._deflate if self.compress else self._copy)(gray)
        self._rows.put({name: values.astype(COLUMNS[name][0]) for name, values in rows.items()}, source, meta or {})
        self.count += len(gray)

    def _deflate(self, gray: NDArray[np.uint8]) -> None:
        write, row = self.file["gray"].id.write_direct_chunk, self.count
        for packed in self.pool.map(_deflated, np.array_split(gray, -(-len(gray) // _SHARE))):
            for one in packed:
                write((row, 0, 0), one)
                row += 1

    def _copy(self, gray: NDArray[np.uint8]) -> None:
        """Whole chunks go to the file as they lie in memory; HDF5's own way would copy each of them twice more."""
        size, done = len(self._raw), 0
        while done < len(gray):
            place = (self.count + done) % size
            part = gray[done : done + size - place]
            done += len(part)
            if len(part) < size:  # the end of a chunk begun before, or the beginning of one that goes on
                self._raw[place : place + len(part)] = part
                part = self._raw
            if (self.count + done) % size == 0:
                self._write_raw(self.count + done - size, part)

    def _write_raw(self, row: int, chunk: NDArray[np.uint8]) -> None:
        self.file["gray"].id.write_direct_chunk((row, 0, 0), chunk)
        self._unsynced += chunk.nbytes
        if self._unsynced >= _SYNCED and hasattr(os, "posix_fadvise"):
            # Gigabytes that wait in memory for their way to the disk push out what other programs need, and taking
            # fresh memory for them is slower than the disk: they go now, and their memory is used again.
            if self._drained is not None:
                self._drained.result()
            self._drained = self.pool.submit(_drain, self.file.id.get_vfd_handle())
            self._unsynced = 0

    def finish(
        self, charset: Charset, given: Sequence[Source], normalisation: dict[str, Any], inputs: Sequence[Input]
    ) -> Written:
        """Write what is known only now: names, where all came from, and the digest."""
        if not self.compress and (rest := self.count % len(self._raw)):
            self._raw[rest:] = 0
            self._write_raw(self.count - rest, self._raw)
        for working in (self._hashed, self._drained):
            if working is not None:
                working.result()
        self._rows.flush()
        known = {source.name: source for source in given}
        sources = [known.get(name, Source(name)) for name in self._sources]
        texts = {
            "charset": charset.to_text(),
            "writers": json.dumps(list(self._writers), ensure_ascii=False),
            "styles": json.dumps(self.styles, ensure_ascii=False),
            "sources": json.dumps([asdict(source) for source in sources], ensure_ascii=False),
            "normalisation": json.dumps(normalisation, ensure_ascii=False, sort_keys=True),
        }
        if self._rows.names:
            texts["columns"] = json.dumps(self._rows.names, ensure_ascii=False, sort_keys=True)
        if inputs:
            texts["inputs"] = json.dumps([asdict(one) for one in inputs], ensure_ascii=False)
        put_texts(self.file, texts)
        self.file.attrs["format"] = FORMAT
        self.file.attrs["jphtr"] = __version__
        self.file.attrs["digest"] = digest(self.file, self._gray.hexdigest())
        return Written(self.count, len(self._writers), str(self.file.attrs["digest"]))


class _Rows:
    """The small columns, written many rows at a time: a write of one row takes HDF5 as long as one of thousands.

    Attributes
    ----------
    names : source -> its own further columns.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self.names: dict[str, list[str]] = {}
        self._written = self._count = 0  # rows in the file, and rows that wait
        self._source = ""
        self._waiting: list[tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]] = []

    def put(self, rows: Mapping[str, NDArray[Any]], source: str, meta: Mapping[str, NDArray[Any]]) -> None:
        """Append rows of one source; `meta` are further columns, which may differ from source to source."""
        if self._waiting and (
            self._count >= _ROWS or source != self._source or meta.keys() != self._waiting[-1][1].keys()
        ):
            self.flush()
        self._source = source
        self._waiting.append((rows, meta))
        self._count += len(rows["label"])

    def flush(self) -> None:
        """Write what waits: a further column that is new starts with zeros, one that is absent goes on with them."""
        if not self._waiting:
            return
        rows, meta = (
            {name: np.concatenate([one[part][name] for one in self._waiting]) for name in self._waiting[0][part]}
            for part in (0, 1)
        )
        if self._written == 0:
            create(self.file, COLUMNS)
        append(self.file, self._written, rows)
        group = self.file.require_group("meta") if meta else self.file.get("meta", {})
        for name, values in meta.items():
            if name not in group:
                group.create_dataset(
                    name, (self._written,), values.dtype, maxshape=(None,), chunks=(4096,), compression="lzf"
                )
            if name not in self.names.setdefault(self._source, []):
                self.names[self._source].append(name)
        first, self._written, self._count = self._written, self._written + self._count, 0
        for name, column in group.items():
            column.resize(self._written, axis=0)
            if name in meta:
                column[first:] = meta[name]
        self._waiting = []


def _drain(handle: int) -> None:
    os.fdatasync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _deflated(gray: NDArray[np.uint8]) -> list[bytes]:
    return [deflated(one.data) for one in gray]


def _ahead(blocks: Iterable[GlyphBlock], pool: ThreadPoolExecutor) -> Iterator[GlyphBlock]:
    """The same blocks, the next one being read while one is written."""
    iterator = iter(blocks)
    coming = pool.submit(next, iterator, None)
    while (block := coming.result()) is not None:
        coming = pool.submit(next, iterator, None)
        yield block


def _batches(glyphs: Iterable[Glyph], size: int) -> Iterator[list[Glyph]]:
    batch: list[Glyph] = []
    for glyph in glyphs:
        batch.append(glyph)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
