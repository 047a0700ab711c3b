"""`jphtr verify`: glyph files against their digests, copies of archives against what was published of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jphtr.cli import complain
from jphtr.cli.progress import make_room, watched

if TYPE_CHECKING:
    from jphtr.sources.audit import Audit


@click.command()
@click.argument("paths", metavar="PATHS...", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify(paths: tuple[Path, ...]) -> None:
    """Read every byte of glyph files, of ETL files and of Kuzushiji files, and say which are whole.

    PATHS are files, folders, or zip files of ETL. A glyph file is compared with the digest that it holds, an archive
    with the published sizes, digests, numbers of pictures and classes. A line for each file, and for each set that is
    complete only in several; the exit code is 1 if anything is wrong or missing.
    """
    from jphtr.sources import audit

    found = audit.find(paths)
    wrong = len(found.errors)
    for error in found.errors:
        complain(error)
    for remark in found.remarks:
        _warn(remark)
    with watched(found.size) as step:
        for result in audit.check(found, step):
            make_room()
            _show(result)
            wrong += not result.whole
    if wrong:
        click.get_current_context().exit(1)


def _show(result: Audit) -> None:
    """The line of a file on stdout, and what is wrong or odd about it on stderr."""
    state = "whole" if result.whole else "wrong"
    click.echo(f"{result.path}: {', '.join(word for word in (state, result.name, result.found) if word)}")
    for fault in result.faults:
        complain(f"{result.path}: {fault}")
    for remark in result.remarks:
        _warn(f"{result.path}: {remark}")


def _warn(line: str) -> None:
    click.echo(f"jphtr: warning: {line}", err=True)
