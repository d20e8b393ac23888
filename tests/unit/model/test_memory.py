"""The memory: nearest neighbours, density and whitening."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from patchae.model.memory import (
    _smallest,
    corrected,
    cover,
    density,
    nearest_vectors,
    whitening,
)
from tests.support import examples

SEEDS = st.integers(0, 2**31)


def _vectors(count: int, length: int, seed: int) -> Tensor:
    return torch.randn((count, length), generator=Generator().manual_seed(seed))


def _distances(queries: Tensor, memory: Tensor, spread: Tensor, neighbours: int) -> Tensor:
    found, index = nearest_vectors(queries, memory, min(neighbours, len(memory)))
    return corrected(found, spread[index])


@settings(deadline=None, max_examples=examples(50))
@given(st.integers(1, 1100), st.integers(1, 60), st.integers(1, 24), st.data(), SEEDS)
def test_nearest_vectors_are_those_of_a_full_comparison(
    queries: int, kept: int, length: int, data: st.DataObject, seed: int
) -> None:
    count = data.draw(st.integers(1, kept))
    asked, memory = _vectors(queries, length, seed), _vectors(kept, length, seed + 1)
    found, index = nearest_vectors(asked, memory, count)
    exact = torch.cdist(asked.double(), memory.double())
    expected = exact.sort(dim=1).values[:, :count]
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=3e-3)
    # The indices point to vectors at just those distances.
    torch.testing.assert_close(exact.gather(1, index), expected, rtol=1e-4, atol=3e-3)


@settings(deadline=None, max_examples=examples(50))
@given(st.integers(64, 900), st.integers(1, 6), st.integers(1, 5), SEEDS)
def test_the_smallest_of_a_row_are_found_by_blocks(
    length: int, count: int, rows: int, seed: int
) -> None:
    values = torch.randn((rows, length), generator=Generator().manual_seed(seed))
    for some in (values, values.round()):  # the second has many equals
        smallest, index = _smallest(some, count)
        assert torch.equal(smallest, some.topk(count, dim=1, largest=False).values)
        assert torch.equal(some.gather(1, index), smallest)
        assert all(len(set(row)) == count for row in index.tolist())


def test_a_vector_of_the_memory_is_at_no_distance_from_it() -> None:
    memory = _vectors(50, 8, 0)
    found, index = nearest_vectors(memory, memory, 1)
    assert index[:, 0].tolist() == list(range(50))
    assert found.max() < 5e-3  # float32: the square root of a rounding error


@settings(deadline=None, max_examples=examples(40))
@given(st.integers(2, 80), st.integers(1, 6), st.floats(0, 1), SEEDS)
def test_density_is_never_nought(kept: int, copies: int, floor: float, seed: int) -> None:
    memory = _vectors(kept, 4, seed).repeat(copies, 1)
    assert (density(memory, floor) > 0).all()
    assert (density(torch.zeros((kept, 4)), floor) > 0).all(), "all vectors alike"
    assert _distances(memory, memory, density(memory, floor), 3).isfinite().all()


def test_a_deviation_counts_less_where_normal_vectors_scatter() -> None:
    dense, loose = _vectors(200, 8, 0), _vectors(200, 8, 1) * 10
    loose[:, 0] += 1000
    memory = torch.cat([dense, loose])
    spread = density(memory, floor=0.1)
    step = torch.zeros(8)
    step[1] = 30.0
    from_dense, from_loose = _distances(
        torch.stack([dense.mean(0) + step, loose.mean(0) + step]), memory, spread, 3
    )
    assert from_dense > 3 * from_loose
    # Where the floor makes all equally dense, only the distance is left.
    from_dense, from_loose = _distances(
        torch.stack([dense.mean(0) + step, loose.mean(0) + step]),
        memory, density(memory, floor=1.0), 1,
    )  # fmt: skip
    assert from_dense == pytest.approx(from_loose, rel=0.5)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 12), SEEDS)
def test_whitening_gives_unit_covariance(length: int, seed: int) -> None:
    mixing = torch.eye(length) + 0.3 * _vectors(length, length, seed)
    vectors = _vectors(2000, length, seed + 1) @ mixing + 5
    mean, matrix = whitening(vectors, shrinkage=1e-6)
    white = (vectors - mean) @ matrix
    torch.testing.assert_close(white.mean(0), torch.zeros(length), atol=5e-2, rtol=0)
    covariance = white.T.cov() if length > 1 else white.var(0)[None]
    worst = (covariance - torch.eye(length)).abs().max()
    condition = torch.linalg.cond(mixing)
    assert worst < 0.02 or condition > 100, "up to what the shrinkage takes from thin directions"


def test_shrinkage_keeps_a_direction_without_movement_small() -> None:
    vectors = _vectors(500, 3, 0)
    vectors[:, 1] = vectors[:, 0] + 1e-6 * vectors[:, 1]  # two channels that say the same
    vectors[:, 2] = 1e-6 * vectors[:, 2]  # rounding noise
    mean, matrix = whitening(vectors, shrinkage=0.1)
    white = (vectors - mean) @ matrix
    assert white.var(0).sort().values[:2].max() < 1e-6
    assert 0.5 < white.var(0).max() < 1.2


def test_whitening_does_not_depend_on_the_units_of_a_channel() -> None:
    vectors = _vectors(500, 4, 0)
    units = torch.tensor([1.0, 1000.0, 0.01, 7.0])
    (mean, matrix), (scaled_mean, scaled) = whitening(vectors), whitening(vectors * units)
    white, again = (vectors - mean) @ matrix, (vectors * units - scaled_mean) @ scaled
    torch.testing.assert_close(
        torch.cdist(white, white), torch.cdist(again, again), rtol=1e-3, atol=1e-2
    )


def test_every_vector_has_its_chance() -> None:
    vectors = torch.arange(20, dtype=torch.float32)[:, None]
    generator = Generator().manual_seed(0)
    seen = {row for _ in range(60) for row in cover(vectors, 5, generator)[:, 0].tolist()}
    assert seen == set(map(float, range(20)))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 80), st.integers(4, 60), SEEDS)
def test_a_cover_is_of_different_vectors_and_repeatable(count: int, size: int, seed: int) -> None:
    vectors = _vectors(count, 3, seed)
    covering = cover(vectors, size, Generator().manual_seed(seed))
    rows = {tuple(row) for row in covering.tolist()}
    assert len(rows) == len(covering) == min(count, size)
    assert rows <= {tuple(row) for row in vectors.tolist()}
    assert torch.equal(covering, cover(vectors, size, Generator().manual_seed(seed)))


def test_a_cover_reaches_what_is_rare() -> None:
    common, rare = _vectors(4000, 4, 0) * 0.1, _vectors(40, 4, 1) + 10
    vectors = torch.cat([common, rare])
    at_random = vectors[torch.randperm(4040, generator=Generator().manual_seed(0))[:200]]
    covering = cover(vectors, 200, Generator().manual_seed(0))
    assert (covering[:, 0] > 5).sum() > 5 * max(1, int((at_random[:, 0] > 5).sum()))
