"""The line net: a masked convolutional trunk, one bidirectional LSTM and a bottleneck into the whole charset.

The shape follows CRNN (Shi, Bai, Yao 2015) with a residual trunk of dense 3x3 convolutions, which on CPUs run
faster than depthwise ones of the same cost. Everything past a line's own end is set to zero after each convolution,
exactly what zero padding shows to a line that stands alone; so a line reads the same alone, padded or in a batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jphtr.charset import BLANK
from jphtr.geometry import HEIGHT, STRIDE

DEEPER = "deeper."  # begins the names of the weights that a net has beyond a shallower one


def frames(widths: Tensor) -> Tensor:
    """Number of frames (N,) of lines that are `widths` (N,) pixels wide."""
    return torch.div(widths + STRIDE - 1, STRIDE, rounding_mode="floor")


class ConvUnit(nn.Module):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True) * mask


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2015), which at first count for nothing `as_identity`."""

    def __init__(self, channels: int, *, as_identity: bool = False) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        if as_identity:
            nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(self.first(x, mask))), inplace=True) * mask


class LineNet(nn.Module):
    """Log-probabilities of every class in every frame of a line.

    Parameters
    ----------
    classes : size of the charset, the blank at label 0 included.
    widths : channels of the four stages of the trunk, at 1/2, 1/4, 1/8 and 1/8 of the line's length.
    hidden : units of the LSTM in each direction.
    bottleneck : size of the features that the output layer sees.
    deeper : residual blocks that the fourth stage has beyond its first. They start as the identity (Goyal et al. 2017,
        arXiv 1706.02677), so a net that gets one reads as before.
    """

    def __init__(
        self,
        classes: int,
        widths: tuple[int, int, int, int] = (32, 64, 128, 256),
        hidden: int = 256,
        bottleneck: int = 192,
        deeper: int = 0,
    ) -> None:
        super().__init__()
        a, b, c, d = widths
        self.arch: dict[str, Any] = {
            "classes": classes, "widths": list(widths), "hidden": hidden, "bottleneck": bottleneck, "deeper": deeper,
        }  # fmt: skip
        self.down1 = ConvUnit(1, a, 2)
        self.down2 = ConvUnit(a, b, 2)
        self.res2 = Residual(b)
        self.down3 = ConvUnit(b, c, 2)
        self.res3 = Residual(c)
        self.down4 = ConvUnit(c, d, (2, 1))
        self.res4 = Residual(d)
        self.deeper = nn.ModuleList(Residual(d, as_identity=True) for _ in range(deeper))
        self.column = nn.Conv2d(d, d, (HEIGHT // 16, 1))
        self.ahead = nn.LSTM(d, hidden, batch_first=True)
        self.back = nn.LSTM(d, hidden, batch_first=True)
        self.neck = nn.Linear(d + 2 * hidden, bottleneck)
        self.head = nn.Linear(bottleneck, classes)

    def features(self, gray: Tensor, widths: Tensor) -> Tensor:
        """Bottleneck features (N, T, bottleneck) float32 of lines (N, 48, W) uint8, W a multiple of 8."""
        x = (255 - gray.float())[:, None] / 255
        x = x.contiguous(memory_format=torch.channels_last)
        lengths = frames(widths)
        steps = torch.arange(gray.shape[2] // STRIDE, device=gray.device)
        inside = steps[None] < lengths[:, None]  # (N, T)
        eighth = inside[:, None, None, :].to(x.dtype)
        quarter = eighth.repeat_interleave(2, dim=3)
        half = quarter.repeat_interleave(2, dim=3)
        if torch.is_autocast_enabled(gray.device.type):
            kind = torch.get_autocast_dtype(gray.device.type)
            half, quarter, eighth = half.to(kind), quarter.to(kind), eighth.to(kind)
        x = self.down1(x, half)
        x = self.res2(self.down2(x, quarter), quarter)
        x = self.res3(self.down3(x, eighth), eighth)
        x = self.res4(self.down4(x, eighth), eighth)
        for block in self.deeper:
            x = block(x, eighth)
        x = F.relu(self.column(x)).squeeze(2).transpose(1, 2)  # (N, T, D)
        # the backward LSTM starts at each line's own end: turn every line round inside its own length
        turned = torch.where(inside, lengths[:, None] - 1 - steps[None], steps[None])
        ahead, _ = self.ahead(x)
        back, _ = self.back(x.gather(1, turned[..., None].expand_as(x)))
        back = back.gather(1, turned[..., None].expand_as(back))
        neck: Tensor = self.neck(torch.cat([x, ahead, back], dim=2))
        return neck.float()

    def forward(self, gray: Tensor, widths: Tensor) -> Tensor:
        """Log-probabilities (N, T, classes) float32; frames past a line's end are pure blank."""
        logits: Tensor = self.head(self.features(gray, widths)).float()
        log_probs = logits.log_softmax(2)
        steps = torch.arange(gray.shape[2] // STRIDE, device=gray.device)
        outside = steps[None] >= frames(widths)[:, None]
        blank = torch.full_like(log_probs[:1, :1], -1e4)
        blank[..., BLANK] = 0.0
        return torch.where(outside[..., None], blank, log_probs)
