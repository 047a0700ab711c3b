"""The page net: a small fully convolutional detector that says of every place which kind of line runs through it.

Dense 3x3 convolutions over a page folded 4 x 4, with residual blocks down to 1/32 and lateral ways back up to 1/4, as in
feature pyramids (Lin et al. 2017). The middle of lines is what it marks, not all of them, so that neighbours stay apart
(as kernels do in PSENet, Wang et al. 2019), and from there it tells how far the line reaches to both sides (as EAST does,
Zhou et al. 2017).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FOLD = 4  # pixels of a page's side that one place of the maps stands for
MULTIPLE = 32  # sides that the net takes are whole multiples of this
KINDS = ("none", "horizontal text", "vertical text", "horizontal ruby", "vertical ruby")
EXTENTS = 2  # log2 of the pixels to the upper (right, if vertical) and to the lower (left) edge of the line


class Unit(nn.Module):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Unit(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(self.first(x))), inplace=True)


class PageNet(nn.Module):
    """Maps of lines at a quarter of a page's size.

    Parameters
    ----------
    widths : channels at 1/4, 1/8, 1/16 and 1/32 of the page.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.arch: dict[str, Any] = {"widths": list(widths)}
        self.stem = Unit(FOLD * FOLD, a)
        self.res4 = Residual(a)
        self.down8 = Unit(a, b, 2)
        self.res8 = Residual(b)
        self.down16 = Unit(b, c, 2)
        self.res16 = Residual(c)
        self.down32 = Unit(c, d, 2)
        self.res32 = nn.Sequential(Residual(d), Residual(d), Residual(d))
        self.from32 = nn.Conv2d(d, b, 1)
        self.from16 = nn.Conv2d(c, b, 1)
        self.up16 = Unit(b, b)
        self.from8 = nn.Conv2d(b, b, 1)
        self.up8 = Unit(b, b)
        self.to4 = nn.Conv2d(b, a, 1)
        self.up4 = Unit(a, a)
        self.head = nn.Conv2d(a, len(KINDS) + EXTENTS, 1)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 5, H/4, W/4) of `KINDS` and extents (N, 2, H/4, W/4) of pages (N, H, W) uint8, H and W multiples of 32."""
        x = (255 - gray.float())[:, None] / 255
        x = F.pixel_unshuffle(x, FOLD).contiguous(memory_format=torch.channels_last)
        x4 = self.res4(self.stem(x))
        x8 = self.res8(self.down8(x4))
        x16 = self.res16(self.down16(x8))
        y = self.from32(self.res32(self.down32(x16)))
        y = self.up16(self.from16(x16) + F.interpolate(y, scale_factor=2))
        y = self.up8(self.from8(x8) + F.interpolate(y, scale_factor=2))
        y = self.up4(x4 + F.interpolate(self.to4(y), scale_factor=2))
        maps: Tensor = self.head(y).float()
        return maps[:, : len(KINDS)], maps[:, len(KINDS) :]
