"""`jphtr read`: pictures in, text out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jphtr import __version__
from jphtr.cli import complain
from jphtr.cli.output import StandardInput, spare
from jphtr.cli.progress import make_room, watched
from jphtr.errors import DataError, SettingsError
from jphtr.whole import write_whole

if TYPE_CHECKING:
    from jphtr.bulk import Answer, Reading, Result
    from jphtr.image import Picture


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


class _Shard(click.ParamType):  # type: ignore[type-arg]
    """I/N: the I-th of N parts, from 1."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        part, sign, parts = str(value).partition("/")
        if not (sign and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
            self.fail(f"{value!r} is not I/N with I from 1 to N, as 2/8 is.", param, ctx)
        return int(part), int(parts)


def _usable_lm(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A language model is opened before anything is read with it: a wrong one is one error, not one a picture."""
    from jphtr.decode.line import NO_LM

    if value is not None and value != NO_LM:
        from jphtr.decode.lm import load_lm

        load_lm(value)
    return value


def usable_detector(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A page model is looked at before anything is read with it."""
    if value is not None and value != "classical":
        from jphtr.bundle import read_header
        from jphtr.errors import ModelError

        if (kind := read_header(Path(value)).kind) != "page":
            raise ModelError(f"{value}: a {kind} model does not find lines; give a page model, or classical")
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
            callback=_usable_lm,
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
    "-m", "--model", type=click.Path(path_type=Path), help="An .onnx model; by default the one in the package."
)
@click.option(
    "-f", "--format", "format_name", type=_Key("format", "jphtr.formats", "FORMATS"),
    help="By default by the suffix of -o, else text.",
)  # fmt: skip
@click.option(
    "-o", "--output", default="-", metavar="FILE|FOLDER/",
    help="Where to write: a file, or a folder with a file for each picture; - is standard output.  [default: -]",
)  # fmt: skip
@click.option(
    "--auto",
    "layout",
    flag_value="auto",
    default="auto",
    help="Find out whether a picture is a line or a page.  [default]",
)
@click.option("--page", "layout", flag_value="page", help="Every picture is a page.")
@click.option("--line", "layout", flag_value="line", help="Every picture is a line.")
@click.option(
    "--direction", type=click.Choice(["auto", "horizontal", "vertical"]), default="auto", show_default=True,
    help="How the lines of line pictures run; on pages it is found.",
)  # fmt: skip
@click.option(
    "--detector",
    metavar="FILE|classical",
    callback=usable_detector,
    help="What finds lines on a page; by default the model in the package.",
)
@click.option(
    "--ruby", type=click.Choice(["keep", "drop"]), default="keep", show_default=True, help="Small kana beside lines."
)
@click.option("--keep-lines", is_flag=True, help="In text, end lines where they end on the page.")
@click.option(
    "--min-confidence", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Characters less sure than this are unsure.",
)  # fmt: skip
@click.option(
    "--unsure", type=click.Choice(["mark", "drop"]), default="mark", show_default=True,
    help="Print 〓 for unsure characters, or leave them out.",
)  # fmt: skip
@click.option(
    "--top-k", type=click.IntRange(0), default=3, show_default=True, help="Alternatives listed for a character.",
)  # fmt: skip
@click.option(
    "--nbest", type=click.IntRange(0), default=0, show_default=True,
    help="Most probable texts of the whole line listed in json and jsonl.",
)  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes that read.")
@click.option("--resume", is_flag=True, help="Leave what an earlier run has done: -o FILE.jsonl or -o FOLDER/.")
@click.option("--shard", type=_Shard(), metavar="I/N", help="Read only the I-th of N parts, for several machines.")
@click.option("-B", "--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Lines read together.")
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores, with -j one.")
@click.option(
    "-v", "--vis", type=click.Path(path_type=Path), metavar="PNG|FOLDER",
    help="Draw boxes and text: a picture, or for several a folder of them.",
)  # fmt: skip
@click.option("--font", type=click.Path(path_type=Path), help="A font with Japanese for --vis.")
@decoding_options
def read(
    pictures: tuple[str, ...],
    model: Path | None,
    format_name: str | None,
    output: str,
    keep_lines: bool,
    top_k: int,
    jobs: int,
    resume: bool,
    shard: tuple[int, int] | None,
    vis: Path | None,
    font: Path | None,
    decoder: str | None,
    lm: str | None,
    lm_weight: float | None,
    beam_width: int | None,
    allow: tuple[str, ...],
    block: tuple[str, ...],
    **how: Any,
) -> None:
    """Read PICTURES of lines and pages and print their text.

    PICTURES are pictures, TIFF and PDF files, folders (searched through and through), patterns such as "scans/*.png",
    or - for standard input. One picture prints its bare text, several lines print "path: text". What could not be read
    is said on standard error, with a file of results also in NAME.failed.tsv, and makes the exit code 1.
    """
    from jphtr.bulk import Reading
    from jphtr.bundle import LINE_MODELS, find_model, read_header
    from jphtr.cli.read_output import is_folder, sink
    from jphtr.formats import Style, of_file
    from jphtr.pages_in import Pictures

    folder = is_folder(output)
    if format_name is None:
        try:
            format_name = "text" if output == "-" or folder else of_file(output)
        except SettingsError as error:
            raise click.BadParameter(str(error), param_hint="-o") from None
    names, places = _places(pictures)
    if vis is not None and len(names) > 1 and vis.suffix.lower() == ".png":
        raise click.BadParameter(f"{len(names)} pictures do not fit into {vis}; name a folder", param_hint="-v")
    if not folder:
        spare([output], names, "-o")
    if vis is not None:
        spare([vis, *(vis / f"{Path(name).stem}.png" for name in names)], names, "-v")
    if jobs > 1 and "-" in names:
        raise click.BadParameter("standard input is read by one process", param_hint="-j")
    try:
        to = sink(output, format_name, places, resume)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    wanted = [n for n in (names if shard is None else names[shard[0] - 1 :: shard[1]]) if n not in to.done]
    if resume and len(wanted) < len(names):
        click.echo(f"jphtr: {len(names) - len(wanted):,} of {len(names):,} are done or another part's", err=True)
    stdin: dict[str | None, Picture] = {"-": StandardInput()} if "-" in names else {}
    reading = Reading(
        model=model,
        decoding={
            "decoder": decoder, "lm": lm, "lm_weight": lm_weight, "beam_width": beam_width, "allow": allow, "block": block
        },
        **how,
    )  # fmt: skip
    header = read_header(LINE_MODELS["horizontal"] if model is None else find_model(model))
    style = Style(
        len(names) > 1, top_k, f"{header.name} {header.version}".strip(), __version__, keep_lines, Pictures(stdin)
    )
    drawing = _Drawing(vis, font, len(names) > 1, stdin) if vis is not None else None
    run = _Run(wanted, reading, jobs, stdin, drawing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture's flaws comes as an error
        to.write(run.answers(), style)
    run.list_failures(output, folder, many=len(names) > 1)
    if run.failures:
        raise click.exceptions.Exit(1)


def _places(inputs: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
    """The pictures, one that was named twice twice; and for each its place below what was searched for it."""
    from jphtr.image import expand

    names: list[str] = []
    found: dict[str, Path] = {}
    for item in inputs:
        for name in expand([item], documents=True):
            place = Path("stdin") if name == "-" else Path(name)
            inside = Path(item).is_dir() and place.is_relative_to(item)
            found.setdefault(name, place.relative_to(item) if inside else Path(place.name))
            names.append(name)
    return names, found


class _Run:
    """The pictures of one call, read in order; what fails is said at once and kept for the end."""

    def __init__(
        self,
        names: Sequence[str],
        how: Reading,
        jobs: int,
        stdin: Mapping[str | None, Picture],
        drawing: _Drawing | None,
    ) -> None:
        self.names, self.how, self.jobs, self.stdin, self.drawing = names, how, jobs, stdin, drawing
        self.failures: list[tuple[str, str]] = []

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """Each picture with what it says, as soon as it is known."""
        from jphtr.bulk import read_files

        files = [self.stdin.get(name, name) for name in self.names]
        with watched(len(files)) as advance:
            for name, answer in zip(self.names, read_files(files, self.how, self.jobs), strict=True):
                for error in answer.errors:
                    make_room()
                    line = error if error.startswith(name) else f"{name}: {error}"
                    complain(line)
                    self.failures.append((name, line.removeprefix(f"{name}: ")))
                if self.drawing is not None:
                    self.drawing.draw(name, answer.results)
                yield name, answer
                advance(name, 1)

    def list_failures(self, output: str, folder: bool, *, many: bool) -> None:
        """A table of what could not be read beside a file of results, or none; and for many pictures their number."""
        if output != "-" and not (Path(output).exists() and not Path(output).is_file() and not folder):
            table = Path(output) / "failed.tsv" if folder else Path(f"{output}.failed.tsv")
            if self.failures:
                rows = "".join(f"{name}\t{reason}\n" for name, reason in self.failures)
                table.parent.mkdir(parents=True, exist_ok=True)
                write_whole(table, rows.encode("utf-8", "surrogateescape"))
            else:
                table.unlink(missing_ok=True)
        if self.failures and many:
            what = f"{len(self.failures):,} of {len(self.names):,} could not be read"
            click.echo(f"jphtr: {what}" + (f"; they stand in {table}" if output != "-" else ""), err=True)


class _Drawing:
    """Draws what was read over the pictures."""

    def __init__(self, target: Path, font: Path | None, several: bool, stdin: Mapping[str | None, Picture]) -> None:
        from jphtr.formats.overlay import find_font
        from jphtr.pages_in import Pictures

        self.target, self.several, self.pictures = target, several, Pictures(stdin)
        self.font = find_font(font)
        if self.font is None:
            click.echo("jphtr: no font with Japanese found; --vis numbers the boxes, --font FILE writes text", err=True)
        self.taken: set[Path] = set()

    def draw(self, name: str, results: Sequence[Result]) -> None:
        from jphtr.formats.overlay import overlay
        from jphtr.records import Page

        for result in results:
            number = result.number if isinstance(result, Page) else 1
            path = self._place(name, len(results) > 1)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                overlay(self.pictures(name, number).gray(), result, self.font).save(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
            except ValueError:  # of Pillow, about the suffix
                raise DataError(f"{path}: no picture is called so; end its name in .png") from None

    def _place(self, name: str, pages: bool) -> Path:
        """Where a drawing goes; two of one name get different places."""
        if not self.several and not pages and self.target.suffix and not self.target.is_dir():
            return self.target
        stem = "stdin" if name == "-" else Path(name).stem
        path, number = self.target / f"{stem}.png", 2
        while path in self.taken:
            path, number = self.target / f"{stem}-{number}.png", number + 1
        self.taken.add(path)
        return path
