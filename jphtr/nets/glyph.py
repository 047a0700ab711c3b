"""The character classifier: any timm backbone, or the trunk of the line net, under one linear layer into a charset."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jphtr.charset import BLANK
from jphtr.errors import SettingsError, require
from jphtr.nets.line import ConvUnit, Residual

TRUNK = "trunk"
TRUNK_PARTS = ("down1", "down2", "res2", "down3", "res3", "down4", "res4")  # as `LineNet` names them


class Trunk(nn.Module):
    """The convolutions of `LineNet` over one square, and a weighted mean of what they leave.

    A glyph fills its square, so nothing is masked. Each channel weighs the places of the last map for itself (global
    weighted average pooling, Zhang et al. 2018, arXiv 1804.01259): where a radical stands matters.
    """

    def __init__(self, image_size: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.down1 = ConvUnit(1, a, 2)
        self.down2 = ConvUnit(a, b, 2)
        self.res2 = Residual(b)
        self.down3 = ConvUnit(b, c, 2)
        self.res3 = Residual(c)
        self.down4 = ConvUnit(c, d, (2, 1))
        self.res4 = Residual(d)
        rows, columns = image_size // 16, image_size // 8
        self.places = nn.Parameter(torch.full((d, rows, columns), 1 / (rows * columns)))

    def forward(self, x: Tensor) -> Tensor:
        x = _unit(self.down1, x)
        x = _residual(self.res2, _unit(self.down2, x))
        x = _residual(self.res3, _unit(self.down3, x))
        x = _residual(self.res4, _unit(self.down4, x))
        return (x.float() * self.places).sum((2, 3))


def _unit(part: ConvUnit, x: Tensor) -> Tensor:
    return F.relu(part.norm(part.conv(x)), inplace=True)


def _residual(part: Residual, x: Tensor) -> Tensor:
    return F.relu(x + part.norm(part.conv(_unit(part.first, x))), inplace=True)


class GlyphNet(nn.Module):
    """Logits of every character of a charset for pictures of one character each.

    Parameters
    ----------
    classes : size of the charset, label 0 included. That output exists, so that there is one index space, is never a
        target, and never an answer: outside of training it is minus infinity.
    backbone : "trunk", or the name of a timm model, which is made for one channel of gray.
    image_size : side of the square that it sees, in pixels; of the trunk a multiple of 16.
    widths : channels of the trunk's four stages; timm models know their own.
    mean, std : a pixel enters the backbone as (gray / 255 - mean) / std. The defaults make paper 0 and ink 1, so that
        what convolutions see beyond the rim is paper; pretrained weights bring their own.
    dropout, drop_path : dropout under the output layer; stochastic depth inside a timm model that has it.
    pretrained : take timm's weights; those of its three input channels are added up by timm.

    Attributes
    ----------
    arch : the arguments that make this net again, without those that matter to training alone.

    Raises
    ------
    SettingsError
        If there is no such model, it cannot take the size, or its weights cannot be fetched.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = TRUNK,
        image_size: int = 48,
        widths: tuple[int, int, int, int] = (32, 64, 128, 256),
        mean: float = 1.0,
        std: float = -1.0,
        *,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.body: nn.Module
        if backbone == TRUNK:
            if image_size % 16:
                raise SettingsError(
                    f"net.image_size: {image_size} is not a multiple of 16, which {TRUNK} needs; use 48"
                )
            if pretrained:
                raise SettingsError(f"net.pretrained: {TRUNK} has no weights to fetch; start from a model with --load")
            self.body = Trunk(image_size, widths)
        else:
            self.body = _timm(backbone, image_size, drop_path, pretrained)
            if pretrained:
                cfg: Any = self.body.pretrained_cfg
                mean, std = (sum(cfg[name]) / len(cfg[name]) for name in ("mean", "std"))
        self.arch: dict[str, Any] = {
            "classes": classes, "backbone": backbone, "image_size": image_size, "widths": list(widths), "mean": mean,
            "std": std,
        }  # fmt: skip
        self.mean, self.std = mean, std
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_width(self.body, backbone, image_size), classes)

    def features(self, gray: Tensor) -> Tensor:
        """What the output layer sees (N, D) float32 of pictures (N, S, S) uint8, 255 for paper."""
        x = (gray.float()[:, None] / 255 - self.mean) / self.std
        features: Tensor = self.body(x.contiguous(memory_format=torch.channels_last))
        return features.float()

    def logits(self, features: Tensor) -> Tensor:
        """Logits (N, classes) float32 of features (N, D)."""
        logits: Tensor = self.head(self.dropout(features))
        # label 0 stands first
        return logits if self.training else F.pad(logits[:, BLANK + 1 :], (1, 0), value=float("-inf"))

    def forward(self, gray: Tensor) -> Tensor:
        """Logits (N, classes) float32 of pictures (N, S, S) uint8, 255 for paper."""
        return self.logits(self.features(gray))

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that weight decay would pull to a meaningless zero."""
        own: set[str] = {"places"} if isinstance(self.body, Trunk) else getattr(self.body, "no_weight_decay", set)()
        return {f"body.{name}" for name in own}


def _timm(name: str, image_size: int, drop_path: float, pretrained: bool) -> nn.Module:
    """A timm model for one channel, without its output layer."""
    timm = require("timm")
    if not timm.is_model(name.partition(".")[0]):
        near = ", ".join(get_close_matches(name, [TRUNK, *timm.list_models()], 5, 0.4)) or "resnet18, convnext_atto"
        raise SettingsError(f"net.backbone: timm has no model {name!r}; near it: {near}")
    options: dict[str, Any] = {"pretrained": pretrained, "in_chans": 1, "num_classes": 0}
    if drop_path:
        options["drop_path_rate"] = drop_path
    cfg = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if cfg is not None and cfg.fixed_input_size:
        options["img_size"] = image_size
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every try to reach a network
    try:
        made: nn.Module = timm.create_model(name, **options)
    except TypeError as error:
        raise SettingsError(f"net.backbone: {name} cannot be made so ({error}); leave out net.drop_path") from None
    except Exception as error:
        if not pretrained:
            raise SettingsError(f"net.backbone: {name} cannot be made for {image_size} px: {_gist(error)}") from error
        raise SettingsError(
            f"net.pretrained: the weights of {name} cannot be fetched ({_gist(error)}); "
            "connect to the network once, or use --no-pretrained"
        ) from error
    return made


@torch.no_grad()
def _width(body: nn.Module, name: str, image_size: int) -> int:
    """How many features a backbone gives, by trying."""
    body.eval()
    try:
        shape = body(torch.zeros(1, 1, image_size, image_size)).shape
    except (RuntimeError, AssertionError, ValueError) as error:
        raise SettingsError(f"net.image_size: {name} cannot take {image_size} px ({_gist(error)}); try 64") from None
    finally:
        body.train()
    if len(shape) != 2:
        raise SettingsError(f"net.backbone: {name} gives features of shape {tuple(shape)}; take one that classifies")
    return int(shape[1])


def _gist(error: BaseException) -> str:
    """The first sentence of an error from a library, which may be long or empty."""
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0][:160] if lines else type(error).__name__
