"""Ruby, the small kana beside a word that they spell, put into the text behind its word: 漢字《かんじ》."""

from __future__ import annotations

from collections.abc import Sequence

from jphtr.charset import script_of
from jphtr.formats.layout import axis_of
from jphtr.records import CharSpan, PageLine

_REACH = 1.6  # how far from the middle of its line ruby may stand, in the line's thickness
_OVERHANG = 0.25  # of the line's thickness: how far a character's middle may lie beyond the ruby's ends
_KANJI = ("level1", "level2", "kanji")


def with_ruby(lines: Sequence[PageLine]) -> list[tuple[str, PageLine]]:
    """The texts of the lines of a block, ruby put behind the words beside which it stands.

    As in the files of Aozora Bunko, ｜ marks where a word begins if that is not where its kanji begin: 東京｜駅《えき》.
    Ruby beside no word is a line of its own.
    """
    notes: dict[int, list[tuple[int, int, str]]] = {}
    alone = set()
    for n, line in enumerate(lines):
        if line.region.kind == "ruby":
            found = _word_beside(line, lines)
            if found is None:
                alone.add(n)
            else:
                base, start, stop = found
                notes.setdefault(base, []).append((start, stop, line.recognition.text))
    return [
        (_annotated(line.recognition.spans, notes.get(n, [])) or line.recognition.text, line)
        for n, line in enumerate(lines)
        if line.region.kind == "text" or n in alone
    ]


def _word_beside(ruby: PageLine, lines: Sequence[PageLine]) -> tuple[int, int, int] | None:
    """The line that ruby belongs to, and from which of its characters to which, the last not included."""
    nearest: list[tuple[float, int]] = []
    x0, y0, x1, y1 = ruby.region.box
    for n, line in enumerate(lines):
        if line.region.kind == "ruby" or line.region.direction != ruby.region.direction:
            continue
        axis = axis_of(line.region)
        dx, dy = axis.along
        # above a line or to the right of a column: to the left hand of who walks along it
        away = ((x0 + x1) / 2 - axis.start[0]) * dy - ((y0 + y1) / 2 - axis.start[1]) * dx
        if 0 < away < _REACH * axis.thickness:
            nearest.append((away, n))
    for _, n in sorted(nearest):
        axis, spans = axis_of(lines[n].region), lines[n].recognition.spans
        start, stop = axis.extent(ruby.region.box)
        slack = _OVERHANG * axis.thickness
        covered = [
            i for i, span in enumerate(spans) if start - slack <= sum(axis.extent(span.box)) / 2 <= stop + slack
        ]  # fmt: skip
        # ruby may reach over the kana around its word
        word = [i for i in covered if _is_kanji(spans[i].char)] or covered
        if word:
            return n, word[0], word[-1] + 1
    return None


def _annotated(spans: Sequence[CharSpan], notes: Sequence[tuple[int, int, str]]) -> str:
    chars = [span.char for span in spans]
    for start, stop, note in reversed(_apart(notes)):  # from the end, so that places stay
        kanji = all(_is_kanji(char) for char in chars[start:stop])
        clear = kanji and (start == 0 or not _is_kanji(chars[start - 1]))
        chars[stop:stop] = f"《{note}》"
        chars[start:start] = "" if clear else "｜"
    return "".join(chars)


def _apart(notes: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Notes in their order, those on a common character made one."""
    found: list[tuple[int, int, str]] = []
    for start, stop, note in sorted(notes):
        if found and start < found[-1][1]:
            first, last, text = found.pop()
            start, stop, note = first, max(last, stop), text + note
        found.append((start, stop, note))
    return found


def _is_kanji(char: str) -> bool:
    return script_of(char) in _KANJI
