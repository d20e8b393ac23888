"""Parts that lie in any direction: found from good images, turned upright, and put back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from patchae.model.loose import find_pose, otsu, silhouette
from patchae.model.pose import Pose, measure, oddness, put_back, unlike_border, upright
from tests.support.pins import SIDE, pin


@pytest.fixture(scope="module")
def pins() -> Tensor:
    """Thirty pins that lie in all directions."""
    random = np.random.default_rng(1)
    return torch.stack(
        [
            pin(
                12 * number,
                at=(float(random.uniform(-8, 8)), float(random.uniform(-8, 8))),
                seed=number,
            )
            for number in range(30)
        ]
    )


@pytest.fixture(scope="module")
def pose(pins: Tensor) -> Pose:
    """What is found of them."""
    found = find_pose([pins[:20], pins[20:]], 1.0, 16)
    assert found is not None
    return found


def test_a_class_of_pins_has_a_pose(pose: Pose) -> None:
    assert pose.directed
    assert pose.rows % 16 == 0
    assert pose.columns % 16 == 0
    assert pose.rows < pose.columns <= SIDE + 16
    assert pose.length == pytest.approx(43 / SIDE, rel=0.1)
    assert pose.breadth == pytest.approx(14 / SIDE, rel=0.25)


def test_all_parts_look_alike_upright(pins: Tensor, pose: Pose) -> None:
    turned, found = upright(pins.float() / 255, pose)
    assert turned.shape == (30, 3, pose.rows, pose.columns)
    usual = turned.median(dim=0).values
    assert (turned - usual).abs().mean() < 0.02
    lying = pins.float() / 255
    assert (turned - usual).abs().mean() < (lying - lying.median(dim=0).values).abs().mean() / 3
    assert (oddness(found, pose) < 1 / 2).all()


@pytest.mark.parametrize("angle", [0, 45, 90, 135, 180, 270, 359])
def test_the_axis_points_along_the_part(pose: Pose, angle: float) -> None:
    found = measure(pin(angle)[None].float() / 255, pose)
    axis = found.axis[0]
    expected = torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    # The third moment tells the ends apart; which of them it calls ahead is the same for all.
    assert abs(float(axis @ expected)) > 0.99
    same = measure(pin(0)[None].float() / 255, pose).axis[0]
    assert float(axis @ expected) * float(same[0]) > 0


def test_a_map_comes_back_to_where_the_part_lies(pose: Pose) -> None:
    image = pin(30, at=(5, -7))[None].float() / 255
    turned, found = upright(image, pose)
    back = put_back(turned[:, 0], found, pose, SIDE, 1)
    seen = back > 0
    assert seen.float().mean() > 0.2
    inner = back > 0.1  # at the rim of what is looked at, a map fades
    assert (back - image[:, 0])[inner].abs().mean() < 0.03
    dark = image[:, 0] < 0.5
    assert seen[dark].all(), "all of the part is looked at"


@pytest.mark.parametrize("angle", [0, 70, 200])
def test_images_wider_than_high_are_turned_without_shear(angle: float) -> None:
    wide = [
        pin(turn, seed=number)[:, 24:-24]  # 128 x 80 pixels of the camera
        for number, turn in enumerate([*np.linspace(-25, 25, 15), *np.linspace(155, 205, 15)])
    ]
    images = torch.stack(
        [
            torch.nn.functional.interpolate(
                one[None].float(), (SIDE, SIDE), mode="bilinear", antialias=True
            )[0]
            for one in wide
        ]
    ).to(torch.uint8)
    found = find_pose([images], 128 / 80, 16)
    assert found is not None
    assert math.exp(found.elongation) == pytest.approx(
        math.exp(float(measure(pin(angle)[None].float() / 255, found).elongation)), rel=0.7
    )
    turned, _ = upright(images.float() / 255, found)
    assert (turned - turned.median(dim=0).values).abs().mean() < 0.02


def test_what_is_not_looked_at_is_background(pins: Tensor, pose: Pose) -> None:
    looked_at = silhouette([pins], pose, 8)
    assert looked_at.shape == (pose.rows // 8, pose.columns // 8)
    assert 0.2 < looked_at.float().mean() < 0.9
    turned, _ = upright(pins.float() / 255, pose)
    part = torch.nn.functional.max_pool2d((turned[:, 0] < 0.4).float(), 8) > 0
    assert looked_at[part.any(dim=0)].all(), "every patch that shows a part"


def test_a_missing_part_and_half_a_part_are_odd(pose: Pose) -> None:
    empty = torch.full((1, 3, SIDE, SIDE), 200 / 255)
    halves = torch.stack([pin(20, length=-0.2), pin(20)]).float() / 255
    assert float(oddness(measure(empty, pose), pose)) > 3
    half, whole = oddness(measure(halves, pose), pose).tolist()
    assert half > 1 > whole


@pytest.mark.parametrize("kind", ["texture", "round", "fixture", "empty", "two sizes"])
def test_other_classes_have_none(kind: str) -> None:
    random = np.random.default_rng(0)
    if kind == "texture":
        images = torch.from_numpy(random.integers(0, 256, (20, 3, SIDE, SIDE), np.uint8))
    elif kind == "round":
        y, x = np.mgrid[:SIDE, :SIDE]
        disc = np.where(np.hypot(x - 64, y - 64) < 30, 60, 200).astype(np.int64)
        images = torch.from_numpy(
            (disc + random.integers(-9, 10, (20, 3, SIDE, SIDE))).astype(np.uint8)
        )
    elif kind == "fixture":
        images = torch.stack([pin(30 + 2 * (n % 3), seed=n) for n in range(20)])
    elif kind == "empty":
        images = torch.full((20, 3, SIDE, SIDE), 128, dtype=torch.uint8)
    else:
        images = torch.stack([pin(30 * n, seed=n, length=1 - 1.2 * (n % 2)) for n in range(20)])
    assert find_pose([images], 1.0, 16) is None


def test_otsu_splits_two_groups() -> None:
    values = torch.cat([torch.full((300,), 0.1), torch.full((100,), 0.7)])
    assert 0.1 - 1 / 256 < otsu(values) < 0.7


def test_the_border_is_what_a_part_differs_from() -> None:
    image = pin(0)[None].float() / 255
    unlike = unlike_border(image)[0]
    assert unlike[60:68, 40:90].min() > 0.4
    assert unlike[:20].max() < 0.1
