"""What composed lines say: sentences, rare characters in natural company, addresses, names, dates, numbers, Latin."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jphtr.charset import Charset, fold
from jphtr.errors import DataError
from jphtr.jouyou import NEW_FORMS, OLD_FORMS
from jphtr.orthography import historical

Rng = np.random.Generator

_ERAS = ("明治", "大正", "昭和", "平成", "令和")
_UNITS = "円 人 年 月 日 個 本 枚 冊 名 度 % ％ m cm mm km kg g t ㎡ ㎏ ㎝ 時 分 秒 頁 番 号 回 件 台 戸 歳 才 銭 圓 坪 町 丁目 番地 kW Hz ℃ 石 俵 尺 寸 貫 匁".split()
_COUNTERS = "第{}回 第{}章 第{}条 第{}図 表{} 図{} No.{} №{} p.{} {}頁 ({}) （{}） {}. {}) [{}] 〔{}〕 {}、 〒{} TEL {} A-{} {}ページ".split()
# before the words of an item
_MARKS = "{}. {}. {}. {}) ({}) ({}) （{}） {}、 {}． {}, {}.{} {}・{} 第{} 図{} 表{}. ({}.{}) 〔{}〕 [{}] {}:".split()
# forms of old type that the reform of 1946 does not name
_OLD_TYPE = ("内強鋭躯説税脱悦閲絶産彦教戸呉娯尚姫既査青清", "內强銳軀說稅脫悅閱絕產彥敎戶吳娛尙姬旣查靑淸")
_KANJI_DIGITS = "〇一二三四五六七八九"
_SYLLABLES = "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma mi mu me mo ya yu yo ra ri ru re ro wa n ga gi gu ge go za ji zu ze zo da de do ba bi bu be bo pa pi pu pe po er on st al th in ing ed ar or el is le re ph qu x v".split()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts to draw from; each is a list of strings, and any of them may be empty.

    `places` maps a rare character to sentences that hold it, so that it can be shown in natural company. `confused` holds
    pairs of characters that a model took for each other, and how often.
    """

    sentences: Sequence[str]
    addresses: Sequence[str]
    words: Sequence[str]
    places: dict[str, tuple[int, ...]]
    rare: tuple[str, ...]
    confused: tuple[tuple[str, str, int], ...] = ()


def read_confusions(path: Path, charset: Charset) -> list[tuple[str, str, int]]:
    """The pairs (is, read as, times) of a result of `jphtr eval-line --json`, of which both are in the charset.

    Raises
    ------
    DataError
        If the file is missing or no such result.
    """
    try:
        rows = json.loads(path.read_text("utf-8"))["confusions"]
        pairs = [(str(row["truth"]), str(row["read"]), int(row["count"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: no confusions in it ({error}); write it with: jphtr eval-line MODEL DATA --json --confusions 500"
        ) from None
    return [pair for pair in pairs if all(len(char) == 1 and charset.covers(char) for char in pair[:2])]


def read_lines(path: Path) -> list[str]:
    """The non-empty lines of a UTF-8 text file, plain or .xz; of a .tsv the first column below its header.

    Raises
    ------
    DataError
        If the file is missing or not UTF-8 text.
    """
    try:
        data = path.read_bytes()
        data = lzma.decompress(data) if path.suffix == ".xz" else data
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}); give a .txt, .tsv or .xz file") from None
    if ".tsv" in path.suffixes:
        lines = [line.split("\t", 1)[0] for line in lines[1:]]
    return [line for line in lines if line.strip()]


def load_corpus(
    charset: Charset, sentences: Sequence[Path], addresses: Sequence[Path] = (), words: Sequence[Path] = (),
    confusions: Sequence[Path] = (),
) -> Corpus:  # fmt: skip
    """Read the texts and index where each character that is not frequent stands (at most 64 sentences a character)."""
    lines = [line for path in sentences for line in read_lines(path)]
    counts: Counter[str] = Counter()
    for start in range(0, len(lines), 4096):
        counts.update("".join(lines[start : start + 4096]))
    wanted = {c for c in charset.chars[1:] if 0 < counts[c] < 20_000 and c not in "\u3000 "}
    places: dict[str, list[int]] = {c: [] for c in wanted}
    for number, line in enumerate(lines):
        for c in wanted.intersection(line):
            found = places[c]
            if len(found) < 64:
                found.append(number)
        if number % 20_000 == 0:
            wanted = {c for c in wanted if len(places[c]) < 64}
    rare = tuple(sorted(c for c in places if places[c]))
    return Corpus(
        lines,
        [line for path in addresses for line in read_lines(path)],
        [line for path in words for line in read_lines(path)],
        {c: tuple(p) for c, p in places.items()},
        rare,
        tuple(pair for path in confusions for pair in read_confusions(path, charset)),
    )


class TextSource:
    """Draws the text of a line.

    Parameters
    ----------
    charset : only its characters appear.
    corpus : see `load_corpus`.
    mix : weight of each kind in `KINDS`.
    length : (least, most) characters of a line.
    commas : share of the lines in which ， stands for 、.
    """

    def __init__(
        self, charset: Charset, corpus: Corpus, mix: dict[str, float], length: tuple[int, int], commas: float = 0.0
    ) -> None:
        unknown = set(mix) - set(KINDS)
        if unknown:
            raise DataError(f"text mix: no kind {sorted(unknown)}; there are {sorted(KINDS)}")
        self.charset, self.corpus, self.length, self.commas = charset, corpus, length, commas
        self._kinds = [kind for kind in mix if mix[kind] > 0]
        weights = np.array([mix[kind] for kind in self._kinds])
        self._edges = np.cumsum(weights / weights.sum())
        self._uniform = [c for c in charset.chars[1:] if c != " "]
        self._kanji = [c for c in self._uniform if "一" <= c <= "鿿"]
        self._all = frozenset(charset.chars[1:])
        self._confused = np.cumsum([times for _, _, times in corpus.confused])
        self.to_old = {ord(new): old for new, old in zip(NEW_FORMS, OLD_FORMS, strict=True) if old in self._all}
        typed = {ord(new): old for new, old in zip(*_OLD_TYPE, strict=True) if old in self._all}
        self.to_old_type = self.to_old | typed

    def draw(self, rng: Rng, kind: str | None = None) -> str:
        """A folded text of this source's length; spaces neither first, last nor doubled."""
        if kind is None:
            kind = self._kinds[min(int(np.searchsorted(self._edges, rng.random())), len(self._kinds) - 1)]
        for _ in range(8):
            text = KINDS[kind](self, rng)
            if self.commas and rng.random() < self.commas:  # those of science and of forms
                text = text.replace("、", "，").replace("。", "．" if rng.random() < 0.4 else "。")
            text = fold(text)
            text = re.sub(" +", " ", "".join(c for c in text if c in self._all)).strip()
            if text:
                return text
        return "".join(rng.choice(self._uniform, 3))

    def size(self, rng: Rng) -> int:
        """How many characters a line should have: mostly middling, some short, some long."""
        least, most = self.length
        r = rng.random()
        if r < 0.12:
            return int(rng.integers(least, min(4, most) + 1)) if least <= 4 else least
        if r < 0.8:
            return int(np.clip(round(rng.normal(13, 5)), least, most))
        return int(rng.integers(min(16, most), most + 1))


def _window(line: str, size: int, rng: Rng, around: int | None = None) -> str:
    if len(line) <= size:
        return line
    if around is None:
        # lines often begin or end where sentences do
        r = rng.random()
        start = 0 if r < 0.25 else len(line) - size if r < 0.45 else int(rng.integers(0, len(line) - size + 1))
    else:
        start = int(np.clip(around - rng.integers(0, size), 0, len(line) - size))
    return line[start : start + size]


def _sentence(source: TextSource, rng: Rng) -> str:
    lines = source.corpus.sentences
    return _window(lines[int(rng.integers(len(lines)))], source.size(rng), rng) if lines else _random(source, rng)


def _flattened(source: TextSource, rng: Rng) -> str:
    corpus = source.corpus
    if not corpus.rare:
        return _sentence(source, rng)
    char = corpus.rare[int(rng.integers(len(corpus.rare)))]
    found = corpus.places[char]
    line = corpus.sentences[found[int(rng.integers(len(found)))]]
    return _window(line, source.size(rng), rng, around=line.find(char))


def _confused(source: TextSource, rng: Rng) -> str:
    """A sentence with a character that was read as another, or with that other one in its place."""
    corpus = source.corpus
    if not corpus.confused:
        return _flattened(source, rng)
    drawn = int(np.searchsorted(source._confused, rng.integers(source._confused[-1]), side="right"))
    char, other, _ = corpus.confused[drawn]
    found = corpus.places.get(char)
    if found:
        line = corpus.sentences[found[int(rng.integers(len(found)))]]
    else:  # so frequent that a few tries find it, or in no sentence at all
        tries = (_sentence(source, rng) for _ in range(30))
        line = next((text for text in tries if char in text), "")
    if not line:
        line = _sentence(source, rng)
        place = int(rng.integers(len(line) + 1))
        line = line[:place] + char + line[place:]
    at = line.find(char)
    if rng.random() < 0.4:
        line = line[:at] + other + line[at + 1 :]
    return _window(line, source.size(rng), rng, around=at)


def _rare(source: TextSource, rng: Rng) -> str:
    text = list(_sentence(source, rng))
    for _ in range(max(1, round(len(text) * rng.uniform(0.1, 0.5)))):
        place = int(rng.integers(len(text)))
        pool = source._kanji if rng.random() < 0.75 else source._uniform
        text[place] = pool[int(rng.integers(len(pool)))]
    return "".join(text)


def _random(source: TextSource, rng: Rng) -> str:
    pool = source._kanji if rng.random() < 0.6 else source._uniform
    return "".join(pool[i] for i in rng.integers(0, len(pool), source.size(rng)))


def _old(source: TextSource, rng: Rng) -> str:
    text = (_sentence if rng.random() < 0.6 else _flattened)(source, rng)
    if rng.random() < 0.7:
        text = historical(text, kanji=False)
    text = text.translate(source.to_old if rng.random() < 0.5 else source.to_old_type)
    if rng.random() < 0.25:
        text = text.replace("、", "，")
    if rng.random() < 0.15:
        text = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)  # kanji-katakana prose
    return text


def _address(source: TextSource, rng: Rng) -> str:
    lines = source.corpus.addresses
    if not lines:
        return _sentence(source, rng)
    text = lines[int(rng.integers(len(lines)))]
    r = rng.random()
    if r < 0.4:
        text += "-".join(str(int(n)) for n in rng.integers(1, 60, int(rng.integers(1, 4))))
    elif r < 0.7:
        text += f"{_number(rng, 30)}丁目{_number(rng, 90)}番{_number(rng, 30)}号"
    if rng.random() < 0.15:
        text = f"〒{int(rng.integers(100, 999))}-{int(rng.integers(0, 9999)):04d} " + text
    size = max(source.size(rng), 8)
    return _window(text, size, rng)


def _word(source: TextSource, rng: Rng) -> str:
    words = source.corpus.words
    if not words:
        return _sentence(source, rng)
    size, text = source.size(rng), ""
    joint = ("", "・", " ", "、", "と", "の", "　")[int(rng.integers(7))]
    while len(text) < size:
        text += (joint if text else "") + words[int(rng.integers(len(words)))]
    return text[:size] if rng.random() < 0.5 else text[: max(size, len(text.split(joint)[0]) if joint else size)]


def _kanji_number(n: int) -> str:
    if n == 0:
        return "〇"
    text = ""
    for unit, name in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十")):
        count, n = divmod(n, unit)
        if count:
            text += (_kanji_number(count) if count > 1 or unit == 10_000 else "") + name
    return text + (_KANJI_DIGITS[n] if n else "")


def _number(rng: Rng, most: int) -> str:
    n = int(rng.integers(1, most + 1))
    r = rng.random()
    if r < 0.7:
        return str(n)
    return _kanji_number(n) if r < 0.85 else "".join(_KANJI_DIGITS[int(d)] for d in str(n))


def _date(source: TextSource, rng: Rng) -> str:
    era = _ERAS[int(rng.integers(5))]
    year, month, day = int(rng.integers(1, 64)), int(rng.integers(1, 13)), int(rng.integers(1, 32))
    western = int(rng.integers(1868, 2031))
    forms = (
        f"{era}{year}年{month}月{day}日", f"{era}{_kanji_number(year)}年{_kanji_number(month)}月{_kanji_number(day)}日",
        f"{western}年{month}月{day}日", f"{western}/{month}/{day}", f"{western}.{month:02d}.{day:02d}",
        f"{western}-{month:02d}-{day:02d}", f"{era[0]}{year}.{month}.{day}", f"{month}月{day}日", f"{era}{year}年度",
        f"{western}年({era}{year}年)", f"{int(rng.integers(0, 24))}:{int(rng.integers(0, 60)):02d}",
        f"午後{int(rng.integers(1, 13))}時{int(rng.integers(0, 60))}分",
    )  # fmt: skip
    text = forms[int(rng.integers(len(forms)))]
    return text + _window(_sentence(source, rng), 6, rng) if rng.random() < 0.25 else text


def _figure(rng: Rng) -> str:
    n = int(10 ** rng.uniform(0, 8))
    r = rng.random()
    text = f"{n:,}" if r < 0.5 else str(n)
    if rng.random() < 0.35:
        text += f".{int(rng.integers(0, 100)):02d}" if rng.random() < 0.7 else f".{int(rng.integers(0, 10))}"
    return text


def _amount(source: TextSource, rng: Rng) -> str:
    r = rng.random()
    text = _figure(rng)
    if r < 0.35:
        return text
    if r < 0.5:
        return ("¥", "￥", "$", "約", "計", "-", "−", "△", "▲", "+", "@")[int(rng.integers(11))] + text
    if r < 0.75:
        text += _UNITS[int(rng.integers(len(_UNITS)))]
    elif r < 0.9:
        text = _COUNTERS[int(rng.integers(len(_COUNTERS)))].format(text if rng.random() < 0.2 else rng.integers(1, 120))
    else:
        text = " ".join(_figure(rng) for _ in range(int(rng.integers(2, 4))))
    if rng.random() < 0.3:
        text = _window(_sentence(source, rng), 8, rng) + text + _window(_sentence(source, rng), 6, rng)
    return text


def _measure(source: TextSource, rng: Rng) -> str:
    """Decimals in prose, where the point is easily lost between its digits."""
    text = f"{10 ** rng.uniform(-1, 3):.{int(rng.integers(1, 3))}f}"
    if rng.random() < 0.7:
        text += _UNITS[int(rng.integers(len(_UNITS)))]
    return _window(_sentence(source, rng), 9, rng) + text + _window(_sentence(source, rng), 9, rng)


def _range(source: TextSource, rng: Rng) -> str:
    """From one number to another, in prose: 85〜95."""
    low, places = 10 ** rng.uniform(0, 3), int(rng.random() < 0.25)
    high = low * rng.uniform(1.05, 2.5) + 1
    joint = "〜〜〜～~-―ー"[int(rng.integers(8))]
    text = f"{low:.{places}f}{joint}{high:.{places}f}"
    if rng.random() < 0.6:
        text += _UNITS[int(rng.integers(len(_UNITS)))]
    return _window(_sentence(source, rng), 9, rng) + text + _window(_sentence(source, rng), 9, rng)


def _item(source: TextSource, rng: Rng) -> str:
    """Headings and items of a list, whose first sign stands alone: 1. 2) (3) A. ア、 一、."""
    r, n = rng.random(), int(10 ** rng.uniform(0, 1.6))
    mark = str(n) if r < 0.55 else chr(ord("A") + int(rng.integers(26))) if r < 0.7 else _number(rng, 40)
    if r > 0.88:
        mark = "アイウエオカキクケコいろはにほへと"[int(rng.integers(17))]
    mark = _MARKS[int(rng.integers(len(_MARKS)))].format(mark, n)
    text = _word(source, rng) if rng.random() < 0.3 else _sentence(source, rng)
    return mark + " " * (rng.random() < 0.8) + text[: source.size(rng)]


def _latin(source: TextSource, rng: Rng) -> str:
    words = []
    for _ in range(int(rng.integers(1, 4))):
        word = "".join(_SYLLABLES[i] for i in rng.integers(0, len(_SYLLABLES), int(rng.integers(1, 5))))
        r = rng.random()
        words.append(word.upper() if r < 0.25 else word.capitalize() if r < 0.6 else word)
    r = rng.random()
    if r < 0.15:
        return "".join(chr(c) for c in rng.integers(0x21, 0x7F, source.size(rng)))
    if r < 0.3:
        return f"{words[0].upper()[:4]}-{int(rng.integers(1, 9999))}"
    if r < 0.4:
        return f"{words[0].lower()}@{words[-1].lower()}.{('co.jp', 'jp', 'com', 'ne.jp', 'org')[int(rng.integers(5))]}"
    if r < 0.7:
        return _window(_sentence(source, rng), 8, rng) + words[0] + _window(_sentence(source, rng), 8, rng)
    return " ".join(words)


def _katakana(source: TextSource, rng: Rng) -> str:
    pool = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワンガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポッャュョァィェォヴーーー・"
    if rng.random() < 0.4:  # the reading side of hiragana prose keeps natural sequences
        text = _sentence(source, rng)
        return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)
    return "".join(pool[i] for i in rng.integers(0, len(pool), min(source.size(rng), 12)))


KINDS: dict[str, Callable[[TextSource, Rng], str]] = {
    "sentence": _sentence, "flattened": _flattened, "confused": _confused, "rare": _rare, "random": _random, "old": _old, "address": _address,
    "word": _word, "date": _date, "amount": _amount, "measure": _measure, "range": _range, "item": _item, "latin": _latin, "katakana": _katakana,
}  # fmt: skip
