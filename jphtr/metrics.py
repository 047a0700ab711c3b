"""How far a reading is from the truth: edits as counts that add up, per script, confusions, intervals.

The character error rate is a quotient of sums, errors over reference characters of all lines together (micro
average), so counts travel and quotients are taken last.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jphtr.charset import SMALL_KANA, Script, fold, script_of
from jphtr.lookalikes import fold_forms, fold_lookalikes

BRACKETS = frozenset("「」『』（）()【】〔〕〈〉《》［］[]｛｝{}“”‘’〝〟")


def strict(text: str) -> str:
    """NFC without white space: ０ and 0 are two characters."""
    return unicodedata.normalize("NFC", _without_space(text))


def folded(text: str) -> str:
    """NFKC without white space: ０ is 0, ① is 1, ㈱ is (株); how most published figures are taken."""
    # `fold` unites the dashes and waves, which NFKC keeps apart; NFKC again, for what stood on either side
    # of a space
    text = fold(unicodedata.normalize("NFKC", fold(text)))
    return unicodedata.normalize("NFKC", _without_space(text))


def forms(text: str) -> str:
    """As `folded`, and today's form of every kanji: for old print, whose readers may write either."""
    return fold_forms(folded(text))


def loose(text: str) -> str:
    """As `forms`, and one character for each shape: what even a perfect eye could not tell counts for nothing."""
    # before NFKC as well, which would take … and ″ apart
    return fold_lookalikes(forms(fold_lookalikes(text)))


def _without_space(text: str) -> str:
    return "".join(char for char in text if not char.isspace())


@dataclass(frozen=True, slots=True)
class Folding:
    """What two texts are brought to before they are compared, and how a report says so."""

    fold: Callable[[str], str]
    said: str


FOLDINGS: dict[str, Folding] = {
    "strict": Folding(strict, "NFC, without spaces"),
    "folded": Folding(folded, "NFKC, without spaces"),
    "forms": Folding(forms, "NFKC, without spaces, old and variant kanji as today's"),
    "loose": Folding(loose, "NFKC, without spaces, old and variant kanji as today's, look-alikes as one"),
}


@dataclass(frozen=True, slots=True)
class Errors:
    """Counted edits that turn references of `chars` characters into what was read; they add up with `+`."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    chars: int = 0

    @property
    def total(self) -> int:
        """All edits: the Levenshtein distance."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Edits per reference character; without any reference 0.0 if nothing was read, else infinite."""
        if self.chars:
            return self.total / self.chars
        return float("inf") if self.total else 0.0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.chars + other.chars,
        )


def align(reference: str, reading: str) -> list[tuple[str, str]]:
    """Pairs (reference character, read character) of a cheapest alignment, in order.

    A character left out pairs with "", one invented pairs as ("", character). Of equally cheap alignments
    the one that pairs characters from the right is taken, so two runs agree.
    """
    if reference == reading:
        return list(zip(reference, reading, strict=True))
    ref = np.array([ord(c) for c in reference], np.int32)
    hyp = np.array([ord(c) for c in reading], np.int32)
    steps = np.arange(len(hyp) + 1)
    cost = np.empty((len(ref) + 1, len(hyp) + 1), np.int32)
    cost[0] = steps
    for i, char in enumerate(ref, 1):
        above = cost[i - 1]
        row = above + 1
        row[1:] = np.minimum(row[1:], above[:-1] + (hyp != char))
        # an insertion costs 1 a step to the right: the running minimum of row - steps, put back
        cost[i] = np.minimum.accumulate(row - steps) + steps
    pairs: list[tuple[str, str]] = []
    i, j = len(ref), len(hyp)
    table = cost.tolist()
    while i or j:
        here = table[i][j]
        if i and j and here == table[i - 1][j - 1] + (reference[i - 1] != reading[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], reading[j]))
        elif i and here == table[i - 1][j] + 1:
            i -= 1
            pairs.append((reference[i], ""))
        else:
            j -= 1
            pairs.append(("", reading[j]))
    return pairs[::-1]


def count(pairs: Iterable[tuple[str, str]]) -> Errors:
    """The edits in an alignment."""
    substitutions = deletions = insertions = chars = 0
    for ref, hyp in pairs:
        chars += ref != ""
        substitutions += ref != "" and hyp != "" and ref != hyp
        deletions += hyp == ""
        insertions += ref == ""
    return Errors(substitutions, deletions, insertions, chars)


def cer(reference: str, reading: str, normalise: Callable[[str], str] = strict) -> Errors:
    """The edits between a truth and a reading, both normalised."""
    return count(align(normalise(reference), normalise(reading)))


def paired(reference: Sequence[str], reading: Sequence[str]) -> list[tuple[int, str]]:
    """What each piece of a reading stands for, where pieces are characters that folding may have made longer or empty.

    Returns
    -------
    For each piece of `reading` the place of the first piece of `reference` that its characters are aligned with, -1 if
    there is none, and the characters that they are aligned with; the piece was read right if these are its own.
    """
    ref_owner = [place for place, piece in enumerate(reference) for _ in piece]
    hyp_owner = [place for place, piece in enumerate(reading) for _ in piece]
    found = [(-1, "")] * len(reading)
    i = j = 0
    for ref, hyp in align("".join(reference), "".join(reading)):
        if ref and hyp:
            place, text = found[hyp_owner[j]]
            found[hyp_owner[j]] = (ref_owner[i] if place < 0 else place, text + ref)
        i, j = i + (ref != ""), j + (hyp != "")
    return found


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of `chars` characters of a kind were read right, and how many were not read at all."""

    hits: int
    chars: int
    left_out: int = 0

    @property
    def rate(self) -> float:
        """Between 0 and 1; 1.0 where there was nothing to read."""
        return self.hits / self.chars if self.chars else 1.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything counted over a set of lines.

    Attributes
    ----------
    lines : edits of each line, in order: what `interval` draws from.
    right : how many lines have no edit.
    scripts : edits by script of the reference character, an invented character by its own; they sum to
        `errors`.
    pairs : (reference, read) -> count over all characters, "" for a character left out or invented.
    """

    lines: tuple[Errors, ...] = ()
    right: int = 0
    scripts: dict[Script, Errors] = field(default_factory=dict)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def errors(self) -> Errors:
        """Edits of all lines together; `.rate` is the CER."""
        return sum(self.lines, Errors())

    @property
    def line_accuracy(self) -> float:
        """Share of lines without any edit, 1.0 of no lines."""
        return self.right / len(self.lines) if self.lines else 1.0

    @property
    def support(self) -> Counter[str]:
        """How often each character stands in the references."""
        found: Counter[str] = Counter()
        for (ref, _), n in self.pairs.items():
            if ref:
                found[ref] += n
        return found

    def confusions(self, most: int | None = None) -> list[tuple[str, str, int, int]]:
        """(reference, read, count, support of the reference), most frequent first; insertions have none."""
        support = self.support
        wrong = [(ref, hyp, n, support[ref]) for (ref, hyp), n in self.pairs.items() if ref != hyp]
        return sorted(wrong, key=lambda row: (-row[2], row[3], row[:2]))[:most]

    def recall(self, of: Callable[[str], bool]) -> Recall:
        """How many of the reference characters that `of` picks were read right."""
        picked = [(ref, hyp, n) for (ref, hyp), n in self.pairs.items() if ref and of(ref)]
        return Recall(
            sum(n for ref, hyp, n in picked if ref == hyp),
            sum(n for _, _, n in picked),
            sum(n for _, hyp, n in picked if not hyp),
        )

    @property
    def small_kana(self) -> Recall:
        """Recall of っゃゅょ and the like, which vanish first from vertical lines."""
        return self.recall(SMALL_KANA.__contains__)

    @property
    def punctuation(self) -> Recall:
        """Recall of 、。「」 and other signs."""
        return self.recall(lambda char: script_of(char) == "punctuation")


# Signs that are small or thin, which nets and text finders lose first, counted apart from each other.
MARKS: dict[str, Callable[[str], bool]] = {
    "small kana っゃゅょ": SMALL_KANA.__contains__,
    "stops 、。": frozenset("、。").__contains__,
    "brackets 「」": BRACKETS.__contains__,
    "other punctuation": lambda char: script_of(char) == "punctuation" and char not in BRACKETS and char not in "、。",
}


def score(pairs: Iterable[tuple[str, str]], normalise: Callable[[str], str] = strict) -> Scores:
    """Count over lines, given as (truth, reading) pairs.

    Parameters
    ----------
    pairs : raw texts.
    normalise : done to both of each pair, as the `fold` of one of `FOLDINGS`.
    """
    return counted(align(normalise(truth), normalise(reading)) for truth, reading in pairs)


def counted(lines: Iterable[Sequence[tuple[str, str]]]) -> Scores:
    """Count over lines that `align` has laid beside their truth."""
    each: list[Errors] = []
    pairs: Counter[tuple[str, str]] = Counter()
    for aligned in lines:
        each.append(count(aligned))
        pairs.update(aligned)
    scripts: dict[Script, Errors] = {}
    for (ref, hyp), n in sorted(pairs.items()):
        one = count([(ref, hyp)])
        script = script_of(ref or hyp)
        scripts[script] = scripts.get(script, Errors()) + Errors(
            one.substitutions * n, one.deletions * n, one.insertions * n, one.chars * n
        )
    return Scores(tuple(each), sum(line.total == 0 for line in each), scripts, pairs)


def interval(
    lines: Sequence[Errors],
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap percentile interval (low, high) of the error rate (Efron 1979).

    Parameters
    ----------
    lines : edits of each line.
    groups : of the same length, what each line shares with others (writer, font, document): whole groups are
        drawn, because lines of one hand fail together. None draws single lines.
    level : of confidence, between 0 and 1.
    samples, seed : how many sets are drawn, and from which random stream.
    """
    if not lines:
        return 0.0, 0.0
    sums: dict[Hashable, Errors] = {}
    for key, line in zip(range(len(lines)) if groups is None else groups, lines, strict=True):
        sums[key] = sums.get(key, Errors()) + line
    # groups with like counts are one that is drawn more often: a few dozen numbers for thousands of lines
    totals, often = np.unique([[e.total, e.chars] for e in sums.values()], axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sums), often / len(sums), size=samples) @ totals.astype(np.float64)
    rates = drawn[:, 0] / np.maximum(drawn[:, 1], 1)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
