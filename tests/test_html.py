"""A report is one well-formed file in which nothing that was read can act as markup."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("markupsafe")
from jphtr import html


def test_what_was_read_stays_text() -> None:
    hostile = "<script>&'\"あ"
    text = html.page(hostile, [html.heading(hostile), html.paragraph(hostile), html.table([hostile], [[hostile]])])
    assert "<script" not in text
    assert text.count("&lt;script&gt;&amp;") == 6  # title and h1, heading, paragraph, head, cell


def test_pictures_lie_inside_unchanged() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (7, 11), np.uint8)
    tag = html.picture(gray, zoom=3, alt='a"b')
    assert 'width="33"' in tag
    assert 'alt="a&#34;b"' in tag
    data = re.search('base64,([^"]+)', tag)
    assert data
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1])))) == gray).all()


def test_markup_in_cells_is_kept_and_numbers_stand_right() -> None:
    text = html.table(["n", "what"], [[1, html.heading("x")], ["2.5 %", "-"]])
    assert "<h2>x</h2>" in text
    assert text.count('class="number"') == 3
    assert html.table(["n"], []).count("number") == 0
