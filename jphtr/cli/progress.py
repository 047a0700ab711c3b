"""A bar on stderr while a person is watching, and nothing otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def watched(length: int) -> Iterator[Callable[[str, int], None]]:
    """What to call with the name of the thing at hand and how much was done since the last call.

    Parameters
    ----------
    length : how much there is to do.
    """
    if not sys.stderr.isatty():
        yield lambda name, done: None
        return
    with click.progressbar(length=length, item_show_func=lambda name: name, file=sys.stderr) as bar:
        yield lambda name, done: bar.update(done, name)


def make_room() -> None:
    """Clear the line of the bar, so that a line of output can stand there; the bar comes back below it."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
