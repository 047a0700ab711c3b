"""What a worker does with an upload: the only place of the server that knows how jphtr reads and writes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from jphtr import __version__
from jphtr.classifier import Classifier
from jphtr.errors import DataError, ImageError, JphtrError, MissingExtraError, SettingsError
from jphtr.formats import FORMATS, Style, pieces
from jphtr.formats.json_lines import as_dict
from jphtr.formats.layout import page_of
from jphtr.page_reader import read_page
from jphtr.pages_in import PagePicture, Pictures, pages_of
from jphtr.reader import Reader
from jphtr.records import Gray, Page
from jphtr.segment import is_line, open_detector, segment
from jphtr.serve import document
from jphtr.serve.limits import Limits
from jphtr.serve.training_lines import saved, stem_of, training_lines, zipped
from jphtr.serve.workers import Reply

JSON = "application/json"
ZIP = "application/zip"
FAILED = "the server failed on this; its owner finds the reason in its log"
_NAME = "upload"  # what messages call the caller's file
_SHOWN = 2_000  # pixels of the longer side of a page as it is shown


@dataclass(frozen=True, slots=True)
class Models:
    """What a worker reads with.

    Attributes
    ----------
    line, detector, lm : files of the models that read lines, find them and know the language; None takes those in the
        package.
    classifier : of single characters, a file or a name; None has the line model tell them, unless a script is named.
    threads : of one worker; None takes all cores.
    """

    line: Path | None = None
    detector: str | None = None
    classifier: Path | str | None = None
    lm: Path | str | None = None
    threads: int | None = None


class _TooMuchError(ImageError):
    """A file that holds more than this server takes on."""


class Readings:
    """Answers the jobs of a worker: read, classify, export, save.

    Parameters
    ----------
    models : what to read with.
    limits : what to refuse.
    folder : where `save` writes; None where nothing is stored.

    Raises
    ------
    JphtrError
        If a model cannot be loaded.
    """

    def __init__(self, models: Models, limits: Limits, folder: Path | None = None) -> None:
        self._models, self._limits, self._folder = models, limits, folder
        self._reader = Reader(models.line, threads=models.threads, lm=models.lm)
        self._detector = open_detector(models.detector, threads=models.threads)
        self._classifier = Classifier(models.classifier, threads=models.threads) if models.classifier else None
        self._named = lru_cache(maxsize=None)(partial(Classifier, threads=models.threads))
        self._weighted = lru_cache(maxsize=4)(self._with_weight)
        self._model = f"{self._reader.header.name} {self._reader.header.version}".strip()
        self._jobs = {
            "about": self._about, "read": self._read, "classify": self._classify, "export": self._export,
            "save": self._save,
        }  # fmt: skip

    def __call__(self, job: str, options: dict[str, Any], data: bytes) -> Reply:
        """The answer to a job; what is wrong with an upload is 4xx and one line, all else stays on stderr."""
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture's flaws comes as an error
                return self._jobs[job](options, data)
        except (_TooMuchError, MemoryError) as error:
            return _refusal(413, str(error) or "upload: takes more memory than there is; send a smaller picture")
        except (MissingExtraError, ModuleNotFoundError):
            return _refusal(
                415, 'this server lacks the packages for PDF; its owner installs them: pip install "jphtr[pdf]"'
            )
        except (ImageError, DataError, SettingsError) as error:
            return _refusal(422, str(error))
        except Exception as error:
            if isinstance(error, JphtrError):
                print(f"jphtr: error: {error}", file=sys.stderr, flush=True)
            else:
                traceback.print_exc()
            return _refusal(500, FAILED)

    def _about(self, _: dict[str, Any], __: bytes) -> Reply:
        classifier = self._classifier.header.name if self._classifier else None
        return _json(200, {"model": self._model, "classifier": classifier})

    def _read(self, options: dict[str, Any], data: bytes) -> Reply:
        shown: list[str] = []
        found = []
        for picture in self._pictures(data):
            gray = picture.gray()
            found.append(self._page(gray, picture, options))
            if options["pictures"]:
                shown.append(_data_url(gray))
        return self._written(found, options, data, shown)

    def _pictures(self, data: bytes) -> list[PagePicture]:
        """The pages of an upload, still without pixels."""
        limits = self._limits
        if not data:
            raise ImageError(f"{_NAME}: is empty; send a picture or a PDF")
        found = list(islice(pages_of(io.BytesIO(data), name=_NAME), limits.pages + 1))
        if len(found) > limits.pages:
            raise _TooMuchError(f"{_NAME}: more than {limits.pages} pages; send fewer at a time")
        for page in found:
            if page.width * page.height > limits.pixels:
                size = f"{page.width} x {page.height}"
                line = f"{size} is more than {limits.megapixels:g} megapixels; send a smaller picture"
                raise _TooMuchError(f"{page.name}: {line}")
        return found

    def _page(self, gray: Gray, picture: PagePicture, options: dict[str, Any]) -> Page:
        """What is read on a page, or on a picture of one line."""
        weight = options["lm_weight"]
        reader = self._reader if weight is None else self._weighted(weight)
        how = {key: options[key] for key in ("min_confidence", "unsure", "decoder")}
        layout, regions = options["layout"], None
        if layout == "auto":
            regions = segment(gray, self._detector)
            layout = "line" if is_line(gray, self._detector, regions) else "page"
        if layout == "page":
            found = read_page(reader, gray, self._detector, ruby=options["ruby"], regions=regions, **how)
        else:
            line = reader.read(gray, options["direction"], **how)
            found = page_of(line, gray.shape[1], gray.shape[0])
            if not line.text:
                found = replace(found, lines=())
        return replace(found, path=options["name"], number=picture.number, dpi=picture.dpi)

    def _with_weight(self, weight: float) -> Reader:
        """The reader with another weight of the language model, on the same net."""
        return self._reader.decoding(lm_weight=weight)

    def _classify(self, options: dict[str, Any], data: bytes) -> Reply:
        gray, script = self._pictures(data)[0].gray(), options["script"]
        classifier = self._classifier if script == "auto" else self._named(script)
        if classifier:
            candidates = classifier.classify(gray, options["top_k"]).candidates
        else:
            line = self._reader.read(gray, "horizontal", decoder="greedy")
            best = max(line.spans, key=lambda span: span.confidence, default=None)
            candidates = ((best.char, best.confidence), *best.alternatives) if best else ()
        answer = {
            "candidates": [{"char": char, "confidence": round(p, 4)} for char, p in candidates[: options["top_k"]]],
            "by": "classifier" if classifier else "line reader",
        }
        return _json(200, answer)

    def _export(self, options: dict[str, Any], data: bytes) -> Reply:
        found = document.pages(options["reading"], options["name"])
        if options["format"] == "lines":
            return Reply(200, ZIP, zipped(self._training(options, data, found)))
        if options["format"] == "pdf" and not data:
            raise DataError("file: is missing; a PDF shows the picture that was read")
        if data:
            self._pictures(data)
        return self._written(found, options, data)

    def _save(self, options: dict[str, Any], data: bytes) -> Reply:
        if self._folder is None:
            raise SettingsError("this server stores nothing; start it with --save DIR")
        files = list(self._training(options, data, document.pages(options["reading"], options["name"])))
        try:
            return _json(200, {"saved": saved(files, self._folder) // 2})
        except (DataError, OSError) as error:  # which names the folder
            print(f"jphtr: error: {error}", file=sys.stderr, flush=True)
            return _refusal(500, FAILED)

    def _training(self, options: dict[str, Any], data: bytes, found: list[Page]) -> Iterator[tuple[str, bytes]]:
        if not data:
            raise DataError("file: is missing; lines are cut out of the picture that was read")
        wanted = {page.number: page for page in found}
        # pictures from a phone are all called alike
        stem = f"{stem_of(options['name'])}-{hashlib.sha256(data).hexdigest()[:8]}"
        for picture in self._pictures(data):
            if (page := wanted.pop(picture.number, None)) is None:
                continue
            if (page.width, page.height) != (picture.width, picture.height):
                raise DataError(
                    f"reading: page {page.number} has {page.width} x {page.height} pixels and the picture "
                    f"{picture.width} x {picture.height}; send the picture that was read"
                )
            yield from training_lines(picture.gray(), page, stem)
        if wanted:
            raise DataError(f"reading: has a page {min(wanted)} that the file lacks; send the file that was read")

    def _written(self, found: list[Page], options: dict[str, Any], data: bytes, shown: Sequence[str] = ()) -> Reply:
        """Pages in a format; `shown` are their pictures, of all or none, for JSON."""
        name, format = options["format"], FORMATS[options["format"]]
        # a page finds its picture here or nowhere: its path is the caller's word for it
        pictures = Pictures({options["name"]: io.BytesIO(data)})
        style = Style(
            False, options["top_k"], self._model, __version__, keep_lines=options["keep_lines"], pictures=pictures
        )  # fmt: skip
        if shown and name == "json":
            return _json(200, [as_dict(page, style) | {"picture": one} for page, one in zip(found, shown, strict=True)])
        if format.page_a_file and len(found) > 1:
            stem, suffix = stem_of(options["name"]), format.suffixes[0]
            return Reply(200, ZIP, zipped(
                (f"{stem}-p{page.number:02d}{suffix}", b"".join(pieces(name, [page], style))) for page in found
            ))  # fmt: skip
        return Reply(200, media_of(name), b"".join(pieces(name, found, style)))


def media_of(name: str) -> str:
    """The media type of a format."""
    media = FORMATS[name].media_type
    return f"{media}; charset=utf-8" if media.startswith("text/") else media


def _data_url(gray: Gray) -> str:
    picture = Image.fromarray(gray)
    picture.thumbnail((_SHOWN, _SHOWN))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _json(status: int, answer: Any) -> Reply:
    return Reply(status, JSON, json.dumps(answer, ensure_ascii=False).encode())


def _refusal(status: int, line: str) -> Reply:
    return _json(status, {"error": line})
