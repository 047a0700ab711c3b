"""Export of classifiers: any backbone against torch, through the classifier against the toy world, and as int8."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

for module in ("torch", "timm", "onnx", "safetensors"):
    pytest.importorskip(module)

import onnx
import torch
import toy_glyphs
from click.testing import CliRunner
from toy_glyphs import CHARS

from jphtr.bundle import Header, read_header
from jphtr.cell import to_input
from jphtr.charset import default
from jphtr.classifier import Classifier
from jphtr.cli import main
from jphtr.errors import DataError, ModelError, SettingsError
from jphtr.export import export_model, glyph, graph, int8
from jphtr.nets.glyph import GlyphNet
from jphtr.store import Source, write_glyphs
from jphtr.training.char import train_char
from jphtr.training.checkpoint import fill, load_weights, save_weights
from jphtr.training.run_folder import BEST

FRAME = {"size": 32, "fill": 0.9, "least": 0.35}


def save(path: Path, net: GlyphNet, **changes: object) -> Path:
    header = Header("x", CHARS[: net.arch["classes"] - 1], kind="glyph", arch=net.arch, input=FRAME)
    save_weights(path, net.state_dict(), replace(header, **changes))
    return path


def made(backbone: str, classes: int = 7) -> GlyphNet:
    """A net whose weights and norms are no longer what they start as."""
    torch.manual_seed(0)
    net = GlyphNet(classes, backbone, 32, (8, 8, 16, 16), mean=0.4, std=0.3)
    net.train()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for _ in range(4):
            net(torch.randint(0, 256, (8, 32, 32), dtype=torch.uint8))
    return net.eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_model(toy_glyphs.trained() / BEST, tmp_path_factory.mktemp("model") / "toy.onnx", name="toy").path


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,440 glyphs of writers who were learned from."""
    path = tmp_path_factory.mktemp("valid") / "valid.h5"
    write_glyphs(path, toy_glyphs.glyphs(12, 6), default(), sources=[Source("toy")])
    return path


def test_the_toy_world_is_known(model: Path) -> None:
    classifier = Classifier(model)
    header, weights = load_weights(toy_glyphs.trained() / BEST)
    net = GlyphNet(**header.arch).eval()
    fill(net, weights, header.characters, header.characters, Path("toy"))
    grays: list[np.ndarray] = []
    for one in itertools.islice(toy_glyphs.glyphs(), 100):
        found = classifier.classify(one.gray, 99)
        assert found.char == one.char and found.confidence > 0.5
        assert sum(p for _, p in found.candidates) == pytest.approx(1, abs=1e-4)
        grays.append(one.gray)
    with torch.inference_mode():
        exact = net(torch.from_numpy(np.stack([to_input(gray, **header.input) for gray in grays]))).numpy()
    assert np.abs(exact[:, 1:] - classifier.logits(grays)[:, 1:]).max() < 2e-2  # what float16 costs
    assert np.isneginf(classifier.logits(grays)[:, 0]).all()


@pytest.mark.parametrize("backbone", ["trunk", "test_resnet", "test_convnext", "test_vit", "test_efficientnet"])
def test_any_backbone_gives_what_torch_gives_and_can_be_trained_on(backbone: str, tmp_path: Path) -> None:
    net = made(backbone)
    weights = save(tmp_path / "x.safetensors", net)
    path = export_model(weights, tmp_path / "x.onnx").path
    gray = np.random.default_rng(1).integers(0, 256, (5, 32, 32)).astype(np.uint8)
    with torch.inference_mode():
        exact = net(torch.from_numpy(gray)).numpy()
    (found,) = _session(path).run(["logits"], {"gray": gray})
    assert np.abs(exact[:, 1:] - found[:, 1:]).max() < 1e-2 * max(1, np.abs(exact[:, 1:]).max())
    kept = {i.name: i for i in onnx.load(str(path)).graph.initializer}
    for name, parameter in net.named_parameters():
        wanted = onnx.TensorProto.FLOAT16 if parameter.ndim > 1 else onnx.TensorProto.FLOAT
        assert kept[name].data_type == wanted and tuple(kept[name].dims) == tuple(parameter.shape), name
    header, arrays = load_weights(path)
    again = GlyphNet(**header.arch).eval()
    fill(again, arrays, header.characters, header.characters, path)
    with torch.inference_mode():
        same = again(torch.from_numpy(gray)).numpy()
    assert np.abs(same[:, 1:] - found[:, 1:]).max() < 1e-3 * np.abs(found[:, 1:]).max()
    # and exported once more it is the same
    (once_more,) = _session(export_model(path, tmp_path / "y.onnx").path).run(["logits"], {"gray": gray})
    assert np.allclose(once_more[:, 1:], found[:, 1:], atol=1e-4)


def test_training_goes_on_from_a_model(model: Path, tmp_path: Path) -> None:
    settings = toy_glyphs.settings(toy_glyphs.file(), run__steps=1, optim__lr=1e-12)
    outcome = train_char(settings, tmp_path / "run", load=model)
    assert outcome.best == 0.0


def test_the_header_travels(model: Path) -> None:
    before = read_header(toy_glyphs.trained() / BEST)
    assert read_header(model) == replace(before, name="toy", storage="float16")


def test_the_temperature_divides_the_logits_of_the_probabilities(model: Path, tmp_path: Path) -> None:
    warm = Classifier(export_model(model, tmp_path / "warm.onnx", temperature=2.5).path)
    assert warm.header.temperature == 2.5
    grays = [one.gray for one in itertools.islice(toy_glyphs.glyphs(), 20)]
    logits = Classifier(model).logits(grays)
    assert np.allclose(warm.logits(grays), logits, atol=1e-4)
    wanted = np.exp(logits / 2.5)
    assert np.allclose(warm.probabilities(grays), wanted / wanted.sum(1, keepdims=True), atol=1e-4)


def test_a_graph_that_differs_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "EPSILON", 0.5)
    with pytest.raises(ModelError, match="away from torch; this is a fault in the export"):
        export_model(toy_glyphs.trained() / BEST, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_a_backbone_that_depends_on_its_company_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = made("trunk")
    plain = glyph.glyph_graph(net, read_header(save(tmp_path / "x.safetensors", net)))
    first = next(node for node in plain.graph.node if node.op_type == "Div")
    mean = onnx.helper.make_node("ReduceMean", [first.output[0]], ["mean_of_all"], axes=[0], keepdims=1)
    both = onnx.helper.make_node("Add", [first.output[0], "mean_of_all"], ["with_company"])
    nodes = list(plain.graph.node)
    at = nodes.index(first) + 1
    nodes[at].input[0] = "with_company"
    del plain.graph.node[:]
    plain.graph.node.extend([*nodes[:at], mean, both, *nodes[at:]])
    with pytest.raises(ModelError, match="fault in the export"):
        glyph.check(plain.SerializeToString(), net, "x")


def test_weights_that_float16_ruins_are_refused(tmp_path: Path) -> None:
    header, weights = load_weights(toy_glyphs.trained() / BEST)
    weights["head.weight"] *= 1e7
    save_weights(tmp_path / "big.safetensors", weights, header)
    with pytest.raises(ModelError, match=r"head\.weight holds weights too large for float16"):
        export_model(tmp_path / "big.safetensors", tmp_path / "big.onnx")
    weights["head.weight"] /= 1e7
    weights["head.weight"] += 2000 * torch.randn(weights["head.weight"].shape[1])  # shared by all, so it cancels
    save_weights(tmp_path / "coarse.safetensors", weights, header)
    with pytest.raises(ModelError, match="float16 weights answer otherwise"):
        export_model(tmp_path / "coarse.safetensors", tmp_path / "coarse.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_headers_that_describe_no_net(tmp_path: Path) -> None:
    net = made("trunk")
    path = save(tmp_path / "x.safetensors", net, arch=net.arch | {"depth": 3})
    with pytest.raises(ModelError, match="describes no net"):
        export_model(path, tmp_path / "x.onnx")
    with pytest.raises(ModelError, match="a model of kind speech"):
        export_model(save(tmp_path / "x.safetensors", net, kind="speech"), tmp_path / "x.onnx")


# ---- int8 ----


def test_int8_is_smaller_and_knows_as_much(model: Path, valid: Path, tmp_path: Path) -> None:
    done = export_model(toy_glyphs.trained() / BEST, tmp_path / "small.onnx", valid=[valid], eight_bits=True)
    assert done.scores == {"float32": 1.0, "float16": 1.0, "int8": 1.0, "pictures": 1080}
    header = read_header(done.path)
    assert header.storage == "int8" and header.scores["export_int8"] == 1.0
    assert header.characters == read_header(model).characters
    classifier = Classifier(done.path)
    for one in itertools.islice(toy_glyphs.glyphs(), 40):
        assert classifier.classify(one.gray).char == one.char
    assert np.isneginf(classifier.logits([one.gray])).nonzero()[1].tolist() == [0]
    stored = onnx.load(done.path).graph.initializer
    small = [i for i in stored if i.data_type == onnx.TensorProto.INT8]
    large = [i for i in stored if np.prod(i.dims) > 500]
    assert large and all(i in small for i in large)
    with pytest.raises(ModelError):
        export_model(done.path, tmp_path / "again.onnx")  # there are no weights left to train on


def test_int8_that_costs_accuracy_is_refused(valid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = int8.quantised

    def spoiled(model: onnx.ModelProto, squares: np.ndarray, name: str) -> onnx.ModelProto:
        worse = onnx.ModelProto()
        worse.CopyFrom(model)
        for initialiser in worse.graph.initializer:
            if initialiser.name == "head.bias":
                bias = onnx.numpy_helper.to_array(initialiser).copy()
                bias[7] += 1e4
                initialiser.CopyFrom(onnx.numpy_helper.from_array(bias, "head.bias"))
        return honest(worse, squares, name)

    monkeypatch.setattr(int8, "quantised", spoiled)
    with pytest.raises(ModelError, match=r"int8 costs 9\d\.\d\d points .* of 1080 pictures.*; export without --int8"):
        export_model(toy_glyphs.trained() / BEST, tmp_path / "x.onnx", valid=[valid], eight_bits=True)
    assert not list(tmp_path.iterdir())


def test_int8_wants_pictures_that_can_show_what_it_costs(model: Path, tmp_path: Path) -> None:
    weights = toy_glyphs.trained() / BEST
    with pytest.raises(SettingsError, match=r"240 pictures of what whole knows cannot show 0\.1 point"):
        export_model(weights, tmp_path / "x.onnx", valid=[toy_glyphs.file()], eight_bits=True)
    with pytest.raises(SettingsError, match="--int8 has to be measured"):
        export_model(weights, tmp_path / "x.onnx", eight_bits=True)
    others = tmp_path / "others.h5"
    write_glyphs(others, (replace(one, char="漢") for one in toy_glyphs.glyphs(2)), default(), sources=[Source("toy")])
    with pytest.raises(DataError):
        export_model(weights, tmp_path / "x.onnx", valid=[others])


# ---- the command ----


def test_the_command(valid: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    done = run(
        main, ["export", str(toy_glyphs.trained()), str(tmp_path / "m.onnx"), "--valid", str(valid), "--name", "t"]
    )
    assert done.exit_code == 0 and done.stdout.strip() == str(tmp_path / "m.onnx")
    assert done.stderr == "right of 1,440 pictures: float32 100.00%, float16 100.00%\n"
    assert read_header(tmp_path / "m.onnx").name == "t"
    info = run(main, ["info", str(tmp_path / "m.onnx")])
    assert info.exit_code == 0 and "export_float16 1" in info.stdout
    assert run(main, ["export", str(toy_glyphs.trained()), "--int8"]).exit_code == 2
    failed = run(
        main, ["export", str(toy_glyphs.trained()), str(tmp_path / "m.onnx"), "--valid", str(tmp_path / "no.h5")]
    )
    assert failed.exit_code == 1 and failed.stderr.startswith("jphtr: error: ") and failed.stderr.count("\n") == 1


def _session(path: Path) -> object:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
