"""The language model against counts made by hand, sums that must be 1, and files that are not what they should be."""

from __future__ import annotations

import gzip
import json
import lzma
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from jphtr.charset import Charset, default
from jphtr.cli.train_lm import train_lm
from jphtr.decode.fusion import Fusion
from jphtr.decode.lm import SHIPPED_LM, LanguageModel, LmHeader, load_lm
from jphtr.decode.lm_counts import token_table, tokens
from jphtr.decode.lm_train import ALIKE, train
from jphtr.errors import DataError, JphtrError, ModelError
from jphtr.lookalikes import fold_forms

CHARS = Charset("あいうえおかきくけこ。0123456789")
TEXT = "あいうえお。\nかきくけこ。\nあいうかき。\n" * 7 + "うえおあい。\nきくあいうえか。\n" * 3 + "お12年\nか345年\n"


def text_file(folder: Path, text: str = TEXT, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return train([(text_file(tmp_path_factory.mktemp("text")), 1)], CHARS, order=3, min_count=1)


def after(lm: LanguageModel, text: str) -> np.ndarray:
    """p(c | text) of every character of the charset."""
    labels, shares = lm.labelled(CHARS.chars)
    states = lm.start[None]
    for char in text:
        _, states = lm.extend(states, labels[[CHARS.label(char)]])
    log_p, _ = lm.extend(np.repeat(states, len(CHARS) - 1, axis=0), labels[1:])
    found: np.ndarray = np.exp(log_p + shares[1:])
    return found


@pytest.mark.parametrize("context", ["", "あ", "あい", "うえ", "けこ", "12", "おお", "えけ", "い。"])
def test_what_may_follow_sums_to_one_and_nothing_is_impossible(lm: LanguageModel, context: str) -> None:
    p = after(lm, context)
    assert p.sum() == pytest.approx(1, abs=0.03)  # eight bits
    assert p.min() > 1e-6


def test_kneser_ney_by_hand(tmp_path: Path) -> None:
    # the last order has plain counts, a count of three or more loses D3, and the rest goes to continuation counts
    text = "ああいあいいあい\n" * 5
    two = train([(text_file(tmp_path, text), 1)], Charset("あい"), order=2, min_count=1, alike=())
    labels, _ = two.labelled("あい")
    pairs = Counter(text[i : i + 2] for i in range(len(text) - 1) if "\n" not in text[i : i + 2])
    followed = Counter(pair[1] for pair in pairs)  # different characters before each
    # all four pairs are seen 5 times or more: n1 to n4 are 0 and count as 1, so D3 = 3 - 4/3; singles seen before 2
    # others each: D2 of n2 = 2
    d3, d2 = 3 - 4 / 3, max(0.1, 2 - 3 * (1 / (1 + 4)) * 1 / 2)
    low = {c: (followed[c] - d2) / 4 + 2 * d2 / 4 / 2 for c in "あい"}
    for a in "あい":
        total = sum(n for pair, n in pairs.items() if pair[0] == a)
        for b in "あい":
            wanted = (pairs[a + b] - d3) / total + 2 * d3 / total * low[b]
            found = two.score(np.array([labels["あい".index(a)], labels["あい".index(b)]]))[1]
            assert found == pytest.approx(math.log(wanted), abs=0.01)


def test_one_by_one_is_many_at_once_is_a_whole_text(lm: LanguageModel) -> None:
    rng = np.random.default_rng(3)
    labels, _ = lm.labelled(CHARS.chars)
    text = labels[rng.integers(0, len(CHARS), 400)]  # the blank among them, which breaks
    scores = lm.score(text)
    state, states = tuple(lm.start.tolist()), lm.start[None]
    for token, score in zip(text.tolist(), scores.tolist(), strict=True):
        single, state = lm.after(state, token)
        (many,), states = lm.extend(states, np.array([token]))
        assert single == pytest.approx(float(many), abs=1e-5)
        assert state == tuple(states[0].tolist())
        assert score == (pytest.approx(single, abs=1e-5) if token else 0)
        if not token:  # nothing was read before a break
            assert state == tuple(lm.start.tolist()) and single == pytest.approx(lm.floor)


def test_text_like_that_of_training_is_likelier(lm: LanguageModel) -> None:
    labels, _ = lm.labelled(CHARS.chars)
    told, turned = (lm.score(labels[CHARS.encode(text)]).sum() for text in ("きくあいうえ。", "え。ういあくき"))
    assert told > turned + 5
    # a line may begin anywhere
    inside, shuffled = (lm.score(labels[CHARS.encode(text)]).sum() for text in ("うえおあ", "えおあう"))
    assert inside > shuffled + 1


def test_digits_are_alike(lm: LanguageModel) -> None:
    p = dict(zip(CHARS.chars[1:], after(lm, "お").tolist(), strict=True))
    assert len({round(p[d], 9) for d in "0123456789"}) == 1
    assert p["7"] * 10 > p["く"]  # that was never seen behind お, as some digit was


def test_a_file_of_any_size(tmp_path: Path) -> None:
    letters = np.random.default_rng(1).zipf(1.4, 20_000) % 80
    text = text_file(tmp_path, "".join(chr(0x3041 + int(n)) for n in letters))
    kana = Charset(chr(c) for c in range(0x3041, 0x3091))
    sizes = []
    for most in (2_500, 6_000, 100_000):
        lm = train([(text, 1)], kana, order=4, max_bytes=most, min_count=1)
        (tmp_path / "x.lm").write_bytes(lm.to_bytes())
        again = load_lm(tmp_path / "x.lm")
        assert (tmp_path / "x.lm").stat().st_size <= most
        tokens, _ = kana.encode("あいうえおかきくけこさしすせそ"), None
        assert np.array_equal(again.score(tokens), lm.score(tokens))
        sizes.append(len(again))
    assert sizes[0] < sizes[1] < sizes[2]


def test_same_texts_same_bytes_packed_or_not(tmp_path: Path) -> None:
    plain = text_file(tmp_path)
    (tmp_path / "x").mkdir()
    packed = tmp_path / "x" / "a.txt.xz", tmp_path / "x" / "a.txt.gz"
    packed[0].write_bytes(lzma.compress(TEXT.encode()))
    packed[1].write_bytes(gzip.compress(TEXT.encode()))
    models = [train([(path, 1)], CHARS, order=3) for path in (plain, plain, *packed)]
    assert models[0].to_bytes() == models[1].to_bytes()
    bodies = [json.dumps(m.header.grids) + str(m.header.sources[0]["sha256"]) for m in models]
    assert len(set(bodies)) == 1


def test_texts_are_folded_and_what_is_unknown_breaks(tmp_path: Path) -> None:
    half = train([(text_file(tmp_path, "ｱｲ１２\n" * 9), 1)], Charset("アイ12漢"), order=2, min_count=1)
    full = train([(text_file(tmp_path, "アイ12\n" * 9), 1)], Charset("アイ12漢"), order=2, min_count=1)
    assert half.header.sizes == full.header.sizes == [5, 3]
    broken = train([(text_file(tmp_path, "ア?イ\n" * 9), 1)], Charset("アイ12漢"), order=2, min_count=1)
    assert broken.header.sizes == [5, 0]


def test_a_weight_is_so_many_copies(tmp_path: Path) -> None:
    a, b = text_file(tmp_path, "あい\n", "a.txt"), text_file(tmp_path, "うえ\n", "b.txt")
    three = text_file(tmp_path, "うえ\n" * 3, "c.txt")
    found = [train([(a, 1), other], CHARS, order=2, min_count=1) for other in ((b, 3), (three, 1))]
    assert found[0].header.grids == found[1].header.grids
    assert found[0].header.sources[1]["weight"] == 3


def test_a_table_counts_its_first_column(tmp_path: Path) -> None:
    table = text_file(tmp_path, "surface\tpos\nあい\tうえ\n", "a.tsv")
    plain = text_file(tmp_path, "あい\n", "b.txt")
    assert train([(table, 1)], CHARS).header.grids == train([(plain, 1)], CHARS).header.grids


def test_texts_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "cut.txt.xz").write_bytes(lzma.compress(TEXT.encode())[:-30])
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(TEXT.encode())[:-9])
    (tmp_path / "empty.txt").touch()
    text_file(tmp_path, "abc", "latin.txt")
    for name, why in [("bad.txt", "not UTF-8"), ("cut.txt.xz", "not whole"), ("cut.txt.gz", "not whole"),
                      ("none.txt", "No such file"), (".", "Is a directory"), ("empty.txt", "no character"),
                      ("latin.txt", "no character")]:  # fmt: skip
        with pytest.raises(DataError, match=why):
            train([(tmp_path / name, 1)], CHARS)
    with pytest.raises(DataError, match="64 bits"):
        train([(text_file(tmp_path), 1)], default(), order=6)


def test_files_that_are_no_models(lm: LanguageModel, tmp_path: Path) -> None:
    good = lm.to_bytes()
    newer = LanguageModel(LmHeader(**{**_fields(lm), "format": 99}), *lm._arrays).to_bytes()
    for name, data, why in [("no.lm", b"x" * 500, "not a language model"), ("empty.lm", b"", "empty"),
                            ("newer.lm", newer, "newer than this jphtr")]:  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=why):
            load_lm(tmp_path / name)
    for size in (4, 11, 50, len(good) // 2, len(good) - 1):
        (tmp_path / "cut.lm").write_bytes(good[:size])
        with pytest.raises(ModelError, match=r"cut\.lm: .*again|cut\.lm: is not"):
            load_lm(tmp_path / "cut.lm")
    with pytest.raises(ModelError, match="no such language model"):
        load_lm(tmp_path / "none.lm")
    with pytest.raises(ModelError, match="folder"):
        load_lm(tmp_path)


def test_hostile_headers_are_one_line(lm: LanguageModel, tmp_path: Path) -> None:
    good = lm.to_bytes()
    start = 12 + int.from_bytes(good[8:12], "little")
    values = json.loads(good[12:start])
    for changes in [{"order": 99}, {"order": "x"}, {"sizes": [-1, 5, 5]}, {"sizes": [1 << 60] * 3}, {"chars": "あ"},
                    {"many": [300]}, {"grids": []}, {"classes": ["ん0"]}, {"format": None}, {"sizes": None}]:  # fmt: skip
        head = json.dumps(values | changes).encode()
        (tmp_path / "x.lm").write_bytes(good[:8] + len(head).to_bytes(4, "little") + head + good[start:])
        with pytest.raises(JphtrError, match=r"x\.lm: "):
            load_lm(tmp_path / "x.lm").labelled("あ")


def _fields(lm: LanguageModel) -> dict[str, object]:
    return {name: getattr(lm.header, name) for name in lm.header.__dataclass_fields__}


# ---- what it says to a search ----


def gains(fusion: Fusion, text: str) -> list[float]:
    context, found = fusion.start, []
    for char in text:
        gain, context = fusion.after(context, CHARS.label(char))
        found.append(gain)
    return found


def test_likely_text_gains_and_weight_scales(lm: LanguageModel) -> None:
    told, turned = (sum(gains(Fusion(lm, CHARS.chars), text)) for text in ("あいうえお。", "おく。けうあ"))
    assert told > turned
    half = sum(gains(Fusion(lm, CHARS.chars, weight=0.1), "あいうえお。"))
    assert half == pytest.approx(sum(gains(Fusion(lm, CHARS.chars, weight=0.2), "あいうえお。")) / 2)
    assert gains(Fusion(lm, CHARS.chars, weight=0), "あい") == [0, 0]


def test_in_random_text_the_model_falls_silent(tmp_path: Path) -> None:
    many = default()
    fusion = Fusion(train([(text_file(tmp_path), 1)], many, order=3, min_count=1), many.chars)

    def pull(before: str) -> float:
        """How much う is preferred to く behind `before`."""
        context = fusion.start
        for char in before:
            _, context = fusion.after(context, many.label(char))
        return fusion.after(context, many.label("う"))[0] - fusion.after(context, many.label("く"))[0]

    assert pull("かきくけこ。い") > 0.3
    assert abs(pull("雨鍵卓鱒凡禄詠翠")) < 0.1


def test_unknown_characters_are_no_trouble(lm: LanguageModel) -> None:
    fusion = Fusion(lm, ("", "あ", "鬱"))
    start = fusion.start
    gain, context = fusion.after(fusion.after(start, 1)[1], 2)
    assert math.isfinite(gain) and context.state == start.state


def test_other_forms_are_scored_as_those_that_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("校内、国内、室内。\n" * 40, "utf-8")
    known = Charset("校国室内、。")
    names = ("", *"校国國室内內，．", "犬")
    fusion = Fusion(train([(path, 1)], known, order=3, min_count=1), names)

    def gains_of(text: str) -> list[float]:
        context, found = fusion.start, []
        for char in text:
            gain, context = fusion.after(context, names.index(char))
            found.append(gain)
        return found

    assert gains_of("室內．")[-1] > gains_of("室犬．")[-1] + 0.3  # ． behind 內 is 。 behind 内
    old_after_old, old_after_new = (gains_of(line + "內")[-1] - gains_of(line + "内")[-1] for line in ("國", "国"))
    assert old_after_old > 0 > old_after_new  # a line keeps to one sort of type
    assert gains_of("內")[0] < gains_of("内")[0]  # today's, before there is anything to judge by


# ---- the command ----


def test_the_command(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    text, valid = text_file(tmp_path), text_file(tmp_path, "あいうえか。\n", "v.txt")
    out = tmp_path / "x.lm"
    args = [f"{text}=2", "-o", str(out), "--order", "3", "--valid", str(valid), "--prune", "1"]
    done = CliRunner().invoke(train_lm, args)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("perplexity ") and "a.txt: 29 lines" in done.stderr
    model = load_lm(out)
    perplexity = float(done.stdout.split()[1])
    tokens, _ = model.labelled("あいうえか。")
    assert perplexity == pytest.approx(math.exp(-float(model.score(tokens).mean())), rel=0.01)
    assert model.header.surprisal == pytest.approx(math.log(perplexity), abs=0.01)
    first = out.read_bytes()
    CliRunner().invoke(train_lm, args)
    assert out.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "v.txt", "x.lm"]


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from jphtr.cli import main

    text = text_file(tmp_path)
    unwritable = tmp_path / "none" / "x.lm"
    command = CliRunner()
    done = command.invoke(train_lm, [str(text), "-o", str(unwritable)])
    assert isinstance(done.exception, DataError) and "cannot be written" in str(done.exception)
    assert command.invoke(train_lm, [f"{text}=0", "-o", str(tmp_path / "x.lm")]).exit_code == 2
    assert main is not None


# ---- the model in the package ----


def test_the_shipped_model() -> None:
    assert SHIPPED_LM.stat().st_size <= 6e6
    lm = load_lm(SHIPPED_LM)
    chars = default().chars
    tokens, shares = lm.labelled(chars)
    assert tokens[0] == 0
    unknown = {char for char, token in zip(chars[1:], tokens[1:], strict=True) if not token}
    assert all(fold_forms(char) not in unknown for char in unknown - set("āīūēōĀĪŪĒŌé"))  # else the whole charset
    tokens, shares = tokens[tokens > 0], shares[tokens > 0]
    for context in ("", "これは", "昭和", "ッ", "鬱麒"):
        states = lm.start[None]
        for char in context:
            _, states = lm.extend(states, lm.labelled([char])[0])
        p = np.exp(lm.extend(np.repeat(states, len(tokens), axis=0), tokens)[0] + shares)
        assert p.min() > 0 and p.sum() == pytest.approx(1, abs=0.05)
    assert {s["name"].split("_")[0] for s in lm.header.sources} == {"aozora", "wikipedia", "addresses", "ipadic"}
    prose = Fusion(lm, chars)

    def gain(text: str) -> float:
        context, total = prose.start, 0.0
        for char in text:
            more, context = prose.after(context, default().label(char))
            total += more
        return total

    for right, wrong in [
        ("末っ子", "未つ子"),
        ("一ヶ月", "ーヶ月"),
        ("ついに", "ついヘ"),
        ("國家の", "囗家の"),
        ("コップ", "口ッブ"),
    ]:
        assert gain(right) > gain(wrong)
    assert gain("第3号") == pytest.approx(gain("第8号"))


def test_every_nth_sentence_is_counted_in_old_spelling(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("行った。\n会った。\n立った。\n待った。\n勝った。\n", "utf-8")
    charset = default()
    models = [train([(tmp_path / "t.txt", 1)], charset, min_count=1, old=old) for old in (0, 2)]
    table, _ = token_table(charset.chars, ALIKE)
    scores = {
        text: [float(lm.score(tokens(text, table).astype(np.int64)).sum()) for lm in models]
        for text in ("立つた。", "会つた。")
    }
    assert scores["立つた。"][1] > scores["立つた。"][0] + 1  # the third of the five
    assert scores["会つた。"][1] < scores["立つた。"][1]
