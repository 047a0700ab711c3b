"""A gray page -> maps of its lines, through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jphtr.bundle import MODELS, read_header
from jphtr.errors import ModelError
from jphtr.records import Gray, LineRegion
from jphtr.segment.lines import Maps, lines_from
from jphtr.segment.quads import sizes
from jphtr.session import RUNTIME_ERRORS, gist, open_session

SHIPPED_DETECTOR = MODELS / "page.onnx"
LONG_SIDE = 1280  # pixels of a page's longer side as the net sees it
_MULTIPLE = 32  # sides that the net takes are whole multiples of this
_LONGEST = 2560  # pixels of the longer side at which it is looked at once more, if its lines are small
_SMALL = 10.0  # pixels of a line's height, as the net saw it, below which it is
_LARGE = 100.0  # pixels above which it is looked at once more, so that it has half of them
_WANTED = 15.0  # pixels of height that it then should have


class Detector:
    """Finds lines on pages with one model.

    Parameters
    ----------
    model : an `.onnx` file of a page net; None takes the one in the package.
    threads : that the net may use for one page; None takes all cores.

    Attributes
    ----------
    header : what the model says about itself.

    Raises
    ------
    ModelError
        If the file is no model for finding lines.
    """

    def __init__(self, model: Path | str | None = None, *, threads: int | None = None) -> None:
        self.path = SHIPPED_DETECTOR if model is None else Path(model)
        self.header = read_header(self.path)
        if self.header.kind != "page":
            raise ModelError(f"{self.path}: a {self.header.kind} model does not find lines; give a page model")
        self._session = open_session(self.path, "page", ("gray", "kinds", "extents"), threads)

    def __repr__(self) -> str:
        return f"Detector({self.header.name})"

    def lines(self, gray: Gray) -> list[LineRegion]:
        """The lines of a page (H, W), in no order, in its pixels.

        A page whose lines come out small is looked at again, larger, as far as its pixels go; one whose lines are very
        large, smaller.

        Raises
        ------
        ModelError
            If the net fails.
        """
        longer = max(gray.shape)
        scale = min(1.0, LONG_SIDE / longer)
        found = lines_from(self.maps(gray, scale))
        heights = [h * scale for h in _heights(found)]
        if not heights:
            return found
        typical = float(np.percentile(heights, 30))
        again = min(1.0, scale * _WANTED / max(typical, 1.0), _LONGEST / longer)
        if typical < _SMALL and again > 1.15 * scale:
            return lines_from(self.maps(gray, again))
        if typical > _LARGE:
            return lines_from(self.maps(gray, scale * _LARGE / 2 / typical))
        return found

    def maps(self, gray: Gray, scale: float) -> Maps:
        """What the net says of a page that is scaled before."""
        height, width = gray.shape
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = Image.fromarray(gray)
        if size != picture.size:
            how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
            picture = picture.resize(size, how)
        seen = np.asarray(picture, np.uint8)
        pad = [(0, -side % _MULTIPLE) for side in seen.shape]
        padded = np.pad(seen, pad, mode="edge")[None]
        try:
            kinds, extents = self._session.run(["kinds", "extents"], {"gray": padded})
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{self.path}: failed on {padded.shape} pixels: {gist(error)}") from None
        rows, columns = -(-size[1] // 4), -(-size[0] // 4)
        inside = (slice(None), slice(0, rows), slice(0, columns))
        return Maps(kinds[0][inside], extents[0][inside], (size[0] / width, size[1] / height))


def _heights(regions: Sequence[LineRegion]) -> list[float]:
    """Pixels across the lines of text."""
    texts = [region for region in regions if region.kind == "text"]
    heights: list[float] = sizes(texts)[1].tolist() if texts else []
    return heights
