"""What was read -> a picture with every character's box and, where there is a font, the text as it was read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jphtr.errors import SettingsError
from jphtr.formats.layout import Result, axis_of
from jphtr.records import CharSpan, Gray, Page, Recognition

Font = ImageFont.FreeTypeFont
_SURE, _UNSURE = (0, 120, 215), (215, 60, 0)  # of boxes, by confidence
_DOUBT = 0.8
_TRIAL = "あ漢ー"  # a font that draws these three differently holds Japanese
# Parts of the file names of fonts with Japanese on common systems, the best first.
_LIKELY = (
    "NotoSansCJK-Regular", "NotoSansCJKjp-Regular", "NotoSansJP", "SourceHanSans", "ipaexg", "ipag",
    "TakaoGothic", "VL-Gothic", "BIZ-UDGothic", "YuGothR", "YuGothM", "meiryo", "msgothic",
    "ヒラギノ角ゴシック W3", "Hiragino Sans", "fonts-japanese-gothic", "DroidSansFallback",
    "NotoSerifCJK-Regular", "ipaexm", "ipam", "DroidSansJapanese",
)  # fmt: skip


def overlay(gray: Gray, result: Result, font: Font | None) -> Image.Image:
    """The picture, boxes around its characters, and beside it the text, each character at its box.

    Of a line, the text stands in a band above it or to its right. Of a page, it stands on a sheet of the same size, and
    the lines are framed and numbered in their order.

    Parameters
    ----------
    gray : (H, W) uint8, the upright picture that `result` is of.
    font : for the text; None numbers the characters of a line from 1 instead, and leaves the sheet beside a page out.
    """
    return _of_page(gray, result, font) if isinstance(result, Page) else _of_line(gray, result, font)


def _of_line(gray: Gray, result: Recognition, font: Font | None) -> Image.Image:
    height, width = gray.shape
    vertical = result.direction == "vertical"
    band = max(16, round(_median_size(result) * 1.3))
    size = (width + band, height) if vertical else (width, height + band)
    shift = 0 if vertical else band
    sheet, pen = _sheet(gray, size, shift)
    letters = font.font_variant(size=max(8, round(band / 1.5))) if font else ImageFont.load_default(max(8, band // 3))
    for number, span in enumerate(result.spans, 1):
        _frame(pen, span, shift)
        x0, y0, x1, y1 = span.box
        at = (width + band / 2, (y0 + y1) / 2) if vertical else ((x0 + x1) / 2, band / 2)
        pen.text(at, span.char if font else str(number), fill=_colour(span), font=letters, anchor="mm")
    return sheet


def _of_page(gray: Gray, page: Page, font: Font | None) -> Image.Image:
    height, width = gray.shape
    sheet, pen = _sheet(gray, (2 * width if font else width, height), 0)
    for number, line in enumerate(page.lines, 1):
        pen.polygon(line.region.quad, outline=_SURE)
        digits = ImageFont.load_default(min(40, max(8, axis_of(line.region).thickness / 2)))
        pen.text(line.region.quad[0], str(number), fill=_UNSURE, font=digits, anchor="rs")
        letters = font.font_variant(size=max(6, round(_median_size(line.recognition)))) if font else None
        for span in line.recognition.spans:
            _frame(pen, span, 0)
            x0, y0, x1, y1 = span.box
            if letters:
                at = width + (x0 + x1) / 2, (y0 + y1) / 2
                pen.text(at, span.char, fill=_colour(span), font=letters, anchor="mm")
    return sheet


def _sheet(gray: Gray, size: tuple[int, int], down: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A white sheet with the picture at its left edge, and a pen for it."""
    sheet = Image.new("RGB", size, "white")
    sheet.paste(Image.fromarray(gray).convert("RGB"), (0, down))
    return sheet, ImageDraw.Draw(sheet)


def _frame(pen: ImageDraw.ImageDraw, span: CharSpan, down: int) -> None:
    x0, y0, x1, y1 = span.box
    pen.rectangle((x0, y0 + down, max(x0, x1 - 1), max(y0, y1 - 1) + down), outline=_colour(span))


def _colour(span: CharSpan) -> tuple[int, int, int]:
    return _SURE if span.confidence >= _DOUBT else _UNSURE


def find_font(path: Path | str | None = None) -> Font | None:
    """A font with Japanese: the one named, or the likeliest among the system's, None if there is none.

    Raises
    ------
    SettingsError
        If the one named is no font.
    """
    if path is not None:
        try:
            return ImageFont.truetype(str(path), 16)
        except OSError as error:
            raise SettingsError(
                f"{path}: not a font that can be drawn with ({error}); name a .ttf, .otf or .ttc"
            ) from None
    files = sorted(_system_fonts())
    for likely in _LIKELY:
        for file in files:
            if likely.lower() not in file.name.lower():
                continue
            try:
                font = ImageFont.truetype(str(file), 16)
            except OSError:
                continue  # a broken font among the system's is not ours to report
            if _draws_japanese(font):
                return font
    return None


def _system_fonts() -> Iterator[Path]:
    home = Path.home()
    folders = {
        "win32": [Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"],
        "darwin": [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"],
    }.get(
        sys.platform,
        [
            Path("/usr/share/fonts"),
            Path("/usr/local/share/fonts"),
            home / ".fonts",
            home / ".local/share/fonts",
        ],
    )
    for folder in folders:
        for file in folder.rglob("*"):
            if file.suffix.lower() in {".ttf", ".otf", ".ttc", ".otc"}:
                yield file


def _draws_japanese(font: Font) -> bool:
    """Whether the font has glyphs for Japanese: the box for missing ones looks the same every time."""
    masks = [font.getmask(char) for char in _TRIAL]
    return len({(mask.size, bytes(mask)) for mask in masks}) == len(_TRIAL)


def _median_size(result: Recognition) -> float:
    across = (0, 2) if result.direction == "vertical" else (1, 3)
    sizes = [span.box[across[1]] - span.box[across[0]] for span in result.spans]
    return float(np.median(sizes)) if sizes else 0.0
