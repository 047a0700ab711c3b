"""Files of KMNIST, Kuzushiji-49 and Kuzushiji-Kanji against the numbers and digests of their makers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jphtr.errors import DataError
from jphtr.sources import kuzushiji
from jphtr.sources.audit_result import Audit, Step, some

_PIECE = 1 << 20  # bytes hashed at a time


def published_as(name: str, source: str = "") -> kuzushiji.Published | None:
    """What is known of a file by its name, in any case and with `-` or `_`; None for other files.

    source : a file of this set; K49 was never published as IDX, so a file with KMNIST's name is not KMNIST's there.
    """
    row = _PUBLISHED.get(_plain(name))
    return None if source == "K49" and not _plain(name).startswith("k49") else row


def part_audits(part: kuzushiji.Part, step: Step) -> Iterator[Audit]:
    """The pictures of a part, and its labels where they are a file of their own.

    Parameters
    ----------
    part : as `kuzushiji.find` gives it.
    step : as for `audit.check`.
    """
    label = f"{part.name} {part.split}".strip()
    files = [path for path in (part.images, part.labels) if path is not None]
    faults: dict[Path, list[str]] = {path: [] for path in files}
    found = ""
    if part.missing:
        faults[files[0]].append(f"{label} lacks {part.missing}; put it beside")
    else:
        try:
            found, wrong = _content(part, label, step)
            faults[files[0]] += wrong
        except DataError as error:
            # a line about neither file is about what both say together
            blamed = next((path for path in files if str(error).startswith(f"{path}: ")), files[0])
            faults[blamed].append(str(error).removeprefix(f"{blamed}: "))
    for path in files:
        if path.is_dir():
            yield Audit(str(path), label, found, tuple(faults[path]))
        else:
            audit = file_audit(path, published_as(path.name, part.name), label)
            what = f"{found}, {audit.found}" if found and path == part.images else audit.found
            yield Audit(str(path), label, what, (*faults[path], *audit.faults), audit.remarks)


def file_audit(path: Path, published: kuzushiji.Published | None, name: str) -> Audit:
    """Length and digests of a file against the published ones."""
    try:
        size, packed, digests = _digests(path)
    except OSError as error:
        return Audit(str(path), name, "", (f"cannot be read ({error.strerror}); check your rights",))
    sha256 = digests["sha256"]
    if published is not None and path.suffix.lower() == ".gz" and not packed:
        remark = "is unpacked already, whatever its name says: the published digest is of the packed file"
        return Audit(str(path), name, f"sha256 {sha256} (none is published)", (), (remark,))
    if published is None or not (published.sha256 or published.md5):
        return Audit(str(path), name, f"sha256 {sha256} (none is published)")
    if published.size not in (None, size):
        fault = f"{size:,} bytes where {published.size:,} are published; {kuzushiji.AGAIN}"
        return Audit(str(path), name, f"sha256 {sha256}", (fault,))
    kind, wanted = ("sha256", published.sha256) if published.sha256 else ("md5", published.md5)
    if digests[kind] != wanted:
        fault = f"{kind} {digests[kind]} is not the published {wanted}; {kuzushiji.AGAIN}"
        return Audit(str(path), name, f"sha256 {sha256}", (fault,))
    return Audit(str(path), name, f"{kind} {wanted} as published")


def _content(part: kuzushiji.Part, label: str, step: Step) -> tuple[str, list[str]]:
    """What the pictures and labels of a part are, and what is wrong with them."""
    published = kuzushiji.COUNTS[part.name, part.split]
    size = sum(path.stat().st_size for path in (part.images, part.labels) if path is not None and path.is_file())
    counts: Counter[int] = Counter()
    for block in kuzushiji.read(part):
        counts.update((block.meta["code"] if part.name == "KKANJI" else block.chars).tolist())
        step(label, size * len(block) // published)
    faults = []
    if (total := counts.total()) != published:
        faults.append(f"{total:,} pictures where {label} has {published:,}")
    if part.name == "KKANJI" and len(counts) != kuzushiji.KANJI_CLASSES:
        faults.append(f"{len(counts):,} classes where there should be {kuzushiji.KANJI_CLASSES:,}")
    if part.name == "KMNIST":  # the only one of the three whose classes are equal in size
        each = published // len(kuzushiji.CLASSES["KMNIST"])
        pictures = {char: counts[ord(char)] for char in kuzushiji.CLASSES["KMNIST"]}
        if odd := [f"{char} has {count:,} of {each:,}" for char, count in pictures.items() if count != each]:
            faults.append(f"{len(odd)} classes have more or fewer pictures than they should: {some(odd)}")
    return f"{total:,} pictures, {len(counts):,} classes", faults


def _digests(path: Path) -> tuple[int, bool, dict[str, str]]:
    """Bytes of a file, whether it is gzipped, and its digests."""
    found = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    size, packed = 0, False
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            packed = packed or (not size and piece[:2] == b"\x1f\x8b")
            size += len(piece)
            for digest in found.values():
                digest.update(piece)
    return size, packed, {name: digest.hexdigest() for name, digest in found.items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".idx", "-idx")


_PUBLISHED = {_plain(name): row for name, row in kuzushiji.PUBLISHED.items()}
