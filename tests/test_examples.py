"""What the documents show is true: their examples run and print what stands below them, and README.ja.md keeps step.

A fence of plain text right below a fence of code is what the code prints; with the words "text nearly" behind its
backticks it may differ by a character in five, as readings of bad pictures do from one processor to another. Commands
are run where their pictures are there: those of samples/ and docs/pictures/, and stand-ins for the names that README
takes. Whether the others could be called, their parser says; in documents that need clusters or trained models all are others.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from glob import glob
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from jphtr.cli import COMMANDS, main
from jphtr.image import load_gray

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "README.ja.md", *(ROOT / "docs").glob("*.md")])
ENGLISH, JAPANESE = "README.md", "README.ja.md"
RUN = (ENGLISH, JAPANESE, "docs/python.md", "docs/troubleshooting.md")  # their examples need but the pictures here
QUICK = {"read", "segment", "classify", "info", "charset"}
WRITES = {"-o", "--output", "-v", "--vis"}
NEARLY = 0.8  # of two texts that are alike
_PICTURE = re.compile(r"\.(png|jpe?g|pdf|onnx|h5|tsv|txt)$|/$", re.I)


@dataclass(frozen=True)
class Block:
    """A fence with what the next one says that it prints, if that follows at once."""

    document: str
    line: int
    info: str
    text: str
    printed: Block | None = None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """The fences of a document, each with the line on which its text begins."""
    found: list[Block] = []
    ends: list[int] = []
    lines, start = path.read_text("utf-8").splitlines(), None
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        text = "\n".join(lines[start : number - 1])
        found.append(Block(str(path.relative_to(ROOT)), start + 1, lines[start - 1][3:].strip(), text))
        ends.append(number)
        start = None
    assert start is None, f"{path.name}:{start}: this fence is never closed"
    followers = {
        n: found[n + 1]
        for n in range(len(found) - 1)
        if found[n + 1].info.startswith(("text", ""))
        and _is_output(found[n + 1])
        and _between(lines, ends[n], found[n + 1])
    }
    return [Block(b.document, b.line, b.info, b.text, followers.get(n)) for n, b in enumerate(found)]


def _is_output(block: Block) -> bool:
    return block.info in ("", "text", "text nearly")


def _between(lines: list[str], end: int, block: Block) -> bool:
    """Whether nothing but blank lines stands between a fence that ends and the one that follows."""
    return not "".join(lines[end : block.line - 2]).strip()


ALL = [block for path in DOCUMENTS for block in blocks(path)]
PYTHON = [name for name in RUN if any(b.info == "python" for b in ALL if b.document == name)]
SHELL = [block for block in ALL if block.info == "sh"]


def commands(block: Block) -> Iterator[list[str]]:
    """The calls of jphtr in a block, as words, without comments and what redirects them."""
    for line in re.sub(r"\\\n", " ", block.text).splitlines():
        for piece in re.split(r"&&|\|\||[|;]", re.sub(r"(^|\s)#\s.*$", "", line)):
            words = shlex.split(piece)
            if words and Path(words[0]).name == "jphtr":
                yield words[1:]


def can_run(words: list[str]) -> bool:
    """Whether a command is quick and everything that it would read is there, or ought to be."""
    if not words or words[0] not in QUICK:
        return False
    read = [word for before, word in pairwise(words) if before not in WRITES]
    named = [word for word in read if _PICTURE.search(word) and not word.startswith("-")]
    return all(word.startswith(("samples/", "docs/pictures/")) or Path(word).exists() for word in named)


def printed_as_said(block: Block, out: str) -> None:
    """That a block's output is what its document shows."""
    if block.printed is None:
        return
    want, got = block.printed.text, out.rstrip("\n")
    if block.printed.info.endswith("nearly"):
        assert SequenceMatcher(None, want, got, autojunk=False).ratio() >= NEARLY, (
            f"{block.printed} is far from what {block} prints now:\n{got}"
        )
    else:
        assert got == want, f"{block.printed} is not what {block} prints now, which is:\n{got}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures of the documents, and others under the names that README takes."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "samples", folder / "samples")
    shutil.copytree(ROOT / "docs" / "pictures", folder / "docs" / "pictures")
    shutil.copytree(ROOT / "samples", folder / "scans", ignore=shutil.ignore_patterns("*.tsv"))
    shutil.copy(ROOT / "samples" / "print-horizontal.png", folder / "line.png")
    shutil.copy(ROOT / "samples" / "worn-print.png", folder / "form.png")
    page = Image.open(ROOT / "docs" / "pictures" / "letter.jpg").convert("L")
    page.save(folder / "page.jpg")
    page.save(folder / "letters.pdf", resolution=210)
    gray = load_gray(ROOT / "samples" / "print-vertical.png")
    Image.fromarray(gray[: 2 * gray.shape[1]]).save(folder / "letter.png")
    return folder


def test_there_are_examples_to_run(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    there = [words for block in SHELL if block.document == ENGLISH for words in commands(block)]
    assert sum(can_run(words) for words in there) >= 12
    assert {ENGLISH, JAPANESE, "docs/python.md"} <= set(PYTHON)


@pytest.mark.parametrize("document", PYTHON)
def test_python_runs_as_written(document: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a document are one program, so that later ones may use what earlier ones have made."""
    monkeypatch.chdir(desk)
    names: dict[str, object] = {"__name__": "__example__"}
    for block in ALL:
        if block.document != document or block.info != "python":
            continue
        program = compile(
            "\n" * (block.line - 1) + block.text, str(ROOT / document), "exec"
        )  # so that errors name its line
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(program, names)
        printed_as_said(block, out.getvalue())


@pytest.mark.parametrize("block", [b for b in SHELL if b.document in RUN and b.document != JAPANESE], ids=str)
def test_commands_run_as_written(block: Block, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    ran = [words for words in commands(block) if can_run(words)]
    if not ran:
        pytest.skip("nothing quick with pictures that are there")
    out = ""
    for words in ran:
        if any(word.endswith(".pdf") for word in words[1:2]):
            pytest.importorskip("pypdfium2")
        spread = [name for word in words for name in (sorted(glob(word)) or [word])]  # noqa: PTH207 (as a shell does)
        result = CliRunner().invoke(main, spread)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0 or block.printed is not None, f"{block}: {shlex.join(words)}: {result.stderr}"
        out += result.output if block.printed is not None else ""
    printed_as_said(block, out)


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_and_options_are_there(block: Block) -> None:
    for words in commands(block):
        assert words, f"{block}: jphtr alone"
        if words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"{block}: there is no jphtr {words[0]}"
        command = main.get_command(click.Context(main), words[0])
        assert command is not None
        try:
            command.make_parser(click.Context(command)).parse_args(words[1:])
        except click.UsageError as error:
            pytest.fail(f"{block}: {shlex.join(words)}: {error.message}")


def test_files_that_are_linked_are_there() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)|<img src=\"([^\"]+)\"", path.read_text("utf-8")):
            name = "".join(target)
            assert "://" in name or (path.parent / name).exists(), f"{path.name}: {name} is not there"


# README.ja.md says what README.md says


def code(block: Block) -> list[str]:
    """The lines of a block without their comments."""
    if block.info not in ("sh", "python"):
        return block.text.splitlines()
    return [re.sub(r"(^|\s+)#\s.*$", "", line).rstrip() for line in block.text.splitlines()]


def test_both_readmes_show_the_same_commands() -> None:
    english, japanese = blocks(ROOT / ENGLISH), blocks(ROOT / JAPANESE)
    for ours, theirs in zip(english, japanese, strict=False):
        assert (ours.info, code(ours)) == (theirs.info, code(theirs)), f"{ours} and {theirs} differ; change {theirs}"
    more = [str(b) for b in (english[len(japanese) :] or japanese[len(english) :])]
    assert not more, f"{', '.join(more)}: stands in one README only"


_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,-])\d[\d,]*(?:\.\d+)?")  # not the 6 in OCRv6


@dataclass(frozen=True)
class Row:
    """A row of a table and the numbers in it."""

    place: str
    text: str
    numbers: tuple[str, ...]


def rows(name: str) -> list[Row]:
    """The rows with numbers of all tables of a document, outside fences."""
    found, fenced = [], False
    for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1):
        fenced ^= line.startswith("```")
        if line.startswith("|") and not fenced:
            plain = re.sub(r"`[^`]*`", "", line)
            if numbers := tuple(_NUMBER.findall(plain)):
                found.append(Row(f"{name}:{number}", line, numbers))
    return found


def holds(row: Row, numbers: tuple[str, ...]) -> bool:
    """Whether a row has these numbers, in this order, perhaps with others between them."""
    rest = iter(row.numbers)
    return all(number in rest for number in numbers)


def test_the_tables_of_both_readmes_have_the_same_numbers() -> None:
    free = rows(JAPANESE)
    lost = []
    for row in rows(ENGLISH):
        match = next((other for other in free if holds(other, row.numbers)), None)
        if match is None:
            lost.append(row)
        else:
            free.remove(match)
    said = []
    for n, row in enumerate(lost):
        where = f"change {free[n].place}: {free[n].text}" if n < len(free) else f"add a row to {JAPANESE}"
        said.append(f"{row.place}: {row.text}\n    {where}")
    assert not lost, "rows that README.ja.md has not:\n" + "\n".join(said)
    assert not free, "rows that README.md has no more:\n" + "\n".join(f"{row.place}: {row.text}" for row in free)


def test_the_figures_between_the_tables_are_the_same() -> None:
    """Decimals and thousands in running text, wherever they stand."""

    def figures(name: str) -> dict[str, str]:
        found, fenced = {}, False
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1):
            fenced ^= line.startswith("```")
            if not fenced and not line.startswith("|"):
                plain = re.sub(r"`[^`]*`|\([^)\s]*\)", "", line)
                for figure in re.findall(r"(?<![A-Za-z0-9_.,-])(?:\d+\.\d+|\d{1,3}(?:,\d{3})+)", plain):
                    found.setdefault(figure, f"{name}:{number}")
        return found

    english, japanese = figures(ENGLISH), figures(JAPANESE)
    lost = [
        f"{place} says {figure}, {JAPANESE} does not" for figure, place in english.items() if figure not in japanese
    ]
    stale = [
        f"{place} says {figure}, {ENGLISH} does not" for figure, place in japanese.items() if figure not in english
    ]
    assert not lost + stale, "; ".join(lost + stale)
