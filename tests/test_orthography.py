"""Modern spelling turned back: planted pairs, and what must stay."""

from __future__ import annotations

import pytest

from jphtr.orthography import historical


@pytest.mark.parametrize(
    ("modern", "old"),
    [
        ("そう言っているのは学校の会である。", "さう言つてゐるのは學校の會である。"),
        ("行なったと思うので、考えて答える。", "行なつたと思ふので、考へて答へる。"),
        ("笑わず、買えば違いはないでしょう。", "笑はず、買へば違ひはないでせう。"),
        ("チョコレートをちょうど三つずつ", "チヨコレートをちやうど三つづつ"),
        ("見える、聞こえる、植える、燃えた", "見える、聞こえる、植える、燃えた"),
        ("旧い体と国会、美しい海", "舊い體と國會、美しい海"),
        ("ABC 123", "ABC 123"),
        ("", ""),
    ],
)
def test_planted_pairs(modern: str, old: str) -> None:
    assert historical(modern) == old


def test_kanji_may_stay() -> None:
    assert historical("学校へ行こうと言った", kanji=False) == "学校へ行こうと言つた"


def test_what_is_old_stays() -> None:
    for text in ("さう言つてゐる", "學校の會", "思ふところを述べませう"):
        assert historical(text) == text
