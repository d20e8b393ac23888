"""Nearly the same picture twice: saved again, made smaller, or taken twice of one part.

A model that has learned a photo is not judged by a copy of it. Copies that are not equal byte for
byte are found by their perceptual hashes. How close two photos of *different* parts come depends on
the product (screws turn, pills look alike), so the limit is a share of the distance that is usual
in the class itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchae.dataset.looks import HASH_BITS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_FEW = 400
"""So many training images say what distance is usual."""
_ROWS = 32
"""Images compared at a time: with 10,000 others that takes 2.5 MB, which stays in the cache."""


def near_copies(
    hashes: pd.Series[str], in_train: pd.Series[bool], in_test: pd.Series[bool], share: float
) -> pd.Series[bool]:
    """Which images have nearly a copy on the other side of train and test.

    Args:
        hashes: perceptual hashes; missing where there is none to compare.
        in_train: which images are learned from.
        in_test: which images are judged on.
        share: two pictures count as nearly the same when they differ in fewer bits than this share
            of what a training image usually differs from the one most like it; with the same hash
            they always do. On the four classes of MVTec AD that this was measured on, copies (JPEG,
            half the size, brighter) lie below a quarter and photos of other parts above it.
    """
    found = in_train & False
    train, test = hashes[in_train].dropna(), hashes[in_test].dropna()
    if share <= 0 or train.empty or test.empty:
        return found
    limit = max(share * _usual_distance(train), 1)
    left, right = _words(train.to_list()), _words(test.to_list())
    near_left, near_right = np.zeros(len(left), bool), np.zeros(len(right), bool)
    for start in range(0, len(left), _ROWS):
        rows, columns = _within(left[start : start + _ROWS], right, limit)
        near_left[rows + start] = True
        near_right[columns] = True
    found[train.index[near_left]] = True
    found[test.index[near_right]] = True
    return found


def _within(
    left: NDArray[np.uint64], right: NDArray[np.uint64], limit: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which hashes (N, 4) and (M, 4) differ in fewer bits than `limit`: pairs of their numbers.

    What differs in fewer bits does so in a quarter of them too: few pairs are counted in full.
    """
    quarter = np.bitwise_count(left[:, None, 0] ^ right[None, :, 0])  # (N, M)
    # Flat: numpy finds what is true in a row of truths several times faster than in a table.
    rows, columns = np.divmod(np.flatnonzero(quarter < limit), len(right))
    near = np.bitwise_count(left[rows] ^ right[columns]).sum(axis=1) < limit
    return rows[near], columns[near]


def _usual_distance(train: pd.Series[str]) -> float:
    """Median, over some images, of the distance to the image most like it; 0 without another one.

    An image that is there twice counts once: its copy would say that no distance is usual.
    """
    every = train.drop_duplicates().to_list()
    if len(every) < 2:
        return 0.0
    step = -(-len(every) // _FEW)
    some = list(range(0, len(every), step))
    apart = distances([every[i] for i in some], every)
    apart[np.arange(len(some)), some] = np.iinfo(apart.dtype).max  # itself
    return float(np.median(apart.min(axis=1)))


def distances(hashes: list[str], others: list[str]) -> NDArray[np.uint16]:
    """In how many bits perceptual hashes differ, (len(hashes), len(others))."""
    left, right = (_words(one) for one in (hashes, others))
    found = np.zeros((len(left), len(right)), np.uint16)
    for word in range(left.shape[1]):
        found += np.bitwise_count(left[:, None, word] ^ right[None, :, word])
    return found


def _words(hashes: list[str]) -> NDArray[np.uint64]:
    """Hashes of 64 hexadecimal digits as (N, 4)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, HASH_BITS // 64)
