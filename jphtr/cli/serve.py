"""`jphtr serve`: a page in the browser, and an HTTP API beside it."""

from __future__ import annotations

import os
import socket
import webbrowser
from pathlib import Path

import click

from jphtr.errors import SettingsError, require
from jphtr.serve.limits import Limits

_PATH = click.Path(path_type=Path)
_USUAL = Limits()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option("--open/--no-open", "open_page", default=False, show_default=True, help="Open the page in a browser.")
@click.option("-m", "--model", type=_PATH, help="An .onnx line model; by default the one in the package.")
@click.option(
    "--detector", metavar="FILE|classical", help="A model that finds lines; by default the one in the package."
)
@click.option("--classifier", metavar="FILE|NAME", help="Tells single characters; by default the line model does.")
@click.option("--lm", metavar="FILE|none", help="Language model of the beam; by default the one in the package.")
@click.option("--save", "folder", type=_PATH, metavar="DIR", help="Let callers store corrected lines here.")
@click.option(
    "--workers", type=click.IntRange(1), help="Files read at a time; by default half of the cores, at most 4."
)
@click.option("--allow-host", "names", multiple=True, metavar="NAME",
              help="A host name under which the server may be called; repeatable.")  # fmt: skip
@click.option("--max-mb", "megabytes", type=click.FloatRange(0.001), default=_USUAL.megabytes, show_default=True,
              help="Of one upload.")  # fmt: skip
@click.option("--max-megapixels", "megapixels", type=click.FloatRange(0.001, 178), default=_USUAL.megapixels,
              show_default=True, help="Of one picture or page.")  # fmt: skip
@click.option("--max-pages", "pages", type=click.IntRange(1), default=_USUAL.pages, show_default=True,
              help="Of one file.")  # fmt: skip
@click.option("--timeout", "seconds", type=click.FloatRange(0.1), default=_USUAL.seconds, show_default=True,
              help="Seconds that one file may be worked on.")  # fmt: skip
@click.option("--queue", type=click.IntRange(0), default=_USUAL.queue, show_default=True,
              help="Requests that may wait; more are told to come back.")  # fmt: skip
def serve(
    host: str, port: int, open_page: bool, model: Path | None, detector: str | None, classifier: str | None, lm: str | None,
    folder: Path | None, workers: int | None, names: tuple[str, ...], megabytes: float, megapixels: float, pages: int,
    seconds: float, queue: int,
) -> None:  # fmt: skip
    """Show a page in the browser that reads pictures, and answer the same over HTTP.

    Only programs on this machine reach it unless --host says otherwise. Nothing is stored unless --save says where.
    The API describes itself under /openapi.json. Ctrl-C ends it.
    """
    for module in ("starlette", "uvicorn", "python_multipart"):
        require(module, "serve")
    from jphtr.serve import server
    from jphtr.serve.reading import Models

    if folder is not None and folder.exists() and not folder.is_dir():
        raise SettingsError(f"--save {folder}: is not a folder; name one")
    limits = Limits(megabytes, megapixels, pages, seconds, queue=queue)
    cores = os.cpu_count() or 1
    workers = workers or max(1, min(4, cores // 2))
    models = Models(model, detector, classifier, lm, max(1, cores // workers))
    with server.listen(host, port) as listening:
        private = server.is_private(host)
        own = () if private else (socket.gethostname(), f"{socket.gethostname()}.local")
        url = _url(host, listening.getsockname()[1])

        def ready() -> None:
            click.echo(f"jphtr: the page is at {url}  (Ctrl-C ends it)", err=True)
            if not private:
                line = "everybody who reaches this address can use the server, without password or encryption"
                click.echo(f"jphtr: warning: {line}", err=True)
            if open_page:
                webbrowser.open(url)

        server.serve(listening, models, limits, workers=workers, names=(host, *own, *names), folder=folder, ready=ready)


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds the page."""
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"
