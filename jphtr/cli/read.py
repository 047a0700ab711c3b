"""`jphtr read`: pictures in, text out."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from jphtr import __version__
from jphtr.cli import complain
from jphtr.errors import DataError, JphtrError, SettingsError

if TYPE_CHECKING:
    from jphtr.formats.overlay import Font
    from jphtr.image import Picture
    from jphtr.reader import Reader
    from jphtr.records import Direction, Recognition


class _Key(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A key of a table, which is imported only when it is needed."""

    def __init__(self, name: str, module: str, table: str) -> None:
        self.name, self._module, self._table = name, module, table

    def _keys(self) -> list[str]:
        return list(getattr(import_module(self._module), self._table))

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self._keys())}]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self._keys():
            self.fail(f"{value!r} is not one of {', '.join(self._keys())}.", param, ctx)
        return value


def decoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how the net's output becomes text, named as the arguments of `Reader`."""
    what = "a script (hiragana, katakana, kana, kanji, digit, latin, punctuation), @FILE, or characters; repeatable."
    options = (
        click.option(
            "--decoder",
            type=_Key("decoder", "jphtr.decode", "DECODERS"),
            help="Best path, or the best text of a beam with a language model.  [default: beam]",
        ),
        click.option(
            "--lm",
            metavar="FILE|none",
            help="Language model of the beam (jphtr train-lm makes one); by default the one in the package.",
        ),
        click.option(
            "--lm-weight",
            type=click.FloatRange(0),
            help="How much the language model has to say; by default as tuned.",
        ),
        click.option("--beam-width", type=click.IntRange(1), help="Texts that the beam keeps; by default as tuned."),
        click.option("--allowlist", "allow", multiple=True, metavar="CHARS", help=f"Read only these: {what}"),
        click.option("--blocklist", "block", multiple=True, metavar="CHARS", help="Never read these, given likewise."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="An .onnx model; by default the one in the package.",
)
@click.option(
    "-f",
    "--format",
    "format_name",
    type=_Key("format", "jphtr.formats", "FORMATS"),
    help="By default by the suffix of -o, else text.",
)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.  [default: -]")
@click.option(
    "--direction",
    type=click.Choice(["auto", "horizontal", "vertical"]),
    default="auto",
    show_default=True,
    help="How the lines run.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Print 〓 for characters less sure than this.",
)
@click.option(
    "--top-k",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Alternatives listed for a character in json and jsonl.",
)
@click.option(
    "--nbest",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Most probable texts of the whole line listed in json and jsonl.",
)
@click.option("-B", "--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Lines read together.")
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores.")
@click.option(
    "-v",
    "--vis",
    type=click.Path(path_type=Path),
    metavar="PNG|FOLDER",
    help="Draw boxes and text: a picture, or for several a folder of them.",
)
@click.option("--font", type=click.Path(path_type=Path), help="A font with Japanese for --vis.")
@decoding_options
def read(
    pictures: tuple[str, ...],
    model: Path | None,
    format_name: str | None,
    output: str,
    direction: Direction | Literal["auto"],
    min_confidence: float,
    top_k: int,
    nbest: int,
    batch_size: int,
    threads: int | None,
    vis: Path | None,
    font: Path | None,
    **decoding: Any,
) -> None:
    """Read PICTURES of text lines and print their text.

    PICTURES are files, folders (searched through and through), patterns such as "scans/*.png", or - for
    standard input. One picture prints its bare text, several print "path: text". Exit code 1 says that some
    could not be read.
    """
    from jphtr.formats import FORMATS, Style, of_file
    from jphtr.image import expand
    from jphtr.reader import Reader

    if format_name is None:
        try:
            format_name = "text" if output == "-" else of_file(output)
        except SettingsError as error:
            raise click.BadParameter(str(error), param_hint="-o") from None
    names = list(expand(pictures))
    if vis is not None and len(names) > 1 and vis.suffix.lower() == ".png":
        raise click.BadParameter(f"{len(names)} pictures do not fit into {vis}; name a folder", param_hint="-v")
    reader = Reader(model, threads=threads, **decoding)
    run = _Run(reader, names, direction, min_confidence, nbest, batch_size)
    header = reader.header
    style = Style(len(names) > 1, top_k, f"{header.name} {header.version}".strip(), __version__)
    results = run.results() if vis is None else run.drawn(vis, font)
    with warnings.catch_warnings(), _opened(output) as file:
        warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture's flaws comes as an error
        for piece in FORMATS[format_name].write(results, style):
            file.write(piece)
            file.flush()
    if run.failed:
        raise click.exceptions.Exit(1)


class _Run:
    """The pictures of one call, read in order; what fails is said at once and counted."""

    def __init__(
        self,
        reader: Reader,
        names: Sequence[str],
        direction: Direction | Literal["auto"],
        min_confidence: float,
        nbest: int,
        batch_size: int,
    ) -> None:
        self.reader, self.names = reader, names
        self.direction, self.min_confidence, self.nbest, self.batch_size = direction, min_confidence, nbest, batch_size
        self.pictures: list[Picture] = [_StandardInput() if name == "-" else name for name in names]
        self.failed = 0

    def results(self) -> Iterator[Recognition]:
        for _, result in self._read():
            yield result

    def drawn(self, target: Path, font_path: Path | None) -> Iterator[Recognition]:
        """The results, each drawn before it is handed on."""
        from jphtr.formats.overlay import find_font

        font = find_font(font_path)
        if font is None:
            click.echo(
                "jphtr: no font with Japanese found; --vis numbers the boxes, --font FILE writes text",
                err=True,
            )
        taken: set[Path] = set()
        for index, result in self._read():
            self._draw(index, result, _place(target, self.names[index], len(self.names) > 1, taken), font)
            yield result

    def _read(self) -> Iterator[tuple[int, Recognition]]:
        results = self.reader.read_many(
            self.pictures, self.direction, min_confidence=self.min_confidence, nbest=self.nbest,
            batch_size=self.batch_size,
        )  # fmt: skip
        for index, result in enumerate(results):
            name = self.names[index]
            if isinstance(result, JphtrError):
                self.failed += 1
                complain(result if str(result).startswith(name) else f"{name}: {result}")
            else:
                yield index, result

    def _draw(self, index: int, result: Recognition, path: Path, font: Font | None) -> None:
        from jphtr.formats.overlay import overlay
        from jphtr.image import load_gray

        picture = self.pictures[index]
        if isinstance(picture, io.BytesIO):
            picture.seek(0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            overlay(load_gray(picture), result, font).save(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None


class _StandardInput(io.BytesIO):
    """What came on standard input, kept so that it can be read twice."""

    name = "-"

    def __init__(self) -> None:
        super().__init__(sys.stdin.buffer.read())


def _place(target: Path, name: str, several: bool, taken: set[Path]) -> Path:
    """Where the drawing of the picture called `name` goes; two of one name get different places."""
    if not several and target.suffix and not target.is_dir():
        return target
    stem = "stdin" if name == "-" else Path(name).stem
    path, number = target / f"{stem}.png", 2
    while path in taken:
        path, number = target / f"{stem}-{number}.png", number + 1
    taken.add(path)
    return path


@contextmanager
def _opened(output: str) -> Iterator[IO[str]]:
    """Standard output, or a file that appears when it is complete."""
    if output == "-":
        stream = sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            # UTF-8 whatever the locale; a path that is not UTF-8 comes out as the bytes it is
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        yield stream
        return
    path = Path(output).resolve()  # a link stays a link
    # a device or a pipe cannot be replaced
    beside = path.with_name(f".{path.name}.{os.getpid()}.part") if path.is_file() or not path.exists() else path
    try:
        with beside.open("w", encoding="utf-8", errors="surrogateescape") as file:
            yield file
            file.flush()
            if beside != path:
                os.fsync(file.fileno())
        if beside != path:
            beside.replace(path)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}") from None
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)
