"""Artificial defects: what a good part never shows, drawn on it during training.

Every defect is a shape times a filling. Shapes: a cloud (thresholded smooth noise, as stains and
missing pieces), specks (several small ones), a scratch (a thin bent line), a box (as in CutPaste,
Li et al. 2021). Fillings: another image's content, the image's own content displaced, one colour, a
change of light, blur, a local bend. Most lie on the product: what is drawn on an empty background
teaches little but to mistrust dust. All are drawn from one generator, on any device alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Place = tuple[float, float]
"""Row and column in pixels."""
_ON_PRODUCT = 0.85
_GREY = 0.02
"""Largest difference of channels in an image of a grey camera."""


def add_defects(
    images: Tensor, share: float, generator: Generator, on_product: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Draw one defect each on about `share` of the images.

    Args:
        images: (B, 3, H, W) in 0..1; not changed.
        share: probability of a defect per image, 0..1.
        generator: on the CPU; decides everything, so equal generators give equal images.
        on_product: `places` of each image, for a caller that draws on the same images again.

    Returns:
        The images with defects (B, 3, H, W) and where they are (B, 1, H, W), 0 or 1.
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
        known = on_product[index] if on_product is not None else places(image)
        at = _place(_sides(image), known, generator)
        mask = _shape(_sides(image), at, generator).to(image.device)  # (1, H, W)
        kind = list(FILLINGS)[int(_uniform(generator) * len(FILLINGS))]
        filling = FILLINGS[kind](image, other, at, generator)  # (3, H, W)
        if (image.amax(dim=0) - image.amin(dim=0)).max() < _GREY:
            filling = filling.mean(dim=0, keepdim=True).expand_as(image)
        opacity = 0.3 + 0.7 * _uniform(generator)  # subtle ones teach most
        soft = mask * opacity
        changed.append(image * (1 - soft) + filling * soft)
        masks.append(mask)
    return torch.stack(changed).clamp(0, 1), torch.stack(masks)


def product(image: Tensor) -> Tensor:
    """How much each place of an image (3, H, W) looks like product: (H, W), 0 or more.

    Structure counts, and so does what differs from the border of the image. Where both are
    everywhere (a texture), so is the product.
    """
    size = max(_sides(image))
    window = max(3, size // 32) | 1
    grey = image.mean(dim=0, keepdim=True)[None]  # (1, 1, H, W)
    mean = _blurred(grey, window)
    deviation = (_blurred(grey.square(), window) - mean.square()).clamp(min=0).sqrt()
    edge = max(2, size // 80)
    border = torch.cat(
        [
            image[:, :edge].flatten(1),
            image[:, -edge:].flatten(1),
            image[:, :, :edge].flatten(1),
            image[:, :, -edge:].flatten(1),
        ],
        dim=1,
    )  # (3, pixels)
    middle = border.median(dim=1, keepdim=True).values
    scatter = (border - middle).abs().median(dim=1).values.mean() + 0.02
    unlike = ((image - middle[..., None]).abs().mean(dim=0) / (3 * scatter) - 1).clamp(0, 3)
    strong = deviation.flatten().kthvalue(int(0.95 * deviation.numel())).values + 1e-6
    weight = _blurred(deviation / strong + unlike[None, None] / 3, window)[0, 0]
    return (weight - 0.15 * weight.max()).clamp(min=0)


def _sides(image: Tensor) -> tuple[int, int]:
    """Height and width."""
    return image.shape[-2], image.shape[-1]


def _uniform(generator: Generator) -> float:
    return float(torch.rand((), generator=generator))


def _between(low: float, high: float, generator: Generator) -> float:
    """Evenly over the logarithm, so that small ones are as frequent as large ones."""
    return float(low * (high / low) ** _uniform(generator))


def _blurred(image: Tensor, window: int) -> Tensor:
    """The mean over a square window, less what of it lies outside; rows first, then columns."""
    for sides in ((window, 1), (1, window)):
        padding = (sides[0] // 2, sides[1] // 2)
        image = F.avg_pool2d(image, sides, stride=1, padding=padding, count_include_pad=False)
    return image


def places(image: Tensor) -> Tensor:
    """Pixels (n,) of an image (3, H, W) that are product for certain, numbered row by row."""
    weight = product(image).cpu()
    return (weight > 0.25 * weight.max()).flatten().nonzero()[:, 0]


def _place(sides: tuple[int, int], on_product: Tensor, generator: Generator) -> Place:
    """Where the defect's centre is: row and column in pixels."""
    height, width = sides
    where, chance, other = (_uniform(generator) for _ in range(3))
    if where < _ON_PRODUCT and len(on_product) > 0:
        row, column = divmod(int(on_product[int(chance * len(on_product))]), width)
        return float(row), float(column)
    return chance * height, other * width


def _shape(sides: tuple[int, int], at: Place, generator: Generator) -> Tensor:
    kind = int(_uniform(generator) * 4)
    return (_cloud, _specks, _scratch, _box)[kind](sides, at, generator)


def _cloud(sides: tuple[int, int], at: Place, generator: Generator) -> Tensor:
    return _blob(sides, at, _between(0.05, 0.35, generator), generator)


def _specks(sides: tuple[int, int], at: Place, generator: Generator) -> Tensor:
    mask = torch.zeros((1, *sides))
    for _ in range(1 + int(3 * _uniform(generator))):
        down, right = (0.1 * max(sides) * (_uniform(generator) - 0.5) for _ in range(2))
        side = _between(0.015, 0.05, generator)
        mask = torch.maximum(mask, _blob(sides, (at[0] + down, at[1] + right), side, generator))
    return mask


def _blob(sides: tuple[int, int], at: Place, side: float, generator: Generator) -> Tensor:
    """A ragged piece of a window whose side is that share of the longer side of the image."""
    window = min(max(4, int(side * max(sides))), *sides)
    cells = max(2, min(window // 2, 2 ** (1 + int(_uniform(generator) * 3))))
    noise = torch.randn((1, 1, cells, cells), generator=generator)
    smooth = F.interpolate(noise, size=(window, window), mode="bicubic", align_corners=False)[0, 0]
    area = max(4, int(window * window * (0.2 + 0.5 * _uniform(generator))))
    inside = (smooth >= smooth.flatten().topk(area).values[-1]).float()
    return _framed(inside, sides, at)


def _scratch(sides: tuple[int, int], at: Place, generator: Generator) -> Tensor:
    size = max(sides)
    rows, columns = (torch.arange(side, dtype=torch.float32) for side in sides)
    y, x = rows[:, None] - at[0], columns[None, :] - at[1]
    turn, bend = _uniform(generator) * math.pi, _uniform(generator) - 0.5
    along = x * math.cos(turn) + y * math.sin(turn)
    across = y * math.cos(turn) - x * math.sin(turn)
    across = across + bend * 4 * along.square() / size  # a parabola: scratches bend
    half_length = size * _between(0.02, 0.2, generator)
    half_width = max(size * _between(0.002, 0.016, generator), 0.75)
    mask = (along.abs() <= half_length) & (across.abs() <= half_width)
    return mask.float()[None]


def _box(sides: tuple[int, int], at: Place, generator: Generator) -> Tensor:
    height, width = (
        min(max(3, int(max(sides) * _between(0.02, 0.2, generator))), side) for side in sides
    )
    return _framed(torch.ones((height, width)), sides, at)


def _framed(piece: Tensor, sides: tuple[int, int], at: Place) -> Tensor:
    """A piece (h, w) around a place of an empty mask (1, H, W), moved so that it fits in."""
    (height, width), mask = piece.shape, torch.zeros((1, *sides))
    top = min(max(0, int(at[0] - height / 2)), sides[0] - height)
    left = min(max(0, int(at[1] - width / 2)), sides[1] - width)
    mask[:, top : top + height, left : left + width] = piece
    return mask


def _other(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    return other.roll(_shift(max(_sides(image)), 1.0, generator), dims=(-2, -1))


def _own(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    reach = _between(0.05, 1.0, generator)  # from near or far
    return image.roll(_shift(max(_sides(image)), reach, generator), dims=(-2, -1))


def _colour(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    return torch.rand((3, 1, 1), generator=generator).to(image.device).expand_as(image)


def _light(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    """Darker, brighter or tinted."""
    light, tint = 0.4 + 1.2 * _uniform(generator), torch.rand((3, 1, 1), generator=generator)
    return image * (light + 0.4 * (tint - 0.5)).to(image.device)


def _blur(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    return _blurred(image[None], 9)[0]


def _shift(size: int, reach: float, generator: Generator) -> tuple[int, int]:
    """Rows and columns to move by: at least 3 pixels, at most that share of half the image."""
    far, turn = _uniform(generator) * reach * size / 2, _uniform(generator) * 2 * math.pi
    far = max(3.0, far)
    return round(far * math.sin(turn)), round(far * math.cos(turn))


def _bent(image: Tensor, other: Tensor, at: Place, generator: Generator) -> Tensor:
    """The image pushed aside around a place."""
    (height, width), size = _sides(image), max(_sides(image))
    down = torch.arange(height, dtype=torch.float32)[:, None]
    right = torch.arange(width, dtype=torch.float32)[None, :]
    y, x = down - at[0], right - at[1]
    radius = size * _between(0.04, 0.2, generator)
    near = torch.exp(-2 * (y.square() + x.square()) / radius**2)
    turn, reach = _uniform(generator) * 2 * math.pi, size * _between(0.01, 0.05, generator)
    rows = (down + reach * math.sin(turn) * near + 0.5) * 2 / height - 1
    columns = (right + reach * math.cos(turn) * near + 0.5) * 2 / width - 1
    where = torch.stack([columns, rows], dim=-1)  # (H, W, 2) in -1..1
    return F.grid_sample(
        image[None], where[None].to(image.device), padding_mode="reflection", align_corners=False
    )[0]


FILLINGS: dict[str, Callable[[Tensor, Tensor, Place, Generator], Tensor]] = {
    "other": _other,
    "own": _own,
    "colour": _colour,
    "light": _light,
    "blur": _blur,
    "bend": _bent,
}
"""What a defect is filled with: functions of the image, another one, the place and the dice."""
