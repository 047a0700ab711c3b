"""Text -> layout -> sheet -> picture: composed pages that know every line, its place, and the order of reading."""

from __future__ import annotations

import numpy as np

from jphtr.compose import Composer
from jphtr.compose.page_camera import photograph
from jphtr.compose.page_layouts import LAYOUTS
from jphtr.compose.page_parts import Looks
from jphtr.compose.page_sheet import SetLine, Sheet
from jphtr.errors import SettingsError
from jphtr.records import CharSpan, Gray, LineRegion, Page, PageLine, Recognition
from jphtr.settings import PageComposeSettings

Rng = np.random.Generator

_ASPECTS = (0.707, 0.707, 0.707, 0.66, 0.64, 0.75, 1.0, 1.35, 1.414)  # width by height: sheets, books, cards, spreads
_HANDS = ("hand", "brush", "pen", "ballpoint", "pencil", "marker")


class PageComposer:
    """Composes pages; page i of a stream is `page(default_rng([seed, i]))`.

    Parameters
    ----------
    composer : writes the lines.
    settings : how pages look.

    Raises
    ------
    SettingsError
        If there is no such layout.
    """

    def __init__(self, composer: Composer, settings: PageComposeSettings) -> None:
        self.composer, self.settings = composer, settings
        weights = settings.layouts or {name: weight for name, (_, weight, _) in LAYOUTS.items()}
        if unknown := set(weights) - set(LAYOUTS):
            raise SettingsError(f"page.layouts: no layout {sorted(unknown)}; there are {', '.join(LAYOUTS)}")
        self._layouts = list(weights)
        self._weights = np.array(list(weights.values()), float)
        self._weights /= self._weights.sum()

    def page(self, rng: Rng, *, layout: str | None = None) -> tuple[Gray, Page]:
        """Compose one page.

        Parameters
        ----------
        rng : the only source of chance.
        layout : a key of `LAYOUTS` instead of a drawn one.

        Returns
        -------
        The picture (H, W), and what stands on it in reading order, each line's characters with the box of their ink.
        """
        settings = self.settings
        name = layout or self._layouts[int(rng.choice(len(self._layouts), p=self._weights))]
        write, _, by_hand = LAYOUTS[name]
        low, high = settings.long_side
        long = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        aspect = float(_ASPECTS[int(rng.integers(len(_ASPECTS)))] * rng.uniform(0.95, 1.05))
        size = (round(long * min(1.0, aspect)), round(long / max(1.0, aspect)))
        sheet = Sheet(self.composer, size, rng)
        style = self._style(rng.random() < min(1.0, by_hand * settings.by_hand), rng)
        write(sheet, Looks(style, float(rng.uniform(0.1, 0.9)) if rng.random() < settings.ruby else 0.0))
        gray, lines = photograph(sheet, rng, tilt=settings.tilt, worn=bool(rng.random() < settings.worn))
        return gray, _page(gray, lines)

    def _style(self, by_hand: bool, rng: Rng) -> str:
        """A style that the glyph files have, with the weight that lines give it."""
        shares = self.composer.settings.styles
        there = [s for s in self.composer.styles if (s in _HANDS) == by_hand and s != "display"]
        there = there or self.composer.styles
        weights = np.array([shares.get(s, 0.0) for s in there]) + 1e-9
        return there[int(rng.choice(len(there), p=weights / weights.sum()))]


def _page(gray: Gray, lines: list[SetLine]) -> Page:
    """The lines as if they had been read without a mistake, their blocks numbered without gaps."""
    numbers = {block: place for place, block in enumerate(dict.fromkeys(line.block for line in lines))}
    found = []
    for line in lines:
        a, b, c, d = ((float(x), float(y)) for x, y in line.quad)
        region = LineRegion((a, b, c, d), line.direction, numbers[line.block], line.kind)
        spans = tuple(
            CharSpan(char, (float(x0), float(y0), float(x1), float(y1)))
            for char, (x0, y0, x1, y1) in zip(line.text, line.boxes, strict=True)
        )
        found.append(PageLine(region, Recognition(line.text, 1.0, spans, line.direction)))
    return Page(gray.shape[1], gray.shape[0], tuple(found))
