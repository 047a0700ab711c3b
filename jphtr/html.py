"""Reports as one HTML file that needs nothing beside it: pictures lie inside, light and dark follow the reader.

Import it by `errors.require("jphtr.html")`: markupsafe comes with the training install.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

from markupsafe import Markup
from PIL import Image

from jphtr.records import Gray

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8d4cc, #45423d); --soft: light-dark(#6b665d, #a39d92); }
body { font: 16px/1.5 system-ui, "Hiragino Sans", "Noto Sans CJK JP", "Yu Gothic", sans-serif; max-width: 72rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: middle; }
th { color: var(--soft); font-weight: 600; } td.number, th.number { text-align: right; }
img { background: #fff; max-width: 100%; vertical-align: middle; margin: 1px; image-rendering: auto; }
del, ins { text-decoration: none; } del { color: light-dark(#b3261e, #ff8a80); } ins { color: light-dark(#1b6e3c, #7bd89b); }
"""


def page(title: str, parts: Iterable[Markup]) -> str:
    """A whole document with a title and parts made by the functions below."""
    head = Markup(
        '<!doctype html>\n<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        "<title>{0}</title><style>{1}</style></head>\n<body><h1>{0}</h1>\n"
    )
    return head.format(title, Markup(_STYLE)) + Markup("\n").join(parts) + Markup("\n</body></html>\n")


def heading(text: str) -> Markup:
    """A heading inside the page."""
    return Markup("<h2>{}</h2>").format(text)


def paragraph(text: str) -> Markup:
    """A paragraph; text is escaped unless it is markup already."""
    return Markup("<p>{}</p>").format(text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table; cells are escaped unless they are markup already, and a column whose cells are numbers stands right."""
    rows = [list(row) for row in rows]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(head))]

    def line(cells: Sequence[object], tag: str) -> Markup:
        cell = Markup("<{0}{1}>{2}</{0}>")
        number = Markup(' class="number"')
        inside = (cell.format(tag, number if right[i] else "", value) for i, value in enumerate(cells))
        return Markup("<tr>{}</tr>").format(Markup("").join(inside))

    body = Markup("\n").join(line(row, "td") for row in rows)
    return Markup('<div class="scroll"><table>{}\n{}</table></div>').format(line(head, "th"), body)


def picture(gray: Gray, zoom: float = 1, alt: str = "") -> Markup:
    """A picture inside the page, shown `zoom` times as large as its pixels are."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    width = round(gray.shape[1] * zoom)
    return Markup('<img width="{}" alt="{}" src="data:image/png;base64,{}">').format(width, alt, data)


def _is_number(cell: object) -> bool:
    if isinstance(cell, int | float):
        return True
    return isinstance(cell, str) and not isinstance(cell, Markup) and cell.strip(" %+-–.,±()[]")[:1].isdecimal()
