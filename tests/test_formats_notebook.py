"""What a notebook shows of a result: the picture in the cell itself, every character over its place, and the text."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_results import HEIGHT, LINES, WIDTH, page, picture, saved

from jphtr.formats import running_text
from jphtr.formats.notebook import Shown
from jphtr.records import CharSpan, Recognition


class Reader(HTMLParser):
    """The elements of a piece of HTML, and the text below its picture."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text, self.titles = "", []
        self.feed(html)
        assert self.open == []  # every element is closed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "figcaption" in self.open:
            self.text += data
        if self.open[-1:] == ["title"]:
            self.titles.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_a_page(tmp_path: Path) -> None:
    shown = Reader(Shown(saved(tmp_path))._repr_html_())
    assert shown.text == running_text(page())
    assert shown.of("svg")[0]["viewbox"] == f"0 0 {WIDTH} {HEIGHT}"
    (image,) = shown.of("image")
    kind, data = image["href"].split(",")
    assert kind == "data:image/jpeg;base64"
    held = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), int)
    assert np.abs(held - np.asarray(picture())).mean() < 10
    spans = [span for one in LINES for span in one.recognition.spans]
    for rect, span in zip(shown.of("rect"), spans, strict=True):
        assert (float(rect["x"]), float(rect["y"])) == pytest.approx(span.box[:2], abs=0.06)
    assert [title.split(" ")[0] for title in shown.titles if title[0] != " "] == [
        s.char for s in spans if s.char != " "
    ]
    assert len(shown.of("polygon")) == len(LINES)


def test_a_line_and_what_it_doubts(tmp_path: Path) -> None:
    spans = (
        CharSpan("<", (1, 2, 10, 20), 0.99),
        CharSpan("目", (12, 2, 30, 20), 0.4, (("日", 0.35), ('"', 0.1), ("曰", 0.05), ("自", 0.01))),
    )
    Image.new("L", (4000, 40), 255).save(tmp_path / "a.png")
    result = Recognition("<目", 0.6, spans, "horizontal", str(tmp_path / "a.png"))
    shown = Reader(Shown(result)._repr_html_())
    assert shown.text == "<目"
    (mark,) = shown.of("mark")
    assert mark["title"] == '目 40 % · 日 35 % · " 10 % · 曰 5 %'
    assert [rect["fill"] for rect in shown.of("rect")] == ["#0078d7", "#d73c00"]
    data = shown.of("image")[0]["href"].split(",")[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).width == 1600  # notebooks should stay small
    assert shown.of("image")[0]["width"] == "4000"


def test_pictures_from_memory_and_pictures_that_are_gone(tmp_path: Path) -> None:
    read = replace(LINES[0].recognition, path=None)
    assert Reader(Shown(read, picture())._repr_html_()).of("image")
    assert Reader(Shown(page(), np.asarray(picture()))._repr_html_()).of("image")
    for lost in (read, replace(read, path=str(tmp_path / "gone.png"))):
        shown = Reader(Shown(lost)._repr_html_())
        assert shown.text == read.text
        assert not shown.of("svg")


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    html = Shown(saved(tmp_path))._repr_html_()
    assert "<script" not in html
    assert not re.findall(r"https?://", html)
