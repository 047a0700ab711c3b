"""Export: the ONNX graph against torch, and through the reader against the toy world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import toy_lines
from click.testing import CliRunner
from PIL import Image

from jphtr.bundle import read_header
from jphtr.cli import main
from jphtr.errors import DataError, ModelError, SettingsError
from jphtr.export import Exported, export_model, graph, line
from jphtr.nets.line import LineNet
from jphtr.reader import Reader
from jphtr.training.checkpoint import fill, load_weights, save_weights
from jphtr.training.loader import Batch, collate, draw
from jphtr.training.loop import train_line
from jphtr.training.run_folder import BEST


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_model(toy_lines.trained() / BEST, tmp_path_factory.mktemp("model") / "toy.onnx", name="toy").path


def lines(count: int) -> Batch:
    composer, charset = toy_lines.ToyComposer(), toy_lines.charset()
    return collate([draw(composer, charset, 77, i)[0] for i in range(count)])


def torch_net() -> LineNet:
    header, weights = load_weights(toy_lines.trained() / BEST)
    net = LineNet(**header.arch).eval()
    fill(net, weights, header.characters, header.characters, Path("toy"))
    return net


def session(model: bytes | str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_the_toy_world_is_read_through_the_reader(model: Path) -> None:
    reader, composer = Reader(model), toy_lines.ToyComposer((2, 9))
    for i in range(30):
        line = composer.line(np.random.default_rng([123, i]))
        found = reader.read(line.gray, line.direction)
        assert found.text == line.text
        # a vertical line's reading axis is y
        axis = 1 if line.direction == "vertical" else 0
        for mine, true in zip(found.spans, line.spans, strict=True):
            middle = (true.box[axis] + true.box[axis + 2]) / 2
            assert mine.box[axis] < middle < mine.box[axis + 2]


def test_the_graph_gives_what_torch_gives_on_composed_lines(model: Path) -> None:
    batch = lines(24)
    labels, log_probs = session(str(model)).run(
        ["labels", "log_probs"], {"gray": batch.gray.numpy(), "widths": batch.widths}
    )
    with torch.no_grad():
        exact = torch_net()(batch.gray, torch.from_numpy(batch.widths)).numpy()
    assert labels.shape == (24, batch.gray.shape[2] // 8, 8) and labels.dtype == np.int64
    sure = exact.max(2) > np.log(0.6)
    assert (labels[..., 0] == exact.argmax(2))[sure].all()
    own = np.arange(labels.shape[1])[None] < -(-batch.widths[:, None] // 8)
    assert (
        np.abs(np.take_along_axis(exact, labels, 2) - log_probs)[sure & own].max(
            where=log_probs[sure & own] > -6, initial=0
        )
        < 2e-2
    )
    assert (np.diff(log_probs, axis=2) <= 0).all()
    assert not labels[~own].any() and not log_probs[~own].any() and sure[~own].all()


def test_padding_and_company_change_nothing(model: Path) -> None:
    run = session(str(model)).run
    batch = lines(6)
    for extra in (0, 8, 800):
        wide = np.pad(batch.gray.numpy(), ((0, 0), (0, 0), (0, extra)), constant_values=255)
        wide[0, :, -(-batch.widths[0] // 8) * 8 :] = 3  # whatever stands past a line's end is not seen
        labels, log_probs = run(None, {"gray": wide, "widths": batch.widths})
        for i, width in enumerate(batch.widths.tolist()):
            count = -(-width // 8)
            alone = {"gray": batch.gray[i : i + 1, :, : count * 8].numpy(), "widths": batch.widths[i : i + 1]}
            own_labels, own = run(None, alone)
            assert np.abs(own[0] - log_probs[i, :count]).max() < 1e-4
            assert (own_labels[0, :, 0] == labels[i, :count, 0]).all()


def test_weights_lie_as_float16_under_their_torch_names(model: Path, tmp_path: Path) -> None:
    kept = {i.name: i for i in onnx.load(str(model)).graph.initializer}
    net = torch_net()
    for name, parameter in net.named_parameters():
        wanted = onnx.TensorProto.FLOAT16 if parameter.ndim > 1 else onnx.TensorProto.FLOAT
        assert kept[name].data_type == wanted and tuple(kept[name].dims) == tuple(parameter.shape)
    # so a model for reading can be trained further
    (tmp_path / "chars.txt").write_text(toy_lines.CHARS, "utf-8")
    outcome = train_line(
        toy_lines.settings(str(tmp_path / "chars.txt"), run__steps=1, optim__lr=1e-12), tmp_path / "run",
        open_source=lambda _: toy_lines.ToyComposer(), load=model,
    )  # fmt: skip
    assert outcome.cer == 0.0


# ---- int8 ----


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, composer = tmp_path_factory.mktemp("lines"), toy_lines.ToyComposer((4, 9))
    rows = ["file\ttext\tdirection"]
    for i in range(300):
        line = composer.line(np.random.default_rng([321, i]))
        Image.fromarray(line.gray).save(folder / f"{i}.png")
        rows.append(f"{i}.png\t{line.text}\t{line.direction}")
    (folder / "truth.tsv").write_text("\n".join(rows), "utf-8")
    return folder / "truth.tsv"


@pytest.fixture(scope="module")
def small(truth: Path) -> Exported:
    return export_model(toy_lines.trained() / BEST, truth.parent / "int8.onnx", valid=[truth], eight_bits=True)


def test_int8_reads_as_well_and_is_smaller(small: Exported, model: Path, truth: Path) -> None:
    assert small.scores["int8"] == small.scores["float16"] == 1.0 and small.scores["characters"] > 1000
    header = read_header(small.path)
    assert header.storage == "int8" and header.scores["export_int8"] == 1.0
    assert small.path.stat().st_size < 0.8 * model.stat().st_size
    nodes = {node.op_type for node in onnx.load(str(small.path)).graph.node}
    assert "DynamicQuantizeLSTM" in nodes and "QuantizeLinear" in nodes


def test_int8_reads_a_line_the_same_in_any_company(small: Exported, truth: Path) -> None:
    reader, pictures = Reader(small.path, decoder="greedy"), sorted(truth.parent.glob("?.png"))
    together = list(reader.read_many(pictures))
    assert together == [reader.read(picture) for picture in pictures]


def test_training_goes_on_from_int8(small: Exported, tmp_path: Path) -> None:
    _, exact = load_weights(toy_lines.trained() / BEST)
    _, found = load_weights(small.path)
    for name, tensor in found.items():
        levels = 70 if tensor.ndim > 1 else 500  # weights have seven bits, biases many more
        assert (tensor - exact[name]).abs().max() <= exact[name].abs().max() / levels, name
    assert exact.keys() - found.keys() == {name for name in exact if name.endswith("num_batches_tracked")}
    (tmp_path / "chars.txt").write_text(toy_lines.CHARS, "utf-8")
    outcome = train_line(
        toy_lines.settings(str(tmp_path / "chars.txt"), run__steps=1, optim__lr=1e-12), tmp_path / "run",
        open_source=lambda _: toy_lines.ToyComposer(), load=small.path,
    )  # fmt: skip
    assert outcome.cer == 0.0


def test_a_model_gets_another_block_and_learns_with_it(small: Exported, truth: Path, tmp_path: Path) -> None:
    (tmp_path / "chars.txt").write_text(toy_lines.CHARS, "utf-8")

    def run(load: Path, name: str, **values: object) -> Path:
        settings = toy_lines.settings(str(tmp_path / "chars.txt"), run__valid_every=100, **values)
        outcome = train_line(settings, tmp_path / name, open_source=lambda _: toy_lines.ToyComposer(), load=load)
        assert outcome.cer == 0.0
        return outcome.folder / BEST

    _, before = load_weights(small.path)
    begun, deeper = load_weights(run(small.path, "begun", net__deeper=1, run__steps=1, optim__lr=1e-12))
    assert begun.arch["deeper"] == 1 and not deeper["deeper.0.norm.weight"].abs().max() > 1e-6  # nothing as yet
    assert all(torch.allclose(deeper[name], t, atol=1e-5) for name, t in before.items() if "running" not in name)
    weights = run(tmp_path / "begun" / BEST, "learnt", run__steps=100, optim__lr=2e-3)  # which keeps the block
    header, learnt = load_weights(weights)
    assert header.arch["deeper"] == 1 and learnt["deeper.0.norm.weight"].abs().max() > 1e-3
    done = export_model(weights, tmp_path / "deep.onnx", valid=[truth], eight_bits=True)
    assert done.scores["int8"] == done.scores["float16"] == 1.0
    _, again = load_weights(done.path)
    assert (again["deeper.0.conv.weight"] - learnt["deeper.0.conv.weight"]).abs().max() < 0.02
    save_weights(tmp_path / "less.safetensors", before, header)
    with pytest.raises(ModelError, match=r"has no weights 'deeper\.0"):
        export_model(tmp_path / "less.safetensors", tmp_path / "less.onnx")


def test_ranges_of_int8_may_come_from_other_lines(small: Exported, truth: Path, tmp_path: Path) -> None:
    weights = toy_lines.trained() / BEST
    done = export_model(weights, tmp_path / "m.onnx", valid=[truth], ranges=[truth], eight_bits=True)
    assert (
        done.scores["int8"] == 1.0 and done.scores["characters"] > 1.3 * small.scores["characters"]
    )  # none is set aside
    with pytest.raises(SettingsError, match="--ranges is for line readers"):
        export_model(weights, tmp_path / "no.onnx", valid=[truth], ranges=[truth])


def test_a_model_for_one_direction_is_measured_on_its_own_lines(truth: Path, tmp_path: Path) -> None:
    header, weights = load_weights(toy_lines.trained() / BEST)
    save_weights(tmp_path / "v.safetensors", weights, replace(header, direction="vertical"))
    done = export_model(tmp_path / "v.safetensors", tmp_path / "v.onnx", valid=[truth])
    rows = [row.split("\t") for row in truth.read_text("utf-8").splitlines()[1:]]
    assert done.scores["characters"] == sum(len(text) for _, text, way in rows if way == "vertical")
    assert read_header(done.path).direction == "vertical"
    rows = [row for row in rows if row[2] == "horizontal"]
    flat = truth.with_name("flat.tsv")
    flat.write_text("\n".join(["file\ttext\tdirection", *("\t".join(row) for row in rows)]), "utf-8")
    with pytest.raises(DataError, match="no vertical line, which this model is for"):
        export_model(tmp_path / "v.safetensors", tmp_path / "no.onnx", valid=[flat])


def test_int8_wants_lines_that_can_show_what_it_costs(truth: Path, tmp_path: Path) -> None:
    (tmp_path / "few.tsv").write_text("".join(truth.read_text("utf-8").splitlines(keepends=True)[:20]), "utf-8")
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes((truth.parent / f"{i}.png").read_bytes())
    with pytest.raises(SettingsError, match="characters cannot show"):
        export_model(
            toy_lines.trained() / BEST, tmp_path / "no.onnx", valid=[tmp_path / "few.tsv"], eight_bits=True
        )  # fmt: skip
    assert not (tmp_path / "no.onnx").exists()


def test_the_header_travels(model: Path) -> None:
    header, before = read_header(model), read_header(toy_lines.trained() / BEST)
    assert header == replace(before, name="toy", storage="float16") and header.characters == toy_lines.charset()


def test_the_temperature_is_in_the_graph() -> None:
    net, header = torch_net(), read_header(toy_lines.trained() / BEST)
    warm = line.line_graph(net, replace(header, temperature=2.0)).SerializeToString()
    line.check(warm, net, replace(header, temperature=2.0), "warm")
    with pytest.raises(ModelError, match="away from torch"):
        line.check(warm, net, header, "warm")


def test_a_graph_that_differs_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "EPSILON", 0.5)
    with pytest.raises(ModelError, match="away from torch; this is a fault in the export"):
        export_model(toy_lines.trained() / BEST, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_that_float16_ruins_are_refused(tmp_path: Path) -> None:
    header, weights = load_weights(toy_lines.trained() / BEST)
    weights["head.weight"] *= 1e6
    weights["head.bias"] *= 1e6
    save_weights(tmp_path / "big.safetensors", weights, header)
    with pytest.raises(ModelError, match="too large for float16"):
        export_model(tmp_path / "big.safetensors", tmp_path / "big.onnx")
    assert not (tmp_path / "big.onnx").exists()


def test_the_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["export", str(toy_lines.trained()), str(tmp_path / "m.onnx"), "--name", "small"])
    assert done.exit_code == 0 and done.output.strip() == str(tmp_path / "m.onnx")
    assert read_header(tmp_path / "m.onnx").name == "small"
    failed = CliRunner().invoke(main, ["export", str(tmp_path / "none.safetensors")])
    assert failed.exit_code == 1 and failed.output.startswith("jphtr: error: ") and failed.output.count("\n") == 1
