"""What ink and paper suffer, for many pictures at once: `compose.ink` and `compose.paper` in tensors.

Pictures are (N, 1, H, W) float, 255 paper, the reading axis from left to right, each at the upper left of its plane.
Sizes are in units of a character, of which `Look.em` says the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from jphtr.compose.plan import NODES, Plan

_BLOCK = 8  # pixels of a side of JPEG's blocks; planes are whole multiples of it
_QUANTA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)  # of luminance, by ITU-T T.81 annex K


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures stand in their plane, and their chances.

    Attributes
    ----------
    shape : (H, W) of the plane.
    em, wide, high : (N, 1, 1, 1) pixels of a character, of a picture's width and height.
    generator : of all that is drawn, on the device.
    """

    shape: tuple[int, int]
    em: Tensor
    wide: Tensor
    high: Tensor
    generator: torch.Generator

    @classmethod
    def of(cls, plans: Sequence[Plan], device: torch.device, generator: torch.Generator) -> Look:
        """That of a batch of plans."""
        values = np.array([(plan.em, *plan.size) for plan in plans], np.float32)
        em, wide, high = torch.from_numpy(values).to(device).T[:, :, None, None, None]
        most = values.max(axis=0)
        height, width = (int(-(-side // _BLOCK)) * _BLOCK for side in (most[2], most[1]))
        return cls((height, width), em, wide, high, generator)

    def part(self, index: Tensor) -> Look:
        """That of some of the pictures."""
        return replace(self, em=self.em[index], wide=self.wide[index], high=self.high[index])

    @property
    def x(self) -> Tensor:
        """(1, 1, 1, W) middles of the columns."""
        return torch.arange(self.shape[1], device=self.em.device)[None, None, None] + 0.5

    @property
    def y(self) -> Tensor:
        """(1, 1, H, 1) middles of the rows."""
        return torch.arange(self.shape[0], device=self.em.device)[None, None, :, None] + 0.5

    def uniform(self, low: float, high: float) -> Tensor:
        """(N, 1, 1, 1): a number for each picture."""
        return torch.rand(self.em.shape, device=self.em.device, generator=self.generator) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) standard normal; by default (N, 1, 1, 1)."""
        size = (len(self.em), *(shape or (1, 1, 1)))
        return torch.randn(size, device=self.em.device, generator=self.generator)

    def plane(self) -> Tensor:
        """(N, 1, H, W) uniform from 0 to 1: a number for each pixel."""
        return torch.rand((len(self.em), 1, *self.shape), device=self.em.device, generator=self.generator)

    def field(self, step: Tensor) -> Tensor:
        """(N, 1, H, W) smooth noise of standard deviation about 1 whose bumps are `step` (N, 1, 1, 1) pixels wide."""
        step = step.clamp(min=1.0)
        least = float(step.min())
        small = (int(self.shape[0] / least) + 4, int(self.shape[1] / least) + 4)
        return self.sampled(self.normal(1, *small), 1.5 + self.x / step, 1.5 + self.y / step, "bicubic")

    def sampled(self, image: Tensor, x: Tensor, y: Tensor, mode: str = "bilinear") -> Tensor:
        """(N, 1, H, W) what `image` (N, 1, h, w) shows at its pixels x, y, which broadcast to that; beyond it, its rim."""
        height, width = image.shape[2:]
        across, down = x * 2 / width - 1, y * 2 / height - 1
        across, down = across + torch.zeros_like(down), down + torch.zeros_like(across)
        if len(across) == 1:
            across, down = across.expand(len(image), -1, -1, -1), down.expand(len(image), -1, -1, -1)
        at = torch.stack([across[:, 0], down[:, 0]], 3)
        return F.grid_sample(image, at, mode=mode, padding_mode="border", align_corners=False)


def bent(ink: Tensor, plans: Sequence[Plan], look: Look, beside: Tensor) -> Tensor:
    """Ink (N, 1, H, W) that follows its baselines and waves about, parts of other lines beside it where they are asked for.

    Those are the line itself, moved along and aside.
    """
    device = ink.device
    nodes = torch.from_numpy(np.stack([plan.baseline for plan in plans])).to(device)[:, None, None]
    sag = look.sampled(nodes, 0.5 + look.x / look.wide * (NODES - 1), torch.full_like(look.y[:, :, :1], 0.5))
    wave = torch.tensor([plan.wave for plan in plans], device=device, dtype=torch.float32)[:, None, None, None]
    x = look.x - look.field(0.45 * look.em) * wave
    y = look.y - sag - look.field(0.45 * look.em) * wave
    # beyond the plane is no ink
    out = look.sampled(F.pad(ink, (1, 1, 1, 1)), x + 1, y + 1)
    if beside.any():
        rows = beside.nonzero()[:, 0]
        part = look.part(rows)
        for side in (-1, 1):
            there = (part.uniform(0, 1) < 0.6).float()
            along = (part.x + part.uniform(0, 1) * part.wide) % part.wide
            aside = part.y - side * part.em * part.uniform(
                0.95, 1.5
            )  # strips are cut at the text: only near lines show
            # its own plane ends where the picture does
            inside = ((aside > 0) & (aside < part.high)).float()
            out[rows] = torch.maximum(out[rows], part.sampled(ink[rows], along, aside) * inside * there)
    return out


def _blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, `sigma` (N, 1, 1, 1) pixels."""
    count, _, height, width = image.shape
    radius = max(1, min(int(3 * float(sigma.max()) + 0.5), min(height, width) - 1))
    offsets = torch.arange(-radius, radius + 1, device=image.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.clamp(min=0.05) ** 2))
    kernel = (kernel / kernel.sum(dim=3, keepdim=True)).to(image.dtype)
    planes = F.pad(image, (radius, radius, 0, 0), mode="replicate").transpose(0, 1)
    planes = F.conv2d(planes, kernel, groups=count)
    planes = F.pad(planes, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(planes, kernel.transpose(2, 3), groups=count).transpose(0, 1)


def _quantile(image: Tensor, look: Look, shares: Sequence[float]) -> list[Tensor]:
    """(N, 1, 1, 1) levels below which such shares of the pixels of each picture lie."""
    inside = (look.x < look.wide) & (look.y < look.high)
    values = torch.where(inside, image, torch.inf)[:, :, ::2, ::2].flatten(1).sort(dim=1).values
    filled = values.isfinite().sum(dim=1, keepdim=True)
    return [values.gather(1, (share * (filled - 1).clamp(min=0)).long())[:, :, None, None] for share in shares]


def _heavier(gray: Tensor) -> Tensor:
    return -F.max_pool2d(-gray, 3, 1, 1)


def _lighter(gray: Tensor) -> Tensor:
    return F.max_pool2d(gray, 3, 1, 1)


def thicken(gray: Tensor, look: Look) -> Tensor:
    return torch.lerp(gray, _heavier(gray), look.uniform(0.3, 1.0) * (look.em / 48).clamp(max=1))


def thin(gray: Tensor, look: Look) -> Tensor:
    light = _lighter(gray)
    left = (255 - light).mean(dim=(2, 3), keepdim=True) / (255 - gray).mean(dim=(2, 3), keepdim=True).clamp(min=1e-3)
    share = look.uniform(0.1, 0.45) * torch.where(left < 0.3, 0.3, 1.0)  # strokes of a pixel or two would vanish
    return torch.lerp(gray, light, share)


def spread(gray: Tensor, look: Look) -> Tensor:
    """Wet ink: blurred, then cut again, so that corners round and counters fill."""
    soft = 255 - _blurred(gray, look.em * look.uniform(0.017, 0.046))
    return 255 - ((soft - look.uniform(70, 130)) * look.uniform(2, 4) + 128).clamp(0, 255)


def breaks(gray: Tensor, look: Look) -> Tensor:
    """Worn type or a dry pen: patches where little ink arrived."""
    noise = 0.5 + 0.29 * look.field(look.em * look.uniform(0.04, 0.14))
    keep = torch.maximum(((noise - look.uniform(0.12, 0.35)) * 6 + 0.5).clamp(max=1), look.uniform(0, 0.5))
    return 255 - (255 - gray) * keep


def dry(gray: Tensor, look: Look) -> Tensor:
    """A brush or pen short of ink: strokes shrink towards their middle, and break where they were thin."""
    ink = 255 - gray
    soft = _blurred(ink, look.em * 0.03) / 255
    level = look.uniform(0.1, 0.55) + look.uniform(0.1, 0.3) * look.field(look.em * look.uniform(0.12, 0.6))
    return 255 - ink * torch.sigmoid((soft - level) * 14)


def ragged(gray: Tensor, look: Look) -> Tensor:
    """Ink creeping along paper fibres: the edge moves by a pixel here and there."""
    soft = _blurred(255 - gray, look.em * 0.021)
    soft = soft + look.field(look.em * 0.042) * look.uniform(25, 60) * (soft > 8)
    return 255 - ((soft - 128) * 2.5 + 128).clamp(0, 255)


def faint(gray: Tensor, look: Look) -> Tensor:
    """Pressure that comes and goes along the line."""
    nodes = look.normal(1, 1, int(look.shape[1] / float(look.em.min())) + 4)
    level = look.sampled(nodes, 1.5 + look.x / (1.25 * look.em), torch.full_like(look.y[:, :, :1], 0.5))
    return 255 - (255 - gray) * (0.68 + 0.2 * level).clamp(0.25, 1)


def pencil(gray: Tensor, look: Look) -> Tensor:
    noise = 1 + look.field(torch.ones_like(look.em)) * look.uniform(0.2, 0.45)
    return 255 - ((255 - gray) * noise * look.uniform(0.5, 0.9)).clamp(0, 255)


def outline(gray: Tensor, look: Look) -> Tensor:
    """Uneven print: the middle of broad strokes paler than their rim."""
    inner = _blurred(255 - _lighter(gray), look.em / 48)
    return gray + inner * look.uniform(0.2, 0.6)


def low_contrast(gray: Tensor, look: Look) -> Tensor:
    paper, ink = look.uniform(150, 250), look.uniform(10, 130)
    ink = torch.minimum(ink, paper - 45)
    return ink + gray * ((paper - ink) / 255)


def texture(gray: Tensor, look: Look) -> Tensor:
    fine = look.field(look.uniform(1.5, 4)) * look.uniform(2, 8)
    return gray + fine + look.field(0.8 * look.em) * look.uniform(1, 7)


def shadow(gray: Tensor, look: Look) -> Tensor:
    """Light that falls off along or across the line."""
    nodes = torch.rand((len(gray), 1, 1, 4), device=gray.device, generator=look.generator) * 0.55 + 0.45
    along = look.sampled(nodes, 0.5 + look.x / look.wide * look.uniform(1, 3), torch.full_like(look.y[:, :, :1], 0.5))
    across = torch.lerp(look.uniform(0.85, 1), look.uniform(0.85, 1), (look.y / look.high).clamp(max=1))
    return gray * (along * across).clamp(0.3, 1)


def stain(gray: Tensor, look: Look) -> Tensor:
    mask = torch.zeros_like(gray)
    for chance in (1.0, 0.67, 0.33):
        a, b = look.em * look.uniform(0.2, 1.5) + 1, look.em * look.uniform(0.2, 1.0) + 1
        turn = look.uniform(0, np.pi)
        dx, dy = look.x - look.uniform(0, 1) * look.wide, look.y - look.uniform(0, 1) * look.high
        u, v = dx * turn.cos() + dy * turn.sin(), dy * turn.cos() - dx * turn.sin()
        away = ((u / a) ** 2 + (v / b) ** 2).sqrt() - 1
        there = (look.uniform(0, 1) < chance) * look.uniform(0.1, 0.45)
        mask = torch.maximum(mask, torch.sigmoid(-away * look.uniform(4, 20)) * there)
    return gray * (1 - mask)


def specks(gray: Tensor, look: Look) -> Tensor:
    drawn, kind = look.plane(), look.uniform(0, 1)
    share = look.uniform(2, 5) / (look.high * look.wide) * (1 + 0.3 * look.wide / look.em)
    spots = (drawn < share).float()
    grown = F.max_pool2d(spots, 3, 1, 1)
    spots = torch.where(look.uniform(0, 1) < 0.5, spots, grown)
    level = torch.where(kind < 0.8, look.uniform(0, 150), torch.full_like(kind, 255.0))
    return torch.lerp(gray, level.expand_as(gray), spots)


def salt_pepper(gray: Tensor, look: Look) -> Tensor:
    drawn, share = look.plane(), look.uniform(0.001, 0.02)
    return torch.where(drawn < share, 0.0, torch.where(drawn > 1 - share, 255.0, gray))


def show_through(gray: Tensor, look: Look) -> Tensor:
    """The back of the sheet, mirrored and blurred."""
    x = (look.wide - look.x + look.uniform(0, 1) * look.wide) % look.wide
    back = look.sampled(gray, x, look.y + look.uniform(-0.33, 0.33) * look.high)
    back = _blurred(back, (0.06 * look.em).clamp(min=0.6))
    return torch.minimum(gray, 255 - (255 - back) * look.uniform(0.06, 0.28))


def rules(gray: Tensor, look: Look) -> Tensor:
    """Ruled paper, a table's lines, or the cells of manuscript paper."""
    kind, thick = look.uniform(0, 1), (look.em * look.uniform(0.01, 0.05)).clamp(min=1)
    level, middle = look.uniform(0, 190), look.high / 2
    slope = look.uniform(-0.03, 0.03) * look.em / look.wide
    lines = torch.zeros(gray.shape, dtype=torch.bool, device=gray.device)
    for side in (-1, 1):
        at = middle + side * look.em * look.uniform(0.53, 0.8) + slope * look.x
        lines |= ((look.y - at).abs() < thick / 2) & (kind < 0.55) & (look.uniform(0, 1) < 0.75)
        inset = look.em * look.uniform(0.02, 0.3)
        at = inset if side < 0 else look.wide - inset
        lines |= ((look.x - at).abs() < thick / 2) & (kind >= 0.55) & (kind < 0.8) & (look.uniform(0, 1) < 0.7)
    step = (look.em * look.uniform(1.0, 1.25)).clamp(min=4)
    inner = (look.y - middle).abs() < step * 0.55
    bars = ((look.x - look.uniform(0, 1) * step) % step < 1) & inner
    cells = bars | (((look.y - middle).abs() - step * 0.55).abs() < 0.5)
    out = torch.where(lines, torch.minimum(gray, level), gray)
    return torch.where(cells & (kind >= 0.8), torch.minimum(out, level.clamp(min=120)), out)


def edge(gray: Tensor, look: Look) -> Tensor:
    """The dark border of a scan along one side of the picture."""
    side, thick = look.uniform(0, 4).floor(), (look.em * look.uniform(0.03, 0.12)).clamp(min=1)
    x, y = look.x.expand_as(gray), look.y.expand_as(gray)
    away = torch.where(side == 0, x, torch.where(side == 1, look.wide - x, torch.where(side == 2, y, look.high - y)))
    return torch.where(away < thick, torch.minimum(gray, look.uniform(0, 120)), gray)


def crease(gray: Tensor, look: Look) -> Tensor:
    away = (look.x - look.uniform(0, 1) * look.wide) / (0.05 * look.em).clamp(min=0.8)
    return gray - look.uniform(20, 80) * torch.exp(-(away**2))


def blur(gray: Tensor, look: Look) -> Tensor:
    return _blurred(gray, (look.em * look.uniform(0.012, 0.05)).clamp(min=0.3))


def motion(gray: Tensor, look: Look) -> Tensor:
    reach, turn = look.em * look.uniform(0.05, 0.13), look.uniform(0, np.pi)
    parts = [
        look.sampled(gray, look.x + reach * turn.cos() * share, look.y + reach * turn.sin() * share)
        for share in np.linspace(-0.5, 0.5, 5).tolist()
    ]
    return torch.stack(parts).mean(dim=0)


def noise(gray: Tensor, look: Look) -> Tensor:
    return gray + look.normal(1, *look.shape) * look.uniform(3, 28)


def jpeg(gray: Tensor, look: Look) -> Tensor:
    """Rounding of the cosine transform of blocks of 8 x 8 pixels (ITU-T T.81)."""
    k = torch.arange(_BLOCK, device=gray.device, dtype=torch.float32)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * (np.pi / 16)) / 2
    basis[0] /= np.sqrt(2)
    quality = look.uniform(12, 85)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)[..., None, None]
    table = torch.tensor([float(value) for value in _QUANTA.split()], device=gray.device).view(_BLOCK, _BLOCK)
    table = (table * scale).clamp(1, 255)[:, :, 0]  # (N, 1, 1, 8, 8)
    height, width = look.shape
    blocks = (gray - 128).view(-1, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(2, 3)
    found = basis @ blocks @ basis.T
    found = basis.T @ ((found / table).round() * table) @ basis
    return found.transpose(2, 3).reshape(gray.shape) + 128


def low_resolution(gray: Tensor, look: Look) -> Tensor:
    """Scanned too coarsely and enlarged again: down to 12 pixels a character, or to 60 % where it is that already."""
    scale = (look.uniform(11, 20) / look.em).clamp(0.4, 0.95)
    small = look.sampled(_blurred(gray, 0.35 / scale), look.x / scale, look.y / scale)
    how = look.uniform(0, 1)
    x, y = look.x * scale, look.y * scale
    coarse = how < 0.1
    x = torch.where(coarse, x.floor() + 0.5, x)
    y = torch.where(coarse, y.floor() + 0.5, y)
    smooth, sharp = look.sampled(small, x, y), look.sampled(small, x, y, "bicubic")
    return torch.where(how < 0.55, smooth, sharp)


def binarise(gray: Tensor, look: Look) -> Tensor:
    """A fax or a scan in black and white."""
    low, high = _quantile(gray, look, (0.02, 0.9))
    grain = look.normal(1, *look.shape) * look.uniform(0, 14)
    return torch.where(gray + grain < low + (high - low) * look.uniform(0.4, 0.75), 0.0, 255.0)


def halftone(gray: Tensor, look: Look) -> Tensor:
    pitch, turn = (look.em * look.uniform(0.05, 0.1)).clamp(min=2), look.uniform(0, np.pi)
    u, v = look.x * turn.cos() + look.y * turn.sin(), look.y * turn.cos() - look.x * turn.sin()
    return gray - 35 * look.uniform(0.3, 1) * ((u * 2 * np.pi / pitch).sin() * (v * 2 * np.pi / pitch).sin() + 1)


def moire(gray: Tensor, look: Look) -> Tensor:
    """A photographed screen: faint stripes."""
    turn, pitch = look.uniform(0, np.pi), 2.5 + look.uniform(0, 1) * (0.4 * look.em + 1.5)
    return gray + look.uniform(4, 18) * ((look.x * turn.cos() + look.y * turn.sin()) * 2 * np.pi / pitch).sin()


def sharpen(gray: Tensor, look: Look) -> Tensor:
    return gray + (gray - _blurred(gray, (0.03 * look.em).clamp(min=0.6))) * look.uniform(0.8, 2.5)


def gamma(gray: Tensor, look: Look) -> Tensor:
    return (gray.clamp(0, 255) / 255) ** torch.exp(look.normal() * 0.45) * 255


def fade(gray: Tensor, look: Look) -> Tensor:
    """Pieces of the line nearly gone."""
    return 255 - (255 - gray) * (0.8 + 0.3 * look.field(1.5 * look.em)).clamp(0.3, 1)


def scratch(gray: Tensor, look: Look) -> Tensor:
    for chance in (1.0, 0.67, 0.33):
        x, y = look.x - look.uniform(0, 1) * look.wide, look.y - look.uniform(0, 1) * look.high
        turn = 0.2 * look.normal()
        along, away = x * turn.cos() + y * turn.sin(), (y * turn.cos() - x * turn.sin()).abs()
        reach = look.em * look.uniform(0.2, 3.0)
        share = ((0.02 * look.em).clamp(min=1) / 2 + 0.5 - away).clamp(0, 1) * ((along > 0) & (along < reach))
        share = share * (look.uniform(0, 1) < chance)
        level = torch.where(look.uniform(0, 1) < 0.5, look.uniform(0, 200), torch.full_like(look.em, 255.0))
        gray = torch.lerp(gray, level.expand_as(gray), share)
    return gray


# In the order in which they happen. Light on dark (`invert`) is what a strip is freed of, and not drawn.
WEARS: dict[str, Callable[[Tensor, Look], Tensor]] = {
    "thicken": thicken, "thin": thin, "spread": spread, "breaks": breaks, "dry": dry, "ragged": ragged,
    "faint": faint, "pencil": pencil, "outline": outline,
    "show_through": show_through, "rules": rules, "halftone": halftone, "fade": fade, "scratch": scratch,
    "low_contrast": low_contrast, "texture": texture, "stain": stain, "specks": specks, "crease": crease, "edge": edge,
    "shadow": shadow, "low_resolution": low_resolution, "blur": blur, "motion": motion, "gamma": gamma, "moire": moire,
    "noise": noise, "salt_pepper": salt_pepper, "sharpen": sharpen, "binarise": binarise, "jpeg": jpeg,
}  # fmt: skip
