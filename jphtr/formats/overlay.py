"""Recognition -> a picture with every character's box and, where there is a font, the text as it was read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jphtr.errors import SettingsError
from jphtr.records import Gray, Recognition

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


def overlay(gray: Gray, result: Recognition, font: Font | None) -> Image.Image:
    """The picture, boxes around its characters, and beside it a band with the text, each character at its
    box.

    Parameters
    ----------
    gray : (H, W) uint8, the upright picture that `result` is of.
    font : for the band; None numbers the characters from 1 instead.
    """
    height, width = gray.shape
    vertical = result.direction == "vertical"
    band = max(16, round(_median_size(result) * 1.3))
    size = (width + band, height) if vertical else (width, height + band)
    sheet = Image.new("RGB", size, "white")
    sheet.paste(Image.fromarray(gray).convert("RGB"), (0, 0) if vertical else (0, band))
    pen = ImageDraw.Draw(sheet)
    letters = font.font_variant(size=max(8, round(band / 1.5))) if font else ImageFont.load_default(max(8, band // 3))
    for number, span in enumerate(result.spans, 1):
        x0, y0, x1, y1 = span.box
        shift = 0 if vertical else band
        colour = _SURE if span.confidence >= _DOUBT else _UNSURE
        pen.rectangle((x0, y0 + shift, max(x0, x1 - 1), max(y0, y1 - 1) + shift), outline=colour)
        at = (width + band / 2, (y0 + y1) / 2) if vertical else ((x0 + x1) / 2, band / 2)
        pen.text(at, span.char if font else str(number), fill=colour, font=letters, anchor="mm")
    return sheet


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
