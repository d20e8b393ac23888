"""Which stored images an audit reads again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from patchae.dataset.manifest import from_csv
from patchae.dataset.objects import State
from patchae.lineage.audit import audit
from patchae.lineage.stored_images import SAMPLE, sample
from patchae.types import DataVersion
from tests.support.lineage.answers import broken, detail
from tests.support.lineage.built import Built
from tests.support.lineage.forging import flip

versions = st.text("0123456789abcdef", min_size=32, max_size=32).map(
    lambda digits: DataVersion(digits + ".dir")
)


@given(versions, st.integers(0, 500))
def test_a_sample_is_spread_evenly_and_the_same_again(version: DataVersion, count: int) -> None:
    paths = [f"{number:03d}" for number in range(count)]
    chosen = sample(version, paths)
    assert chosen == sample(version, paths)
    assert len(set(chosen)) == len(chosen) == min(SAMPLE, count)
    places = sorted(map(int, chosen))
    gaps = [after - before for before, after in pairwise(places)]
    assert all(count // SAMPLE <= gap <= count // SAMPLE + 1 for gap in gaps if count > SAMPLE)


def test_every_place_has_its_turn() -> None:
    paths = [f"{number:03d}" for number in range(200)]
    seen = {
        path for at in range(200) for path in sample(DataVersion(f"{at:08x}" + "0" * 24), paths)
    }
    assert seen == set(paths)


def test_a_sample_sees_what_it_reads_and_a_deep_audit_sees_all(built: Built) -> None:
    needed = sorted(path for path in built.listing if path.endswith(".png"))
    needed = [path for path in needed if (built.remote / built.listing[path]).is_file()]
    read = sample(built.data_version, needed)
    unread = next(path for path in needed if path not in read and "train" in path)
    flip(built.remote / built.listing[unread])
    assert broken(audit(built.material())) == {}
    deep = audit(built.material(deep=True))
    assert broken(deep) == {"data_version": f"{unread}: damaged in the store of the images"}
    seen = next(path for path in read if "train" in path)
    flip(built.remote / built.listing[seen])
    assert set(broken(audit(built.material()))) == {"data_version"}


def test_a_deep_audit_says_that_it_read_all(honest: Built) -> None:
    told = detail(audit(honest.material(deep=True)), "data_version")
    assert told.endswith("37 of 37 objects and the list of the version were read again")


def test_images_and_masks_are_held_against_both_their_digests(built: Built) -> None:
    """An md5 can be made to fit; the sha256 of images and masks stand in the manifest."""
    rows = from_csv((built.artifacts / "manifest.csv").read_text())
    digests = dict(zip(rows["path"], rows["sha256"], strict=True))
    digests |= dict(zip(rows["mask"], rows["mask_sha256"], strict=True))
    asked: dict[str, str] = {}

    def states(names: Iterable[str], sha256: Mapping[str, str]) -> dict[str, State]:
        asked.update(sha256)
        return built.states(names, {**sha256, mask: "0" * 64})

    path = "bolt/ground_truth/hole/000_mask.png"
    mask = built.listing[path]
    found = broken(audit(built.material(deep=True, states=states)))
    assert found == {"data_version": f"{path}: damaged in the store of the images"}
    needed = {path for path in built.listing if path in digests}
    assert asked == {built.listing[path]: digests[path] for path in needed}
    assert mask in asked
