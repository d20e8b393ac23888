"""Pictures of training among those of testing, however often each is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from patchae.dataset.validation.likeness import near_copies


def hashes(count: int, seed: int = 0) -> list[str]:
    """Perceptual hashes of pictures that have nothing in common."""
    random = np.random.default_rng(seed)
    return [random.bytes(32).hex() for _ in range(count)]


def found(train: list[str], test: list[str], share: float = 0.25) -> list[int]:
    """The numbers of the test pictures that have nearly a copy in training."""
    every = pd.Series(train + test)
    in_test = pd.Series([number >= len(train) for number in range(len(every))])
    near = near_copies(every, ~in_test, in_test, share)
    return [number - len(train) for number in np.flatnonzero(near & in_test)]


def nearly(text: str, bits: int) -> str:
    """The same hash but for the first bits."""
    return f"{int(text, 16) ^ ((1 << bits) - 1):064x}"


@pytest.mark.parametrize("copied", [0, 6, 12])
def test_copies_within_training_do_not_hide_those_in_testing(copied: int) -> None:
    train = hashes(12)
    test = [train[3], nearly(train[5], 4), *hashes(3, seed=1)]
    assert found(train + train[:copied], test) == [0, 1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_same_hash_counts_whatever_is_usual(count: int) -> None:
    one, other = hashes(2)
    assert found([one] * count, [one, other]) == [0]
    assert found([one] * count, [one], share=0) == []
