"""Artificial defects: what a good part never shows, drawn on it during training.

Every defect is a shape times a filling. Shapes: a cloud (thresholded smooth noise, as stains and
missing pieces), a scratch (a thin bent line), a box (as in CutPaste, Li et al. 2021). Fillings:
another image's content, the image's own content displaced, one colour, a change of light, blur.
All are drawn from one generator, on any device alike.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

_SHAPES = 3
_FILLINGS = 5


def add_defects(images: Tensor, share: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw one defect each on about `share` of the images.

    Args:
        images: (B, 3, S, S) in 0..1; not changed.
        share: probability of a defect per image, 0..1.
        generator: on the CPU; decides everything, so equal generators give equal images.

    Returns:
        The images with defects (B, 3, S, S) and where they are (B, 1, S, S), 0 or 1.
    """
    changed, masks = [], []
    count = len(images)
    for index in range(count):
        image = images[index]
        if _uniform(generator) >= share:
            changed.append(image)
            masks.append(torch.zeros_like(image[:1]))
            continue
        other = images[int(_uniform(generator) * count)]
        mask = _shape(image.shape[-1], generator).to(image.device)  # (1, S, S)
        filling = _filling(image, other, generator)  # (3, S, S)
        opacity = 0.3 + 0.7 * _uniform(generator)  # subtle ones teach most
        soft = mask * opacity
        changed.append(image * (1 - soft) + filling * soft)
        masks.append(mask)
    return torch.stack(changed).clamp(0, 1), torch.stack(masks)


def _uniform(generator: Generator) -> float:
    return torch.rand((), generator=generator).item()


def _shape(size: int, generator: Generator) -> Tensor:
    kind = int(_uniform(generator) * _SHAPES)
    return (_cloud, _scratch, _box)[kind](size, generator)


def _cloud(size: int, generator: Generator) -> Tensor:
    cells = 2 ** (2 + int(_uniform(generator) * 3))  # 4, 8 or 16 cells across
    noise = torch.randn((1, 1, cells, cells), generator=generator)
    smooth = F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)[0]
    # Only inside a window, so that one defect is one place and not a pattern over the image.
    window = _box(size, generator, smallest=0.1, largest=0.4)
    inside = smooth.masked_fill(window == 0, -torch.inf)
    area = max(4, int(window.sum().item() * (0.1 + 0.5 * _uniform(generator))))
    level = inside.flatten().topk(area).values[-1]
    return (inside >= level).float()


def _scratch(size: int, generator: Generator) -> Tensor:
    grid = torch.arange(size, dtype=torch.float32)
    y, x = grid[:, None], grid[None, :]
    centre_y, centre_x, turn, bend, length, width = (_uniform(generator) for _ in range(6))
    angle = torch.tensor(turn * torch.pi)
    along = (x - centre_x * size) * angle.cos() + (y - centre_y * size) * angle.sin()
    across = (y - centre_y * size) * angle.cos() - (x - centre_x * size) * angle.sin()
    across = across + (bend - 0.5) * 4 * along.square() / size  # a parabola: scratches bend
    half_length = size * (0.03 + 0.17 * length)
    half_width = size * (0.004 + 0.012 * width)
    mask = (along.abs() <= half_length) & (across.abs() <= max(half_width, 0.75))
    return mask.float()[None]


def _box(size: int, generator: Generator, smallest: float = 0.03, largest: float = 0.2) -> Tensor:
    height, width, top, left = (_uniform(generator) for _ in range(4))
    rows = max(3, int(size * (smallest + (largest - smallest) * height)))
    columns = max(3, int(size * (smallest + (largest - smallest) * width)))
    y, x = int(top * (size - rows)), int(left * (size - columns))
    mask = torch.zeros((1, size, size))
    mask[:, y : y + rows, x : x + columns] = 1
    return mask


def _filling(image: Tensor, other: Tensor, generator: Generator) -> Tensor:
    kind = int(_uniform(generator) * _FILLINGS)
    size = image.shape[-1]
    shift = (int(_uniform(generator) * size), int(_uniform(generator) * size))
    if kind == 0:  # another image's content
        return other.roll(shift, dims=(-2, -1))
    if kind == 1:  # the image's own content, somewhere else
        return image.roll(shift, dims=(-2, -1))
    if kind == 2:  # one colour
        return torch.rand((3, 1, 1), generator=generator).to(image.device).expand_as(image)
    if kind == 3:  # darker, brighter or tinted
        tint = 0.3 + 1.4 * torch.rand((3, 1, 1), generator=generator)
        return image * tint.to(image.device)
    return F.avg_pool2d(image[None], 9, stride=1, padding=4, count_include_pad=False)[0]
