"""The ETL Character Database, sets ETL1 to ETL9 -> GlyphBlock: thousands of records a call, at their native size.

`find` looks for the files, `check` says what is odd about one of them, `read` gives its pictures. Users bring their own
copy: AIST hands the database out and nobody else may.

A block's `index` is the number of the record in its file, from 0 and with the dummy record counted, so that the record
starts at byte index * LAYOUTS[source].size of file number `meta["file"]`. Its meta columns are `code` (the raw code,
which is the class), `file`, `script` (a value of SCRIPTS), `model`, and all fields of the set's record in LAYOUTS.

Writer keys, what a split never divides; 8B and 8G, and likewise 9B and 9G, are the same samples and share their keys:

    ETL1, 3, 4, 6   ETL1:1001            the sheet; every person filled in one
    ETL2            ETL2:A               the print it was cut from, A to D
    ETL5, 7         ETL5:1-23-9144-11-741202   sex, age, industry, occupation, date: persons filled in several sheets,
                                         ETL7's large and small ones alike, and sheet numbers do not join them
    ETL8B, 8G       ETL8:0 to ETL8:159   the data set; AIST's pages differ on whether one or ten persons wrote it, and
    ETL9B, 9G       ETL9:0 to ETL9:199   sheet numbers start again in every file of 9G
    model images    ETL8:model, ETL9:model
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError
from jphtr.records import GlyphBlock
from jphtr.sources.etl_codes import JIS_1978_PAIRS, SCRIPTS, code_points, inside, scripts
from jphtr.sources.etl_files import EtlFile, Found, fill, find, opened
from jphtr.sources.etl_published import PUBLISHED, PUBLISHED_SETS, PublishedFile, PublishedSet, published_file
from jphtr.sources.etl_records import LAYOUTS, Layout, Raw

__all__ = [
    "JIS_1978_PAIRS", "LAYOUTS", "PUBLISHED", "PUBLISHED_SETS", "SCRIPTS", "EtlFile", "Found", "Layout",
    "PublishedFile", "PublishedSet", "check", "find", "opened", "outside", "published_file", "read",
]  # fmt: skip

_CHUNK = 1 << 18  # bytes read and unpacked at a time: they stay in the processor's cache
_HEAD = 72  # records looked at to tell whose they are

Columns = dict[str, NDArray[Any]]


def read(file: EtlFile, *, block: int = 4096, models: bool = False) -> Iterator[GlyphBlock]:
    """The pictures of a file in the order in which they lie there.

    Parameters
    ----------
    file : one that `find` found.
    block : records a block, the last one being shorter; the memory in use is about two blocks.
    models : also give the printed model letters that end ETL8B2C3, ETL8G_33 and ETL9B_5.

    Yields
    ------
    GlyphBlock
        gray (N, H, W) uint8 as scanned, 255 for the level of paper and 0 for that of full ink; paper is seldom quite
        255. `chars` follow the code, 0 where it means nothing (`outside` counts those). For index, writers and meta
        see the module.

    Raises
    ------
    DataError
        If the file is empty, cut short, has a tail, is text, lacks its dummy record, or holds another set's records;
        a file with fewer or more records than published is read.
    """
    if block < 1:
        raise ValueError(f"block must be at least 1, not {block}")
    _refuse(file)
    layout = LAYOUTS[file.source]
    model_start = file.published.records - file.published.models if file.published.models else file.records
    end = file.records if models else min(file.records, model_start)
    places = _ClassPlaces(inside(file.source))
    with opened(file) as stream:
        stream.seek(layout.dummy * layout.size)
        for at in range(int(layout.dummy), end, block):
            count = min(block, end - at)
            gray = np.empty((count, layout.height, layout.width), np.uint8)
            headers = np.empty((count, layout.header), np.uint8)
            for rows, raw in _chunks(stream, count, file):
                layout.gray(raw, gray[rows])
                headers[rows] = raw[:, : layout.header]
            columns: Columns = dict(layout.columns(headers))
            codes = columns["code"]
            index = np.arange(at, at + count, dtype=np.int64)
            model = index >= model_start
            columns |= {
                "file": np.full(count, file.number, np.uint8),
                "script": scripts(file.source)[codes],
                "model": model,
            }
            group = places.next(codes) if file.source == "ETL8B" else _groups(file, columns, index)
            writers, writer = _keys(file.source, group, model)
            yield GlyphBlock(gray, code_points(file.source)[codes], writer, writers, file.source, index, columns)


def check(file: EtlFile) -> list[str]:
    """What is odd about a file that can be read, one line each: warnings to print.

    Raises
    ------
    DataError
        As `read` does.
    """
    _refuse(file)
    name, published = file.published.name, file.published
    lines = []
    if file.records != published.records:
        off = file.records - published.records
        what = f"{-off:,} are missing" if off < 0 else f"{off:,} too many"
        lines.append(f"{file}: {file.records:,} records where {name} has {published.records:,}: {what}")
    layout = LAYOUTS[file.source]
    with opened(file) as stream:
        stream.seek(layout.dummy * layout.size)
        left = file.records - layout.dummy
        if file.number == 1 and left:
            raw = np.empty((1, layout.size), np.uint8)
            fill(stream, raw, file)
            point = int(code_points(file.source)[layout.codes(raw)[0]])
            first = PUBLISHED_SETS[file.source].first
            if point != ord(first):
                what = f"is {chr(point)}" if point else "has no character"
                lines.append(f"{file}: the first sample {what} where {name} starts with {first}")
    if file.source == "ETL8B" and (strays := _stray_sheets(file)):
        lines.append(f"{file}: {strays:,} records stand elsewhere in their class than their sheet number says")
    return lines


def outside(block: GlyphBlock) -> int:
    """How many records of a block carry a code that its set's table does not hold, and so have no character."""
    return int(np.count_nonzero(~inside(block.source)[block.meta["code"]]))


def _chunks(stream: IO[bytes], records: int, file: EtlFile) -> Iterator[tuple[slice, Raw]]:
    """The next records of a stream, a few at a time in one buffer: (rows, (n, size) uint8)."""
    size = LAYOUTS[file.source].size
    step = max(1, min(records, _CHUNK // size))
    buffer = np.empty((step, size), np.uint8)
    for start in range(0, records, step):
        raw = buffer[: min(step, records - start)]
        fill(stream, raw, file)
        yield slice(start, start + len(raw)), raw


class _ClassPlaces:
    """Place of each record in the run of its class, from 0, carried on from block to block.

    ETL8B goes class by class, and in every class data set by data set. A record whose code means nothing belongs to
    the run in which it stands.
    """

    def __init__(self, known: NDArray[np.bool_]) -> None:
        self.known = known
        self.code, self.run = -1, 0  # of the last record: its class and how many records of it there were

    def next(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The places of the next records, by their codes (N,): (N,) int64."""
        at = np.arange(1, len(codes) + 1)
        line = np.concatenate(([self.code], codes.astype(np.int64)))
        line = line[np.maximum.accumulate(np.concatenate(([0], np.where(self.known[codes], at, 0))))]
        starts = np.maximum.accumulate(np.where(line[1:] != line[:-1], at, 1 - self.run))
        self.code, self.run = int(line[-1]), int(at[-1] - starts[-1] + 1)
        return at - starts


def _groups(file: EtlFile, columns: Columns, index: NDArray[np.int64]) -> NDArray[Any]:
    """What tells the writers of a set apart: (N,) numbers or marks, or (N, 5) numbers."""
    first = file.number - 1
    if file.source == "ETL2":
        return columns["mark"]
    if file.source in ("ETL5", "ETL7"):
        person = ("sex", "age", "industry", "occupation", "collected")
        return np.stack([columns[name].astype(np.int64) for name in person], axis=1)
    if file.source == "ETL8G":
        return first * 5 + index // 956
    if file.source == "ETL9G":
        return first * 4 + index // 3036
    sheet = columns["sheet"].astype(np.int64)
    return (sheet - 1) // 20 if file.source == "ETL9B" else sheet


def _keys(source: str, group: NDArray[Any], model: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Writer keys of a block and each record's place among them."""
    prefix = source.rstrip("BG")
    values, inverse = np.unique(group, axis=0, return_inverse=True)
    if source == "ETL2":
        names = [f"{prefix}:{mark.decode('ascii', 'replace')}" for mark in values.tolist()]
    elif values.ndim > 1:
        names = [f"{prefix}:{'-'.join(map(str, person))}" for person in values.tolist()]
    else:
        names = [f"{prefix}:{number}" for number in values.tolist()]
    writer: NDArray[np.int32] = inverse.reshape(-1).astype(np.int32)
    if model.any():
        names.append(f"{prefix}:model")
        writer[model] = len(names) - 1
        used, inverse = np.unique(writer, return_inverse=True)  # groups that had model images only
        names, writer = [names[i] for i in used.tolist()], inverse.reshape(-1).astype(np.int32)
    return tuple(names), writer


def _stray_sheets(file: EtlFile) -> int:
    """Records of ETL8B whose sheet, ten to a data set, speaks of another data set than their place in the class."""
    layout, places, strays = LAYOUTS[file.source], _ClassPlaces(inside(file.source)), 0
    samples = min(file.records, file.published.records - file.published.models) - layout.dummy
    with opened(file) as stream:
        stream.seek(layout.dummy * layout.size)
        for _, raw in _chunks(stream, samples, file):
            sheet = layout.columns(raw)["sheet"].astype(np.int64)
            strays += int(np.count_nonzero((sheet - 1) // 10 != places.next(layout.codes(raw))))
    return strays


def _refuse(file: EtlFile) -> None:
    """Raise DataError for a file that is not what its name says."""
    layout, name = LAYOUTS[file.source], file.published.name
    if not file.size:
        raise DataError(f"{file}: empty; copy or download it again")
    with opened(file) as stream:
        head = np.empty(min(file.size, _HEAD * layout.size), np.uint8)
        fill(stream, head, file)
    if head[:512].min() >= 9:  # records hold zeros from their first bytes on
        raise DataError(f"{file}: text and not the records of {name}; give the file from AIST's archive")
    own = _share(head, file.source)
    for source, other in LAYOUTS.items():
        if (other.size, other.code) != (layout.size, layout.code) and file.size % other.size == 0:
            share = _share(head, source)
            if share >= 0.95 and (file.size % layout.size or share - own > 0.3):
                raise DataError(f"{file}: holds records of {source} and not of {file.source}; give it its own name")
    whole, rest = divmod(file.size, layout.size)
    if rest:
        if file.size < file.published.size:
            what = f"cut short after {whole:,} records of {layout.size} bytes, {rest:,} bytes into the next"
        else:
            what = f"has a tail of {rest:,} bytes after {whole:,} records of {layout.size} bytes"
        raise DataError(f"{file}: {what}; copy or download it again")
    if layout.dummy and inside(file.source)[layout.codes(head.reshape(-1, layout.size)[:1])[0]]:
        raise DataError(f"{file}: no empty first record, which {name} has; give the file as it comes from AIST")
    if own == 0 and whole > layout.dummy and not _any_inside(file):
        raise DataError(f"{file}: no record has a code of {file.source}; give the file from AIST's archive")


def _share(head: Raw, source: str) -> float:
    """Share of the samples in a file's first bytes that have a code of a set; 0 for too few to tell."""
    layout = LAYOUTS[source]
    raw = head[: len(head) // layout.size * layout.size].reshape(-1, layout.size)[int(layout.dummy) :]
    return float(inside(source)[layout.codes(raw)].mean()) if len(raw) > 2 else 0.0


def _any_inside(file: EtlFile) -> bool:
    layout, known = LAYOUTS[file.source], inside(file.source)
    with opened(file) as stream:
        stream.seek(layout.dummy * layout.size)
        chunks = _chunks(stream, file.records - layout.dummy, file)
        return any(known[layout.codes(raw)].any() for _, raw in chunks)
