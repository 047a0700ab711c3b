"""KMNIST, K49 and Kuzushiji-Kanji in every published form come back, and what is not one of them is told in a line."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jphtr.errors import DataError
from jphtr.sources import kuzushiji
from jphtr.sources.kuzushiji import CLASSES, COUNTS, PUBLISHED, Part, find, kanji_split, read

N = 123


def pixels(count: int = N, side: int = 28, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def labels(classes: int, count: int = N) -> NDArray[np.uint8]:
    return (np.arange(count) * 7 % classes).astype(np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz(array: NDArray[np.generic], name: str = "arr_0") -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{name: array})  # type: ignore[arg-type]
    return file.getvalue()


def packed(array: NDArray[np.uint8]) -> bytes:
    return gzip.compress(idx(array))


FORMS: dict[str, tuple[str, str, str, str, Callable[[NDArray[np.uint8]], bytes]]] = {
    "idx": ("KMNIST", "test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", idx),
    "gzip": ("KMNIST", "train", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", packed),
    "dots": ("KMNIST", "test", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", idx),
    "npz": ("KMNIST", "train", "kmnist-train-imgs.npz", "kmnist-train-labels.npz", npz),
    "case": ("KMNIST", "test", "KMNIST_test_imgs.npz", "kmnist-Test-Labels.NPZ", npz),
    "k49": ("K49", "test", "k49-test-imgs.npz", "k49-test-labels.npz", npz),
    "k49 idx": ("K49", "train", "k49-train-images-idx3-ubyte.gz", "k49-train-labels-idx1-ubyte.gz", packed),
    "k49 folder": ("K49", "train", "K49/raw/train-images-idx3-ubyte", "K49/raw/train-labels-idx1-ubyte", idx),
    "unpacked by a browser": ("KMNIST", "train", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", idx),
}


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_arrays(tmp_path: Path, form: str) -> None:
    name, split, image_file, label_file, write = FORMS[form]
    label = labels(len(CLASSES[name]))
    put(tmp_path / image_file, write(pixels()))
    put(tmp_path / label_file, write(label))
    put(tmp_path / ".DS_Store", b"x")
    (part,) = find(tmp_path)
    assert (part.name, part.split, part.missing) == (name, split, None)
    assert (part,) == find(tmp_path / image_file) == find(tmp_path / label_file)
    blocks = list(read(part, size=50))
    assert [len(block) for block in blocks] == [50, 50, 23]
    assert np.array_equal(np.concatenate([b.gray for b in blocks]), 255 - pixels())
    assert "".join(chr(c) for b in blocks for c in b.chars) == "".join(CLASSES[name][i] for i in label)
    assert np.array_equal(np.concatenate([b.index for b in blocks]), np.arange(N))
    for block in blocks:
        assert block.source == name and block.writers == (f"{name}:{split}",) and not block.writer.any()
        assert block.chars.dtype == np.uint32 and block.writer.dtype == np.int32 and block.index.dtype == np.int64
        official = block.meta["official"]
        assert official.dtype == np.uint8 and (official == {"train": 1, "test": 3}[split]).all()
        assert np.array_equal(official, block.meta["published"])
    assert np.array_equal(np.concatenate([b.meta["label"] for b in blocks]), label)


def test_a_file_written_by_hand(tmp_path: Path) -> None:
    head = bytes.fromhex("00000803 00000001 0000001c 0000001c")
    put(tmp_path / "t10k-images-idx3-ubyte", head + b"\x00" * 29 + b"\xff" + b"\x10" * 754)
    put(tmp_path / "t10k-labels-idx1-ubyte", bytes.fromhex("00000801 00000001 09"))
    (block,) = read(find(tmp_path)[0])
    assert chr(block.chars[0]) == "を"
    assert (block.gray[0, 0] == 255).all() and block.gray[0, 1, :3].tolist() == [255, 0, 239]


def test_class_maps_are_the_published_files() -> None:
    for name in ("KMNIST", "K49"):
        rows = "".join(f"{i},U+{ord(c):04X},{c}\n" for i, c in enumerate(CLASSES[name]))
        text = f"index,codepoint,char\n{rows}".encode()
        known = PUBLISHED[f"{name.lower()}_classmap.csv"]
        assert (known.size, known.md5) == (len(text), hashlib.md5(text).hexdigest())


def test_the_published_table() -> None:
    assert len(PUBLISHED) == 15 and len({row.md5 for row in PUBLISHED.values() if row.md5}) == 14
    for row in PUBLISHED.values():
        assert row.md5 is None or len(bytes.fromhex(row.md5)) == 16
        assert row.sha256 is None or len(bytes.fromhex(row.sha256)) == 32
    assert sum(COUNTS.values()) == 70_000 + 270_912 + 140_424


def test_finding(tmp_path: Path) -> None:
    for folder, write, ending in (("a", packed, ".gz"), ("a", idx, ""), ("b", idx, "")):
        put(tmp_path / folder / f"train-images-idx3-ubyte{ending}", write(pixels()))
        put(tmp_path / folder / f"train-labels-idx1-ubyte{ending}", write(labels(10)))
    put(tmp_path / "k49-test-imgs.npz", npz(pixels()))
    put(tmp_path / "k49_train_labels.npz", npz(labels(49)))
    put(tmp_path / "t10k-labels-idx1-ubyte.gz", packed(labels(10)))
    put(tmp_path / "kkanji.tar", b"")
    train, test, k49_train, k49_test, kanji = find(tmp_path)
    assert train.images == tmp_path / "a" / "train-images-idx3-ubyte.gz" and len(train.again) == 4
    assert (test.images, test.missing) == (None, "t10k-images-idx3-ubyte.gz")
    assert (k49_train.images, k49_train.missing) == (None, "k49_train_imgs.npz")
    assert (k49_test.labels, k49_test.missing) == (None, "k49-test-labels.npz")
    assert kanji == Part("KKANJI", "", tmp_path / "kkanji.tar", None)
    for part in (test, k49_train, k49_test):
        with pytest.raises(DataError, match=f"put {part.missing} beside it"):
            list(read(part))
    (tmp_path / "nothing").mkdir()
    assert find(tmp_path / "nothing") == ()
    with pytest.raises(DataError, match="no such"):
        find(tmp_path / "none")


def damaged(data: bytes) -> bytes:
    return data[:200] + bytes(b ^ 0x55 for b in data[200:400]) + data[400:]


IMAGES, LABELS = pixels(), labels(10)
WRONG: dict[str, tuple[str, bytes, bytes, str]] = {
    "gz cut short": ("gz", packed(IMAGES)[:-4000], packed(LABELS), "images.*download"),
    "gz cut in its trailer": ("gz", packed(IMAGES)[:-4], packed(LABELS), "images.*download"),
    "gz labels cut short": ("gz", packed(IMAGES), packed(LABELS)[:-12], "labels.*download"),
    "gz damaged": ("gz", damaged(packed(IMAGES)), packed(LABELS), "images.*download"),
    "idx cut short": ("gz", idx(IMAGES)[:-800], packed(LABELS), "ends after 121 of 123"),
    "idx with a tail": ("gz", gzip.compress(idx(IMAGES) + b"x"), packed(LABELS), "goes on after its 123"),
    "idx cut in its header": ("gz", gzip.compress(idx(IMAGES)[:9]), packed(LABELS), "inside its header"),
    "empty": ("gz", b"", packed(LABELS), "is empty"),
    "empty inside": ("gz", gzip.compress(b""), packed(LABELS), "inside its header"),
    "text": ("gz", b"<!DOCTYPE html><html></html>", packed(LABELS), "images.*0x3C214"),
    "swapped": ("gz", packed(LABELS), packed(IMAGES), "swapped"),
    "two images": ("gz", packed(IMAGES), packed(IMAGES), "labels.*swapped"),
    "wrong type": ("gz", idx(IMAGES).replace(b"\x08\x03", b"\x0d\x03", 1), packed(LABELS), "0x00000D03"),
    "counts differ": ("gz", packed(IMAGES), packed(LABELS[:-1]), "123 pictures.*122 labels"),
    "another size": ("gz", packed(pixels(side=32)), packed(LABELS), "32, 32"),
    "label out of range": ("gz", packed(IMAGES), packed(LABELS + 1), "label 10 of picture 7 "),
    "a lying header": ("gz", gzip.compress(b"\0\0\x08\x03" + b"\xff" * 4 + idx(IMAGES)[8:]), packed(LABELS), "4,294,967,295 p"),
    "npz that is none": ("npz", b"no zip at all", npz(LABELS), "is no npz"),
    "npz cut short": ("npz", npz(IMAGES)[:-300], npz(LABELS), "imgs.*download"),
    "npz damaged": ("npz", damaged(npz(IMAGES)), npz(LABELS), "imgs.*download"),
    "npz without arr_0": ("npz", npz(IMAGES, "x"), npz(LABELS), "no array arr_0, but x.npy"),
    "npz of objects": ("npz", npz(np.array([{}, 1], object)), npz(LABELS), "never loaded"),
    "npz of floats": ("npz", npz(IMAGES / 255), npz(LABELS), "float64"),
    "npz of wide numbers": ("npz", npz(IMAGES.astype(np.int32)), npz(LABELS), "int32"),
    "npz by columns": ("npz", npz(np.asfortranarray(IMAGES)), npz(LABELS), "column order"),
    "npz with a label below 0": ("npz", npz(IMAGES), npz(LABELS.astype(np.int64) - 1), "label -1 of picture 0 "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays(tmp_path: Path, case: str) -> None:
    kind, image_data, label_data, said = WRONG[case]
    names = ("kmnist-test-imgs.npz", "kmnist-test-labels.npz")
    if kind == "gz":
        names = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    for name, data in zip(names, (image_data, label_data), strict=True):
        put(tmp_path / name, data)
    with pytest.raises(DataError, match=said) as error:
        list(read(find(tmp_path)[0], size=50))
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(tmp_path)) and len(message) < 400


def test_an_npz_whose_member_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "kmnist-test-imgs.npz", "w") as archive:
        archive.writestr("arr_0.npy", "not an array")
    put(tmp_path / "kmnist-test-labels.npz", npz(LABELS))
    with pytest.raises(DataError, match=r"imgs.*download"):
        list(read(find(tmp_path)[0]))


def test_labels_of_any_integer_type(tmp_path: Path) -> None:
    put(tmp_path / "k49-test-imgs.npz", npz(pixels()))
    put(tmp_path / "k49-test-labels.npz", npz(labels(49).astype(">i8")))
    (block,) = read(find(tmp_path)[0])
    assert np.array_equal(block.meta["label"], labels(49)) and block.meta["label"].dtype == np.uint8


# ---- Kuzushiji-Kanji ----


def png(gray: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return file.getvalue()


def kanji(letters: bool = False, count: int = 40) -> dict[str, bytes]:
    """Files of a made Kuzushiji-Kanji; the third class is a compatibility code point."""
    classes = ["U+4E00", "U+6F22", "U+FA19", "U+20B9F"]
    folders = [chr(int(name[2:], 16)) for name in classes] if letters else classes
    return {
        f"kkanji2/{folders[i % 4]}/{i:04d}.png": png(gray) for i, gray in enumerate(pixels(count, 64))
    }  # fmt: skip


def tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize("form", ["tar", "tar.gz", "folder", "tar of letters", "folder of letters", "bare folder"])
def test_kanji(tmp_path: Path, form: str) -> None:
    files = kanji("letters" in form)
    extra = {"kkanji2/README.md": b"x", "kkanji2/U+4E00/._0000.png": b"x", "kkanji2/.DS_Store": b"x"}
    if "tar" in form:
        ending, mode = (".tar.gz", "w:gz") if "gz" in form else (".tar", "w")
        put(tmp_path / f"kkanji{ending}", tar(files | extra, mode))
    else:
        for name, data in (files | extra).items():
            put(tmp_path / (name.removeprefix("kkanji2/") if form == "bare folder" else name), data)
    (part,) = find(tmp_path)
    assert (part.name, part.split, part.missing) == ("KKANJI", "", None)
    blocks = list(read(part, size=16))
    assert [len(block) for block in blocks] == [16, 16, 8]
    names = list(files) if "tar" in form else sorted(files)
    number = [int(Path(name).stem) for name in names]
    assert np.array_equal(np.concatenate([b.gray for b in blocks]), 255 - pixels(40, 64)[number])
    assert "".join(chr(c) for b in blocks for c in b.chars) == "".join("一漢神𠮟"[i % 4] for i in number)
    assert np.array_equal(np.concatenate([b.index for b in blocks]), np.arange(40))
    if "letters" not in form:  # a letter may be stored in another normal form
        codes = [(0x4E00, 0x6F22, 0xFA19, 0x20B9F)[i % 4] for i in number]
        assert np.concatenate([b.meta["code"] for b in blocks]).tolist() == codes
        for block, start in zip(blocks, (0, 16, 32), strict=True):
            for row in range(len(block)):
                split = kanji_split(codes[start + row], Path(names[start + row]).name)
                assert block.writers[block.writer[row]] == f"KKANJI:{split}"
                assert kuzushiji.SPLITS[split] == block.meta["published"][row]
            assert not block.meta["official"].any()


def test_the_kanji_split_is_fixed() -> None:
    counts = Counter(kanji_split(0x4E00 + i % 3832, f"{i:08x}.png") for i in range(20_000))
    assert abs(counts["train"] - 16_000) < 250 and abs(counts["valid"] - 2_000) < 200 > abs(counts["test"] - 2_000)
    digest = hashlib.sha256(b"U+4E00/a.png").hexdigest()
    last = int(digest[:16], 16) % 10
    assert kanji_split(0x4E00, "a.png") == ("train" if last < 8 else ("valid", "test")[last - 8])


PNG = next(iter(kanji().values()))  # noise does not compress: all of them take as many blocks of the tar
WRONG_KANJI: dict[str, tuple[bytes, str]] = {
    "text": (b"<html>404</html>" * 100, "download"),
    "empty": (b"", "download"),
    "cut in a picture": (tar(kanji())[:20_000], "download"),
    "cut between pictures": (tar(kanji())[: 5 * (512 + -(-len(PNG) // 512) * 512)], "end mark is missing"),
    "cut in a header": (tar(kanji())[: 5 * (512 + -(-len(PNG) // 512) * 512) + 300], "end mark is missing"),
    "gz cut short": (tar(kanji(), "w:gz")[:-3000], "download"),
    "no pictures": (tar({"kkanji2/README": b"x"}), "no picture in a folder"),
    "a folder that is no character": (tar({"kkanji2/U+4E00x/1.png": png(pixels(1, 64)[0])}), "'U.4E00x' names no"),
    "a picture that is none": (tar({"kkanji2/U+4E00/1.png": b"no picture"}), "U.4E00/1.png: not a picture"),
    "a picture cut short": (tar({"kkanji2/U+4E00/1.png": png(pixels(1, 64)[0])[:900]}), "U.4E00/1.png: broken"),
    "another size": (tar({"kkanji2/U+4E00/1.png": png(pixels(1, 28)[0])}), "28 x 28 px, not 64 x 64"),
}


@pytest.mark.parametrize("case", WRONG_KANJI)
def test_wrong_kanji(tmp_path: Path, case: str) -> None:
    data, said = WRONG_KANJI[case]
    put(tmp_path / "kkanji.tar", data)
    with pytest.raises(DataError, match=said) as error:
        list(read(find(tmp_path)[0]))
    assert "\n" not in str(error.value) and str(error.value).startswith(str(tmp_path / "kkanji.tar"))
