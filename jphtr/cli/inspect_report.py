"""What `jphtr inspect` prints for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from jphtr.cli.charset import Coverage
from jphtr.inventory import FEW, NONE, Inventory, Spread, Tally
from jphtr.splits import SPLITS

_LISTED = 12  # sets and files that are named; fonts come by the hundred
_GROUPS = ("hiragana", "katakana", "ASCII", "joyo", "JIS level 1", "JIS level 2")
_TITLE = 15  # cells of a terminal


def report(found: Inventory, coverage: Sequence[Coverage], missing: bool) -> Iterator[str]:
    """The lines that a person reads.

    Parameters
    ----------
    found : the counts.
    coverage : how much of the known groups of characters they hold.
    missing : name the characters that are missing.
    """
    yield from _facts(found)
    largest = sorted(found.sets, key=lambda tally: -tally.glyphs)[:_LISTED]
    tallies = [*([found.total] if len(found.sets) > 1 else []), *largest]
    parts = [*SPLITS] if found.total.splits else []
    parts += [NONE] if found.total.splits and found.total.splits[NONE] else []
    odd = [name for name in ("unknown", "models") if getattr(found.total, name)]
    yield ""
    yield from _columns(
        ["set", "glyphs", *odd, "classes", "writers", *parts],
        (
            [
                t.name,
                t.glyphs,
                *(getattr(t, name) for name in odd),
                t.classes.number,
                t.writers.number,
                *_parts(t, parts),
            ]
            for t in tallies
        ),
    )
    if len(found.sets) > _LISTED:
        yield f"and {len(found.sets) - _LISTED} smaller sets, which --by set names"
    spread = tallies if len(found.sets) <= _LISTED else [found.total]
    yield ""
    yield from _columns(
        ["glyphs", "per class: fewest", "median", "most", f"under {FEW}", "per writer: fewest", "median", "most"],
        ([t.name, *_spread(t.classes), t.classes.few, *_spread(t.writers)] for t in spread),
    )
    for counts in (found.scripts, found.styles):
        if counts is not None:
            yield ""
            yield from _columns(counts.heads, counts.rows())
    yield from _published(found, missing)
    yield ""
    groups = [row for row in coverage if row.group in _GROUPS]
    lines = _columns(["coverage", "classes", "of"], ([row.group, row.covered, row.total] for row in groups))
    yield next(lines)
    for row, line in zip(groups, lines, strict=True):
        yield line
        if missing and row.missing:
            yield f"    missing: {row.missing.replace(' ', '(space)')}"
    yield from _origins(found)


def _facts(found: Inventory) -> Iterator[str]:
    total, pixels = found.total, f"{_size(found.pixel_bytes)} on disk"
    if found.compression:
        share = f"{found.pixel_bytes / max(1, found.raw_pixel_bytes):.0%}"
        pixels += f" ({found.compression}), {share} of {_size(found.raw_pixel_bytes)}"
    chosen = f"{total.glyphs:,} chosen of " if total.glyphs < found.glyphs_in_file else ""
    facts = {
        "file": f"{found.path} ({_size(found.file_bytes)})",
        "glyphs": f"{chosen}{found.glyphs_in_file:,} of {found.width} x {found.height} px",
        "format": f"{found.format}, written by {f'jphtr {found.version}' if found.version else 'an unnamed version'}",
        "digest": found.digest,
        "pixels": pixels,
        "normalisation": ", ".join(f"{name} {value}" for name, value in found.normalisation.items() if name != "split"),
        "split": _how_split(found),
        "columns": ", ".join(found.keys),
    }
    if total.unknown:
        facts["unknown"] = f"{total.unknown:,} glyphs without a known character (label 0); they are no class"
    if total.models:
        facts["models"] = f"{total.models:,} pictures of printed model letters, which nobody wrote"
    for name, value in facts.items():
        yield f"{name:<{_TITLE}}{value or '-'}"


def _how_split(found: Inventory) -> str:
    if found.total.splits is None:
        return "none: the glyphs are not divided into train, valid and test"
    how = {"writer": "by writer, or as published", "random": "at random, glyph by glyph"}
    kind = str(found.normalisation.get("split", "not said how"))
    divided = f"; {found.divided_writers:,} writers stand in more than one part" if found.divided_writers else ""
    return how.get(kind, kind) + divided


def _published(found: Inventory, missing: bool) -> Iterator[str]:
    """What was published of the sets, and how much of it is here."""
    rows = [(tally.name, tally.published) for tally in found.sets if tally.published]
    if not rows:
        return
    yield ""
    lines = _columns(
        ["as published", "glyphs", "of", "classes", "of", "writers", "of"],
        ([name, p.glyphs, p.of_glyphs, p.classes, p.of_classes, p.writers, p.of_writers] for name, p in rows),
    )
    yield next(lines)
    for (_, published), line in zip(rows, lines, strict=True):
        yield line
        if missing and published.missing:
            yield f"    missing: {published.missing}"


def _origins(found: Inventory) -> Iterator[str]:
    """The files that were read, and the licence of each set."""
    if found.inputs:
        yield ""
        yield from _columns(
            ["file read", "bytes", "sha256"], ([one.name, one.size, one.sha256[:12]] for one in found.inputs[:_LISTED])
        )
        if len(found.inputs) > _LISTED:
            yield f"and {len(found.inputs) - _LISTED} more, which --json names"
    own = {tally.name for tally in found.sets}
    licences: dict[str, list[str]] = {}
    for source in found.sources:
        if source.name in own:
            licences.setdefault(source.licence or "licence not noted", []).append(source.name)
    yield ""
    for licence, names in licences.items():
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield f"licence of {some}: {licence}"


def _parts(tally: Tally, parts: Sequence[str]) -> list[int | None]:
    return [None if tally.splits is None else tally.splits[part] for part in parts]


def _spread(spread: Spread) -> list[str]:
    return [f"{spread.fewest:,}", f"{spread.median:,.1f}".removesuffix(".0"), f"{spread.most:,}"]


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _columns(head: list[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table whose first column stands left and whose numbers stand right."""
    cells = [head, *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        left = first + " " * (max(_TITLE, widths[0]) - _width(first))
        right = (" " * (width - _width(cell)) + cell for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([left, *right]).rstrip()


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _width(text: str) -> int:
    """Cells of a terminal: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
