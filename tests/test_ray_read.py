"""Reading through Ray Data, on this machine: the same results as `jphtr read`, from folders and from tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from test_page_reader import broken_in_the_middle
from toy_model import draw, write_toy

from jphtr.bulk import Reading
from jphtr.cli import main
from jphtr.cli.read_ray import read_ray
from jphtr.errors import DataError, JphtrError, MissingExtraError
from jphtr.image import load_gray
from jphtr.ray_read import open_pictures, read_pictures, read_to_parquet, write_readings

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*")  # of settings that Ray itself makes
SAMPLES = Path(__file__).parent.parent / "samples"
CHARS = "あいうえお漢"


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray with two CPUs."""
    found = pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("ray.data", reason="Ray Data is not installed")
    found.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    found.data.DataContext.get_current().enable_progress_bars = False
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "line.onnx")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*args: object) -> Result:
    return CliRunner().invoke(read_ray, list(map(str, args)))


def rows(folder: str) -> list[dict[str, Any]]:
    """What a folder of parquet holds, file by file."""
    found: list[dict[str, Any]] = __import__("pyarrow.dataset").dataset.dataset(folder).to_table().to_pylist()
    return found


def png(text: str) -> bytes:
    Image.fromarray(draw(text)).save("one.png")
    return Path("one.png").read_bytes()


def test_a_folder_is_read_as_jphtr_read_does(ray: Any, model: Path) -> None:
    Path("s/deep").mkdir(parents=True)
    for number in range(40):  # more than one share
        Image.fromarray(draw(CHARS[number % 6 :])).save(f"s/{number:02}.png")
    Image.fromarray(draw(CHARS, direction="vertical")).save("s/deep/v.png")
    Path("s/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    broken_in_the_middle(Path("s/letters.tif"))
    options = ["-m", model, "--decoder", "greedy", "--detector", "classical"]
    wanted = CliRunner().invoke(main, ["read", "s", "-f", "jsonl", *map(str, options)])
    done = call("s", "-o", "out", "-j", 2, *options)
    found = rows("out")
    assert (done.exit_code, done.stdout) == (1, "")

    read = [row for row in found if row["error"] is None]
    for row, said in zip(read, map(json.loads, wanted.stdout.splitlines()), strict=True):  # in the same order
        assert [row[key] for key in ("path", "text", "model", "version")] == [
            said[key] for key in ("path", "text", "model", "version")
        ]
        assert row["page"] == said.get("page", 1)
        if "lines" in said:
            keys = ("text", "direction", "confidence", "quad", "block", "kind")
            assert row["lines"] == [{key: line[key] for key in keys} for line in said["lines"]]
            assert 0 < row["confidence"] <= 1
        else:
            (line,) = row["lines"]
            assert row["confidence"] == line["confidence"] == said["confidence"]
            assert (line["text"], line["direction"]) == (said["text"], said["direction"])
            height, width = load_gray(row["path"]).shape
            assert line["quad"] == [[0, 0], [width, 0], [width, height], [0, height]]
    assert len(read) == 43 and {len(row["lines"]) for row in read} == {1, 4}

    failed = {row["path"]: row["error"] for row in found if row["error"] is not None}
    assert failed.keys() == {"s/broken.png", "s/letters.tif"}
    assert "page 2: broken picture" in failed["s/letters.tif"]
    *errors, last = done.stderr.splitlines()
    assert sorted(errors) == sorted(wanted.stderr.splitlines()[:-1])
    assert last == "jphtr: 2 of 43 could not be read; their rows say why"
    assert [path.name for path in Path().iterdir() if "part" in path.name] == []


def test_tables_of_pictures(ray: Any, model: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    Path("data").mkdir()
    hub = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    for part, texts in enumerate((CHARS[:4], CHARS[4:])):
        pictures = [{"bytes": png(char), "path": f"{char}.png"} for char in texts]
        table = pa.table({"image": pa.array(pictures, hub), "text": list(texts), "number": range(len(texts))})
        parquet.write_table(table, f"data/train-0000{part}.parquet")
    options = ["-m", model, "--decoder", "greedy", "--line", "-j", 1]
    assert call("data", "-o", "hub", *options).exit_code == 0
    assert [(row["path"], row["text"]) for row in rows("hub")] == [(f"{char}.png", char) for char in CHARS]

    plain = {"key": [7, 8, 9, 10], "scan": [png("あい"), None, b"no picture", png("漢")]}
    parquet.write_table(pa.table(plain, pa.schema({"key": pa.int64(), "scan": pa.binary()})), "plain.parquet")
    done = call("plain.parquet", "-o", "plain", "--id-name", "key", *options)
    assert done.exit_code == 1 and "2 of 4 could not be read" in done.stderr
    first, second, third, fourth = rows("plain")
    assert [(row["path"], row["text"], row["error"]) for row in (first, fourth)] == [
        ("7", "あい", None),
        ("10", "漢", None),
    ]
    assert second["text"] is None and second["error"].startswith("no bytes of a picture")
    assert third["text"] is None and third["error"].startswith("not a picture")


def test_any_data_set_of_pictures_can_be_read(ray: Any) -> None:
    pictures = ray.data.read_binary_files(str(SAMPLES), include_paths=True, file_extensions=["png"])
    found = read_pictures(pictures, Reading(decoding={"decoder": "greedy"}), jobs=1).take_all()
    wanted = CliRunner().invoke(main, ["read", str(SAMPLES), "-f", "jsonl", "--decoder", "greedy"])
    texts = {Path(row["path"]).name: row["text"] for row in map(json.loads, wanted.stdout.splitlines())}
    assert len(texts) == 5
    assert {Path(row["path"]).name: row["text"] for row in found} == texts


def test_a_reader_that_dies_is_one_line(ray: Any, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(draw("あ")).save("a.png")
    lists = Path("allowed.txt")
    lists.write_text("あ", "utf-8")
    how = Reading(model, {"allow": (f"@{lists}",), "decoder": "greedy"}, layout="line")
    pictures, _ = open_pictures(["a.png"])
    found = read_pictures(pictures, how, jobs=1)
    lists.unlink()  # what is there when the call is made may not be where it is read

    with pytest.raises(JphtrError, match=r"^Ray: .*allowed.txt") as caught:
        write_readings(found, Path("out"), 1)
    assert "\n" not in str(caught.value)
    assert not Path("out").exists() and not list(Path().glob(".out*"))


def test_what_cannot_be_read_through_ray(ray: Any, model: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    Image.fromarray(draw("あ")).save("a.png")
    parquet.write_table(pa.table({"text": ["あ"]}), "texts.parquet")
    parquet.write_table(pa.table({"one": [b"1"], "two": [b"2"]}), "two.parquet")
    parquet.write_table(pa.table({"image": pa.array([], pa.binary()), "id": pa.array([], pa.string())}), "none.parquet")
    Path("bad.parquet").write_bytes(b"PAR1 nothing more")
    for inputs, names, why in [
        (["a.png", "two.parquet"], {}, "two.parquet: a table among pictures"),
        (["texts.parquet"], {}, "texts.parquet: no column of pictures among text"),
        (["two.parquet"], {}, "two.parquet: 2 columns that may be pictures among one, two"),
        (["two.parquet"], {"picture_name": "one"}, "two.parquet: which column tells one picture from another"),
        (["two.parquet"], {"picture_name": "three"}, "two.parquet: no column 'three'; there are one, two"),
        (["texts.parquet"], {"picture_name": "text"}, "holds no bytes of pictures but string"),
        (["none.parquet"], {}, "none.parquet: has no rows"),
        (["bad.parquet"], {}, "bad.parquet: not parquet that can be read"),
        (["gone.parquet"], {}, "gone.parquet: no such file"),
        (["-"], {}, "standard input"),
        (["a\udcff.png"], {}, "not UTF-8"),
    ]:
        with pytest.raises(DataError, match=why) as caught:
            open_pictures(inputs, **names)
        assert "\n" not in str(caught.value)
    Path("out").mkdir()
    with pytest.raises(DataError, match="out: is there already"):
        read_to_parquet(["a.png"], Path("out"), Reading(model))
    with pytest.raises(JphtrError, match=r"none.onnx: no such model file"):
        read_to_parquet(["a.png"], Path("new"), Reading("none.onnx"))
    assert call("a.png").exit_code == 2  # where to?


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "ray.data"):
        monkeypatch.setitem(sys.modules, name, None)
    done = call("a.png", "-o", "out")
    assert isinstance(done.exception, MissingExtraError)
    assert 'pip install "jphtr[ray]"' in str(done.exception)
