"""The command line as a stranger meets it: every picture tried, one clear line for each failure."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from test_image import bomb
from toy_model import draw, write_toy

from jphtr.cli import COMMANDS, main

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "line.onnx")


@pytest.fixture
def run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: object, stdin: bytes | None = None) -> Result:
        # the toy is equally sure in all frames of a character, as no trained net is: the best path is known exactly
        command = ["read", "-m", str(model), "--decoder", "greedy", *map(str, args)]
        result = CliRunner().invoke(main, command, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def save(name: str, text: str, **options: object) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw(text, **options)).save(path)  # type: ignore[arg-type]
    return path


def test_one_picture_prints_its_bare_text(run: Run) -> None:
    result = run(save("a.png", "あい漢"))
    assert (result.stdout, result.stderr, result.exit_code) == ("あい漢\n", "", 0)


def test_several_print_path_and_text(run: Run) -> None:
    save("s/a.png", "あい")
    save("s/deep/b.webp", "うえお", direction="vertical")
    assert run("s").stdout == "s/a.png: あい\ns/deep/b.webp: うえお\n"
    assert run("s/*.png", "s/deep").stdout == "s/a.png: あい\ns/deep/b.webp: うえお\n"
    assert run("s/deep").stdout == "うえお\n"


def test_standard_input(run: Run) -> None:
    data = save("a.png", "あい漢").read_bytes()
    assert run("-", stdin=data).stdout == "あい漢\n"
    assert run("a.png", "-", stdin=data).stdout == "a.png: あい漢\n-: あい漢\n"
    assert json.loads(run("-", "-f", "json", stdin=data).stdout)[0]["path"] == "-"
    result = run("-", stdin=b"")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "jphtr: error: -: is empty (0 bytes)\n"


def test_formats_and_output(run: Run) -> None:
    save("a.png", "あい")
    assert run("a.png", "-f", "tsv").stdout.startswith("a.png\tあい\t0.9")
    for name, option in [("out.json", []), ("out.txt", ["-f", "json"])]:
        result = run("a.png", "-o", name, *option)
        assert result.stdout == ""
        (entry,) = json.loads(Path(name).read_text("utf-8"))
        assert entry["text"] == "あい"
        assert entry["path"] == "a.png"
        assert entry["direction"] == "horizontal"
        assert entry["model"] == "toy 0.0"
        assert len(entry["chars"]) == 2
        assert len(entry["chars"][0]["alternatives"]) == 3
    run("a.png", "-o", "out.jsonl", "--top-k", 0)
    assert json.loads(Path("out.jsonl").read_text("utf-8"))["chars"][0]["alternatives"] == []
    assert sorted(p.name for p in Path().iterdir()) == ["a.png", "out.json", "out.jsonl", "out.txt"]


def test_an_output_that_fails_leaves_the_old_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    save("a.png", "あい")
    Path("out.txt").write_text("old")

    def interrupted(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("jphtr.reader.Reader.read_many", interrupted)
    assert run("a.png", "-o", "out.txt").exit_code == 1
    assert Path("out.txt").read_text() == "old"
    assert sorted(p.name for p in Path().iterdir()) == ["a.png", "out.txt"]


@pytest.mark.skipif(os.name != "posix", reason="no /dev/null")
def test_a_device_is_written_to_and_not_replaced(run: Run) -> None:
    assert run(save("a.png", "あい"), "-o", "/dev/null", "-f", "text").exit_code == 0
    assert not Path("/dev/null").is_file()


def test_output_through_a_link(run: Run) -> None:
    save("a.png", "あい")
    Path("real.txt").write_text("old")
    Path("link.txt").symlink_to("real.txt")
    run("a.png", "-o", "link.txt")
    assert Path("link.txt").is_symlink()
    assert Path("real.txt").read_text("utf-8") == "あい\n"


def test_unwritable_output(run: Run) -> None:
    result = run(save("a.png", "あい"), "-o", "none/out.txt")
    assert result.exit_code == 1
    assert result.stderr == "jphtr: error: none/out.txt: cannot be written: No such file or directory\n"


def test_min_confidence_and_direction(run: Run) -> None:
    path = save("a.png", "あい漢")
    assert run(path, "--min-confidence", 1).stdout == "〓〓〓\n"
    assert run(path, "--min-confidence", 1, "--unsure", "drop").stdout == "\n"
    assert run(path, "--direction", "horizontal").stdout == "あい漢\n"
    assert run(path, "--direction", "vertical").stdout != "あい漢\n"


def test_decoders_and_lists_of_characters(run: Run) -> None:
    path = save("a.png", "あい漢、")
    for args in [
        ("--decoder", "greedy"),
        ("--decoder", "beam"),
        ("--lm", "none"),
        ("--beam-width", 2, "--lm-weight", 0),
    ]:
        assert run(path, *args).stdout == "あい漢、\n"
    for decoder in ("greedy", "beam"):
        kana = run(path, "--decoder", decoder, "--allowlist", "hiragana", "--blocklist", "い").stdout.strip()
        assert kana[0] == "あ" and set(kana) <= set("あうえお")
    Path("few.txt").write_text("漢、", "utf-8")
    assert set(run(path, "--allowlist", "@few.txt").stdout.strip()) == set("漢、")


def test_nbest(run: Run) -> None:
    path = save("a.png", "あい漢、")
    (entry,) = json.loads(run(path, "-f", "json", "--nbest", 3, "--lm", "none").stdout)
    assert entry["nbest"][0]["text"] == entry["text"] == "あい漢、"
    assert [set(one) for one in entry["nbest"]] == [{"text", "share"}] * len(entry["nbest"])
    assert len(entry["nbest"]) <= 3
    assert "nbest" not in json.loads(run(path, "-f", "jsonl").stdout)


def test_wrong_language_models_and_lists_are_one_line(run: Run) -> None:
    path = save("a.png", "あい漢、")
    Path("bad.lm").write_bytes(b"x")
    beam = "--decoder", "beam", "--lm"
    for args, said in [((*beam, "none.lm"), "none.lm: no such language model"), ((*beam, "bad.lm"), "bad.lm: is not a"),
                       (("--allowlist", "@x"), "x: No such file"), (("--allowlist", "鬱"), "knows none")]:  # fmt: skip
        result = run(path, *args)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1 and said in result.stderr


def test_batch_size_and_threads_change_nothing(run: Run) -> None:
    for i in range(7):
        save(f"s/{i}.png", "あい漢、"[: 1 + i % 4] + "お", direction="vertical" if i % 2 else "horizontal")
    assert run("s").stdout == run("s", "-B", 1).stdout == run("s", "-B", 3, "--threads", 1).stdout


def test_bad_pictures_are_named_and_the_others_read(run: Run) -> None:
    save("01-good.png", "あい漢")
    whole = Path("01-good.png").read_bytes()
    gray = draw("あい漢")
    Path("02-truncated.png").write_bytes(whole[: len(whole) // 2])
    Path("03-empty.png").touch()
    Image.new("L", (1, 1)).save("04-one-pixel.png")
    save("05-wide.png", "あい漢、うえお" * 51)
    Image.fromarray(gray.astype(np.uint16) * 257).save("06-deep.png")
    Image.fromarray(gray).convert("RGB").convert("CMYK").save("07-cmyk.jpg", quality=95)
    alpha = Image.fromarray(np.where(gray < 128, 1, 0).astype(np.uint8)).convert("P")
    alpha.putpalette([0, 0, 0, 20, 20, 20])
    alpha.save("08-alpha.png", transparency=0)
    Image.fromarray(gray).save("09-animated.gif", save_all=True, append_images=[Image.new("L", gray.shape[::-1], 9)])
    Path("10-text.png").write_text("これは絵ではない", "utf-8")
    Path("11-bomb.png").write_bytes(bomb())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(gray))).save("12-turned.png", exif=exif)
    Image.fromarray(255 - gray).save("13-light-on-dark.png")
    Image.new("L", (300, 48), 255).save("14-blank.png")
    Path("15-folder").mkdir()

    result = run(*sorted(p for p in Path().iterdir()), "16-missing.png", "17-*.png")
    assert result.exit_code == 1
    read = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    good = (
        "01-good.png",
        "06-deep.png",
        "07-cmyk.jpg",
        "08-alpha.png",
        "09-animated.gif",
        "12-turned.png",
        "13-light-on-dark.png",
    )
    assert read == dict.fromkeys(good, "あい漢") | {"05-wide.png": "あい漢、うえお" * 51, "14-blank.png": ""}
    reasons = [
        ("02-truncated.png", "broken"),
        ("03-empty.png", "0 bytes"),
        ("04-one-pixel.png", "cannot hold a character"),
        ("10-text.png", "not a picture"),
        ("11-bomb.png", "pixels"),
        ("15-folder", "no pictures in this folder"),
        ("16-missing.png", "no such file"),
        ("17-*.png", "no such file"),
    ]
    *lines, last = result.stderr.splitlines()
    assert last == "jphtr: 8 of 17 could not be read"
    for line, (name, why) in zip(lines, reasons, strict=True):
        assert line.startswith(f"jphtr: error: {name}: ")
        assert why in line


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_picture(run: Run) -> None:
    save("a.png", "あい").chmod(0)
    save("b.png", "うえ")
    result = run("a.png", "b.png")
    assert (result.exit_code, result.stdout) == (1, "b.png: うえ\n")
    assert result.stderr == "jphtr: error: a.png: permission denied; make the file readable\n"


def test_a_name_with_a_line_break_is_still_one_line(run: Run) -> None:
    assert run("no\nsuch.png").stderr.count("\n") == 1


def test_wrong_use_is_exit_code_2(run: Run) -> None:
    save("a.png", "あい")
    save("b.png", "あい")
    for args in [
        (),
        ("a.png", "-f", "xls"),
        ("a.png", "-o", "out.xls"),
        ("a.png", "--direction", "up"),
        ("a.png", "-B", "0"),
        ("a.png", "--min-confidence", "2"),
        ("a.png", "b.png", "-v", "vis.png"),
        ("a.png", "--no-such-flag"),
        ("a.png", "--decoder", "wordbeam"),
        ("a.png", "--lm-weight", "-1"),
        ("a.png", "--beam-width", "0"),
    ]:
        result = run(*args)
        assert result.exit_code == 2, args
        assert result.stdout == ""
    assert CliRunner().invoke(main, ["raed"]).exit_code == 2


def test_a_missing_model_is_one_line(run: Run) -> None:
    result = run(save("a.png", "あい"), "-m", "none.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "jphtr: error: none.onnx: no such model file\n"


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_vis_of_one_and_of_several(run: Run) -> None:
    for name in ("x/a.png", "y/a.png", "y/b.jpg"):
        save(name, "あい漢")
    assert run("x/a.png", "-v", "vis.png").stdout == "あい漢\n"
    assert size_of("vis.png")[1] > 52
    assert run("x", "y", "-v", "drawn").exit_code == 0
    assert sorted(p.name for p in Path("drawn").iterdir()) == ["a-2.png", "a.png", "b.png"]
    data = Path("x/a.png").read_bytes()
    assert run("-", "-v", "in.png", stdin=data).exit_code == 0
    assert size_of("in.png") == size_of("vis.png")


def test_vis_without_a_font_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.formats.overlay._LIKELY", ())
    result = run(save("a.png", "あい"), "-v", "vis.png")
    assert result.stdout == "あい\n"
    assert "--font" in result.stderr
    assert Path("vis.png").exists()
    assert run("a.png", "-v", "vis.png", "--font", "a.png").exit_code == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(main, [command, "-h"])
    assert result.exit_code == 0, result.output
    assert "--help" in result.stdout


def test_info(model: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["info", str(model)])
    assert result.exit_code == 0
    assert "toy" in result.stdout
    header = json.loads(CliRunner().invoke(main, ["info", "--json", str(model)]).stdout)
    assert header["name"] == "toy"
    (tmp_path / "x.onnx").write_text("no model")
    result = CliRunner().invoke(main, ["info", str(tmp_path / "x.onnx")])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def python(code: str, *args: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )


def test_reading_never_imports_torch(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save("a.png", "あい漢")
    code = (
        "import sys; from jphtr.cli import main; main(sys.argv[1:], standalone_mode=False);"
        "heavy = {'torch', 'torchvision', 'timm', 'onnx', 'cv2', 'pydantic', 'h5py'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = python(code, "read", "-m", model, "a.png", PYTHONPATH=_checkout())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "あい漢\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom jphtr.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'PIL', 'onnxruntime', 'torch', 'h5py'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = python(code, PYTHONPATH=_checkout())
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "euc_jp"}])
def test_output_is_utf8_whatever_the_locale(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save("a.png", "あい漢")
    code = "import sys; from jphtr.cli import main; main(sys.argv[1:])"
    done = python(code, "read", "-m", model, "a.png", "a.png", PYTHONPATH=_checkout(), **locale)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8") == "a.png: あい漢\n" * 2


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_reader_that_goes_away_is_no_disaster(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(40):
        save(f"s/{i:02}.png", "あい漢")
    read_end, write_end = os.pipe()
    os.close(read_end)
    with io.FileIO(write_end, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "jphtr", "read", "-m", str(model), "s"],
            stdout=closed, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": _checkout()}, check=False,
        )  # fmt: skip
    assert done.stderr == b""


def _checkout() -> str:
    return str(Path(__file__).resolve().parents[1])


def rows(path: str) -> dict[str, str]:
    """Path -> text of a JSON lines file, every line of which stands once."""
    found = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    assert len({row["path"] for row in found}) == len(found)
    return {row["path"]: row["text"] for row in found}


def test_a_log_that_was_cut_short_is_continued(run: Run) -> None:
    texts = {f"s/{n}.png": "あいうえお漢"[: 1 + n % 6] for n in range(12)}
    for name, text in texts.items():
        save(name, text)
    assert run("s", "-o", "out.jsonl").exit_code == 0
    assert rows("out.jsonl") == texts
    whole = Path("out.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    Path("out.jsonl").unlink()
    for cut in (0, len(lines[0]) - 1, len(lines[0]), len(b"".join(lines[:7])) + 40, len(whole)):
        Path("out.jsonl.part").write_bytes(whole[:cut])
        again = run("s", "-o", "out.jsonl")  # nothing that was done is lost by a mistake
        assert again.exit_code == 2
        assert "--resume" in again.stderr
        assert Path("out.jsonl.part").read_bytes() == whole[:cut]
        assert run("s", "-o", "out.jsonl", "--resume").exit_code == 0
        assert rows("out.jsonl") == texts
        assert not Path("out.jsonl.part").exists()
        Path("out.jsonl").unlink()
    save("s/new.png", "漢")
    Path("out.jsonl").write_bytes(whole)
    result = run("s", "-o", "out.jsonl", "--resume")
    assert rows("out.jsonl") == texts | {"s/new.png": "漢"}
    assert "12 of 13 are done" in result.stderr
    Path("mine.jsonl").write_text('{"name": "precious"}\n')
    assert "line 1" in run("s", "-o", "mine.jsonl", "--resume").stderr


def test_failures_stand_in_a_table(run: Run) -> None:
    save("s/a.png", "あい")
    Path("s/b.png").write_bytes(b"")
    assert run("s", "-o", "out.jsonl").exit_code == 1
    assert Path("out.jsonl.failed.tsv").read_text("utf-8") == "s/b.png\tis empty (0 bytes)\n"
    save("s/b.png", "うえ")
    assert run("s", "-o", "out.jsonl", "--resume").exit_code == 0
    assert rows("out.jsonl") == {"s/a.png": "あい", "s/b.png": "うえ"}
    assert not Path("out.jsonl.failed.tsv").exists()


def test_a_file_for_each_picture(run: Run) -> None:
    save("s/a.png", "あ")
    save("s/deep/a.png", "い")
    save("s/deep/b.png", "う")
    save("s/deep/b.bmp", "え")
    assert run("s", "-o", "out/").exit_code == 0
    found = {str(path.relative_to("out")): path.read_text("utf-8") for path in Path("out").rglob("*") if path.is_file()}
    assert found == {"a.txt": "あ\n", "deep/a.txt": "い\n", "deep/b.png.txt": "う\n", "deep/b.bmp.txt": "え\n"}
    Path("out/a.txt").write_text("corrected\n")
    Path("out/deep/a.txt").unlink()
    assert run("s", "-o", "out", "--resume").exit_code == 0
    assert Path("out/a.txt").read_text("utf-8") == "corrected\n"
    assert Path("out/deep/a.txt").read_text("utf-8") == "い\n"


def test_shards_share_the_work(run: Run) -> None:
    names = {str(save(f"s/{n}.png", "あ")) for n in range(7)}
    seen = []
    for part in (1, 2, 3):
        assert run("s", "--shard", f"{part}/3", "-o", f"{part}.jsonl").exit_code == 0
        seen += list(rows(f"{part}.jsonl"))
    assert sorted(seen) == sorted(names)
    for wrong in ("0/3", "4/3", "3", "a/b"):
        assert run("s", "--shard", wrong).exit_code == 2


def test_several_processes_read_the_same_in_the_same_order(run: Run) -> None:
    for n in range(70):
        save(f"s/{n:02}.png", "あいうえお漢"[n % 6 :])
    Path("s/30.png").write_bytes(b"")
    one, two = run("s"), run("s", "-j", "2")
    assert one.stdout == two.stdout
    assert one.stderr == two.stderr
    assert (one.exit_code, two.exit_code) == (1, 1)
    assert run("-", "-j", "2", stdin=b"x").exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_any_time_nothing_done_is_lost(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {str(save(f"s/{n:03}.png", "あいうえお漢"[n % 6 :])): "あいうえお漢"[n % 6 :] for n in range(300)}
    command = [sys.executable, "-m", "jphtr", "read", "-m", str(model), "--decoder", "greedy", "-B", "1", "s"]
    command += ["-o", "out.jsonl", "--resume"]
    environment = os.environ | {"PYTHONPATH": _checkout()}
    cut = 0
    for _ in range(2):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        before = Path("out.jsonl.part").stat().st_size if Path("out.jsonl.part").exists() else 0
        while process.poll() is None and not (
            Path("out.jsonl.part").exists() and Path("out.jsonl.part").stat().st_size > before
        ):
            time.sleep(0.01)
        process.kill()
        process.wait()
        cut += Path("out.jsonl.part").exists()
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert rows("out.jsonl") == texts
    assert cut  # it was killed at work at least once


def test_what_is_read_is_not_written_over(run: Run) -> None:
    for name in ("scans/a.png", "scans/b.png", "line.png"):
        save(name, "あい")
    before = {path: path.read_bytes() for path in Path().rglob("*.png")}
    Path("link.png").symlink_to("line.png")
    for command, *args in [
        ("read", "scans", "-v", "scans"),
        ("read", "line.png", "-v", "link.png"),
        ("read", "line.png", "-f", "json", "-o", "line.png"),
        ("segment", "scans", "-f", "overlay", "-o", "scans"),
        ("segment", "line.png", "-f", "overlay", "-o", "line.png"),
        ("segment", "line.png", "-f", "jsonl", "-o", "line.png"),
        ("segment", "scans", "-f", "lines", "-o", "scans"),
    ]:
        result = CliRunner().invoke(main, [command, *args])
        assert result.exit_code == 2 and re.search("is read itself|pictures that are read", result.stderr), args
    Path("truth.tsv").write_text("line.png\tあい\n", "utf-8")
    for output in ("truth.tsv", "line.png"):
        result = CliRunner().invoke(main, ["pack", "truth.tsv", "-o", output])
        assert result.exit_code == 2 and re.search("is read itself|no line file", result.stderr)
    assert all(path.read_bytes() == data for path, data in before.items())
    assert Path("truth.tsv").read_text("utf-8") == "line.png\tあい\n"


def test_pages_and_pictures_of_one_name_keep_their_own_files(run: Run) -> None:
    picture = Image.open(save("a.png", "あい"))
    Path("in").mkdir()
    picture.save("in/scan.tiff", save_all=True, append_images=[picture])
    picture.save("in/scan-p2.png")
    assert run("in", "--line", "-f", "page", "-o", "out/").exit_code == 0
    made = {path.name: path.read_text("utf-8") for path in Path("out").iterdir()}
    assert {name: "scan-p2.png" in text for name, text in made.items()} == {
        "scan.page.xml": False, "scan--p2.page.xml": False, "scan-p2.page.xml": True
    }  # fmt: skip


def test_a_wrong_language_model_or_detector_is_one_error(run: Run) -> None:
    for name in ("a.png", "b.png"):
        save(name, "あい")
    for args in (("--lm", "no.lm"), ("--lm", "a.png"), ("--detector", "no.onnx")):
        result = run("a.png", "b.png", *args, "-o", "out.txt")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1) and args[1] in result.stderr
        assert not list(Path().glob("out*"))


def test_scripts_that_are_misspelt_are_no_lists_of_letters(run: Run) -> None:
    save("a.png", "あい")
    for spec, cure in (("digits", "digit"), ("Kanji", "kanji"), ("digit,kanji", "digit and kanji")):
        result = run("a.png", "--allowlist", spec)
        assert result.exit_code == 1 and f"give {cure}, each" in result.stderr
    assert run("a.png", "--blocklist", "漢").exit_code == 0


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no device that is always full")
    with full.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "jphtr", "charset"], stdout=out, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"jphtr: error: standard output: cannot be written: No space left on device\n"


def test_names_that_name_nothing(run: Run) -> None:
    assert run("").stderr == "jphtr: error: '' names no picture; is a variable of the shell empty?\n"
    assert run("no/*.png").stderr == "jphtr: error: no/*.png: no such file: nothing fits this pattern\n"
