"""`jphtr segment`: pages in, their lines out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jphtr import __version__
from jphtr.cli import complain
from jphtr.cli.output import spare
from jphtr.cli.read import decoding_options, usable_detector
from jphtr.errors import DataError, JphtrError, SettingsError

if TYPE_CHECKING:
    from jphtr.records import Gray, Page
    from jphtr.segment.detector import Detector

_TEXTS = ("jsonl", "json", "page", "alto", "hocr")  # keys of FORMATS that hold where lines stand
_TABLE = "truth.tsv"
_COLUMNS = ("file", "text", "kind", "direction")


@click.command("segment")
@click.argument("pages", nargs=-1, required=True)
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice([*_TEXTS, "overlay", "lines"]),
    help="Places as text; pictures with the lines drawn in; or a folder of line pictures with a table of their texts.  "
    "[default: by the suffix of -o, else jsonl]",
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE|FOLDER",
    help="Where to write; overlay takes a picture or a folder, lines a new folder.  [default: -]",
)
@click.option(
    "--detector",
    metavar="FILE|classical",
    callback=usable_detector,
    help="A page model, or none; by default the one in the package.",
)
@click.option("--ruby", type=click.Choice(["keep", "drop"]), default="keep", show_default=True, help="Small kana beside lines.")  # fmt: skip
@click.option("--text/--no-text", default=None, help="Read the lines too.  [default: for lines only]")
@click.option("-m", "--model", type=click.Path(path_type=Path), help="The line model that reads; by default the one in the package.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads of the nets; by default all cores.")
@decoding_options
def segment(
    pages: tuple[str, ...],
    format_name: str | None,
    output: str,
    detector: str | None,
    ruby: Any,
    text: bool | None,
    model: Path | None,
    threads: int | None,
    **decoding: Any,
) -> None:
    """Find the lines of PAGES, in reading order.

    PAGES are pictures, PDF and TIFF files, folders, patterns such as "scans/*.png", or - for standard input. With
    -f lines, every line becomes a picture, and truth.tsv beside them says what was read: correct its second column, and
    train-line and eval-line take the folder. Exit code 1 says that some pages could not be read.
    """
    format_name = format_name or _by_suffix(output)
    if format_name in ("overlay", "lines") and output == "-":
        raise click.UsageError(f"-f {format_name} writes pictures; say where with -o")

    from jphtr.image import expand
    from jphtr.page_reader import find_lines, read_page
    from jphtr.reader import Reader
    from jphtr.segment import open_detector

    names = list(expand(pages, documents=True))
    target = Path(output)
    if format_name == "page" and len(names) > 1:
        raise click.UsageError("-f page is a file for each picture; name one picture, or choose alto or hocr")
    spare([target], names, "-o")
    if format_name == "overlay":
        spare((target / f"{Path(name).stem}.png" for name in names), names, "-o")
    if format_name == "lines":
        folders = {Path(name).parent.resolve() for name in names if name != "-"}
        if target.resolve() in folders:
            raise click.BadParameter(f"{target} holds pictures that are read; name a new folder", param_hint="-o")
    finder = open_detector(detector, threads=threads)
    wanted = format_name == "lines" if text is None else text
    reader = Reader(model, threads=threads, **decoding) if wanted else None

    def lines_of(gray: Gray) -> Page:
        if reader is None:
            return find_lines(gray, finder, ruby=ruby)[1]
        return read_page(reader, gray, finder, ruby=ruby)

    run = _Run(names, lines_of)
    if format_name == "overlay":
        _draw(run, target)
    elif format_name == "lines":
        _cut(run, target)
    else:
        _write(run, format_name, output, finder)
    if run.failed:
        raise click.exceptions.Exit(1)


def _by_suffix(output: str) -> str:
    """The format that the name of the output asks for.

    Raises
    ------
    click.BadParameter
        If none of those that `segment` writes has its suffix.
    """
    from jphtr.formats import of_file

    if output == "-":
        return "jsonl"
    try:
        found = of_file(output)
    except SettingsError:
        found = ""
    if found not in _TEXTS:
        said = f"{output}: the suffix names no format of segment; say one with -f: {', '.join((*_TEXTS, 'overlay', 'lines'))}"
        raise click.BadParameter(said, param_hint="-o")
    return found


class _Run:
    """The pages of one call; what fails is said at once and counted."""

    def __init__(self, names: Sequence[str], lines_of: Callable[[Gray], Page]) -> None:
        self.names, self.lines_of, self.failed = names, lines_of, 0

    def pages(self) -> Iterator[tuple[Gray, Page]]:
        """The pixels and the lines of every page."""
        from dataclasses import replace

        from jphtr.cli.output import StandardInput
        from jphtr.pages_in import pages_of

        for name in self.names:
            try:
                for picture in pages_of(StandardInput() if name == "-" else name, name=name):
                    try:
                        gray = picture.gray()
                        page = replace(self.lines_of(gray), path=name, number=picture.number, dpi=picture.dpi)
                    except JphtrError as error:  # the pages behind a broken one are still looked at
                        self._fail(name, error)
                        continue
                    yield gray, page
            except JphtrError as error:
                self._fail(name, error)

    def _fail(self, name: str, error: JphtrError) -> None:
        self.failed += 1
        complain(error if str(error).startswith(name) else f"{name}: {error}")


def _write(run: _Run, format_name: str, output: str, finder: Detector | None) -> None:
    from jphtr.cli.output import opened
    from jphtr.formats import FORMATS, Style

    called = "classical" if finder is None else f"{finder.header.name} {finder.header.version}".strip()
    style = Style(many=True, model=called, version=__version__)
    with opened(output) as file:
        for piece in FORMATS[format_name].write((page for _, page in run.pages()), style):
            file.write(piece if isinstance(piece, str) else piece.decode("utf-8"))
            file.flush()


def _draw(run: _Run, target: Path) -> None:
    """Each page with its lines framed and numbered: one picture, or a folder of them."""
    from jphtr.formats.overlay import overlay

    single = target.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp") and not target.is_dir()
    taken: set[str] = set()
    for gray, page in run.pages():
        if single and taken:
            raise click.BadParameter(f"several pages do not fit into {target}; name a folder", param_hint="-o")
        path = target if single else target / f"{_stem(page, taken)}.png"
        taken.add(path.stem)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            overlay(gray, page, None).save(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be written: {error}") from None


def _cut(run: _Run, folder: Path) -> None:
    """Every line as a picture, and a table of what was read."""
    from io import BytesIO

    from PIL import Image

    from jphtr.segment import crop
    from jphtr.whole import write_whole

    if (folder / _TABLE).exists():  # which may hold an evening of corrections
        raise DataError(f"{folder / _TABLE}: is there already; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from None
    rows = ["\t".join(_COLUMNS)]
    taken: set[str] = set()
    for gray, page in run.pages():
        stem = _stem(page, taken)
        taken.add(stem)
        for number, line in enumerate(page.lines, 1):
            name = f"{stem}-{number:03d}.png"
            data = BytesIO()
            Image.fromarray(crop(gray, line.region).gray).save(data, "PNG")
            write_whole(folder / name, data.getvalue())
            rows.append("\t".join((name, line.recognition.text, line.region.kind, line.region.direction)))
        write_whole(folder / _TABLE, ("\n".join(rows) + "\n").encode())


def _stem(page: Page, taken: set[str]) -> str:
    """What the pictures of a page are called; no two pages get one name."""
    name = "stdin" if page.path in (None, "-") else Path(str(page.path)).stem
    name += f"-p{page.number}" if page.number > 1 else ""
    stem, number = name, 2
    while stem in taken:
        stem, number = f"{name}-{number}", number + 1
    return stem
