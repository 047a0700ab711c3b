"""Lines -> a line file, whole or not at all (layout: `lines`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from jphtr import __version__
from jphtr.errors import DataError
from jphtr.store.columns import Source, put_texts
from jphtr.store.handle import whole_file
from jphtr.store.lines import _COLUMNS, DIRECTIONS, FORMAT, HOLDS, StoredLine, WrittenLines, _content

Divide = Callable[[Sequence[str], Sequence[int]], Sequence[int]]

_CHUNK = 1 << 16  # bytes of pixels that are deflated together: a line of 48 x 1,300 pixels
_HELD = 1 << 22  # bytes of pixels that wait to be written
_LEVEL = 1  # of deflate


def write_lines(
    path: Path,
    lines: Iterable[StoredLine],
    *,
    sources: Sequence[Source] = (),
    notes: Mapping[str, Any] | None = None,
    divide: Divide | None = None,
) -> WrittenLines:
    """Stream lines into a line file; the file appears when it is complete, or not at all.

    Parameters
    ----------
    path : the file to write; an older one is replaced.
    lines : memory holds a few of them at a time.
    sources : licences of the sources, looked up when the last line has come.
    notes : how the lines came to be, for whoever reads the file.
    divide : called when the last line has come, with the writer and the given split of every line; its values are
        written in their place.

    Raises
    ------
    DataError
        If there is no line, or the file cannot be written.
    """
    path, coming = Path(path), iter(lines)
    first = next(coming, None)  # before anything is made: sources show here that they are none
    if first is None:
        raise DataError(f"{path}: nothing to write: no line came out of the source")
    with whole_file(path) as file:
        sink = _Sink(file)
        sink.put(first)
        del first
        for line in coming:
            sink.put(line)
        return sink.finish(sources, dict(notes or {}), divide)


class _Sink:
    """A line file in the making."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        file.create_dataset(
            "gray", (0,), "u1", maxshape=(None,), chunks=(_CHUNK,), compression="gzip", compression_opts=_LEVEL
        )
        self.shape: list[tuple[int, int]] = []
        self.letters = bytearray()
        self.letters_end: list[int] = []
        self.rows: dict[str, list[int]] = {name: [] for name in ("direction", "split", "writer", "source", "kind")}
        self.names: dict[str, dict[str, int]] = {name: {} for name in ("writer", "source", "kind")}
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._written = self._chars = 0

    def put(self, line: StoredLine) -> None:
        """Append a line."""
        gray = np.ascontiguousarray(line.gray, np.uint8)
        self._waiting += gray.tobytes()
        self.shape.append((gray.shape[0], gray.shape[1]))
        self.letters += line.text.encode()
        self.letters_end.append(len(self.letters))
        self._chars += len(line.text)
        self.rows["direction"].append(DIRECTIONS.index(line.direction))
        self.rows["split"].append(line.split)
        for name, value in (("writer", line.writer), ("source", line.source), ("kind", line.kind)):
            self.rows[name].append(self.names[name].setdefault(value, len(self.names[name])))
        if len(self._waiting) >= _HELD:
            self._flush(len(self._waiting) - len(self._waiting) % _CHUNK)

    def _flush(self, count: int) -> None:
        """Write the first `count` bytes of those that wait, whole chunks but for the last time."""
        part = np.frombuffer(bytes(self._waiting[:count]), np.uint8)
        self._digest.update(part.data)
        self.file["gray"].resize(self._written + count, axis=0)
        self.file["gray"][self._written :] = part
        self._written += count
        del self._waiting[:count]

    def finish(self, given: Sequence[Source], notes: dict[str, Any], divide: Divide | None) -> WrittenLines:
        """Write what is known only now: columns, names, splits, and the digest."""
        self._flush(len(self._waiting))
        writers = list(self.names["writer"])
        if divide is not None:
            self.rows["split"] = list(divide([writers[place] for place in self.rows["writer"]], self.rows["split"]))
        columns: dict[str, NDArray[Any]] = {
            "shape": np.array(self.shape, "<i4"),
            "letters": np.frombuffer(bytes(self.letters), np.uint8),
            "letters_end": np.array(self.letters_end, "<i8"),
        }
        for name, values in self.rows.items():
            columns[name] = np.array(values, "u1" if name in ("direction", "split") else "<i4")
        for name in _COLUMNS:
            self.file.create_dataset(name, data=columns[name])
        known = {source.name: source for source in given}
        sources = [asdict(known.get(name, Source(name))) for name in self.names["source"]]
        put_texts(self.file, {
            "writers": json.dumps(writers, ensure_ascii=False),
            "sources": json.dumps(sources, ensure_ascii=False),
            "kinds": json.dumps(list(self.names["kind"]), ensure_ascii=False),
            "notes": json.dumps(notes, ensure_ascii=False, sort_keys=True),
        })  # fmt: skip
        self.file.attrs["holds"] = HOLDS
        self.file.attrs["format"] = FORMAT
        self.file.attrs["jphtr"] = __version__
        self.file.attrs["digest"] = _content(self.file, self._digest.hexdigest())
        return WrittenLines(len(self.shape), len(writers), self._chars, str(self.file.attrs["digest"]))
