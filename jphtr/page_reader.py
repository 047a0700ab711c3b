"""A picture of a page -> its lines with what they say, boxes in the page's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from jphtr.errors import ImageError, JphtrError
from jphtr.image import Picture, load_gray, name_of
from jphtr.reader import BATCH, Reader, Unsure
from jphtr.records import Direction, Gray, LineRegion, Page, PageLine, Recognition
from jphtr.segment import LineCrop, crop, segment

if TYPE_CHECKING:
    from jphtr.segment.detector import Detector

Ruby = Literal["keep", "drop"]


def read_page(
    reader: Reader,
    picture: Picture,
    detector: Detector | None = None,
    *,
    ruby: Ruby = "keep",
    regions: Sequence[LineRegion] | None = None,
    min_confidence: float = 0.0,
    unsure: Unsure = "mark",
    decoder: str | None = None,
    nbest: int = 0,
    batch_size: int = BATCH,
) -> Page:
    """Find the lines of a page and read them.

    Parameters
    ----------
    reader : reads the lines.
    picture : what `image.load_gray` takes.
    detector : finds the lines; see `segment.open_detector`. None does without a model.
    ruby : whether small kana beside the lines are lines of their own, each after the line it belongs to, or left out.
    regions : lines that are known already, in reading order, instead of those that would be found.
    min_confidence, unsure, decoder, nbest, batch_size : as `Reader.read_many` takes them.

    Returns
    -------
    Page
        Its lines in reading order; a line in which nothing could be read has an empty text and confidence 0.

    Raises
    ------
    ImageError
        If the picture cannot be read.
    ModelError
        If a model fails.
    """
    gray = load_gray(picture)
    if regions is None:
        regions = segment(gray, detector)
    kept = [region for region in regions if region.kind == "text" or ruby == "keep"]
    crops = [crop(gray, region) for region in kept]
    read: dict[int, Recognition] = {}
    ways: tuple[Direction, ...] = ("horizontal", "vertical")
    for direction in ways:
        places = [n for n, region in enumerate(kept) if region.direction == direction]
        results = reader.read_many(
            (crops[n].gray for n in places), direction,
            min_confidence=min_confidence, unsure=unsure, decoder=decoder, nbest=nbest, batch_size=batch_size,
        )  # fmt: skip
        for n, result in zip(places, results, strict=True):
            read[n] = _on_page(_reading(result, direction), crops[n])
    lines = tuple(PageLine(region, read[n]) for n, region in enumerate(kept))
    return Page(gray.shape[1], gray.shape[0], lines, name_of(picture))


def find_lines(picture: Picture, detector: Detector | None = None, *, ruby: Ruby = "keep") -> tuple[Gray, Page]:
    """A page's gray pixels, and its lines without their text.

    Raises
    ------
    ImageError
        If the picture cannot be read.
    ModelError
        If the detector fails.
    """
    gray = load_gray(picture)
    regions = segment(gray, detector, ruby=ruby == "keep")
    lines = tuple(PageLine(region, Recognition("", 0.0, (), region.direction)) for region in regions)
    return gray, Page(gray.shape[1], gray.shape[0], lines, name_of(picture))


def _reading(result: Recognition | JphtrError, direction: Direction) -> Recognition:
    """What was read of a crop; a crop too small or too long to be a line holds nothing that could be."""
    if isinstance(result, ImageError):
        return Recognition("", 0.0, (), direction)
    if isinstance(result, JphtrError):
        raise result
    return result


def _on_page(result: Recognition, cut: LineCrop) -> Recognition:
    spans = tuple(replace(span, box=cut.to_page(span.box)) for span in result.spans)
    return replace(result, spans=spans, path=None)
