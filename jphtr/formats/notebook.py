"""A result as HTML: the picture with what was read over it, and the text below; what notebooks show."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from PIL import Image

from jphtr.errors import ImageError, MissingExtraError
from jphtr.formats.layout import Result, page_of
from jphtr.formats.running import running_text
from jphtr.image import Picture
from jphtr.pages_in import PagePicture, Pictures
from jphtr.records import CharSpan, Page, Recognition

_LONGEST = 1600  # pixels of the picture that goes into the notebook
_DOUBT = 0.8  # characters less sure than this are marked
_ALTERNATIVES = 3
_SVG = '<svg viewBox="0 0 {0} {1}" style="width:100%;max-width:{0}px;max-height:80vh" role="img">'


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A result that a notebook draws when it is the last value of a cell.

    Attributes
    ----------
    result : a line or a page.
    picture : what was read, where the result has no path to find it by: a path, array or Pillow image.
    """

    result: Result
    picture: Picture | None = None

    def _repr_html_(self) -> str:
        page = self.result if isinstance(self.result, Page) else None
        try:
            known = {self.result.path: self.picture} if self.picture is not None else None
            picture = Pictures(known)(self.result.path, page.number if page else 1)
            drawing = "".join(_drawing(self.result, picture))
        except (ImageError, MissingExtraError):  # moved, or never in a file: the text is still worth seeing
            drawing = ""
        return (
            f'<figure style="margin:0">{drawing}<figcaption lang="ja" {_CAPTION}>{self._text()}</figcaption></figure>'
        )

    def _text(self) -> str:
        if isinstance(self.result, Page):
            return escape(running_text(self.result))
        return "".join(
            escape(span.char)
            if span.confidence >= _DOUBT
            else f'<mark title="{escape(_said(span))}">{escape(span.char)}</mark>'
            for span in self.result.spans
        )


_CAPTION = 'style="white-space:pre-wrap;font-size:1.2em;margin-top:.5em"'


def _drawing(result: Result, picture: PagePicture) -> Iterator[str]:
    page = page_of(result, picture.width, picture.height) if isinstance(result, Recognition) else result
    yield _SVG.format(page.width, page.height)
    yield f'<image href="{_data(picture.image())}" width="{page.width}" height="{page.height}"/>'
    for line in page.lines:
        if page is result:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.region.quad)
            yield f'<polygon points="{corners}" fill="none" stroke="#0078d7" stroke-opacity=".4"/>'
        for span in line.recognition.spans:
            x0, y0, x1, y1 = span.box
            look = (
                'fill="#d73c00" fill-opacity=".3"' if span.confidence < _DOUBT else 'fill="#0078d7" fill-opacity=".1"'
            )
            yield f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" {look}>'
            yield f"<title>{escape(_said(span))}</title></rect>"
    yield "</svg>"


def _said(span: CharSpan) -> str:
    """A character and its rivals: "日 98 % · 曰 1 %"."""
    rivals = (span.char, span.confidence), *span.alternatives[:_ALTERNATIVES]
    return " · ".join(f"{char} {100 * p:.0f} %" for char, p in rivals)


def _data(image: Image.Image) -> str:
    """The picture as an address that holds it, made smaller if it is large."""
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    image.thumbnail((_LONGEST, _LONGEST))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
