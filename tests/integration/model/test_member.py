"""Several networks: each has a member that learns by itself, and the map is their mean."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.training import train
from tests.support.trained import SETTINGS, Small

PAIR = SETTINGS.model_copy(update={"backbone": "tf_efficientnet_lite0+tf_efficientnet_lite1"})


@pytest.fixture(scope="module")
def pair(small: Small) -> PatchAE:
    """Two networks, trained on the images of the small class."""
    return train(small.images, small.digests, PAIR)


def test_a_member_is_what_it_would_be_alone(small: Small, pair: PatchAE) -> None:
    (alone, _), (first, _) = small.model.each()[0], pair.each()[0]
    state, expected = first.state_dict(), alone.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)


def test_members_read_all_features_each_its_own(pair: PatchAE) -> None:
    reads = [read for _, read in pair.each()]
    channels = [sum(counts) for counts in pair.backbone.channels]
    assert [read.stop - read.start for read in reads] == channels
    assert (reads[0].start, reads[0].stop, reads[1].stop) == (0, reads[1].start, sum(channels))


@torch.inference_mode()
def test_the_anomaly_of_a_patch_is_the_mean_of_what_the_members_say(
    small: Small, pair: PatchAE
) -> None:
    images = load_batch(small.images[:2], PAIR.image_size).float() / 255
    raw = pair.raw(images)
    flat = raw.flatten(0, 2)
    said = torch.stack([member(flat[:, read]) for member, read in pair.each()])
    assert not torch.equal(said[0], said[1])
    with torch.inference_mode():
        _, maps = pair((images * 255).round().to(torch.uint8))
    expected = torch.nn.functional.avg_pool2d(
        said.mean(0).view(raw.shape[:3])[:, None], 3, 1, 1, count_include_pad=False
    )[:, 0]
    assert torch.allclose(maps, torch.nn.functional.softplus(expected, beta=4), atol=1e-5)


def test_several_members_survive_saving(small: Small, pair: PatchAE, tmp_path: Path) -> None:
    pair.save(tmp_path)
    again = PatchAE.load(tmp_path)
    before, after = (model.score(small.images[:3]) for model in (pair, again))
    assert [one.score for one in before] == [one.score for one in after]


def test_progress_of_several_members_counts_to_its_end(small: Small) -> None:
    seen: list[tuple[str, int, int]] = []

    def note(what: str, done: int, total: int) -> None:
        seen.append((what.partition(",")[0], done, total))

    train(small.images[:6], small.digests[:6], PAIR, progress=note)
    for part in ("learning", "telling apart"):
        counts = [(done, total) for what, done, total in seen if what == part]
        total = counts[0][1]
        assert counts == [(done, total) for done in range(1, total + 1)]
