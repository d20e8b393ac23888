"""The split of train/good, and the threshold that its smaller part sets."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from patchae.files import sha256_bytes
from patchae.model.split import calibration_split
from patchae.model.threshold import conformal_threshold

DIGESTS = st.lists(
    st.integers(0, 10**6).map(lambda n: sha256_bytes(str(n).encode())),
    min_size=2, max_size=60, unique=True,
)  # fmt: skip
SHARES = st.floats(0.05, 0.5)
SEEDS = st.integers(0, 2**31)
SCORES = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)
RATES = st.floats(0.001, 0.499)


def _aside(digests: Sequence[str], share: float, seed: int) -> set[str]:
    split = calibration_split(digests, share, seed)
    return {digest for digest, calibrates in zip(digests, split, strict=True) if calibrates}


@given(DIGESTS, SHARES, SEEDS, st.randoms())
def test_content_decides_and_order_does_not(
    digests: list[str], share: float, seed: int, random: Random
) -> None:
    shuffled = list(digests)
    random.shuffle(shuffled)
    assert _aside(shuffled, share, seed) == _aside(digests, share, seed)


@given(DIGESTS, SHARES, SEEDS)
def test_both_sides_have_their_part(digests: list[str], share: float, seed: int) -> None:
    count = sum(calibration_split(digests, share, seed))
    assert 1 <= count <= len(digests) - 1
    assert abs(count - share * len(digests)) <= 1


@given(DIGESTS, SHARES, SEEDS)
def test_one_image_more_moves_at_most_one_other(
    digests: list[str], share: float, seed: int
) -> None:
    *old, new = digests
    before = _aside(old, share, seed) if len(old) > 1 else set(old)
    after = _aside(digests, share, seed) - {new}
    assert len(before ^ after) <= 1


def test_the_seed_draws_another_split() -> None:
    digests = [sha256_bytes(bytes([n])) for n in range(50)]
    assert len({frozenset(_aside(digests, 0.2, seed)) for seed in range(10)}) == 10


@given(SCORES, RATES)
def test_calibration_scores_above_the_threshold_keep_the_rate(
    scores: list[float], rate: float
) -> None:
    threshold = conformal_threshold(scores, rate)
    n, above = len(scores), sum(score > threshold for score in scores)
    assert threshold in scores
    # A new good part is one of n + 1 exchangeable ones: it and those above may be the alarms.
    if rate * (n + 1) >= 1:
        assert above + 1 <= rate * (n + 1) + 1e-9
    else:
        assert threshold == max(scores), "too few to show so small a rate"


@given(st.integers(1, 400), RATES)
def test_the_threshold_is_not_higher_than_the_rate_asks(n: int, rate: float) -> None:
    scores = [float(score) for score in range(n)]
    threshold = conformal_threshold(scores, rate)
    above = sum(score > threshold for score in scores)
    assert above + 2 > rate * (n + 1) - 1e-9  # one score lower would break the law


@given(SCORES, RATES, st.randoms())
def test_the_order_of_scores_does_not_matter(
    scores: list[float], rate: float, random: Random
) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert conformal_threshold(shuffled, rate) == conformal_threshold(scores, rate)


def test_known_thresholds() -> None:
    scores = [float(score) for score in range(1, 100)]  # 99 scores, 1 .. 99
    assert conformal_threshold(scores, 0.02) == 98.0
    assert conformal_threshold(scores, 0.05) == 95.0
    assert conformal_threshold(scores[:40], 0.02) == 40.0  # 40 scores cannot show 2 %
