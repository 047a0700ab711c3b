"""Planned lines -> strips, many at once, on whatever device a net trains on.

The way of `compose.Composer.line` and `geometry.prepare`, in tensors: glyphs are pasted into pictures, the pictures bent
and worn, cut at their text, levelled and scaled to strips. Chances differ from line to line, so what only some lines
suffer is done to these alone. A batch is a function of its plans, on devices of one kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from jphtr.compose.plan import Plan
from jphtr.geometry import HEIGHT
from jphtr.records import Gray
from jphtr.training.paint_wear import WEARS, Look, bent

_CANVAS = 64
_PASTED = 4096  # glyphs that are pasted at a time
_BLOCK = 48  # columns of a strip whose light is measured together
_FAINT = 18.0  # levels of gray below which nothing counts as ink


class Painter:
    """Draws plans of one atlas.

    Parameters
    ----------
    grays : the atlas's glyphs, `Atlas.grays`; they are copied to the device, 4 KiB each.
    device : where it draws.
    """

    def __init__(self, grays: Sequence[Gray], device: torch.device) -> None:
        self.device = device
        self.glyphs = torch.cat([torch.from_numpy(np.ascontiguousarray(gray)).to(device) for gray in grays])

    @torch.no_grad()
    def paint(self, plans: Sequence[Plan], width: int) -> Tensor:
        """The strips (N, 48, width) uint8 on the device, paper 255 behind their ends."""
        generator = torch.Generator(self.device)
        generator.manual_seed(plans[0].seed)
        look = Look.of(plans, self.device, generator)
        gray = 255 - self._inked(plans, look)
        for name, wear in WEARS.items():
            rows = [i for i, plan in enumerate(plans) if name in plan.worn]
            if rows:
                index = torch.tensor(rows, device=self.device)
                gray[index] = wear(gray[index], look.part(index)).clamp_(0, 255)
        return self._strips(gray, plans, width)

    def _inked(self, plans: Sequence[Plan], look: Look) -> Tensor:
        """Ink (N, 1, H, W), 0 to 255, of every picture's glyphs, bent as hand and paper bend it."""
        height, width = look.shape
        ink = torch.zeros(len(plans) * height * width, device=self.device)
        owner = np.repeat(np.arange(len(plans)), [len(plan.glyphs) for plan in plans])
        glyphs = np.concatenate([plan.glyphs for plan in plans])
        matrices = np.concatenate([plan.matrices for plan in plans]).astype(np.float64)
        if len(glyphs):
            scale = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))
            halved = np.clip(np.floor(np.log2(0.85 / scale)), 0, 3).astype(int)  # so often before it is sampled
            for level in np.unique(halved).tolist():
                (found,) = np.nonzero(halved == level)
                for part in np.array_split(found, -(-len(found) // _PASTED)):
                    self._paste(ink, owner[part], glyphs[part], matrices[part], 2**level, (height, width))
        beside = torch.tensor([plan.beside for plan in plans], device=self.device)
        return bent(ink.view(len(plans), 1, height, width), plans, look, beside)

    def _paste(
        self, ink: Tensor, owner: np.ndarray, glyphs: np.ndarray, matrices: np.ndarray, shrink: int, shape: tuple[int, int]
    ) -> None:  # fmt: skip
        """Lay glyphs, averaged over squares of `shrink` pixels, over the pictures that own them."""
        height, width = shape
        corners = (
            matrices[:, :, :2] @ np.array([[0, _CANVAS, 0, _CANVAS], [0, 0, _CANVAS, _CANVAS]]) + matrices[:, :, 2:]
        )
        start = np.floor(corners.min(axis=2))
        side = int(np.ceil((corners.max(axis=2) - start).max())) + 1
        inverse = np.linalg.inv(matrices[:, :, :2])
        offset = (inverse @ (start - matrices[:, :, 2])[:, :, None])[:, :, 0]  # of the piece's corner on the canvas
        source = 255 - self.glyphs[torch.from_numpy(glyphs).to(self.device)].float()[:, None]
        if shrink > 1:
            source = F.avg_pool2d(source, shrink)
        theta = self._tensor(np.concatenate([inverse, offset[:, :, None]], axis=2))
        middle = torch.arange(side, device=self.device) + 0.5
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        at = torch.stack([x, y, torch.ones_like(x)], 2) @ theta.transpose(1, 2)[:, None]
        pieces = F.grid_sample(source, at * (2 / _CANVAS) - 1, align_corners=False)[:, 0]
        corner = torch.from_numpy(start.astype(np.int64)).to(self.device)
        rows = corner[:, 1, None, None] + torch.arange(side, device=self.device)[:, None]
        columns = corner[:, 0, None, None] + torch.arange(side, device=self.device)
        there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        first = torch.from_numpy(owner.astype(np.int64)).to(self.device)[:, None, None] * height
        index = (first + rows) * width + columns
        ink.scatter_reduce_(0, index[there], pieces[there], "amax")

    def _strips(self, gray: Tensor, plans: Sequence[Plan], width: int) -> Tensor:
        """The cut of each picture at its text, its light levelled as `geometry.prepare` levels it."""
        scale = self._tensor([plan.scale for plan in plans])[:, None]
        origin = self._tensor([plan.origin for plan in plans])
        size = self._tensor([plan.size for plan in plans])
        x = origin[:, :1] + (torch.arange(width, device=self.device) + 0.5) / scale  # (N, width) in the picture
        y = origin[:, 1:] + (torch.arange(HEIGHT, device=self.device) + 0.5) / scale
        picture = self._tensor([gray.shape[3], gray.shape[2]])
        at = torch.stack(
            [x[:, None, :].expand(-1, HEIGHT, -1) * 2 / picture[0] - 1, y[:, :, None].expand(-1, -1, width) * 2 / picture[1] - 1], 3
        )  # fmt: skip
        strips = F.grid_sample(gray, at, mode="bicubic", padding_mode="border", align_corners=False)[:, 0].clamp(0, 255)
        inside = ((x > 0) & (x < size[:, :1]))[:, None] & ((y > 0) & (y < size[:, 1:]))[:, :, None]
        own = torch.arange(width, device=self.device) < self._tensor([plan.width for plan in plans])[:, None]
        paper, depth = _light(strips, inside & own[:, None])
        level = 255.5 - (paper[:, None] - strips) * (255 / depth.clamp(min=1))[:, None, None]
        level = torch.where((depth < _FAINT)[:, None, None], 255.0, level)
        return torch.where(inside & own[:, None], level, 255.0).clamp(0, 255).to(torch.uint8)

    def _tensor(self, values: object) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32)).to(self.device)


def _light(strips: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """The level of the paper along each strip (N, W), and how far below it the ink lies (N,): `geometry.prepare`'s."""
    count, height, width = strips.shape
    blocks = -(-width // _BLOCK)
    pad = blocks * _BLOCK - width
    values = torch.where(there, strips, torch.inf)
    values = F.pad(values, (0, pad), value=torch.inf).view(count, height, blocks, _BLOCK)
    values = values.transpose(1, 2).reshape(count, blocks, -1).sort(dim=2).values
    filled = values.isfinite().sum(dim=2)

    def quantile(share: float) -> Tensor:
        index = (share * (filled - 1).clamp(min=0)).long()
        return values.gather(2, index[:, :, None])[:, :, 0]

    used = filled >= height * _BLOCK // 4
    used[:, 0] |= ~used.any(dim=1)
    level, dark = quantile(0.80), quantile(0.015)
    depths = torch.where(used, level - dark, torch.inf).nan_to_num(torch.inf).sort(dim=1).values
    place = (used.sum(dim=1) * 0.85).long().clamp(max=blocks - 1)
    place = torch.minimum(place, used.sum(dim=1) - 1)
    depth = depths.gather(1, place[:, None])[:, 0].nan_to_num(0, 0, 0)
    # behind the last block that is used its level goes on
    last = torch.where(used, torch.arange(blocks, device=strips.device), -1).cummax(dim=1).values.clamp(min=0)
    level = level.gather(1, last).nan_to_num(255, 255, 255)
    if blocks > 2:  # a block that is mostly ink or stain must not pull the paper down
        beside = F.pad(level[:, None], (1, 1), mode="replicate")[:, 0]
        level = torch.maximum(level, (beside[:, :-2] + beside[:, 2:]) / 2 - 12)
    paper = F.interpolate(level[:, None], size=blocks * _BLOCK, mode="linear", align_corners=False)[:, 0, :width]
    return paper, depth
