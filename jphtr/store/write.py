"""Glyphs -> a glyph file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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

_BATCH = 256  # glyphs of `write_glyphs` written at a time
_SHARE = 128  # glyphs that one thread deflates at a time
_LEVEL = 1  # of deflate; higher levels save 5 % and take twice as long


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
        for block in blocks:
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
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(beside, "w", libver="v110") as file, ThreadPoolExecutor(2) as pool:
            sink = _Sink(file, pool, compress)
            charset = fill(sink)
            if not sink.count:
                raise DataError(f"{path}: nothing to write: no glyph came out of the source")
            written = sink.finish(charset, given, dict(normalisation or {}), inputs)
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


class _Sink:
    """A glyph file in the making: rows go in, in order; names become places."""

    def __init__(self, file: h5py.File, pool: ThreadPoolExecutor, compress: bool) -> None:
        self.file, self.pool, self.compress = file, pool, compress
        self.shape: tuple[int, ...] | None = None
        self.count = 0
        self.styles: dict[str, str] = {}
        self.columns: dict[str, list[str]] = {}
        self._writers: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._gray = hashlib.sha256()

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
            chunk = 1 if self.compress else max(1, (1 << 20) // gray[0].size)
            self.file.create_dataset(
                "gray", (0, *self.shape), "u1", maxshape=(None, *self.shape), chunks=(chunk, *self.shape),
                **({"compression": "gzip", "compression_opts": _LEVEL} if self.compress else {}),
            )  # fmt: skip
            create(self.file, COLUMNS)
        hashed = self.pool.submit(self._gray.update, gray.data)
        pixels = self.file["gray"]
        pixels.resize(self.count + len(gray), axis=0)
        if self.compress:
            row = self.count
            for packed in self.pool.map(_deflated, np.array_split(gray, -(-len(gray) // _SHARE))):
                for one in packed:
                    pixels.id.write_direct_chunk((row, 0, 0), one)
                    row += 1
        else:
            pixels[self.count :] = gray
        append(self.file, self.count, {name: values.astype(COLUMNS[name][0]) for name, values in rows.items()})
        self._meta(len(gray), source, meta or {})
        hashed.result()
        self.count += len(gray)

    def _meta(self, count: int, source: str, meta: Mapping[str, NDArray[Any]]) -> None:
        """Further columns: one that is new starts with zeros for all rows before, one that is absent goes on so."""
        group = self.file.require_group("meta") if meta else self.file.get("meta", {})
        for name, values in meta.items():
            if name not in group:
                group.create_dataset(
                    name, (self.count,), values.dtype, maxshape=(None,), chunks=(4096,), compression="lzf"
                )
            if name not in self.columns.setdefault(source, []):
                self.columns[source].append(name)
        for name, column in group.items():
            column.resize(self.count + count, axis=0)
            if name in meta:
                column[self.count :] = meta[name]

    def finish(
        self, charset: Charset, given: Sequence[Source], normalisation: dict[str, Any], inputs: Sequence[Input]
    ) -> Written:
        """Write what is known only now: names, where all came from, and the digest."""
        known = {source.name: source for source in given}
        sources = [known.get(name, Source(name)) for name in self._sources]
        texts = {
            "charset": charset.to_text(),
            "writers": json.dumps(list(self._writers), ensure_ascii=False),
            "styles": json.dumps(self.styles, ensure_ascii=False),
            "sources": json.dumps([asdict(source) for source in sources], ensure_ascii=False),
            "normalisation": json.dumps(normalisation, ensure_ascii=False, sort_keys=True),
        }
        if self.columns:
            texts["columns"] = json.dumps(self.columns, ensure_ascii=False, sort_keys=True)
        if inputs:
            texts["inputs"] = json.dumps([asdict(one) for one in inputs], ensure_ascii=False)
        put_texts(self.file, texts)
        self.file.attrs["format"] = FORMAT
        self.file.attrs["jphtr"] = __version__
        self.file.attrs["digest"] = digest(self.file, self._gray.hexdigest())
        return Written(self.count, len(self._writers), str(self.file.attrs["digest"]))


def _deflated(gray: NDArray[np.uint8]) -> list[bytes]:
    return [zlib.compress(one, _LEVEL) for one in gray]


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
