"""Whether the parts of a class lie loose, and how they look when they are turned upright.

Decided from good training images alone: they must show one long part each, of like size and shape,
on a plain background, at scattered angles. Textures, round parts and parts in a fixture are not of
this kind, and are looked at as the camera sees them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from patchae.model.pose import (
    MARGIN,
    Pose,
    along_across,
    moments,
    part_of,
    pixel_side,
    unlike_border,
    upright,
)

_AREAS = (0.01, 0.5)
"""Shares of the image that a part may take."""
_ALIKE = 0.3
"""How much area and elongation may vary over good images, relative to their median."""
_LONG = 1.25
"""Least elongation: standard deviation along the principal axis over that across it."""
_SCATTERED = 0.95
"""Largest mean resultant length of doubled angles: about 9 degrees of scatter."""
_HEAVIER = 0.05
"""Least skewness along the axis that tells one end from the other."""
_USUAL = 0.02
"""Share of good images in which a place is part, from which it is looked at."""
_CLOSE = 0.02
"""Room around the silhouette that is looked at too, of the longer side of the upright image."""


def find_pose(batches: Sequence[Tensor], aspect: float, multiple: int) -> Pose | None:
    """The pose of a class, or None where its parts do not lie loose.

    Args:
        batches: good images (B, 3, S, S), uint8; some hundred are enough.
        aspect: width over height of the files they come from.
        multiple: sides of the upright image are multiples of it.
    """
    unlike = torch.cat([unlike_border(batch.float() / 255) for batch in batches])
    threshold = otsu(unlike)
    part = part_of(unlike, threshold)
    first = moments(part, aspect)
    share = part.flatten(1).mean(dim=1)
    long, angle = first.elongation.exp(), 2 * torch.atan2(first.axis[:, 1], first.axis[:, 0])
    together = torch.hypot(angle.cos().mean(), angle.sin().mean())
    loose = (
        _AREAS[0] <= share.median() <= _AREAS[1]
        and _varies(share) <= _ALIKE
        and long.quantile(0.05) >= _LONG
        and _varies(long) <= _ALIKE
        and together <= _SCATTERED
    )
    if not loose:
        return None
    along, across = along_across(first, part.shape[-1], aspect)
    low, high = _extent(along, part)
    left, right = _extent(across, part)
    length, breadth = float((high - low) / 2), float(torch.maximum(right, -left))
    pixel = pixel_side(part.shape[-1], aspect)
    room = MARGIN * length
    rows, columns = (
        multiple * math.ceil(2 * (half + room) / pixel / multiple) for half in (breadth, length)
    )
    usual = first.area.median(), first.elongation.median()
    return Pose(
        aspect=aspect,
        threshold=threshold,
        length=length,
        breadth=breadth,
        ahead=float((high + low) / 2),
        directed=bool(first.skewness.quantile(0.05) >= _HEAVIER),
        rows=rows,
        columns=columns,
        area=float(usual[0]),
        elongation=float(usual[1]),
        area_scatter=float((first.area - usual[0]).abs().max()) + 0.02,
        elongation_scatter=float((first.elongation - usual[1]).abs().max()) + 0.02,
    )


def otsu(values: Tensor) -> float:
    """The threshold that splits values in 0..1 best into two groups (Otsu 1979)."""
    counts = torch.histc(values, 256, 0, 1).double()
    centres = (torch.arange(256, dtype=torch.float64) + 0.5) / 256
    below, weighted = (counts / counts.sum()).cumsum(0), (counts / counts.sum() * centres).cumsum(0)
    between = (weighted[-1] * below - weighted).square() / (below * (1 - below)).clamp(min=1e-12)
    return float(centres[between.argmax()])


def silhouette(batches: Sequence[Tensor], pose: Pose, patch: int) -> Tensor:
    """The patches of the upright image that a part, or the room close around it, may cover.

    What lies farther off is background: dust there is no defect of the part.

    Args:
        batches: good images (B, 3, S, S), uint8.
        pose: theirs.
        patch: side of a patch in pixels.

    Returns:
        (rows / patch, columns / patch), bool.
    """
    covered, count = torch.zeros(pose.rows, pose.columns), 0
    for batch in batches:
        turned, _ = upright(batch.float() / 255, pose)
        covered += part_of(unlike_border(turned), pose.threshold).sum(dim=0)
        count += len(batch)
    usual = (covered / count > _USUAL).float()[None, None]
    near = 2 * round(_CLOSE * max(pose.rows, pose.columns)) + 1
    room = F.max_pool2d(usual, near, stride=1, padding=near // 2)
    return F.max_pool2d(room, patch)[0, 0] > 0


def _varies(values: Tensor) -> float:
    spread = values.quantile(0.95) - values.quantile(0.05)
    return float(spread / values.median().clamp(min=1e-9))


def _extent(along: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """How far parts reach along a direction (B, S, S): medians over the images, at both ends."""
    low = torch.where(part > 0, along, math.inf).flatten(1).amin(dim=1)
    high = torch.where(part > 0, along, -math.inf).flatten(1).amax(dim=1)
    return low.median(), high.median()
