"""The running text of a page: what a person would type who copies it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence

from jphtr.formats.layout import Axis, axis_of, blocks
from jphtr.formats.ruby import with_ruby
from jphtr.records import Page, PageLine

_ENDS = frozenset("。．！？!?…」』）)】〕")  # what a paragraph may end with
_INDENT = 0.6  # of a character: a line that starts this much further in opens a paragraph
_SHORT = 3.0  # characters: a line that ends so long before the others, and
_SHORT_SHARE = 0.2  # by so much of their length, ends a paragraph


def running_text(page: Page, *, keep_lines: bool = False) -> str:
    """The text of a page.

    Lines of a block are joined, Japanese to Japanese without a space and Latin to Latin with one, up to the end of a
    paragraph: where a line stops early, or where one has ended its sentence and the next is set in. Blocks are parted
    by an empty line. Ruby stands in 《》 behind the word that it spells, as in the files of Aozora Bunko; ruby beside
    no word is a line of its own.

    Parameters
    ----------
    page : lines in reading order.
    keep_lines : keep the lines as they are on the page instead.
    """
    texts = []
    for block in blocks(page):
        lines = [(text, line) for text, line in with_ruby(block) if text]
        if keep_lines:
            texts.append("\n".join(text for text, _ in lines))
        else:
            texts.append("\n".join(_paragraphs(lines)))
    return "\n\n".join(text for text in texts if text)


def _paragraphs(lines: Sequence[tuple[str, PageLine]]) -> Iterator[str]:
    if not lines:
        return
    axes = [axis_of(line.region) for _, line in lines]
    starts = _starts(axes)
    ends = [start + axis.length for start, axis in zip(starts, axes, strict=True)]
    first, last = min(starts), max(ends)
    paragraph = lines[0][0]
    for n in range(1, len(lines)):
        (before, line), (after, next_line) = lines[n - 1], lines[n]
        size, gap = min(axes[n - 1].thickness, axes[n].thickness), last - ends[n - 1]
        stops = gap > _SHORT * size and gap > _SHORT_SHARE * (last - first)
        indented = starts[n] - first > _INDENT * size
        ended = before[-1] in _ENDS or gap > size
        turns = line.region.direction != next_line.region.direction
        if stops or turns or (indented and ended):
            yield paragraph
            paragraph = after
        else:
            paragraph += _between(before[-1], after[0]) + after
    yield paragraph


def _starts(axes: Sequence[Axis]) -> list[float]:
    """Where lines start, measured along the way that they run on the whole: far down a page a small angle counts."""
    dx, dy = sum(axis.along[0] for axis in axes), sum(axis.along[1] for axis in axes)
    scale = math.hypot(dx, dy) or 1.0
    return [(axis.start[0] * dx + axis.start[1] * dy) / scale for axis in axes]


def _between(before: str, after: str) -> str:
    """What stands between the last character of a line and the first of the next: a space between Latin words."""
    return "" if before in "-‐" or _is_japanese(before) or _is_japanese(after) else " "


def _is_japanese(char: str) -> bool:
    # ambiguous ones, … ― ① “ and their like, are set as full-width ones among Japanese
    return unicodedata.east_asian_width(char) in "WFHA"
