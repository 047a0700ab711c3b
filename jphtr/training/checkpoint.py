"""Weights and training states in files: safetensors throughout, written whole or not at all, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from jphtr.bundle import KEY, Header, header_json, read_header
from jphtr.charset import Charset
from jphtr.errors import CharsetError, ModelError, require
from jphtr.nets.glyph import TRUNK, TRUNK_PARTS
from jphtr.nets.line import DEEPER
from jphtr.nets.stored import restored
from jphtr.store import open_glyphs
from jphtr.whole import write_whole

Resize = Literal["fail", "union", "new"]


def save_weights(path: Path, weights: Mapping[str, Tensor], header: Header) -> None:
    """Write the weights of a model with the header that explains them."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    write_whole(path, save(tensors, {KEY: header_json(header)}))


def load_weights(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Header and weights of a `.safetensors` file, or of an `.onnx` file that `jphtr export` wrote.

    Raises
    ------
    ModelError
        If the file is missing, broken, or not a model of jphtr.
    """
    header = read_header(path)
    if header.storage == "int8" and header.kind != "line":
        raise ModelError(f"{path}: int8 weights cannot be trained on; start from the run's best.safetensors")
    if path.suffix == ".onnx":
        onnx = require("onnx")
        graph = onnx.load(str(path)).graph
        arrays = {i.name: onnx.numpy_helper.to_array(i).copy() for i in graph.initializer if "." in i.name}
        if header.storage == "int8":
            try:
                arrays = restored(arrays)
            except KeyError as error:
                raise ModelError(f"{path}: its graph lacks {error}; export it again") from None
        return header, {name: torch.from_numpy(a) for name, a in arrays.items()}
    try:
        with safe_open(path, "pt") as file:
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); copy it again") from None


def save_state(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write everything that a run needs to go on: tensors by name, and the rest as JSON in the file's metadata."""
    cpu = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_whole(path, save(cpu, {"state": json.dumps(state)}))


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_state` wrote.

    Raises
    ------
    ModelError
        If the file is missing or not a training state.
    """
    try:
        with safe_open(path, "pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(
            f"{path}: no such file; the run was ended before its first checkpoint, start it anew"
        ) from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a training state ({error})") from None


def resized(old: Charset, wanted: Charset, how: Resize, path: Path, called: str = "data.charset") -> Charset:
    """The charset of a net that starts from a model with another one.

    "fail" wants them equal, "union" keeps the model's labels and adds the wanted characters behind them, "new" takes
    the wanted charset. The wanted one is `called` so in messages.

    Raises
    ------
    CharsetError
        If they differ and `how` is "fail".
    """
    if old == wanted or how == "new":
        return wanted
    if how == "union":
        have = frozenset(old.chars)
        return Charset([*old.chars[1:], *(c for c in wanted.chars if c not in have)])
    more, less = len(set(wanted.chars) - set(old.chars)), len(set(old.chars) - set(wanted.chars))
    raise CharsetError(
        f"{path}: its charset differs from {called} ({more} characters are new, {less} left out,"
        " or the order is another); add --resize union or --resize new"
    )


@torch.no_grad()
def fill(
    net: nn.Module, weights: Mapping[str, Tensor], old: Charset, new: Charset, path: Path, *, deepened: bool = False
) -> int:
    """Copy weights into a net, the rows of its output layer by character; returns how many rows are new.

    Of a `deepened` net, the blocks that these weights lack stay as they are.

    Raises
    ------
    ModelError
        If the weights are not those of a net of this shape.
    """
    labels = {char: label for label, char in enumerate(old.chars)}
    pairs = [(row, labels[char]) for row, char in enumerate(new.chars) if char in labels]
    rows = torch.tensor(pairs).T
    state = net.state_dict()
    for name, into in state.items():
        if name not in weights:
            # the first only counts steps, and models leave it out
            if name.endswith("num_batches_tracked") or (deepened and name.startswith(DEEPER)):
                continue
            raise ModelError(f"{path}: has no weights {name!r}; it is a model of another net")
        given = weights[name].to(into.dtype)
        if name.startswith("head."):
            if given.shape[1:] != into.shape[1:] or len(given) != len(old):
                raise ModelError(f"{path}: {name} is {tuple(given.shape)}, the net wants {tuple(into.shape)}")
            into[rows[0]] = given[rows[1]].to(into.device)
        elif given.shape == into.shape:
            into.copy_(given)
        else:
            raise ModelError(f"{path}: {name} is {tuple(given.shape)}, the net wants {tuple(into.shape)}")
    return len(new) - len(pairs)


def trunk_weights(header: Header, weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The weights of the trunk that line nets and classifiers share, under the names of a line net.

    Raises
    ------
    ModelError
        If the model is a classifier with another backbone.
    """
    prefix = ""
    if header.kind == "glyph":
        if header.arch.get("backbone") != TRUNK:
            raise ModelError(
                f"{path}: a classifier with the backbone {header.arch.get('backbone')}, which line nets do not have; "
                f"train one with --backbone {TRUNK}"
            )
        prefix = "body."
    found = {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
    return {name: t for name, t in found.items() if name.partition(".")[0] in TRUNK_PARTS}


@torch.no_grad()
def fill_trunk(net: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy the weights of a trunk into a net that holds its parts by name; everything else stays as it is.

    Raises
    ------
    ModelError
        If weights are missing or of another width.
    """
    for name, into in net.state_dict().items():
        if name.partition(".")[0] not in TRUNK_PARTS or name.endswith("num_batches_tracked"):
            continue
        given = weights.get(name)
        if given is None or given.shape != into.shape:
            there = "nothing" if given is None else str(tuple(given.shape))
            raise ModelError(f"{path}: its trunk has {there} at {name}, where the net wants {tuple(into.shape)}")
        into.copy_(given)


def glyph_sources(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Name and licence of everything that the glyphs of some files came from, each once."""
    found: dict[str, str] = {}
    for path in paths:
        with open_glyphs(path) as file:
            found |= {source.name: source.licence for source in file.sources}
    return [{"name": name, "licence": licence} for name, licence in found.items()]
