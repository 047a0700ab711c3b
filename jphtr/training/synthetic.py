"""A small glyph file from the fonts of this machine, for whoever has no data yet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from jphtr.charset import default
from jphtr.errors import DataError
from jphtr.records import Glyph
from jphtr.sources.fonts import EM, draw
from jphtr.sources.fonts_faces import Face, faces, find
from jphtr.store import Source, write_glyphs
from jphtr.training.scripts import charset_of

_FACES = 12  # drawn at most
_COVERED = 0.9  # part of the characters that a face must have


def font_folders() -> list[Path]:
    """The folders in which this system keeps fonts, as far as they are there."""
    home = Path.home()
    folders = {
        "win32": [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"],
        "darwin": [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"],
    }.get(
        sys.platform, [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    )  # fmt: skip
    return [folder for folder in folders if folder.is_dir()]


def render(path: Path, script: str, folders: list[Path] | None = None) -> None:
    """Write a glyph file of a script, drawn in up to twelve faces of different families.

    Parameters
    ----------
    path : the glyph file; its folder is made when missing.
    script : what `charset_of` takes.
    folders : where to look for fonts; None takes the system's.

    Raises
    ------
    DataError
        If no font is found that has the script.
    SettingsError
        If there is no such script.
    """
    charset = charset_of(script, ())
    chars = charset.to_text()
    where = font_folders() if folders is None else folders
    chosen: list[Face] = []
    for face in _covering(where, chars):
        if face.family not in {other.family for other in chosen}:
            chosen.append(face)
        if len(chosen) == _FACES:
            break
    if not chosen or not chars:
        places = ", ".join(map(str, where)) or "this system"
        raise DataError(
            f"{places}: no font that has the script {script}; install a Japanese one, or name glyph files with --data"
        )

    def glyphs() -> Iterator[Glyph]:
        for face in chosen:
            yield from draw(face, default(), chars=chars)

    path.parent.mkdir(parents=True, exist_ok=True)
    sources = [Source(face.path.name, face.sha256, face.licence) for face in chosen]
    write_glyphs(path, glyphs(), default(), sources=sources, normalisation={"canvas": 64, "em": EM})


def _covering(folders: list[Path], chars: str) -> Iterator[Face]:
    """Faces that have nearly all of the characters; fonts that cannot be drawn are passed over."""
    if not folders:
        return
    for path in find(folders):
        try:
            for face in faces(path):
                if sum(char in face.upright for char in chars) >= _COVERED * len(chars):
                    yield face
        except DataError:
            continue
