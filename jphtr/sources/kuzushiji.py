"""KMNIST, Kuzushiji-49 and Kuzushiji-Kanji -> GlyphBlock, as published: IDX, gzipped IDX, npz, tar or folder.

Format and class maps after the KMNIST repository of ROIS-CODH; no file is unpacked to the disk and none is held in
memory whole. The published ink is bright on black and is turned, so that 255 is paper.

No writer or book is published for any of the three. The writer key is therefore the set and the part of it that must
stay together, `KMNIST:train`, `K49:test`, `KKANJI:valid`: scores on them are not writer-disjoint and must say so.

Columns of `GlyphBlock.meta` besides:

    official    uint8   the makers' split: 0 none, 1 train, 3 test (see SPLITS); Kuzushiji-Kanji has none
    published   uint8   the split to report on: the official one, for Kuzushiji-Kanji that of `kanji_split`
    label       uint8   class number, KMNIST and K49        code   uint32   code point as published, Kuzushiji-Kanji

`GlyphBlock.index` counts the pictures of a part's file (KMNIST and K49 start anew in their test part), or those of
the tar in its order, or those of the folder in the order of class and name.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError, ImageError
from jphtr.image import load_gray
from jphtr.records import GlyphBlock
from jphtr.sources.folder import character
from jphtr.splits import SPLITS, part_of

Name = Literal["KMNIST", "K49", "KKANJI"]
Split = Literal["train", "valid", "test"]

BLOCK = 4096
AGAIN = "download it again"
_SIDE = 28
_KANJI_SIDE = 64
_ARRAY = re.compile(
    r"(?:(?P<set>kmnist|k49)-)?(?P<part>train|test|t10k)-(?P<what>images|imgs|labels)"
    r"(?:(?P<idx>[-.]idx[13]-ubyte)(?:\.gz)?|(?P<npz>\.npz))"
)
_TAR = re.compile(r"kkanji2?\.tar(?:\.gz|\.xz|\.bz2)?")
_KANJI_FOLDER = re.compile(r"kkanji2?")
_K49_FOLDERS = frozenset({"k49", "kuzushiji-49", "kuzushiji49"})
_END_OF_TAR = 1024
_BROKEN = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error, zlib.error, lzma.LZMAError,
    tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a set, as `find` found it.

    Attributes
    ----------
    name : KMNIST, K49 or KKANJI.
    split : train or test; "" for Kuzushiji-Kanji, which comes in one piece.
    images : the file of pictures, or the tar or folder; None: missing.
    labels : the file of labels; None: missing, or Kuzushiji-Kanji, whose labels are folder names.
    again : further copies of the same part, which are not read.
    """

    name: Name
    split: Literal["train", "test", ""]
    images: Path | None
    labels: Path | None
    again: tuple[Path, ...] = ()

    @property
    def missing(self) -> str | None:
        """What lacks beside what is there, by its likely name; None if the part is whole."""
        there = self.images or self.labels
        if self.name == "KKANJI" or there is None or (self.images and self.labels):
            return None
        name = there.name
        if self.images:
            return name.replace("images", "labels").replace("imgs", "labels").replace("idx3", "idx1")
        return name.replace("labels", "imgs" if name.endswith(".npz") else "images").replace("idx1", "idx3")


def find(path: Path) -> tuple[Part, ...]:
    """The parts of the three sets at or below a path.

    Names are matched in any case, with `-` or `_`. Names without a set's (`train-images-idx3-ubyte.gz`) are KMNIST's,
    unless their folder, or the one above, is called K49. Images and labels pair when they lie in one folder; of
    several copies a whole pair is taken first, then IDX before npz, then the first path.

    Parameters
    ----------
    path : a folder, or a file: its partner is looked for beside it.

    Returns
    -------
    Parts in the order KMNIST, K49, KKANJI and train, test; empty if there is nothing.

    Raises
    ------
    DataError
        If there is no such path.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    alone = None if path.is_dir() else _array_key(path)
    beside = sorted(path.parent.iterdir()) if alone else [path]
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else beside
    pairs: dict[tuple[Name, str], dict[tuple[str, Path], dict[str, list[Path]]]] = {}
    for file in files:
        key = _array_key(file)
        if key is None or (alone and key[:3] != alone[:3]):
            continue
        name, split, kind, what = key
        pairs.setdefault((name, split), {}).setdefault((kind, file.parent), {}).setdefault(what, []).append(file)
    found = [_part(name, split, copies) for (name, split), copies in pairs.items()]
    kanji = [p for p in files if _TAR.fullmatch(_plain(p))] + _kanji_folders(path, bool(found))
    if kanji:
        found.append(Part("KKANJI", "", kanji[0], None, tuple(kanji[1:])))
    order = list(COUNTS)
    return tuple(sorted(found, key=lambda part: order.index((part.name, part.split))))


def read(part: Part, *, size: int = BLOCK) -> Iterator[GlyphBlock]:
    """The pictures of a part, `size` a block.

    Yields
    ------
    GlyphBlock
        gray (N, 28, 28) or, for Kuzushiji-Kanji, (N, 64, 64) uint8, 255 is paper; columns as in the module's text.

    Raises
    ------
    DataError
        One line that names file, place and cure: a file is missing, cut short, longer than it says, of another kind
        or set, images and labels differ in number, or a label or picture is impossible.
    """
    if part.images is None or (part.labels is None and part.name != "KKANJI"):
        there = part.images or part.labels
        raise DataError(f"{there}: its other half is missing; put {part.missing} beside it")
    if part.name == "KKANJI":
        yield from _read_kanji(part.images, size)
    elif part.labels is not None and part.split:
        yield from _read_arrays(part.name, part.split, part.images, part.labels, size)


def kanji_split(code: int, image: str) -> Split:
    """The published split of Kuzushiji-Kanji: 80 % train, 10 % valid, 10 % test, the same everywhere for ever.

    By the last decimal digit of the first 8 bytes, big-endian, of sha256("U+XXXX/image"): 0 to 7 train, 8 valid, 9
    test. Pictures of one book lie on all sides, as no book is published.

    Parameters
    ----------
    code : code point of the class folder.
    image : file name of the picture without folders, as published.
    """
    number = part_of(f"U+{code:04X}/{image}")
    return "train" if number == SPLITS["train"] else "valid" if number == SPLITS["valid"] else "test"


# ---- finding ----


def _plain(path: Path) -> str:
    return path.name.lower().replace("_", "-")


def _array_key(path: Path) -> tuple[Name, Literal["train", "test"], str, str] | None:
    """Set, split, idx or npz, images or labels: what a file's name says."""
    match = _ARRAY.fullmatch(_plain(path))
    if match is None or not path.is_file() or (match["npz"] and not match["set"]):
        return None
    k49 = match["set"] == "k49" or (
        not match["set"] and any(parent.name.lower() in _K49_FOLDERS for parent in [*path.resolve().parents][:2])
    )
    split: Literal["train", "test"] = "train" if match["part"] == "train" else "test"
    what = "labels" if match["what"] == "labels" else "images"
    return ("K49" if k49 else "KMNIST"), split, ("npz" if match["npz"] else "idx"), what


def _part(name: Name, split: str, copies: dict[tuple[str, Path], dict[str, list[Path]]]) -> Part:
    order = sorted(copies, key=lambda place: (len(copies[place]) < 2, place))
    # where a file lies packed and unpacked, the packed one is what was published
    halves = copies[order[0]]
    chosen = {what: max(files, key=lambda file: file.suffix.lower() == ".gz") for what, files in halves.items()}
    every = sorted(file for halves in copies.values() for files in halves.values() for file in files)
    again = tuple(file for file in every if file not in chosen.values())
    return Part(name, "train" if split == "train" else "test", chosen.get("images"), chosen.get("labels"), again)


def _kanji_folders(path: Path, else_found: bool) -> list[Path]:
    """Folders of Kuzushiji-Kanji: by name, or `path` itself if its folders are characters and nothing else is."""
    if not path.is_dir():
        return []
    named = [p for p in (path, *sorted(path.rglob("*"))) if p.is_dir() and _KANJI_FOLDER.fullmatch(_plain(p))]
    holding = [p for p in named if any(child.is_dir() and character(child.name) for child in p.iterdir())]
    if not holding and not else_found and any(p.is_dir() and character(p.name) for p in path.iterdir()):
        return [path]
    return holding


# ---- KMNIST and K49 ----


def _read_arrays(
    name: Literal["KMNIST", "K49"], split: Literal["train", "test"], images: Path, labels: Path, size: int
) -> Iterator[GlyphBlock]:
    classes = np.array([ord(char) for char in CLASSES[name]], np.uint32)
    with _open_array(images, 3) as pixels, _open_array(labels, 1) as numbers:
        if pixels.shape[1:] != (_SIDE, _SIDE) or pixels.dtype != np.uint8:
            raise DataError(
                f"{images}: pictures are {pixels.shape[1:]} {pixels.dtype}, not ({_SIDE}, {_SIDE}) uint8; {AGAIN}"
            )
        if pixels.shape[0] != numbers.shape[0]:
            raise DataError(
                f"{images}: {pixels.shape[0]:,} pictures, but {labels.name} has {numbers.shape[0]:,} labels; "
                f"take both files from one download"
            )
        label = np.concatenate([np.zeros(0, numbers.dtype), *numbers.rows(1 << 16)])
        wrong = np.flatnonzero((label < 0) | (label >= len(classes)))
        if len(wrong):
            raise DataError(
                f"{labels}: label {label[wrong[0]]} of picture {wrong[0]:,} is outside 0 to {len(classes) - 1} of "
                f"{name}; is it another set's file? {AGAIN}"
            )
        start = 0
        for block in pixels.rows(size):
            rows = slice(start, start + len(block))
            both = np.full(len(block), SPLITS[split], np.uint8)
            yield GlyphBlock(
                gray=255 - block,
                chars=classes[label[rows]],
                writer=np.zeros(len(block), np.int32),
                writers=(f"{name}:{split}",),
                source=name,
                index=np.arange(start, start + len(block), dtype=np.int64),
                meta={"official": both, "published": both.copy(), "label": label[rows].astype(np.uint8)},
            )
            start += len(block)


# ---- IDX and npz ----


@dataclass(frozen=True, slots=True)
class _Array:
    """An array in a file: what its header says, and its bytes as a stream."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stream: IO[bytes]

    def rows(self, size: int) -> Iterator[NDArray[Any]]:
        """The array `size` rows at a time, and a look whether the file ends where it says."""
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        for start in range(0, self.shape[0], size):
            count = min(size, self.shape[0] - start)
            with _explained(self.path):
                data = self.stream.read(count * row)
            if len(data) < count * row:
                at = start + len(data) // row
                raise DataError(f"{self.path}: ends after {at:,} of {self.shape[0]:,} entries; {AGAIN}")
            yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        with _explained(self.path):
            tail = self.stream.read(1)
        if tail:
            raise DataError(f"{self.path}: goes on after its {self.shape[0]:,} entries; {AGAIN}")


@contextmanager
def _open_array(path: Path, dimensions: int) -> Iterator[_Array]:
    """An IDX file, gzipped or not, or an npz; told apart by content, as browsers unpack .gz under its old name."""
    with ExitStack() as stack:
        with _explained(path):
            stream: IO[bytes] = stack.enter_context(open(path, "rb"))
            start = stream.read(4)
            stream.seek(0)
            if not start:
                raise DataError(f"{path}: is empty (0 bytes); {AGAIN}")
            zipped = start[:2] == b"PK"
            if path.suffix.lower() == ".npz" and not zipped:
                raise DataError(f"{path}: is no npz: it starts with {start!r}; {AGAIN}")
            if start[:2] == b"\x1f\x8b":
                stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream, mode="rb")))
            found = _npz(path, stream, stack) if zipped else _idx(path, stream)
        if len(found.shape) != dimensions or found.dtype.kind not in "iu":
            wanted = "pictures (N, 28, 28)" if dimensions == 3 else "labels (N,)"
            raise DataError(f"{path}: holds {found.shape} {found.dtype}, not {wanted}; are the two files swapped?")
        yield found


def _idx(path: Path, stream: IO[bytes]) -> _Array:
    zeros, kind, dimensions = struct.unpack(">HBB", _exactly(path, stream, 4))
    if zeros or kind != 8 or not 1 <= dimensions <= 4:
        magic = f"0x{zeros:04X}{kind:02X}{dimensions:02X}"
        raise DataError(f"{path}: starts with {magic}, not 0x00000803 or 0x00000801: no IDX file of bytes; {AGAIN}")
    shape = struct.unpack(f">{dimensions}I", _exactly(path, stream, 4 * dimensions))
    return _Array(path, shape, np.dtype(np.uint8), stream)


def _npz(path: Path, stream: IO[bytes], stack: ExitStack) -> _Array:
    """The member arr_0; numpy's own loader would hold all of it, and unpickle if asked to."""
    archive = stack.enter_context(zipfile.ZipFile(stream))
    if "arr_0.npy" not in archive.namelist():
        raise DataError(f"{path}: has no array arr_0, but {', '.join(archive.namelist()[:3]) or 'nothing'}; {AGAIN}")
    member = stack.enter_context(archive.open("arr_0.npy"))
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{path}: arr_0 has npy version {version}, not 1.0 or 2.0; save it again with numpy.savez")
    head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = head(member)
    if dtype.hasobject:
        raise DataError(f"{path}: arr_0 holds Python objects, which are never loaded; {AGAIN}")
    if by_columns and len(shape) > 1:
        raise DataError(f"{path}: arr_0 lies in column order; save numpy.ascontiguousarray of it")
    return _Array(path, shape, dtype, member)


def _exactly(path: Path, stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise DataError(f"{path}: ends inside its header; {AGAIN}")
    return data


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Whatever a decoder says of broken bytes, as one line that names the file."""
    try:
        yield
    except _BROKEN as error:
        gist = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(f"{path}: broken or cut short: {gist[:200]}; {AGAIN}") from None


# ---- Kuzushiji-Kanji ----


class _Picture(NamedTuple):
    gray: NDArray[np.uint8]
    char: str
    code: int
    split: Split


def _read_kanji(path: Path, size: int) -> Iterator[GlyphBlock]:
    pictures, start = _kanji_pictures(path), 0
    while batch := [picture for _, picture in zip(range(size), pictures, strict=False)]:
        split = np.array([SPLITS[picture.split] for picture in batch], np.uint8)
        yield GlyphBlock(
            gray=np.stack([picture.gray for picture in batch]),
            chars=np.array([ord(picture.char) for picture in batch], np.uint32),
            writer=(split - 1).astype(np.int32),
            writers=tuple(f"KKANJI:{name}" for name in SPLITS),
            source="KKANJI",
            index=np.arange(start, start + len(batch), dtype=np.int64),
            meta={
                "official": np.zeros(len(batch), np.uint8),
                "published": split,
                "code": np.array([picture.code for picture in batch], np.uint32),
            },
        )
        start += len(batch)
    if not start:
        raise DataError(f"{path}: no picture in a folder named by its character; {AGAIN}")


def _kanji_pictures(path: Path) -> Iterator[_Picture]:
    for name, data in _files_of_folder(path) if path.is_dir() else _files_of_tar(path):
        place = f"{path}: {name}"
        folder = name.parent.name
        char = character(folder)
        if char is None:
            raise DataError(f"{place}: the folder {folder!r} names no character; {AGAIN}")
        try:
            gray = load_gray(io.BytesIO(data), name=place)
        except ImageError as error:
            raise DataError(f"{error}; {AGAIN}") from None
        if gray.shape != (_KANJI_SIDE, _KANJI_SIDE):
            raise DataError(
                f"{place}: {gray.shape[1]} x {gray.shape[0]} px, not {_KANJI_SIDE} x {_KANJI_SIDE}; {AGAIN}"
            )
        code = int(folder[2:], 16) if folder[:2].upper() == "U+" else ord(char)
        yield _Picture(255 - gray, char, code, kanji_split(code, name.name))


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") and part != "." for part in name.parts)  # ._x.png is a Mac's note, no picture
    return name.suffix.lower() == ".png" and not hidden and "__MACOSX" not in name.parts


def _files_of_folder(root: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    inside = (PurePosixPath(path.relative_to(root).as_posix()) for path in root.rglob("*") if path.is_file())
    for name in sorted((name for name in inside if _is_picture(name)), key=lambda name: name.parts):
        with _explained(root / name):
            data = (root / name).read_bytes()
        yield name, data


def _files_of_tar(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    with _explained(path), tarfile.open(path, "r:*") as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would remember all 140,000
            name = PurePosixPath(member.name)
            if member.isfile() and _is_picture(name) and (file := tar.extractfile(member)) is not None:
                yield name, file.read()
        # tarfile takes a file that ends between two members for whole
        if isinstance(tar.fileobj, io.BufferedReader) and path.stat().st_size >= _END_OF_TAR:
            with open(path, "rb") as raw:
                raw.seek(-_END_OF_TAR, io.SEEK_END)
                if any(raw.read()):
                    raise DataError(f"{path}: cut short, the end mark is missing; {AGAIN}")


# ---- tables ----


class Published(NamedTuple):
    """What is known of a file as published; None where nothing is."""

    size: int | None
    md5: str | None
    sha256: str | None


CLASSES: dict[str, str] = {  # place in the text is the label
    "KMNIST": "おきすつなはまやれを",
    "K49": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわゐゑをんゝ",
}

COUNTS: dict[tuple[str, str], int] = {  # pictures of a part as published
    ("KMNIST", "train"): 60_000,
    ("KMNIST", "test"): 10_000,
    ("K49", "train"): 232_365,
    ("K49", "test"): 38_547,
    ("KKANJI", ""): 140_424,  # 140,426 in copies from before May 2024
}
KANJI_CLASSES = 3_832

LICENCE = "CC-BY-SA-4.0"
CITATION = (
    '"KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and others), '
    "doi:10.20676/00000341"
)

# File name -> bytes and digests. Files from before 5 February 2019 differ: their pictures were partly wrong.
PUBLISHED: dict[str, Published] = {
    "train-images-idx3-ubyte.gz": Published(
        18_165_135,
        "bdb82020997e1d708af4cf47b453dcf7",
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    ),
    "train-labels-idx1-ubyte.gz": Published(
        29_497, "e144d726b3acfaa3e44228e80efcd344", "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"
    ),
    "t10k-images-idx3-ubyte.gz": Published(
        3_041_136,
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    ),
    "t10k-labels-idx1-ubyte.gz": Published(
        5_120, "7320c461ea6c1c855c0b718fb2a4b134", "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"
    ),
    "kmnist-train-imgs.npz": Published(18_384_171, "a183fbc01ed9a345513b145673d3d0bb", None),
    "kmnist-train-labels.npz": Published(29_700, "b0e1d240e8afec72b50437fc3bc5908a", None),
    "kmnist-test-imgs.npz": Published(3_079_479, "dace6de62ca8b90843cc45366337d02e", None),
    "kmnist-test-labels.npz": Published(5_304, "3ae489a79983d0fe386152684e3b5412", None),
    "kmnist_classmap.csv": Published(151, "899202f6e8dc29a321ac210a03d0f2f1", None),
    "k49-train-imgs.npz": Published(
        66_117_696,
        "7ac088b20481cf51dcd01ceaab89d821",
        "1c42adc463ed8efe598cf002f6ecafbca6d8c38f0551f7a35e0b23755fca1c8d",
    ),
    "k49-train-labels.npz": Published(
        164_485, "44a8e1b893f81e63ff38d73cad420f7a", "fbfef4750ce9aa70b6072f0bca7daa9e80e2d79b379d5ae923265a63396260e4"
    ),
    "k49-test-imgs.npz": Published(
        10_971_201,
        "d352e201d846ce6b94f42c990966f374",
        "1de2476bb29ed1a12a2424e6724349f7519f6f39d112848aea6aa9c21eeaf594",
    ),
    "k49-test-labels.npz": Published(
        27_450, "4da6f7a62e67a832d5eb1bd85c5ee448", "299be30ea32c2cc69318f5a5a579ffbffb0a6a1ccff134fb0ca834cd525ad6af"
    ),
    "k49_classmap.csv": Published(
        697, "f7d0d0391f68bdf0fe4cf160ceb85753", "95f5a2cfbfba1721f566059cf77c22808898b63044a5f9a08de9d8a2950eed84"
    ),
    "kkanji.tar": Published(None, None, "6c65024b7b79de6661a049c89decfddae8bb908f71fcd7fdf1bd9a7f220a1cda"),
}
