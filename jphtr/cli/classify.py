"""`jphtr classify`: pictures of single characters in, what they most probably are out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from jphtr import __version__
from jphtr.cli import complain
from jphtr.cli.output import StandardInput, opened
from jphtr.errors import JphtrError

if TYPE_CHECKING:
    from jphtr.classifier import Classification, Classifier
    from jphtr.image import Picture

Answers = Iterable["Classification"]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(answers: Answers, many: bool, model: str) -> Iterator[str]:
    """Candidates with their probabilities in a line, each line after the path where there are several."""
    for answer in answers:
        found = "  ".join(f"{char} {p:.3f}" for char, p in answer.candidates)
        yield f"{answer.path}: {found}".rstrip() + "\n" if many else f"{found}\n"


def _tsv(answers: Answers, many: bool, model: str) -> Iterator[str]:
    r"""Lines of path, and of each candidate its character and probability; \t, \n, \r and \ are written as two signs."""
    for answer in answers:
        cells = [answer.path or "", *(cell for char, p in answer.candidates for cell in (char, f"{p:.4f}"))]
        yield "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"


def _as_json(answer: Classification, model: str) -> str:
    import json

    values: dict[str, Any] = {
        "path": answer.path,
        "char": answer.char,
        "confidence": round(answer.confidence, 4),
        "alternatives": [{"char": char, "confidence": round(p, 4)} for char, p in answer.alternatives],
        "model": model,
        "version": __version__,
    }
    return json.dumps(values, ensure_ascii=False)


def _jsonl(answers: Answers, many: bool, model: str) -> Iterator[str]:
    """One object a line."""
    for answer in answers:
        yield _as_json(answer, model) + "\n"


def _json(answers: Answers, many: bool, model: str) -> Iterator[str]:
    """One array, an object a line in it; a whole document even of no answers."""
    between = "[\n"
    for answer in answers:
        yield between + _as_json(answer, model)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


FORMATS: dict[str, Callable[[Answers, bool, str], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "jsonl": _jsonl,
    "tsv": _tsv,
}


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    help="One in the package: hiragana, katakana, kanji, kuzushiji; or an .onnx file.  [required]",
)
@click.option("-k", "--top-k", type=click.IntRange(1), default=5, show_default=True, help="Candidates to give.")
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    help="By default by the suffix of -o, else text.",
)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.  [default: -]")
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores.")
def classify(
    pictures: tuple[str, ...],
    model: str | None,
    top_k: int,
    format_name: str | None,
    output: str,
    threads: int | None,
) -> None:
    """Say what PICTURES of single characters show.

    PICTURES are files, folders (searched through and through), patterns such as "cells/*.png", or - for standard input,
    of any size, dark on light or light on dark. One picture prints its candidates with their probabilities, several
    print "path: candidates"; a picture of nothing has none. Exit code 1 says that some could not be read.
    """
    import warnings

    from jphtr.bundle import CLASSIFIERS
    from jphtr.classifier import Classifier
    from jphtr.image import expand

    if model is None:
        raise click.UsageError(f"say with -m what may be written: {', '.join(CLASSIFIERS)}, or an .onnx file")
    if format_name is None:
        format_name = "text" if output == "-" else _format_of(output)
    names = list(expand(pictures))
    classifier = Classifier(model, threads=threads)
    header = classifier.header
    run = _Run(classifier, names, top_k)
    with warnings.catch_warnings(), opened(output) as file:
        warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture's flaws comes as an error
        for piece in FORMATS[format_name](run.answers(), len(names) > 1, f"{header.name} {header.version}".strip()):
            file.write(piece)
            file.flush()
    if run.failed:
        raise click.exceptions.Exit(1)


def _format_of(output: str) -> str:
    """The format that a file's suffix asks for."""
    suffixes = {".txt": "text", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".tsv": "tsv"}
    for suffix, name in suffixes.items():
        if output.lower().endswith(suffix):
            return name
    raise click.BadParameter(
        f"{output}: the suffix names no format; use one of {' '.join(suffixes)}, or say --format", param_hint="-o"
    )


class _Run:
    """The pictures of one call in order; what fails is said at once and counted."""

    def __init__(self, model: Classifier, names: list[str], top_k: int) -> None:
        self.failed = 0
        self._names = names
        self._pictures: list[Picture] = [StandardInput() if name == "-" else name for name in names]
        self._found = model.classify_many(self._pictures, top_k)

    def answers(self) -> Iterator[Classification]:
        for name, found in zip(self._names, self._found, strict=True):
            if isinstance(found, JphtrError):
                self.failed += 1
                complain(found if str(found).startswith(name) else f"{name}: {found}")
            else:
                yield found
