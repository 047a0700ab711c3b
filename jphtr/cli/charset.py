"""`jphtr charset`: which characters jphtr, or a model, can read at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jphtr.errors import DataError

if TYPE_CHECKING:
    from jphtr.charset import Charset


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a group of characters a charset holds; `uses` counts every occurrence in a text file."""

    group: str
    covered: int
    total: int
    missing: str
    uses: int | None = None
    uses_covered: int | None = None


@click.command()
@click.argument("files", metavar="[FILES...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--missing", is_flag=True, help="Name the characters that are missing.")
@click.option("--model", type=click.Path(path_type=Path), help="Ask this model file instead of the built-in charset.")
@click.option("-f", "--format", "kind", default="text", show_default=True, type=click.Choice(["text", "json"]))
def charset(files: tuple[Path, ...], missing: bool, model: Path | None, kind: str) -> None:
    """Print how much of jōyō, JIS X 0208, kana, ASCII and the text FILES can be read."""
    from jphtr.charset import default

    chars = default() if model is None else _of_model(model)
    rows = [*groups(chars), *(_file(chars, path) for path in files)]
    if kind == "json":
        found = [_plain(row, missing) for row in rows]
        click.echo(json.dumps({"characters": len(chars) - 1, "groups": found}, ensure_ascii=False, indent=1))
        return
    click.echo(f"{'characters':<24}{len(chars) - 1:>7}")
    for row in rows:
        share = f"{100 * row.covered / row.total:.1f} %" if row.total else "-"
        line = f"{row.group:<24}{row.covered:>7} of {row.total:<6}{share:>8}"
        if row.uses:
            line += f"   {100 * (row.uses_covered or 0) / row.uses:.3f} % of {row.uses} characters of text"
        click.echo(line)
        if missing and row.missing:
            click.echo(f"    missing: {row.missing}")


def _plain(row: Coverage, missing: bool) -> dict[str, str | int]:
    plain: dict[str, str | int] = {"group": row.group, "covered": row.covered, "total": row.total}
    if row.uses is not None and row.uses_covered is not None:
        plain |= {"uses": row.uses, "uses_covered": row.uses_covered}
    return plain | ({"missing": row.missing} if missing else {})


def _of_model(path: Path) -> Charset:
    from jphtr.bundle import find_model, read_header

    return read_header(find_model(path)).characters


def groups(chars: Charset) -> list[Coverage]:
    """Coverage of the groups that Japanese readers ask for, jōyō by grade first."""
    from jphtr.charset import jis_levels, jouyou_by_grade, kana

    jouyou, levels = jouyou_by_grade(), jis_levels()
    named: dict[str, Iterable[str]] = {
        f"joyo grade {grade}" if grade < 7 else "joyo secondary": kanji for grade, kanji in jouyou.items()
    }
    named["joyo"] = [char for kanji in jouyou.values() for char in kanji]
    named |= dict(kana().items())
    named["ASCII"] = [chr(code) for code in range(0x20, 0x7F)]
    named |= {"JIS level 1": levels[1], "JIS level 2": levels[2]}
    named["JIS X 0208"] = [char for members in levels.values() for char in members]
    return [_coverage(chars, group, members) for group, members in named.items()]


def _coverage(chars: Charset, group: str, members: Iterable[str]) -> Coverage:
    distinct = list(dict.fromkeys(members))
    lacking = [char for char in distinct if not chars.covers(char)]
    return Coverage(group, len(distinct) - len(lacking), len(distinct), "".join(lacking))


def _file(chars: Charset, path: Path) -> Coverage:
    """Coverage of a text file; line ends and other control characters do not count."""
    import unicodedata

    from jphtr.charset import fold

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}; convert it first") from error
    counts = Counter(char for char in fold(text) if unicodedata.category(char) != "Cc")
    row = _coverage(chars, str(path), [char for char, _ in counts.most_common()])
    uses_covered = sum(count for char, count in counts.items() if char not in row.missing)
    return Coverage(row.group, row.covered, row.total, row.missing, counts.total(), uses_covered)
