"""Lines of a page with their corrected text -> what training takes: a picture `x.png` and its text `x.gt.txt`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from PIL import Image

from jphtr.records import Gray, Page
from jphtr.segment import crop
from jphtr.whole import write_whole

_SUFFIXES = (".png", ".gt.txt")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same lines make the same zip


def training_lines(gray: Gray, page: Page, stem: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files for every line of a page that has a text, two a line.

    A line is called by where it stands on its page, so that it has one name whichever others come with it.

    Parameters
    ----------
    gray : (H, W) uint8, the upright page.
    stem : what the names begin with.
    """
    taken: set[str] = set()
    for line in page.lines:
        if line.recognition.text:
            x, y, _, _ = line.region.box
            name = f"{stem}-p{page.number}-x{x:.0f}-y{y:.0f}"
            while name in taken:
                name += "-2"
            taken.add(name)
            picture = io.BytesIO()
            Image.fromarray(crop(gray, line.region).gray).save(picture, "PNG")
            yield name + _SUFFIXES[0], picture.getvalue()
            yield name + _SUFFIXES[1], f"{line.recognition.text}\n".encode()


def stem_of(name: str) -> str:
    """What files may be called after a file of this name: its letters and digits, without folders and suffix."""
    plain = re.sub(r"[^\w-]+", "-", PurePosixPath(name.replace("\\", "/")).stem).strip("-_")
    return plain[:40] or "line"


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Files as one zip."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:  # PNG does not shrink further
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return data.getvalue()


def saved(files: Iterable[tuple[str, bytes]], folder: Path) -> int:
    """Write files into a folder, each whole, and count them; a file of the same name is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, content in files:
        write_whole(folder / name, content)
        count += 1
    return count
