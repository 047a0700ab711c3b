"""Model headers: written, read back without a runtime, and refused for a reason."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from toy_model import CHARS, header, write_toy

from jphtr import bundle
from jphtr.bundle import CLASSIFIERS, FORMAT, KEY, Header, find_model, header_json, read_header
from jphtr.errors import ModelError


def write_safetensors(path: Path, metadata: dict[str, str] | None) -> Path:
    table = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = json.dumps(table | ({"__metadata__": metadata} if metadata is not None else {})).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + np.zeros(2, np.float32).tobytes())
    return path


def test_onnx_header_comes_back(tmp_path: Path) -> None:
    wanted = header(scores={"cer": 0.01}, data=[{"name": "KanjiVG", "licence": "CC BY-SA 3.0"}], created="2026-11-21")
    path = write_toy(tmp_path / "m.onnx", header_json(wanted))
    assert read_header(path) == wanted
    assert read_header(str(path)).characters.chars == ("", *CHARS)
    props = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(props[KEY]) == asdict(wanted)


def test_safetensors_header_comes_back(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "m.safetensors", {KEY: header_json(header())})
    assert read_header(path) == header()
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(path, "numpy") as file:
        assert Header(**json.loads(file.metadata()[KEY])) == header()


def test_reading_a_header_needs_no_runtime(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "m.onnx")
    code = (
        "import sys; from jphtr.bundle import read_header; read_header(sys.argv[1]);"
        "assert not {'onnx', 'onnxruntime', 'torch', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_a_large_graph_is_skipped_not_read(tmp_path: Path) -> None:
    model = onnx.load(write_toy(tmp_path / "m.onnx"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(3_000_000, np.float32), "big"))
    (tmp_path / "big.onnx").write_bytes(model.SerializeToString())
    assert read_header(tmp_path / "big.onnx") == header()


def raw(**changes: object) -> str:
    return json.dumps(asdict(header()) | changes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one of jphtr"),
        ("no json", "not a model header"),
        ("[1]", "not a model header"),
        ("{}", "not a model header"),
        (raw(format=FORMAT + 1), "newer"),
        (raw(format="9"), "newer"),
        (json.dumps({"format": 1, "name": "x"}), "incomplete"),
        (raw(charset=7), "incomplete"),
        (raw(arch=[1]), "incomplete"),
        (raw(charset="ああ"), "incomplete"),
        (raw(charset=CHARS + "も"), "8 classes, the charset 9"),
        (raw(height=64), "64 px"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, text: str, why: str) -> None:
    for path in (
        write_toy(tmp_path / "m.onnx", text),
        write_safetensors(tmp_path / "m.safetensors", {KEY: text} if text else None),
    ):
        with pytest.raises(ModelError, match=why) as caught:
            read_header(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    assert read_header(write_toy(tmp_path / "m.onnx", raw(mood="good"))) == header()


@pytest.mark.parametrize("name", ["m.onnx", "m.safetensors", "m.bin", "m"])
@pytest.mark.parametrize(
    "data", [b"", b"x", b"{}" * 50, "これは文".encode() * 9, b"\x89PNG\r\n\x1a\n" * 9, b"\xff" * 64]
)
def test_files_that_are_no_models(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError):
        read_header(tmp_path / name)


def test_models_of_the_package_go_by_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MODELS", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    write_toy(tmp_path / "kanji")
    with pytest.raises(ModelError, match=r"^kanji: no such model file; the package holds none$"):
        find_model("kanji")
    assert find_model("./kanji") == Path("kanji")
    for name in ("kanji", "kuzushiji"):
        write_toy(tmp_path / "models" / f"{name}.onnx")
        assert name in CLASSIFIERS and find_model(name) == tmp_path / "models" / f"{name}.onnx"
    with pytest.raises(ModelError, match=r"^katakana: .*; those in the package are called kanji, kuzushiji$"):
        find_model("katakana")
    with pytest.raises(ModelError, match=r"^katakana\.onnx: no such model file$"):
        find_model("katakana.onnx")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        read_header(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="folder"):
        read_header(tmp_path)


def test_cut_or_scrambled_models_raise_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = write_toy(tmp_path / "m.onnx").read_bytes()
    path = tmp_path / "bad.onnx"
    for cut in np.linspace(1, len(good) - 1, 60).astype(int):
        path.write_bytes(good[:cut])
        with pytest.raises(ModelError):
            read_header(path)
    for _ in range(200):
        bad = np.frombuffer(good, np.uint8).copy()
        bad[rng.integers(0, len(bad), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(bad.tobytes())
        with suppress(ModelError):  # a byte of the weights may change unseen
            read_header(path)


def test_a_model_of_something_else(tmp_path: Path) -> None:
    graph = helper.make_graph([], "empty", [], [])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match="not one of jphtr"):
        read_header(tmp_path / "m.onnx")
