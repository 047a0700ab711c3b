"""Are files what was published? Glyph files against their digests, copies of ETL and Kuzushiji against the makers' numbers.

`find` looks for the files, `check` reads every byte of them: one Audit a file, and one for each set of several files.

A **fault** is what a good copy cannot have: damage, another length or digest than published, a code outside the set's
table, a class with too few pictures, a missing file. A **remark** is what may be so in a good copy: where a number is
nobody's word but follows from others, where a person may have wanted a part only, and where the digest is the published
one, which proves that the file is real whatever else is odd about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jphtr.errors import DataError, JphtrError
from jphtr.sources import etl, kuzushiji
from jphtr.sources.audit_etl import etl_audits
from jphtr.sources.audit_kuzushiji import file_audit, part_audits, published_as
from jphtr.sources.audit_result import Audit, Step
from jphtr.store import GlyphFile, open_glyphs, verify

__all__ = ["Audit", "Holdings", "Step", "check", "find"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is to check.

    Attributes
    ----------
    glyphs : glyph files.
    etl : files of the ETL sets, and `missing` the absent ones of each set by their names.
    named : sets whose files were all given by name, so that nobody promised that the set is complete.
    parts : parts of KMNIST, K49 and Kuzushiji-Kanji.
    others : further files of these that are known by name: class maps, and copies that are not read.
    errors : what was asked for and cannot be checked at all.
    remarks : one line each.
    """

    glyphs: tuple[Path, ...]
    etl: tuple[etl.EtlFile, ...]
    missing: dict[str, tuple[str, ...]]
    named: frozenset[str]
    parts: tuple[kuzushiji.Part, ...]
    others: tuple[Path, ...]
    errors: tuple[DataError, ...]
    remarks: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes that `check` will read."""
        halves = [path for part in self.parts for path in (part.images, part.labels)]
        files = [*self.glyphs, *self.others, *(path for path in halves if path is not None)]
        return sum(file.size for file in self.etl) + sum(path.stat().st_size for path in files if path.is_file())


def find(paths: Iterable[Path]) -> Holdings:
    """Glyph files, ETL files and Kuzushiji files among files, in folders at any depth and, for ETL, in zip files.

    Nothing is raised: what cannot be found or opened stands in `errors`.
    """
    given = list(dict.fromkeys(Path(path) for path in paths))
    folders = [path for path in given if path.is_dir()]
    glyphs: list[Path] = []
    of_etl: list[Path] = []
    parts: list[kuzushiji.Part] = []
    others: list[Path] = []
    errors: list[DataError] = []
    for path in given:
        if not path.exists():
            errors.append(DataError(f"{path}: no such file or folder"))
        elif path in folders or path.suffix.lower() == ".zip" or etl.published_file(path.name):
            of_etl.append(path)
        elif path.suffix.lower() == ".h5" or _starts(path) == _HDF5:
            glyphs.append(path)
        elif found := kuzushiji.find(path):
            parts += found
        elif published_as(path.name):
            others.append(path)
        elif not path.name.upper().endswith("INFO"):  # what lies beside the data in AIST's archives
            errors.append(DataError(f"{path}: neither a glyph file nor, by its name, a file of ETL or Kuzushiji"))
    etl_found, failed = _find_etl(of_etl)
    errors += failed
    for folder in folders:
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        stored = [path for path in inside if path.suffix.lower() == ".h5"]
        known = [path for path in inside if published_as(path.name)]
        drawn = list(kuzushiji.find(folder))
        if stored or any(file.path.is_relative_to(folder) for file in etl_found.files):
            # a folder that holds a folder named "1" passes for Kuzushiji-Kanji where nothing else is known to be there
            drawn = [part for part in drawn if part.images != folder]
        elif not (drawn or known or any(str(error).startswith(f"{folder}") for error in failed)):
            errors.append(
                DataError(f"{folder}: nothing to verify there: no glyph file and no file of ETL or Kuzushiji")
            )
        glyphs, parts, others = glyphs + stored, parts + drawn, others + known
    read = {path for part in parts for path in (part.images, part.labels)}
    read |= {
        copy for part in parts if part.name == "K49" for copy in part.again
    }  # its IDX files are called as KMNIST's
    promised = {file.source for file in etl_found.files if file.member is not None or file.path not in given}
    return Holdings(
        glyphs=tuple(dict.fromkeys(glyphs)),
        etl=etl_found.files,
        missing=etl_found.missing,
        named=frozenset(etl_found.sources) - promised,
        parts=tuple(dict.fromkeys(parts)),
        others=tuple(path for path in dict.fromkeys(others) if path not in read),
        errors=tuple(errors),
        remarks=(*etl_found.warnings, *_absent(parts)),
    )


def check(holdings: Holdings, step: Step = lambda name, size: None) -> Iterator[Audit]:
    """Read everything that was found and compare it with what is known; memory stays bounded.

    Parameters
    ----------
    holdings : from `find`.
    step : called with the name of what is being read and the bytes read since it was last called.
    """
    for path in holdings.glyphs:
        yield _glyph_file(path)
        step(path.name, path.stat().st_size)
    yield from etl_audits(holdings.etl, holdings.missing, holdings.named, step)
    for part in holdings.parts:
        yield from part_audits(part, step)
    for path in holdings.others:
        yield file_audit(path, published_as(path.name), path.name)
        step(path.name, path.stat().st_size)


def _find_etl(places: list[Path]) -> tuple[etl.Found, list[DataError]]:
    """The ETL files in places that may hold none, and what is wrong there."""
    failed: list[DataError] = []
    found = etl.find(places, errors=failed) if places else etl.Found((), {}, ())
    if not found.files and all(path.is_dir() for path in places):
        nothing = f"{', '.join(map(str, places))}: "  # that there is no ETL file at all is no complaint here
        failed = [error for error in failed if not str(error).startswith(nothing)]
    return found, failed


def _starts(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(len(_HDF5))
    except OSError:  # whoever reads it next explains
        return b""


def _absent(parts: list[kuzushiji.Part]) -> list[str]:
    there = {(part.name, part.split) for part in parts}
    names = {part.name for part in parts}
    return [
        f"{name} {split} is not there"
        for name, split in kuzushiji.COUNTS
        if name in names and (name, split) not in there
    ]


def _glyph_file(path: Path) -> Audit:
    """A glyph file against its own digest, and the sets in it against what is published of them."""
    try:
        written = verify(path)
        with open_glyphs(path) as glyphs:
            remarks = [*_fewer(glyphs), *_inputs(glyphs)]
    except JphtrError as error:
        return Audit(str(path), "", "", (str(error).removeprefix(f"{path}: "),))
    found = f"{written.glyphs} glyphs of {written.writers} writers, digest {written.digest}"
    return Audit(str(path), "", found, (), tuple(remarks))


def _fewer(glyphs: GlyphFile) -> Iterator[str]:
    """Where a glyph file holds fewer or more pictures of a set than are published."""
    published = {name: row.samples for name, row in etl.PUBLISHED_SETS.items()}
    for (name, _), count in kuzushiji.COUNTS.items():
        published[name] = published.get(name, 0) + count
    models = any("model" in columns for columns in glyphs.columns.values())
    own = glyphs.source[glyphs.column("model") == 0] if models else glyphs.source
    for place, source in enumerate(glyphs.sources):
        count = int(np.count_nonzero(own == place))
        wanted = published.get(source.name, count)
        if count != wanted:
            yield f"holds {count:,} pictures of {source.name}, of which {wanted:,} are published"


def _inputs(glyphs: GlyphFile) -> Iterator[str]:
    """Which of the files that a glyph file was made from were not as published."""
    for one in glyphs.inputs:
        known = [etl.published_file(one.name), *(published_as(one.name, source.name) for source in glyphs.sources)]
        row = next((row for row in known if row is not None), None)
        if row is None:
            continue
        if row.size not in (None, one.size):
            yield f"was made from {one.name} of {one.size:,} bytes, where {row.size:,} are published"
        elif row.sha256 not in (None, one.sha256):
            yield f"was made from {one.name} with sha256 {one.sha256}, where {row.sha256} is published"
