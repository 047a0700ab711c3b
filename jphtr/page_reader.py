"""A picture of a page -> its lines with what they say, boxes in the page's pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jphtr.errors import ImageError, JphtrError
from jphtr.image import Picture, load_gray, name_of
from jphtr.pages_in import pages_of
from jphtr.reader import BATCH, Reader, Unsure
from jphtr.records import Direction, Gray, LineRegion, Page, PageLine, Recognition
from jphtr.segment import LineCrop, crop, open_detector, segment

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


class PageReader(Reader):
    """A `Reader` that reads pages too.

    Parameters
    ----------
    model, threads, decoding : of `Reader`; `decoding` holds its arguments from `decoder` on.
    detector : what finds the lines of pages, as `segment.open_detector` takes it; it is opened when it is first needed.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        *,
        threads: int | None = None,
        detector: str | None = None,
        **decoding: Any,
    ) -> None:
        super().__init__(model, threads=threads, **decoding)
        self._detector_name, self._threads = detector, threads

    @cached_property
    def detector(self) -> Detector | None:
        """What finds lines; None does without a model.

        Raises
        ------
        ModelError
            If its file is no such model.
        """
        return open_detector(self._detector_name, threads=self._threads)

    def read_page(
        self, picture: Picture, *, ruby: Ruby = "keep", regions: Sequence[LineRegion] | None = None, **options: Any
    ) -> Page:
        """Find the lines of a page and read them; of a file with several pages the first.

        The parameters are those of the function `read_page`, and so are the result and the errors.
        """
        detector = self.detector if regions is None else None
        return read_page(self, picture, detector, ruby=ruby, regions=regions, **options)

    def read_pages(self, file: Picture, **options: Any) -> Iterator[Page]:
        """Each page of a picture file, TIFF or PDF, in their order, read when it is asked for.

        Parameters
        ----------
        file : as `pages_in.pages_of` takes it.
        options : of `read_page`.

        Raises
        ------
        ImageError
            If the file or one of its pages cannot be read.
        MissingExtraError
            If it is a PDF, and the package that draws PDFs is not installed.
        """
        for sheet in pages_of(file):
            page = self.read_page(sheet.gray(), **options)
            yield replace(page, path=name_of(file), number=sheet.number, dpi=sheet.dpi)


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
