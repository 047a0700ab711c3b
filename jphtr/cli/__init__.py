"""The `jphtr` command: flags in, one call out.

Subcommands are imported when they are called, so that `jphtr --help` costs no more than click.
"""

from __future__ import annotations

import errno
import os
from importlib import import_module
from typing import Any

import click

from jphtr import __version__
from jphtr.errors import JphtrError

# a disk that is full, a file that may not grow, somebody's share of a disk
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

# name -> (module, attribute, what `jphtr --help` says)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "read": ("jphtr.cli.read", "read", "Read pictures of lines and print their text."),
    "classify": ("jphtr.cli.classify", "classify", "Say what single characters are."),
    "segment": ("jphtr.cli.segment", "segment", "Find the lines of pages."),
    "read-ray": ("jphtr.cli.read_ray", "read_ray", "Read pictures into parquet, on one machine or a Ray cluster."),
    "serve": ("jphtr.cli.serve", "serve", "Read in the browser, and over HTTP."),
    "info": ("jphtr.cli.info", "info", "Show what a model file is."),
    "charset": ("jphtr.cli.charset", "charset", "Show which characters are covered, and which are missing."),
    "render-fonts": ("jphtr.cli.glyphs", "render_fonts", "Draw a glyph file from font files."),
    "render-strokes": ("jphtr.cli.glyphs", "render_strokes", "Draw a glyph file from KanjiVG strokes."),
    "unpack-etl": ("jphtr.cli.unpack", "unpack_etl", "Unpack the ETL Character Database into a glyph file."),
    "unpack-kuzushiji": ("jphtr.cli.unpack", "unpack_kuzushiji", "Unpack KMNIST, K49 and Kuzushiji-Kanji."),
    "unpack-folder": ("jphtr.cli.unpack", "unpack_folder", "Read pictures of characters into a glyph file."),
    "inspect": ("jphtr.cli.inspect", "inspect", "Show what glyph files hold, as counts and as a contact sheet."),
    "verify": ("jphtr.cli.verify", "verify", "Check glyph files and archives against digests and published numbers."),
    "export-glyphs": ("jphtr.cli.export_glyphs", "export_glyphs", "Write a glyph file as PNG folders or npz."),
    "pack": ("jphtr.cli.pack", "pack", "Make a line file of your own lines and their text."),
    "compose": ("jphtr.cli.compose", "compose", "Write composed lines to a folder, to look at."),
    "train-line": ("jphtr.cli.train", "train_line", "Train a line model."),
    "train-char": ("jphtr.cli.train_char", "train_char", "Train a classifier of single characters."),
    "train-lm": ("jphtr.cli.train_lm", "train_lm", "Make a language model for reading from texts."),
    "train-page": ("jphtr.cli.train_page", "train_page", "Train a net that finds lines on pages."),
    "eval-line": ("jphtr.cli.evaluate", "eval_line", "Measure a line model on lines with known text."),
    "eval-char": ("jphtr.cli.eval_char", "eval_char", "Measure a classifier on pictures of known characters."),
    "eval-page": ("jphtr.cli.eval_page", "eval_page", "Measure how pages are taken apart and read."),
    "export": ("jphtr.cli.export", "export", "Make a model for reading from a training run."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and turns foreseen failures into one line and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, _, help) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click would import every command to name the nearest one
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}; there are: {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except JphtrError as error:
            complain(error)
            ctx.exit(1)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            complain(f"{error.filename or 'standard output'}: cannot be written: {error.strerror}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in its buffer would fail once more at the end
            ctx.exit(1)


def complain(error: JphtrError | str) -> None:
    """One line of error on stderr."""
    line = str(error).replace("\r", "\\r").replace("\n", "\\n")  # file names may hold these
    click.echo(f"jphtr: error: {line}", err=True)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"jphtr {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
def main() -> None:
    """Read lines of Japanese, written by hand or printed, horizontal or vertical."""
