"""`jphtr eval-char`: how well a classifier tells characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jphtr.errors import DataError, ModelError, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jphtr.evaluate_char import Classifies, Report
    from jphtr.records import Gray

_FILE = click.Path(path_type=Path)


@click.command("eval-char")
@click.argument("model")
@click.argument("data", nargs=-1, required=True, type=_FILE)
@click.option("--set", "source", metavar="NAME", help="Only the glyphs of this set, such as ETL8G.")
@click.option("--split", metavar="PART", help="Only the glyphs of train, valid or test.")
@click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only glyphs with this value, such as quality=0 or style=hand. Several must all hold.",
)
@click.option("--chars", metavar="TEXT|FILE", help="Only these characters, or those of a UTF-8 file.")
@click.option("--fit-temperature", is_flag=True, help="Find the temperature that makes confidence right on DATA.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--html", type=_FILE, metavar="HTML", help="Write a page with pictures of confusions and mistakes.")
@click.option(
    "--markdown", type=_FILE, metavar="MD", help="The same as Markdown, with its pictures in a folder beside it."
)
@click.option("--per-glyph", type=_FILE, metavar="TSV", help="Write a row for every picture: truth, answers.")
@click.option("--confusions", default=20, show_default=True, type=click.IntRange(0), help="Confusions to list.")
@click.option("--worst", default=50, show_default=True, type=click.IntRange(1), help="Worst mistakes in reports.")
@click.option(
    "-B", "--batch-size", default=256, show_default=True, type=click.IntRange(1), help="Pictures classified together."
)
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores.")
def eval_char(
    model: str,
    data: tuple[Path, ...],
    source: str | None,
    split: str | None,
    where: tuple[str, ...],
    chars: str | None,
    fit_temperature: bool,
    as_json: bool,
    html: Path | None,
    markdown: Path | None,
    per_glyph: Path | None,
    confusions: int,
    worst: int,
    batch_size: int,
    threads: int | None,
) -> None:
    """Measure MODEL on pictures of known characters.

    MODEL is an .onnx file, the name of a classifier in the package, or a run folder or .safetensors of training, which
    need torch. DATA are glyph files (.h5), folders with a folder for each character, or lists of path and character.

    Pictures of characters that the model lacks are counted and in no score. Intervals are drawn over writers where there
    are at least five, else over pictures. Exit code 1 says that some pictures could not be read.
    """
    import json

    from jphtr.cli import complain
    from jphtr.cli.inspect import chars_of, choice
    from jphtr.cli.progress import watched
    from jphtr.evaluate_char import evaluate, report
    from jphtr.evaluate_char.data import open_pictures
    from jphtr.whole import write_whole

    if html is not None:
        require("jphtr.html")
    named = [(key, value) for key, value in (("set", source), ("split", split)) if value is not None]
    choices = [*named, *map(choice, where)]
    pictures = [open_pictures(path, choices, None if chars is None else chars_of(chars)) for path in data]
    with watched(sum(map(len, pictures))) as done:
        found = evaluate(_model(model, threads), model, pictures, fit=fit_temperature, batch_size=batch_size, done=done)
    if per_glyph is not None:
        write_whole(per_glyph, report.per_glyph(found).encode("utf-8", "surrogateescape"))
    if html is not None:
        write_whole(html, report.html(found, max(confusions, worst), worst).encode("utf-8", "surrogateescape"))
    if markdown is not None:
        _write_markdown(found, markdown, max(confusions, worst), worst)
    if as_json:
        click.echo(json.dumps(report.summary(found, confusions, worst), ensure_ascii=False, indent=2))
    else:
        click.echo(report.table(found, confusions))
    for error in found.failed:
        complain(error)
    if found.failed:
        click.get_current_context().exit(1)


def _write_markdown(found: Report, path: Path, confusions: int, worst: int) -> None:
    from jphtr.evaluate_char import report
    from jphtr.whole import write_whole

    folder = path.with_name(f"{path.stem}-pictures")
    text, pictures = report.markdown(found, folder.name, confusions, worst)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}); choose another name for {path}") from None
    for name, content in pictures.items():
        write_whole(folder / name, content)
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def _model(name: str, threads: int | None) -> Classifies:
    """A model for classifying, or the net of a training run."""
    from jphtr.bundle import CLASSIFIERS

    path = Path(name)
    if name not in CLASSIFIERS and (path.suffix == ".safetensors" or path.is_dir()):
        return _Trained(path, threads)
    from jphtr.classifier import Classifier

    return Classifier(name, threads=threads)


class _Trained:
    """The best weights of a run folder, or those of a .safetensors file, as a classifier: for looking while it trains."""

    def __init__(self, path: Path, threads: int | None) -> None:
        for module in ("torch", "safetensors.torch", "timm"):
            require(module)
        import torch

        from jphtr.nets.glyph import GlyphNet
        from jphtr.training.checkpoint import fill, load_weights

        if path.is_dir():
            path = path / "best.safetensors"
        self.header, weights = load_weights(path)
        if self.header.kind != "glyph":
            raise ModelError(f"{path}: a {self.header.kind} model does not classify characters; give a glyph model")
        self._net = GlyphNet(**self.header.arch)
        fill(self._net, weights, self.header.characters, self.header.characters, path)
        self._net.eval()
        if threads is not None:
            torch.set_num_threads(threads)

    def probabilities(self, grays: Sequence[Gray]) -> NDArray[np.float32]:
        import numpy as np
        import torch

        from jphtr.cell import to_input

        squares = np.stack([to_input(gray, **self.header.input) for gray in grays])
        with torch.inference_mode():
            logits = self._net(torch.from_numpy(squares)) / self.header.temperature
        found: NDArray[np.float32] = logits.softmax(dim=1).numpy()
        return found
