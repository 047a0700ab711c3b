"""Which glyphs are learned, which one comes when, and how it is cut out."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("torch", "timm", "cv2", "pydantic", "safetensors"):
    pytest.importorskip(module)

import toy_glyphs
import toy_lines
from toy_glyphs import CHARS, HIRAGANA, settings

from jphtr.charset import Charset, default, jis_levels, kana
from jphtr.errors import DataError, SettingsError
from jphtr.records import Glyph, GlyphBlock
from jphtr.splits import SPLITS, part_of
from jphtr.store import Source, write_blocks, write_glyphs
from jphtr.training.glyph_stream import Batch, GlyphStream, cell_of, needs_cell, tight
from jphtr.training.glyphs import Chosen, Order, choose
from jphtr.training.scripts import SCRIPTS, charset_of
from jphtr.training.synthetic import render


@pytest.fixture
def toy() -> Path:
    """The glyph file of the toy world."""
    return toy_glyphs.file()


# ---- scripts ----


def test_what_scripts_mean() -> None:
    assert len(charset_of("kanji", ())) == 6356 and set(charset_of("kanji", ()).chars[1:]) == {
        *jis_levels()[1], *jis_levels()[2]
    }  # fmt: skip
    assert set("ぁんゐゑゔゝゞ") <= set(charset_of("hiragana", ()).chars) and len(charset_of("katakana", ())) == 94
    both = charset_of(" katakana + hiragana", ()).chars
    assert both[1:] == (*kana()["katakana"], *kana()["hiragana"])
    assert charset_of("kuzushiji+marks", "はお").chars[1:] == tuple("々〆〇仝おは")
    assert charset_of("all", ()).chars[1] == "!" and set(SCRIPTS) >= {
        "hiragana",
        "katakana",
        "kanji",
        "kuzushiji",
        "all",
    }
    for script, said in (
        ("", "empty; choose --script hiragana"),
        (" + ", "empty"),
        ("hirgana", "choose from hiragana,"),
    ):
        with pytest.raises(SettingsError, match=said):
            charset_of(script, ())


# ---- which glyphs ----


def counts(chosen: Chosen) -> tuple[int, int]:
    return len(chosen.train), len(chosen.valid)


def writers_of(glyphs: Any) -> set[str]:
    return {glyphs.files[f].writers[glyphs.files[f].writer[r]] for f, r in zip(glyphs.file, glyphs.row, strict=True)}


def test_writers_are_divided_by_their_keys(toy: Path) -> None:
    chosen = choose(settings(toy).data)
    parts = {f"toy:{n}": part_of(f"toy:{n}") for n in range(12)}
    assert set(parts.values()) >= {SPLITS["train"], SPLITS["valid"]}, "the toy world's names must divide"
    assert writers_of(chosen.train) == {w for w, part in parts.items() if part == SPLITS["train"]}
    assert writers_of(chosen.valid) == {w for w, part in parts.items() if part == SPLITS["valid"]}
    assert set(chosen.charset.chars[1:]) == set(CHARS) and "a tenth of the writers" in chosen.notes[0]
    told = chosen.train.files[0].charset.chars
    for label, row in zip(chosen.train.label, chosen.train.row, strict=True):
        assert chosen.charset.chars[label] == told[chosen.train.files[0].label[row]]


def test_faces_of_a_font_stay_with_their_family(tmp_path: Path) -> None:
    glyphs = [
        Glyph(g.gray, g.char, f"Family {g.index + 14}/{face}", f"f{g.index}.ttf", 0)
        for g in toy_glyphs.glyphs(14)
        for face in "ab"
    ]
    sources = [Source(f"f{n}.ttf") for n in range(14)]
    write_glyphs(tmp_path / "fonts.h5", glyphs, default(), sources=sources)
    chosen = choose(settings(tmp_path / "fonts.h5").data)
    for glyph_set, part in ((chosen.train, "train"), (chosen.valid, "valid")):
        families = [writer.partition("/")[0] for writer in writers_of(glyph_set)]
        assert families and all(part_of(family) == SPLITS[part] for family in families)
        assert sorted(families) == sorted([*set(families)] * 2)


def test_one_writer_is_divided_by_chance_and_says_so(tmp_path: Path) -> None:
    write_glyphs(tmp_path / "one.h5", toy_glyphs.glyphs(1, 20), default())
    chosen = choose(settings(tmp_path / "one.h5").data)
    assert sum(counts(chosen)) == 400 and 20 < counts(chosen)[1] < 70 and "scores flatter" in chosen.notes[0]
    assert not set(chosen.train.row) & set(chosen.valid.row)


def block(split: list[int], name: str = "KMNIST") -> GlyphBlock:
    n = len(split)
    return GlyphBlock(
        np.full((n, 28, 28), 255, np.uint8), np.full(n, ord("お"), np.uint32), np.zeros(n, np.int32), (f"{name}:w",), name,
        np.arange(n), {"split": np.array(split, np.uint8)},
    )  # fmt: skip


def test_a_files_own_split_rules_and_its_test_part_stays_closed(tmp_path: Path, toy: Path) -> None:
    own, official = tmp_path / "own.h5", tmp_path / "official.h5"
    write_blocks(own, [block([1, 1, 2, 3, 3, 0])], default(), sources=[Source("KMNIST")])
    chosen = choose(settings(own).data)
    assert chosen.train.row.tolist() == [0, 1, 5] and chosen.valid.row.tolist() == [2] and not chosen.notes
    write_blocks(official, [block([1] * 200 + [3] * 50)], default(), sources=[Source("KMNIST")])
    chosen = choose(settings(official).data)
    assert sum(counts(chosen)) == 200 and counts(chosen)[1] > 5 and max(*chosen.train.row, *chosen.valid.row) < 200
    # files named for validation leave the others whole, but for their test parts
    chosen = choose(settings(toy, data__valid=[own], data__script="hiragana").data)
    assert chosen.valid.row.tolist() == [2] and counts(chosen)[0] == 12 * len(HIRAGANA)
    write_blocks(own, [block([3, 3])], default())
    with pytest.raises(DataError, match=r"own.h5: no glyph of hiragana outside of test parts"):
        choose(settings(toy, data__valid=[own], data__script="hiragana").data)
    with pytest.raises(DataError, match=r"all glyphs of hiragana are in the valid or test part"):
        write_blocks(own, [block([2, 3])], default())
        choose(settings(own, data__script="hiragana").data)


def test_vertical_forms_and_other_scripts_are_left_out(tmp_path: Path, toy: Path) -> None:
    glyphs = [Glyph(g.gray, g.char, g.writer, "s", 0, {"form": g.char == "あ"}) for g in toy_glyphs.glyphs()]
    write_glyphs(tmp_path / "forms.h5", glyphs, default())
    chosen = choose(settings(tmp_path / "forms.h5", data__script="hiragana").data)
    shown = {chosen.charset.chars[label] for label in chosen.train.label}
    assert shown == {*HIRAGANA} - {"あ"}
    assert any("characters have no glyph to learn from: ぁあ" in note for note in chosen.notes)
    write_glyphs(tmp_path / "kana.h5", toy_glyphs.glyphs(chars="".join(HIRAGANA)), default())
    both = choose(settings(toy, data__files=[toy, tmp_path / "kana.h5"], data__script="kanji").data)
    assert f"{tmp_path / 'kana.h5'}: no glyph of kanji; it is left out" in both.notes
    with pytest.raises(DataError, match=r"kana.h5: no glyph of kanji; choose another --script"):
        choose(settings(tmp_path / "kana.h5", data__script="kanji").data)


def test_validation_glyphs_are_spread_over_characters(toy: Path) -> None:
    chosen = choose(settings(toy, data__valid=[toy], data__valid_glyphs=45).data)
    times = np.bincount(chosen.valid.label)[1:]
    assert times.sum() == 45 and times.min() == 2 and times.max() == 3


# ---- which glyph comes when ----


def uneven(tmp_path: Path) -> Path:
    """One character a hundred times, one ten times, one twice."""
    grays = list(toy_glyphs.glyphs(1, 100, "あいう"))
    chosen = [g for g in grays if g.char == "あ"] + [g for g in grays if g.char == "い"][:10] + grays[-2:]
    write_glyphs(tmp_path / "uneven.h5", chosen, default())
    return tmp_path / "uneven.h5"


@pytest.mark.parametrize(("balance", "shares"), [(0.0, (100, 10, 2)), (1.0, (1, 1, 1)), (0.5, (10, 10**0.5, 2**0.5))])
def test_rare_characters_are_shown_more_often(tmp_path: Path, balance: float, shares: tuple[float, ...]) -> None:
    path = uneven(tmp_path)
    chosen = choose(settings(path, data__valid=[path], data__balance=balance).data)
    order = Order(chosen.train, 3)
    for epoch in range(3):
        shown = np.bincount(chosen.train.label[order.at(range(epoch * 112, (epoch + 1) * 112))], minlength=4)[1:]
        assert np.abs(shown - 112 * np.array(shares) / sum(shares)).max() <= 1.01
    if balance == 0:
        assert sorted(order.at(range(112))) == list(range(112))


def test_the_order_is_a_function_of_seed_and_place(toy: Path) -> None:
    glyphs = choose(settings(toy).data).train
    whole = Order(glyphs, 3).at(range(900))
    assert np.array_equal(Order(glyphs, 3).at(range(470, 530)), whole[470:530])
    back = Order(glyphs, 3)
    back.at(range(700, 710))
    assert np.array_equal(back.at(range(10)), whole[:10])
    assert not np.array_equal(Order(glyphs, 4).at(range(50)), whole[:50])
    assert not np.array_equal(whole[: len(glyphs)], whole[len(glyphs) : 2 * len(glyphs)])


def test_files_and_styles_have_weights(tmp_path: Path, toy: Path) -> None:
    glyphs = [
        Glyph(g.gray, g.char, g.writer, "s", 0, {"style": "brush" if g.index < 6 else "pen"})
        for g in toy_glyphs.glyphs()
    ]
    write_glyphs(tmp_path / "styled.h5", glyphs, default())
    asked = settings(toy, data__files=[toy, tmp_path / "styled.h5"], data__valid=[toy], data__balance=0,
                     data__weights={"toy": 3}, data__styles={"brush": 0, "marker": 9})  # fmt: skip
    train = choose(asked.data).train
    share = [train.weight[train.file == place].sum() for place in (0, 1)]
    assert share[0] == 6 * share[1]
    assert all(int(w.partition(":")[2]) >= 6 for w in writers_of(train.take(train.file == 1)))
    with pytest.raises(SettingsError, match=r"data.weights: no data file is called tooy; there are toy"):
        choose(settings(toy, data__weights={"tooy": 2}).data)
    with pytest.raises(SettingsError, match="no glyph is left"):
        choose(settings(toy, data__weights={"toy": 0}).data)


def stream(toy: Path, rank: int = 0, ranks: int = 1, **values: object) -> GlyphStream:
    asked = settings(toy, **values)
    chosen = choose(asked.data)
    return GlyphStream(chosen.train, chosen.charset, asked, rank=rank, ranks=ranks)


def same(a: Batch, b: Batch) -> bool:
    return np.array_equal(a.gray, b.gray) and np.array_equal(a.label, b.label)


def test_batches_do_not_depend_on_workers_or_on_where_they_start(toy: Path) -> None:
    plain = list(islice(stream(toy).batches(), 6))
    working = stream(toy, run__workers=2).batches(2)
    assert all(same(a, b) for a, b in zip(plain[2:], islice(working, 4), strict=True))
    working.close()
    assert not same(plain[0], stream(toy, run__seed=2).batch(0))


def test_processes_share_the_stream(toy: Path) -> None:
    whole = stream(toy, data__batch=64).batch(3)
    parts = [stream(toy, rank=rank, ranks=2, data__batch=32).batch(3) for rank in (0, 1)]
    assert all(np.array_equal(whole.gray[rank::2], part.gray) for rank, part in enumerate(parts))


def test_squares_show_their_labels(toy: Path) -> None:
    asked = settings(toy, augment__strength=0.0, augment__margin=(0, 0), augment__shift=0)
    chosen = choose(asked.data)
    batch = GlyphStream(chosen.train, chosen.charset, asked).batch(0)
    patterns = toy_lines.patterns()
    for gray, label in zip(batch.gray, batch.label.tolist(), strict=True):
        x, y = (np.flatnonzero((gray < 128).any(axis=axis)) for axis in (0, 1))
        cut = gray[y[0] : y[-1] + 1, x[0] : x[-1] + 1] > 128
        at = (np.arange(4) * 2 + 1) / 8
        blocks = cut[np.ix_((at * cut.shape[0]).astype(int), (at * cut.shape[1]).astype(int))]
        assert np.array_equal(blocks, patterns[chosen.charset.chars[label]][4::8, 4::8] > 128)


def test_cells_and_tight_cuts() -> None:
    gray = np.full((64, 64), 255, np.uint8)
    gray[20:40, 24:30] = 0
    em = np.array([8, 8, 56, 56], np.float32)
    assert np.array_equal(cell_of(gray, em, 0.0), gray[8:56, 8:56])
    whole = cell_of(gray, np.full(4, np.nan, np.float32), 0.5)
    assert whole.shape == (96, 96) and np.array_equal(whole[16:80, 16:80], gray) and (whole[:16] == 255).all()
    moved = cell_of(gray, em, 0.0, (0.125, 0.0))
    assert np.array_equal(moved[:, 6:], gray[8:56, 8:50])
    for seed in range(20):
        cut = tight(gray, np.random.default_rng(seed))
        assert cut.shape[0] >= 20 and max(cut.shape) <= 28 and (cut == 0).sum() == 120
    charset = Charset("っつ、口ァ")
    assert needs_cell(charset).tolist() == [True, True, False, True, False, True]


def test_synthetic_data_come_from_fonts(tmp_path: Path) -> None:
    toy_font = pytest.importorskip("toy_font")
    with pytest.raises(DataError, match=r"no font that has the script hiragana; install a Japanese one"):
        render(tmp_path / "none.h5", "hiragana", [toy_font.build(tmp_path / "toy.ttf").parent])
    chars = toy_font.BOXES.copy()
    try:
        toy_font.BOXES.update({c: ((0.1 * n, 0.1, 0.9, 0.9), 1.0) for n, c in enumerate("々〆〇仝", 1)})
        toy_font.build(tmp_path / "marks.ttf", name="Marks")
    finally:
        toy_font.BOXES.clear()
        toy_font.BOXES.update(chars)
    render(tmp_path / "marks.h5", "marks", [tmp_path])
    chosen = choose(settings(tmp_path / "marks.h5", data__script="marks", data__valid=[tmp_path / "marks.h5"]).data)
    assert len(chosen.train) == 4 and writers_of(chosen.train) == {"Marks/Marks-Bold"}
