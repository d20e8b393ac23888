"""Parts that lie in any direction are turned upright before the network looks at them.

A screw on a belt lies differently in every image, and a network sees a thread at 30 degrees and
one at 70 as two things. Where parts lie so (`patchae.model.loose` finds it out), the pose is
measured in every image (centroid, principal axis, heavier end) and the part is cut out upright.
All patches then show it in one direction, and what surrounds it is not looked at.

Everything here is a tensor graph, so that it can be exported. Lengths are in image heights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_BLUR = 5
MARGIN = 0.12
"""Room around the part, of its length."""
_ODD = 3.0


@dataclass(frozen=True)
class Pose:
    """How the parts of a class are recognized and cut out. Lengths are in image heights."""

    aspect: float
    """Width of the camera's images over their height."""
    threshold: float
    """Difference from the border, 0..1, from which a pixel counts as part."""
    length: float
    """Half the length of a part, from the centroid along its axis."""
    breadth: float
    """Half its breadth."""
    ahead: float
    """How far the middle of its length lies ahead of its centroid."""
    directed: bool
    """Whether one end can be told from the other."""
    rows: int
    """Height of the upright image in pixels."""
    columns: int
    """Width of it, along the part."""
    area: float
    """Usual logarithm of a part's area, in squared image heights."""
    elongation: float
    """Usual logarithm of its elongation."""
    area_scatter: float
    """Largest deviation from the usual one that a good image showed."""
    elongation_scatter: float
    """The same of the elongation."""


@dataclass(frozen=True)
class Measured:
    """Where the part lies in each of B images."""

    centre: Tensor
    """Centroid (B, 2): to the right and down from the middle of the image, in image heights."""
    axis: Tensor
    """Unit vector (B, 2) along the part, towards its heavier end if that can be told."""
    area: Tensor
    """Logarithm of the area (B,)."""
    elongation: Tensor
    """Logarithm of the elongation (B,)."""
    skewness: Tensor
    """Of the part along its axis (B,), 0 or more."""


def upright(images: Tensor, pose: Pose) -> tuple[Tensor, Measured]:
    """The parts of images (B, 3, S, S) in 0..1, upright: (B, 3, rows, columns)."""
    found = measure(images, pose)
    grid = _grid(found, pose, images.shape[-1])
    turned = F.grid_sample(
        images, grid, mode="bicubic", padding_mode="border", align_corners=False
    ).clamp(0, 1)
    return turned, found


def put_back(maps: Tensor, found: Measured, pose: Pose, side: int, scale: int) -> Tensor:
    """Maps (B, h, w) of upright parts, one pixel for `scale`, where the parts lie in the image.

    Gives (B, side, side); what was not looked at is 0.
    """
    along, across = along_across(found, side, pose.aspect)
    per_pixel = pixel_side(side * scale, pose.aspect)
    x = (along - pose.ahead) / (pose.columns * per_pixel / 2)
    grid = torch.stack([x, across / (pose.rows * per_pixel / 2)], dim=-1)
    back: Tensor = F.grid_sample(
        maps[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return back[:, 0]


def oddness(found: Measured, pose: Pose) -> Tensor:
    """How unlike a part what lies there is (B,): 1 at three times what any good image showed.

    A part that is missing leaves nothing but background, which is normal patch by patch.
    """
    area = (found.area - pose.area).abs() / (_ODD * pose.area_scatter)
    elongation = (found.elongation - pose.elongation).abs() / (_ODD * pose.elongation_scatter)
    return torch.maximum(area, elongation)


def measure(images: Tensor, pose: Pose) -> Measured:
    """Find the part in images (B, 3, S, S) in 0..1.

    Twice: what lies farther from the first centroid than a part is long is something else.
    """
    part = part_of(unlike_border(images), pose.threshold)
    first = moments(part, pose.aspect)
    along, across = along_across(first, images.shape[-1], pose.aspect)
    room = MARGIN * pose.length
    reach = pose.length + abs(pose.ahead) + room
    near = (along.abs() < reach) & (across.abs() < pose.breadth + room)
    found = moments(part * near, pose.aspect)
    if pose.directed:
        return found
    # Half a turn more or less is the same: always the same half, so that equal images stay equal.
    forward = torch.where(found.axis[:, :1] < 0, -1.0, 1.0)
    return Measured(
        found.centre, found.axis * forward, found.area, found.elongation, found.skewness
    )


def unlike_border(images: Tensor) -> Tensor:
    """How far each pixel of (B, 3, S, S) differs from the median of the border: (B, S, S), 0..1."""
    edge = max(2, images.shape[-1] // 80)
    border = torch.cat(
        [
            images[:, :, :edge].flatten(2),
            images[:, :, -edge:].flatten(2),
            images[:, :, :, :edge].flatten(2),
            images[:, :, :, -edge:].flatten(2),
        ],
        dim=2,
    )  # (B, 3, pixels)
    count = border.shape[2]
    middle = border.topk(count // 2 + 1, dim=2).values[:, :, -1]
    blurred = F.avg_pool2d(images, _BLUR, stride=1, padding=_BLUR // 2, count_include_pad=False)
    return (blurred - middle[:, :, None, None]).abs().mean(dim=1)


def part_of(unlike: Tensor, threshold: float) -> Tensor:
    """Where the part is (B, S, S), 0 or 1; single pixels of dust are not."""
    inside = (unlike > threshold).float()
    return (F.avg_pool2d(inside, 5, stride=1, padding=2) > 0.6).float() * inside


def along_across(found: Measured, side: int, aspect: float) -> tuple[Tensor, Tensor]:
    """Each pixel of images with that side, from the centroid of their part: (B, side, side) both.

    Along its axis and across it, in image heights.
    """
    y, x = _coordinates(side, aspect, found.centre)
    x, y = x - found.centre[:, :1, None], y - found.centre[:, 1:, None]
    cosine, sine = found.axis[:, :1, None], found.axis[:, 1:, None]
    return x * cosine + y * sine, y * cosine - x * sine


def moments(part: Tensor, aspect: float) -> Measured:
    """Centroid, axis and shape of parts (B, S, S), 0 or 1; with no part at all they are finite."""
    y, x = _coordinates(part.shape[-1], aspect, part)
    pixel_area = aspect / part.shape[-1] ** 2
    count = part.sum(dim=(1, 2)).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (values * part).sum(dim=(1, 2)) / count

    centre = torch.stack([mean(x), mean(y)], dim=1)
    x, y = x - centre[:, :1, None], y - centre[:, 1:, None]
    xx, yy, xy = mean(x * x), mean(y * y), mean(x * y)
    tiny = 1e-9
    root = ((xx - yy).square() / 4 + xy.square()).sqrt()
    # The half of an angle whose cosine is known. Where there is no part all of these are 0, and
    # nothing may be divided by it: hence no atan2, which ONNX replaces by a quotient, and no sum
    # with a tiny number, which ONNX leaves out as nought.
    twice = (xx - yy) / (2 * root).clamp(min=tiny)
    cosine = ((1 + twice).clamp(min=0) / 2).sqrt()
    sine = ((1 - twice).clamp(min=0) / 2).sqrt() * torch.where(xy < 0, -1.0, 1.0)
    along = x * cosine[:, None, None] + y * sine[:, None, None]
    large, small = (xx + yy) / 2 + root, (xx + yy) / 2 - root
    third = mean(along**3)
    ahead = torch.where(third < 0, -1.0, 1.0)
    return Measured(
        centre,
        torch.stack([cosine * ahead, sine * ahead], dim=1),
        (part.sum(dim=(1, 2)) * pixel_area).clamp(min=1e-6).log(),
        (large.clamp(min=tiny) / small.clamp(min=tiny)).log() / 2,
        third.abs() / large.clamp(min=tiny) ** 1.5,
    )


def _coordinates(side: int, aspect: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (side, 1) and columns (1, side) of pixel centres from the middle, in image heights."""
    steps = (torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side - 0.5
    return steps[:, None], steps[None, :] * aspect


def pixel_side(side: int, aspect: float) -> float:
    """Side of a pixel of the upright image in image heights, the square root of an image's."""
    return math.sqrt(aspect) / side


def _grid(found: Measured, pose: Pose, side: int) -> Tensor:
    """Where the pixels of the upright image lie in the image: (B, rows, columns, 2) in -1..1."""
    like, pixel = found.centre, pixel_side(side, pose.aspect)
    down = torch.arange(pose.rows, device=like.device, dtype=like.dtype) - (pose.rows - 1) / 2
    right = torch.arange(pose.columns, device=like.device, dtype=like.dtype)
    along = (right - (pose.columns - 1) / 2)[None, None] * pixel + pose.ahead  # (1, 1, columns)
    across = down[None, :, None] * pixel
    cosine, sine = found.axis[:, :1, None], found.axis[:, 1:, None]
    x = found.centre[:, :1, None] + along * cosine - across * sine
    y = found.centre[:, 1:, None] + along * sine + across * cosine
    return torch.stack([x * (2 / pose.aspect), y * 2], dim=-1)
