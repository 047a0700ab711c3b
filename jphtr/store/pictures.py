"""A glyph file -> pictures for other tools: folders of PNG files or an npz, whole or not at all.

    folders   OUT/[SPLIT/]U+XXXX/SOURCE-INDEX.png, one folder a class, as torchvision's ImageFolder and Keras read them
              OUT/glyphs.tsv     path<TAB>character<TAB>writer: the list that `sources.folder` reads
              OUT/glyphs.json    what the pictures come from: sources with licences, digest, normalisation, polarity
    npz       arrays of equal length: images (N, H, W) uint8, labels int32 (places in the file's charset), index int64,
              and as text chars, writers, sources, splits; nothing of it is pickled

Names of pictures do not depend on what else is taken from a file. SOURCE is followed by the official split of a set
that has one and by the number of the archive's file, where index counts anew in each; what then still has a name twice,
such as a font's forms for vertical lines, is numbered: `-33_2`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError
from jphtr.records import Gray
from jphtr.store.read import GlyphFile
from jphtr.whole import sync_folder

Rows = NDArray[np.int64]
Done = Callable[[int], None]  # called with the number of pictures written since the last call

LIST = "glyphs.tsv"
ABOUT = "glyphs.json"
_BATCH = 1024  # pictures read at a time
_THREADS = 4
_LEVEL = 1  # of deflate; PNG files of this size take a block of the disk anyway


def first_of_each(glyphs: GlyphFile, rows: Rows, limit: int, *, by_split: bool = True) -> Rows:
    """The first rows of each class, at most `limit`; with `by_split` of each class in each split."""
    group = glyphs.label[rows].astype(np.int64) << 8
    return rows[_place(group + split_of(glyphs)[rows] if by_split else group) < limit]


def split_of(glyphs: GlyphFile) -> NDArray[np.uint8]:
    """The column `split` (N,) uint8; zeros if the file has none."""
    there = any("split" in names for names in glyphs.columns.values())
    return glyphs.column("split") if there else np.zeros(len(glyphs), np.uint8)


def _known_split(glyphs: GlyphFile, names: Mapping[int, str]) -> NDArray[np.uint8]:
    part = split_of(glyphs)
    if strange := sorted(set(np.unique(part).tolist()) - names.keys()):
        raise DataError(f"{glyphs.path}: column split holds {strange[0]}, which is no split; write the file again")
    return part


def write_folders(
    path: Path,
    glyphs: GlyphFile,
    rows: Rows,
    names: Mapping[int, str],
    *,
    by_split: bool = True,
    invert: bool = False,
    done: Done = lambda count: None,
) -> None:
    """Write PNG files, a folder for each class, with their list.

    The list leaves out what its reader does not take: pictures of the space and of no known character.

    Parameters
    ----------
    path : the folder; it is absent, or an empty one.
    glyphs, rows : the open file and which of its pictures, rising.
    names : of the values of the column `split`.
    by_split : a folder for each split above those of the classes; without effect on a file that has no splits.
    invert : ink is 255 and paper 0.
    done : see Done.

    Raises
    ------
    DataError
        If the folder is not empty, or cannot be written.
    """
    part, name_of = _known_split(glyphs, names), _Names(glyphs, names)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise DataError(f"{path}: exists and is not empty; choose a new folder")
    splits = by_split and bool(part.any())
    classes = [f"U+{ord(char):04X}" if char else "unknown" for char in glyphs.charset.chars]
    with _beside(path) as beside, ThreadPoolExecutor(_THREADS) as pool:
        made: set[str] = set()
        with open(beside / LIST, "w", encoding="utf-8", newline="\n") as file:
            for some, pixels in _batches(glyphs, rows, invert):
                files = []
                for row in some.tolist():
                    folder = classes[glyphs.label[row]]
                    folder = f"{names[int(part[row])]}/{folder}" if splits else folder
                    if folder not in made:
                        (beside / folder).mkdir(parents=True, exist_ok=True)
                        made.add(folder)
                    files.append(f"{folder}/{name_of(row)}.png")
                    char = glyphs.charset.chars[glyphs.label[row]]
                    if char and not char.isspace():
                        writer = " ".join(glyphs.writers[glyphs.writer[row]].split())
                        file.write(f"{files[-1]}\t{char}\t{writer}\n")
                list(pool.map(_save, (beside / name for name in files), pixels))
                done(len(some))
        (beside / ABOUT).write_text(_about(glyphs, len(rows), invert), encoding="utf-8", newline="\n")
        if hasattr(os, "sync"):
            os.sync()  # once for all of them: a call for each of a million files would take far longer


def write_npz(
    path: Path,
    glyphs: GlyphFile,
    rows: Rows,
    names: Mapping[int, str],
    *,
    invert: bool = False,
    done: Done = lambda count: None,
) -> None:
    """Write an npz, which `numpy.load` reads; an older file is replaced. Parameters as for `write_folders`.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    part = _known_split(glyphs, names)
    texts: dict[str, tuple[NDArray[np.str_], NDArray[Any]]] = {
        "chars": (np.array(glyphs.charset.chars), glyphs.label),
        "writers": (np.array(glyphs.writers), glyphs.writer),
        "sources": (np.array([source.name for source in glyphs.sources]), glyphs.source),
        "splits": (np.array([names[value] for value in range(max(names) + 1)]), part),
    }
    with _beside(path, folder=False) as beside:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            pixels = (pixels for _, pixels in _batches(glyphs, rows, invert, done))
            _member(archive, "images", np.dtype(np.uint8), (len(rows), *glyphs.shape), pixels)
            for name, column in (("labels", glyphs.label), ("index", glyphs.index)):
                _member(archive, name, column.dtype, (len(rows),), (column[some] for some in _pieces(rows)))
            for name, (table, place) in texts.items():
                _member(archive, name, table.dtype, (len(rows),), (table[place[some]] for some in _pieces(rows)))
        with open(beside, "rb+") as handle:
            os.fsync(handle.fileno())


class _Names:
    """The names of the pictures of a file, by row: unique in the whole file, so the same for any choice of rows."""

    def __init__(self, glyphs: GlyphFile, splits: Mapping[int, str]) -> None:
        known = {name for names in glyphs.columns.values() for name in names}
        columns = [glyphs.source.astype(np.int64)]
        for name in ("official", "file"):
            columns.append(glyphs.column(name).astype(np.int64) if name in known else np.zeros(len(glyphs), np.int64))
        kinds, kind = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        self.index = glyphs.index
        self.kind = kind.reshape(-1)
        self.heads = []
        for source, part, number in kinds.tolist():
            words = [_safe(glyphs.sources[source].name)]
            words += [splits.get(part, str(part))] if part else []
            words += [f"{number:02d}"] if number else []
            self.heads.append("-".join(words))
        # some file systems do not tell A from a
        order = {head: place for place, head in enumerate(dict.fromkeys(head.lower() for head in self.heads))}
        same = np.array([order[head.lower()] for head in self.heads], np.int64)[self.kind]
        self.again = _place(same, glyphs.index)

    def __call__(self, row: int) -> str:
        again = int(self.again[row])
        return f"{self.heads[self.kind[row]]}-{self.index[row]}{f'_{again + 1}' if again else ''}"


def _safe(name: str) -> str:
    """A name as part of a file name on any system; fifty letters of four bytes leave room for the rest."""
    return re.sub(r"[^\w.+-]+", "_", name)[:50].strip(".") or "_"


def _place(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows before each row have the same keys: (N,) int64."""
    order = np.lexsort(keys)
    new = np.ones(len(order), bool)
    new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    at = np.arange(len(order))
    place = np.empty(len(order), np.int64)
    place[order] = at - np.maximum.accumulate(np.where(new, at, 0))
    return place


def _pieces(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


def _batches(
    glyphs: GlyphFile, rows: Rows, invert: bool, done: Done = lambda count: None
) -> Iterator[tuple[Rows, NDArray[np.uint8]]]:
    for some in _pieces(rows):
        try:
            pixels = glyphs.grays(some)
        except OSError as error:
            raise DataError(f"{glyphs.path}: damaged: {error}; write the file again") from None
        yield some, 255 - pixels if invert else pixels
        done(len(some))


def _save(path: Path, gray: Gray) -> None:
    from PIL import Image

    Image.fromarray(gray).save(path, "PNG", compress_level=_LEVEL)


def _member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], pieces: Iterator[NDArray[Any]]
) -> None:
    """An array of an npz, written piece by piece: numpy would hold all of it."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, head)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).tobytes())


def _about(glyphs: GlyphFile, count: int, invert: bool) -> str:
    about = {
        "pictures": count,
        "ink": "bright" if invert else "dark",
        "from": {"name": glyphs.path.name, "digest": glyphs.digest},
        "sources": [asdict(source) for source in glyphs.sources],
        "normalisation": glyphs.normalisation,
    }
    return json.dumps(about, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@contextmanager
def _beside(path: Path, *, folder: bool = True) -> Iterator[Path]:
    """A place beside `path` to write to, which becomes `path` when all went well and else vanishes."""
    path = path.absolute()  # "." has no name to put something beside
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            beside.mkdir()
        yield beside
        if folder and path.exists():
            path.rmdir()  # it is empty
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if folder:
            shutil.rmtree(beside, ignore_errors=True)
        else:
            with suppress(OSError):
                beside.unlink()
