"""Torch weights -> an ONNX model for reading, checked against torch before its file appears.

Graphs take bytes of gray, so that a reader needs nothing but ONNX Runtime. Matrices and kernels are stored as float16
under their torch names and cast in the graph; the runtime folds the casts when it loads. Classifiers and line readers can
also be stored as int8, where that costs them nothing that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

from jphtr.bundle import KEY, Header, header_json
from jphtr.errors import ModelError, SettingsError
from jphtr.evaluate import Truth
from jphtr.export import glyph, int8, line, page, scored
from jphtr.nets.glyph import GlyphNet
from jphtr.nets.line import LineNet
from jphtr.nets.page import PageNet
from jphtr.training.checkpoint import fill, load_weights
from jphtr.training.page import fill as fill_page
from jphtr.whole import write_whole

__all__ = ["Exported", "export_model"]

ALLOWED = 0.001  # part of the pictures by which a smaller storage may fall behind torch

_FEWEST = 1000  # pictures, or characters of lines, that show so little
_EVERY = 4  # of the pictures, one in so many gives ranges for int8, and the others are counted


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote, and the part of known pictures that torch and each storage got right, if it was measured.

    Attributes
    ----------
    path : the file.
    scores : part right by "float32" (torch; not of lines), "float16" and "int8", and of how many "pictures" or, in
        lines, "characters"; empty if none were given.
    """

    path: Path
    scores: dict[str, float]


def export_model(
    weights: Path,
    output: Path,
    *,
    name: str | None = None,
    temperature: float | None = None,
    valid: Sequence[Path] = (),
    ranges: Sequence[Path] = (),
    eight_bits: bool = False,
) -> Exported:
    """Write a trained net, of lines, of characters or of pages, as an ONNX model.

    Parameters
    ----------
    weights : `.safetensors` file with a header, such as a run's best.safetensors, or an `.onnx` file of this function.
    output : the `.onnx` file to write.
    name : what the model is to be called; None keeps the name in the header.
    temperature : by which its logits are divided for its probabilities; None keeps the one in the header.
    valid : glyph files for classifiers, lines with their text for line readers: what the file gets right of them is
        counted beside what torch, or float16, does.
    ranges : of a line reader with eight bits: lines from which ranges are taken, so that all of `valid` can be counted;
        without them one in four of `valid` gives the ranges.
    eight_bits : store it as int8; needs `valid`.

    Raises
    ------
    ModelError
        If the weights do not fit the net that their header describes, the graph does not give what torch gives, or its
        storage costs more than 0.1 point of the pictures.
    SettingsError
        If options do not go together.
    """
    header, tensors = load_weights(weights)
    header = replace(header, name=name or header.name, temperature=temperature or header.temperature, storage="float16")
    if header.kind == "page" and (valid or eight_bits):
        raise SettingsError(
            f"{weights}: a {header.kind} model; --valid and --int8 are for classifiers and line readers"
        )
    if eight_bits and not valid:
        raise SettingsError("--int8 has to be measured; name glyph files, or lines with their text, with --valid")
    if ranges and (header.kind != "line" or not eight_bits):
        raise SettingsError("--ranges is for line readers that are stored with --int8")
    net, called = _net(header, weights), str(weights)
    if isinstance(net, PageNet):
        fill_page(net, tensors, called)
    else:
        fill(net, tensors, header.characters, header.characters, weights)
    net.eval()
    scores: dict[str, float] = {}
    if isinstance(net, GlyphNet):
        model, scores = _classifier(net, header, called, scored.known(valid, header) if valid else None, eight_bits)
    elif isinstance(net, LineNet):
        known, shown = (scored.known_lines(paths, header.direction) for paths in (valid, ranges))
        model, scores = _reader(net, header, called, known, shown, eight_bits)
    else:
        model = page.page_graph(net, header)
        page.check(model.SerializeToString(), net, called)
    write_whole(output, model.SerializeToString())
    return Exported(output, scores)


def _net(header: Header, weights: Path) -> LineNet | GlyphNet | PageNet:
    """The net that a header describes, without its weights."""
    nets: dict[str, type[LineNet | GlyphNet | PageNet]] = {"line": LineNet, "glyph": GlyphNet, "page": PageNet}
    if header.kind not in nets:
        raise ModelError(f"{weights}: a model of kind {header.kind}, which this jphtr does not know; upgrade it")
    try:
        return nets[header.kind](**header.arch)
    except TypeError as error:
        raise ModelError(f"{weights}: its header describes no net ({error}); train it again") from None


def _classifier(
    net: GlyphNet, header: Header, called: str, pictures: scored.Known | None, eight_bits: bool
) -> tuple[ModelProto, dict[str, float]]:
    """The checked model of a classifier, and its scores on the pictures."""
    model = glyph.glyph_graph(net, header)
    scores: dict[str, float] = {}
    if pictures is not None:
        for_ranges = np.arange(len(pictures)) % _EVERY == 0 if eight_bits else np.zeros(len(pictures), np.bool_)
        counted = pictures.take(~for_ranges)
        if eight_bits and len(counted) < _FEWEST:
            raise SettingsError(
                f"--int8: {len(pictures):,} pictures of what {header.name} knows cannot show 0.1 point; give --valid "
                f"at least {_FEWEST * _EVERY // (_EVERY - 1) + 1:,}"
            )
        scores["float32"] = scored.by_net(net, counted)  # before its weights are rounded
    glyph.check(model.SerializeToString(), net, called)
    if pictures is not None:
        scores["float16"] = scored.by_graph(model.SerializeToString(), counted)
        if eight_bits:
            header = replace(header, storage="int8")
            model = int8.quantised(model, pictures.take(for_ranges).gray, called)
            scores["int8"] = scored.by_graph(model.SerializeToString(), counted)
        scores["pictures"] = len(counted)
        _judge(scores, "float32", header.storage, called)
        _note(model, header, scores)
    return model, scores


def _reader(
    net: LineNet, header: Header, called: str, lines: Sequence[Truth], ranges: Sequence[Truth], eight_bits: bool
) -> tuple[ModelProto, dict[str, float]]:
    """The checked model of a line reader, and its scores on lines with known text."""
    counted = [line for place, line in enumerate(lines) if ranges or not eight_bits or place % _EVERY]
    chars = sum(len(line.text) for line in counted)
    if eight_bits and chars < _FEWEST:
        raise SettingsError(f"--int8: {chars:,} characters cannot show 0.1 point; give --valid lines of {_FEWEST:,}")
    small = line.line_graph(net, header, folded=True) if eight_bits else None  # before its weights are rounded
    model = line.line_graph(net, header)
    line.check(model.SerializeToString(), net, header, called)
    if not counted:
        return model, {}
    scores = {"float16": scored.of_characters(model.SerializeToString(), counted)}
    if small is not None:
        header = replace(header, storage="int8")
        model = int8.quantised_line(small, net, scored.strips(ranges or lines[::_EVERY]), called)
        helper.set_model_props(model, {KEY: header_json(header)})
        scores["int8"] = scored.of_characters(model.SerializeToString(), counted)
    scores["characters"] = chars
    _judge(scores, "float16", header.storage, called)
    _note(model, header, scores)
    return model, scores


def _judge(scores: dict[str, float], before: str, after: str, called: str) -> None:
    """Refuse a storage that costs more than is allowed; one picture is no loss."""
    counted, things = next((int(scores[things]), things) for things in ("pictures", "characters") if things in scores)
    lost = scores[before] - scores[after]
    if lost > max(ALLOWED, 1 / counted):
        raise ModelError(
            f"{called}: {after} costs {100 * lost:.2f} points of accuracy, {scores[before]:.2%} to "
            f"{scores[after]:.2%} of {counted} {things}, and 0.1 is allowed; "
            + ("export without --int8" if after == "int8" else "train with weight decay")
        )


def _note(model: ModelProto, header: Header, scores: dict[str, float]) -> None:
    """Write the scores into the model's header."""
    noted = {f"export_{key}": round(value, 6) for key, value in scores.items()}
    helper.set_model_props(model, {KEY: header_json(replace(header, scores=header.scores | noted))})
