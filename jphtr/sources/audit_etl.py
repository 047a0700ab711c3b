"""The files of the ETL sets against what AIST and others published about them; one pass over each file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError
from jphtr.sources import etl
from jphtr.sources.audit_result import Audit, Step, some
from jphtr.sources.etl_codes import code_points, inside
from jphtr.sources.etl_files import fill

Counts = NDArray[np.int64]  # pictures of every possible code

_PIECE = 1 << 20  # bytes read and hashed at a time

# Pictures of each class in one file, and classes in it, where AIST's pages give them. ETL3, 6 and 7 are not here: that
# their classes are equal in size follows from their totals and is nobody's word, so it makes a remark about the set.
_A_FILE = {
    "ETL4": (120, 48),
    "ETL5": (208, 48),
    "ETL8B": (160, 0),  # as many classes as fill the file
    "ETL8G": (5, 956),
    "ETL9B": (40, 3036),
    "ETL9G": (4, 3036),
}
_A_SET = {"ETL3": 200, "ETL6": 1383, "ETL7": 700}
_TWICE = {"ETL4": "いうえ", "ETL5": "イウエ"}  # two places of the kana table, one code
_ONE_LESS = {"ETL1": "ナリ"}  # missing on one sheet each
_DERIVED = frozenset({"ETL3", "ETL6"})  # the total is AIST's, how it is shared out among the files is a sum of others


def etl_audits(
    files: Sequence[etl.EtlFile], missing: Mapping[str, Sequence[str]], named: frozenset[str], step: Step
) -> Iterator[Audit]:
    """An Audit for each file, and behind the files of a set that comes in several one for the set.

    Parameters
    ----------
    files, missing : as `etl.find` gives them.
    named : sets of which a missing file is a remark.
    step : as for `audit.check`.
    """
    for source in dict.fromkeys(file.source for file in files):
        mine = [file for file in files if file.source == source]
        contents = []
        for file in mine:
            audit, content = _file(file, step)
            yield audit
            contents.append(content)
        if len(etl.PUBLISHED[source]) > 1:
            yield _set(source, mine, contents, missing.get(source, ()), by_name=source in named)


@dataclass(frozen=True, slots=True)
class _Content:
    """What one pass over a file gives: pictures by code without and with the model letters apart, and the sha256."""

    samples: Counts
    models: Counts
    first: int  # code of the first picture, -1 if there is none
    sha256: str


def _content(file: etl.EtlFile, step: Step) -> _Content:
    layout, published = etl.LAYOUTS[file.source], file.published
    model_start = published.records - published.models if published.models else file.records
    codes_known = len(inside(file.source))
    samples, models = np.zeros(codes_known, np.int64), np.zeros(codes_known, np.int64)
    first, digest = -1, hashlib.sha256()
    buffer = np.empty(max(1, _PIECE // layout.size) * layout.size, np.uint8)
    with etl.opened(file) as stream:
        for start in range(0, file.size, len(buffer)):
            raw = buffer[: min(len(buffer), file.size - start)]
            fill(stream, raw, file)
            digest.update(raw.data)
            records = raw[: len(raw) // layout.size * layout.size].reshape(-1, layout.size)  # the last may be a part
            codes = layout.codes(records)
            index = np.arange(len(codes)) + start // layout.size
            is_sample, is_model = (index >= layout.dummy) & (index < model_start), index >= model_start
            samples += np.bincount(codes[is_sample], minlength=codes_known)
            models += np.bincount(codes[is_model], minlength=codes_known)
            if first < 0 and is_sample.any():
                first = int(codes[is_sample][0])
            step(published.name, len(raw))
        stream.read(1)  # a zip file's checksum is compared at its end, which may take one more read
    return _Content(samples, models, first, digest.hexdigest())


def _file(file: etl.EtlFile, step: Step) -> tuple[Audit, _Content | None]:
    """One file; its content is None where that cannot be read or is not the set's."""
    published = file.published
    content: _Content | None = None
    refusal: list[str] = []
    try:
        content = _content(file, step)
        next(etl.read(file, block=1, models=True), None)  # whatever unpacking would refuse
    except DataError as error:
        refusal = [str(error).removeprefix(f"{file}: ")]
    off, doubtful = _length(file), file.source in _DERIVED and not refusal
    if content is None or refusal:
        found = f"sha256 {content.sha256}" if content else ""
        return Audit(str(file), published.name, found, (*refusal, *off)), None
    faults = [*_strange(file, content), *_first(file, content), *_classes(file, content), *_models(file, content)]
    remarks = off if doubtful else []
    faults = faults if doubtful else [*off, *faults]
    digest = f"sha256 {content.sha256}"
    if published.sha256 is None:
        digest += " (none is published)"
    elif content.sha256 == published.sha256:
        digest += " as published"
        faults, remarks = [], faults + remarks  # the real file, however odd it is
    elif not off:
        faults.append(f"sha256 is {content.sha256}, others have {published.sha256}; copy or download it again")
    classes = np.count_nonzero(content.samples[inside(file.source)])
    found = f"{file.records:,} records, {classes:,} classes, {digest}"
    return Audit(str(file), published.name, found, tuple(faults), tuple(remarks)), content


def _length(file: etl.EtlFile) -> list[str]:
    """How a file's length differs from the published one."""
    published, size = file.published, etl.LAYOUTS[file.source].size
    off = file.size - published.size
    if not off:
        return []
    what = f"{file.size:,} bytes where {published.name} has {published.size:,}: "
    count, unit = (abs(off), "bytes") if off % size else (abs(off) // size, f"of {published.records:,} records")
    return [what + f"{count:,} {unit} {'are missing' if off < 0 else 'too many'}"]


def _strange(file: etl.EtlFile, content: _Content) -> Iterator[str]:
    """Codes that the set's table does not hold."""
    codes = np.flatnonzero((content.samples + content.models > 0) & ~inside(file.source))
    if len(codes):
        records = int((content.samples + content.models)[codes].sum())
        codes_of_them = some([f"{code:04X}" for code in codes.tolist()])
        yield f"{records:,} records have a code outside the table of {file.source}: {codes_of_them}"


def _first(file: etl.EtlFile, content: _Content) -> Iterator[str]:
    wanted = etl.PUBLISHED_SETS[file.source].first
    if file.number == 1 and content.first >= 0 and (got := _char(file.source, content.first)) != wanted:
        yield f"the first picture is {got} where {file.published.name} starts with {wanted}; is it another file?"


def _classes(file: etl.EtlFile, content: _Content) -> Iterator[str]:
    """Classes with more or fewer pictures than every one of them should have in this file."""
    source, samples = file.source, file.published.samples
    if source == "ETL1":  # every sheet has the letters of the first six files, not every one the katakana
        each, classes = (1445 if file.number <= 6 else 1411), 0
    elif source in _A_FILE and samples:
        each, classes = _A_FILE[source]
    else:
        return
    yield from _uneven(source, content.samples, each, classes or -(-samples // each))


def _uneven(source: str, samples: Counts, each: int, classes: int) -> Iterator[str]:
    codes = np.flatnonzero((samples > 0) & inside(source)).tolist()
    if len(codes) != classes:
        yield f"{len(codes):,} classes where there should be {classes:,}"
    odd = []
    for code in codes:
        char = _char(source, code)
        wanted = each * (1 + (char in _TWICE.get(source, ""))) - (char in _ONE_LESS.get(source, ""))
        if samples[code] != wanted:
            odd.append(f"{char} has {samples[code]:,} of {wanted:,}")
    if odd:
        yield f"{len(odd):,} classes have more or fewer pictures than they should: {some(odd)}"


def _models(file: etl.EtlFile, content: _Content) -> Iterator[str]:
    """The model letters that end a set: each class once."""
    wanted, classes = file.published.models, np.count_nonzero(content.models[inside(file.source)])
    if wanted and classes != wanted:
        yield f"model letters of {classes:,} classes where there should be {wanted:,}"


def _set(
    source: str,
    files: Sequence[etl.EtlFile],
    contents: Sequence[_Content | None],
    missing: Sequence[str],
    *,
    by_name: bool,
) -> Audit:
    """What only all files of a set together can tell."""
    faults: list[str] = []
    remarks: list[str] = []
    every = etl.PUBLISHED[source]
    published = etl.PUBLISHED_SETS[source]
    if missing:
        (remarks if by_name else faults).append(
            f"{len(missing)} of {len(every)} files are missing: {', '.join(missing)}"
        )
    read = [(file, content) for file, content in zip(files, contents, strict=True) if content is not None]
    first: dict[str, etl.EtlFile] = {}
    for file, content in read:
        if (other := first.setdefault(content.sha256, file)) is not file:
            faults.append(f"{file.published.name} is byte for byte {other.published.name}; one of them is misnamed")
    samples = sum((content.samples for _, content in read), np.zeros(len(inside(source)), np.int64))
    total, classes = int(samples.sum()), int(np.count_nonzero(samples[inside(source)]))
    if not missing and len(read) == len(files):
        if total != published.samples:
            faults.append(f"{total:,} pictures where {source} has {published.samples:,}")
        if source in _A_SET:
            remarks += _uneven(source, samples, _A_SET[source], published.classes)
        elif source == "ETL2" and classes != published.classes:
            remarks.append(f"{classes:,} classes where there should be {published.classes:,}")
    found = f"{len(files)} of {len(every)} files, {total:,} pictures, {classes:,} classes"
    return Audit(os.path.commonpath([file.path for file in files]), source, found, tuple(faults), tuple(remarks))


def _char(source: str, code: int) -> str:
    """The character of a code, or the code itself where it has none or a blank one."""
    char = chr(code_points(source)[code])
    return char if char.isprintable() and not char.isspace() else f"{code:04X}"
