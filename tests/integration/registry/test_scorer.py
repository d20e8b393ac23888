"""What callers of the MLflow model may pass: paths and arrays, one or many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from patchae.registry.scorer import images_of

GREY = np.zeros((5, 7), np.uint8)
COLOR = np.zeros((5, 7, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.png", ["a.png"]),
        (Path("a.png"), [Path("a.png")]),
        (["a.png", "b.png"], ["a.png", "b.png"]),
        (np.array(["a.png", "b.png"]), ["a.png", "b.png"]),
        (pd.DataFrame({"path": ["a.png", "b.png"]}), ["a.png", "b.png"]),
    ],
)
def test_paths(given: Any, expected: list[Any]) -> None:
    assert images_of(given) == expected


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        (GREY, [(5, 7)]),
        (COLOR, [(5, 7, 3)]),
        (COLOR[..., :1], [(5, 7, 1)]),
        (np.stack([COLOR, COLOR]), [(5, 7, 3)] * 2),
        (np.stack([GREY] * 4), [(5, 7)] * 4),
        ([GREY, COLOR], [(5, 7), (5, 7, 3)]),
    ],
)
def test_arrays(given: Any, shapes: list[tuple[int, ...]]) -> None:
    assert [image.shape for image in images_of(given)] == shapes


def test_whole_numbers_of_a_byte_are_pixels_however_wide_they_came() -> None:
    """MLflow's server makes 64-bit numbers of JSON."""
    (image,) = images_of(np.full((4, 4, 3), 200, dtype=np.int64))
    assert image.dtype == np.uint8
    (wide,) = images_of(np.full((4, 4), 4000, dtype=np.int64))
    assert wide.dtype == np.int64, "no byte: left alone, and refused where it is read"
