"""Files by the thousand -> what they say, in their order, in one process or several, in bounded memory."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jphtr.errors import JphtrError
from jphtr.image import Picture, name_of
from jphtr.page_reader import Ruby, read_page
from jphtr.pages_in import PagePicture, pages_of
from jphtr.reader import BATCH, Reader, Unsure
from jphtr.records import Direction, Gray, LineRegion, Page, Recognition
from jphtr.segment import is_line, open_detector, segment, shape_of_line

if TYPE_CHECKING:
    from jphtr.segment.detector import Detector

Result = Recognition | Page
Layout = Literal["auto", "page", "line"]

_SHARE = 32  # files that a process takes at a time
_AHEAD = 3  # shares a process that wait for it or for those before them
_WINDOW = 8  # batches of lines that are looked at together, as `Reader.read_many` does
_WINDOW_PIXELS = 24_000_000  # of line pictures that are held together


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read; what a process needs to know before its first.

    Attributes
    ----------
    model, decoding : of `Reader`; `decoding` holds its arguments from `decoder` on.
    threads : that a net may use; None takes all cores.
    layout : whether a picture shows one line or a page; "auto" finds out.
    detector : what finds lines on a page, as `segment.open_detector` takes it.
    direction, min_confidence, unsure, nbest, batch_size : of `Reader.read_many`.
    ruby : of `read_page`.
    """

    model: Path | str | None = None
    decoding: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
    layout: Layout = "auto"
    detector: str | None = None
    direction: Direction | Literal["auto"] = "auto"
    min_confidence: float = 0.0
    unsure: Unsure = "mark"
    nbest: int = 0
    batch_size: int = BATCH
    ruby: Ruby = "keep"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a file.

    Attributes
    ----------
    results : a line, or its pages in order; of a broken file those that could be read.
    errors : a line for each thing that could not.
    """

    results: tuple[Result, ...]
    errors: tuple[str, ...] = ()


class FileReader:
    """Reads files in this process.

    Raises
    ------
    JphtrError
        What `Reader` raises.
    """

    def __init__(self, how: Reading) -> None:
        self.how = how
        self.reader = Reader(how.model, threads=how.threads, **how.decoding)

    @cached_property
    def detector(self) -> Detector | None:
        """What finds lines, opened when the first page comes."""
        return open_detector(self.how.detector, threads=self.how.threads)

    def read(self, files: Sequence[Picture]) -> Iterator[Answer]:
        """One answer for each file, in their order. Lines wait for each other, so that like widths share a batch."""
        waiting: list[_Waiting] = []
        pixels = 0
        for file in files:
            one = self._look(file)
            waiting.append(one)
            pixels += 0 if one.line is None else one.line.size
            if len(waiting) >= self.how.batch_size * _WINDOW or pixels > _WINDOW_PIXELS:
                yield from self._answers(waiting)
                waiting, pixels = [], 0
        yield from self._answers(waiting)

    def _look(self, file: Picture) -> _Waiting:
        """Decode a file; a page is read at once, a line waits."""
        name = name_of(file)
        pages: list[Page] = []
        errors: list[str] = []
        try:
            source = pages_of(file)
            first = next(source)
            second = next(source, None)
            regions: Sequence[LineRegion] | None = None
            if second is None and self.how.layout != "page":
                gray = first.gray()
                if self.how.layout == "line" or shape_of_line(gray):  # which saves a look at the page
                    return _Waiting(name, gray)
                regions = segment(gray, self.detector)
                if is_line(gray, regions=regions):
                    return _Waiting(name, gray)
            for page in (first, *([second] if second is not None else ()), *source):
                try:
                    pages.append(self._page(page, name, regions))
                except JphtrError as error:
                    errors.append(str(error))
        except JphtrError as error:
            errors.append(str(error))
        return _Waiting(name, answer=Answer(tuple(pages), tuple(errors)))

    def _page(self, page: PagePicture, name: str | None, regions: Sequence[LineRegion] | None) -> Page:
        how = self.how
        found = read_page(
            self.reader, page.gray(), self.detector if regions is None else None, regions=regions,
            ruby=how.ruby, min_confidence=how.min_confidence, unsure=how.unsure, nbest=how.nbest, batch_size=how.batch_size,
        )  # fmt: skip
        return replace(found, path=name, number=page.number, dpi=page.dpi)

    def _answers(self, waiting: Sequence[_Waiting]) -> Iterator[Answer]:
        how = self.how
        lines = self.reader.read_many(
            (one.line for one in waiting if one.line is not None), how.direction,
            min_confidence=how.min_confidence, unsure=how.unsure, nbest=how.nbest, batch_size=how.batch_size,
        )  # fmt: skip
        for one in waiting:
            if one.answer is not None:
                yield one.answer
                continue
            result = next(lines)
            if isinstance(result, JphtrError):
                text = str(result)
                yield Answer(
                    (), (f"{one.name}{text.removeprefix('picture')}" if text.startswith("picture:") else text,)
                )
            else:
                yield Answer((replace(result, path=one.name),))


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A line that is to be read, or an answer that waits for the lines before it."""

    name: str | None
    line: Gray | None = None
    answer: Answer | None = None


def read_files(files: Sequence[Picture], how: Reading, jobs: int = 1) -> Iterator[Answer]:
    """What files say, an answer for each, in their order.

    Parameters
    ----------
    files : paths, or what else `pages_of` takes; with several jobs paths only.
    how : how they are read.
    jobs : processes. Each has a net of its own on one thread unless `how` says otherwise.

    Raises
    ------
    JphtrError
        If a model cannot be used, or a process died.
    """
    if jobs == 1 or len(files) < 2:
        yield from FileReader(how).read(files)
        return
    how = replace(how, threads=how.threads or 1)
    Reader(how.model, threads=how.threads, **how.decoding)  # what is wrong with a model is said here, once
    pool = ProcessPoolExecutor(
        min(jobs, -(-len(files) // _SHARE)), multiprocessing.get_context("spawn"), _begin, (how,)
    )
    ahead: deque[Future[list[Answer]]] = deque()
    try:
        for start in range(0, len(files), _SHARE):
            ahead.append(pool.submit(_read_share, files[start : start + _SHARE]))
            if len(ahead) >= jobs * _AHEAD:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    except BrokenProcessPool:
        raise JphtrError("a reading process died, mostly for want of memory; try fewer with --jobs") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_reader: FileReader | None = None  # of a process that reads for another


def _begin(how: Reading) -> None:
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes; only the first has something to say
    _reader = FileReader(how)


def _read_share(files: Sequence[Picture]) -> list[Answer]:
    assert _reader is not None
    return list(_reader.read(files))
