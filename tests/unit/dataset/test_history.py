"""Which versions there were, what changed between them, and bringing one back."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from patchae.dataset import version_log
from patchae.dataset.history import Change, find, versions
from patchae.dataset.restoring import pull
from patchae.dataset.upkeep import Flaw, examine
from patchae.dataset.version import pinned_version, snapshot
from patchae.errors import DataError, StoreUnreachable, UsageError
from patchae.files import digests_of
from patchae.project import Project
from patchae.types import DataVersion
from tests.support import write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def plant(project: Project) -> Project:
    """A project with two versions of two classes; the second is pinned."""
    for name, seed in (("bolt", 0), ("nut", 1)):
        write_class(project.data, name, train_good=4, test_good=2, test_defect=2, seed=seed)
    snapshot(project)
    bolt = project.data / "bolt"
    write_image(bolt / "train" / "good" / "100.png", 100)  # added
    write_image(bolt / "train" / "good" / "101.png", 101)
    (bolt / "train" / "good" / "000.png").unlink()  # removed
    write_image(bolt / "train" / "good" / "001.png", 102)  # changed
    (bolt / "test" / "good" / "000.png").rename(bolt / "train" / "good" / "102.png")  # moved
    snapshot(project)
    return project


def first_and_second(project: Project) -> tuple[DataVersion, DataVersion]:
    second, first = (one.version for one in versions(project))
    return first, second


def test_versions_are_told_newest_first_with_what_changed(plant: Project) -> None:
    second, first = versions(plant)
    assert second.version == pinned_version(plant)
    assert first.changes is None
    assert second.changes == {"bolt": Change(added=2, removed=1, changed=1, moved=1)}
    assert first.counts is not None
    assert first.counts["bolt"] == {"test/good": 2, "test/hole": 2, "train/good": 4}
    assert second.counts is not None
    assert second.counts["bolt"] == {"test/good": 1, "test/hole": 2, "train/good": 6}
    assert second.counts["nut"] == first.counts["nut"]
    assert (first.files, second.files) == (20, 21)
    assert second.made >= first.made


def test_a_version_that_came_back_stands_there_again(plant: Project) -> None:
    first, second = first_and_second(plant)
    pull(plant, first)
    assert [one.version for one in versions(plant)] == [first, second, first]
    assert pinned_version(plant) == first
    assert version_log.before(plant, first) == [second]
    assert version_log.before(plant, second) == [first]


def test_commits_of_data_dvc_are_versions_too(plant: Project) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=plant.root, check=True, capture_output=True)

    first, second = first_and_second(plant)
    git("init", "-q")
    git("add", "data.dvc")
    git("commit", "-q", "-m", "second")
    plant.data_dvc.write_text("not a pin\n")
    git("commit", "-q", "-a", "-m", "a mistake")
    plant.data_dvc.unlink()
    git("commit", "-q", "-a", "-m", "another")
    plant.versions.unlink()  # the record of another machine, say
    (only,) = versions(plant)
    assert only.version == second
    assert only.commit is not None
    assert only.files == 21
    assert find(plant, second[:6]) == second
    with pytest.raises(UsageError, match="no data version begins"):
        find(plant, first[:8])


@pytest.mark.parametrize("text", ["", "zzzz", "abc", "..."])
def test_a_text_that_names_no_version_is_refused(plant: Project, text: str) -> None:
    with pytest.raises(UsageError):
        find(plant, text)


def test_a_text_that_is_too_short_is_told_what_is_enough(plant: Project) -> None:
    version = snapshot(plant).version
    with pytest.raises(UsageError, match=r"too short(?s:.*)at least 4"):
        find(plant, version[:3])
    assert find(plant, version[:4]) == version


def test_a_torn_line_of_the_record_is_passed_over(plant: Project) -> None:
    first, second = first_and_second(plant)
    whole = plant.versions.read_text()
    plant.versions.write_text(whole[:-40])  # as a crash leaves it
    assert [entry.version for entry in version_log.entries(plant)] == [first]
    snapshot(plant)
    assert [entry.version for entry in version_log.entries(plant)] == [first, second]
    assert json.loads(plant.versions.read_text().splitlines()[0])["version"] == first


def test_pull_makes_data_what_it_was(plant: Project) -> None:
    first, second = first_and_second(plant)
    now = digests_of(plant.data)
    done = pull(plant, first)
    assert (done.written, done.removed, done.fetched) == (3, 3, 0)
    assert digests_of(plant.data) != now
    assert snapshot(plant).version == first, "byte for byte"
    pull(plant, second)
    assert digests_of(plant.data) == now


def test_pull_of_one_class_leaves_the_others_and_the_pin(plant: Project) -> None:
    first, second = first_and_second(plant)
    write_image(plant.data / "nut" / "train" / "good" / "new.png", 7)
    nuts = digests_of(plant.data / "nut")
    pull(plant, first, ["bolt"])
    assert digests_of(plant.data / "nut") == nuts, "even what is in no version"
    assert not (plant.data / "bolt" / "train" / "good" / "100.png").exists()
    assert pinned_version(plant) == second
    with pytest.raises(DataError, match="has no class 'gear'"):
        pull(plant, first, ["gear"])


def test_a_new_machine_gets_everything_from_the_remote(plant: Project) -> None:
    _, second = first_and_second(plant)
    before = digests_of(plant.data)
    shutil.rmtree(plant.data)
    shutil.rmtree(plant.root / ".dvc" / "cache")
    done = pull(plant, second)
    assert done.fetched == len({*before.values()})
    assert digests_of(plant.data) == before
    again = pull(plant, second)
    assert (again.fetched, again.written, again.removed) == (0, 0, 0)


def test_images_in_no_version_are_never_lost(plant: Project) -> None:
    first, _ = first_and_second(plant)
    own = plant.data / "bolt" / "train" / "good" / "own.png"
    write_image(own, 55)
    before = digests_of(plant.data)
    with pytest.raises(DataError, match=r"would be lost: bolt/train/good/own\.png") as caught:
        pull(plant, first)
    assert "snapshot" in str(caught.value.mend)
    assert digests_of(plant.data) == before
    pull(plant, first, force=True)
    assert not own.exists()


def test_images_of_a_snapshot_that_never_pinned_them_are_in_no_version(plant: Project) -> None:
    first, _ = first_and_second(plant)
    own = plant.data / "bolt" / "train" / "good" / "own.png"
    write_image(own, 55)

    def silent_clock() -> datetime:
        raise StoreUnreachable("the ledger does not answer")

    with pytest.raises(StoreUnreachable):
        snapshot(plant, clock=silent_clock)  # by now the remote holds the image
    with pytest.raises(DataError, match=r"would be lost: bolt/train/good/own\.png"):
        pull(plant, first)
    assert own.exists()


def test_no_version_is_dated_before_the_one_before_it(plant: Project) -> None:
    noon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = []
    for number, hour in enumerate((0, -2, 1)):  # the clock is set back, and right again
        write_image(plant.data / "bolt" / "train" / "good" / f"new {number}.png", 900 + number)
        when = noon + timedelta(hours=hour)
        made.append(snapshot(plant, clock=lambda when=when: when).version)
    assert [entry.version for entry in version_log.entries(plant)][-3:] == made
    assert [one.version for one in versions(plant)][:3] == made[::-1]
    times = [datetime.fromisoformat(entry.made) for entry in version_log.entries(plant)]
    assert times[-3:] == [noon, noon, noon + timedelta(hours=1)]


def stored(plant: Project, path: str, *, cache: bool) -> Path:
    """The object of a file, in the cache or in the remote."""
    from patchae.dataset.version import listing

    pinned = pinned_version(plant)
    assert pinned
    md5 = listing(plant, pinned)[path]
    root = plant.root / ".dvc" / "cache" if cache else plant.dvc_remote
    return root / "files" / "md5" / md5[:2] / md5[2:]


def damage(file: Path) -> None:
    """One byte of a stored object changes, and its times do not."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(content))
    file.chmod(0o444)


NUT = "nut/train/good/002.png"


def test_a_damaged_cache_is_mended_from_the_remote(plant: Project) -> None:
    pinned = pinned_version(plant)
    assert pinned
    before = digests_of(plant.data)
    damage(stored(plant, NUT, cache=True))
    (plant.data / NUT).unlink()
    done = pull(plant, pinned)
    assert (done.fetched, done.written) == (1, 1)
    assert digests_of(plant.data) == before


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_an_object_that_cannot_be_had_is_named_and_nothing_is_changed(
    plant: Project, how: str
) -> None:
    pinned = pinned_version(plant)
    assert pinned
    remote = stored(plant, NUT, cache=False)
    damage(remote) if how == "damaged" else remote.unlink()
    shutil.rmtree(plant.root / ".dvc" / "cache")
    for path in ("nut/train/good/001.png", NUT):
        (plant.data / path).unlink()
    before = digests_of(plant.data)
    with pytest.raises(DataError, match=how) as caught:
        pull(plant, pinned)
    assert NUT in str(caught.value)
    assert "nut/train/good/001.png" not in str(caught.value)
    assert digests_of(plant.data) == before


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "remote"])
@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_flaw_on_one_side_is_found_named_and_mended(
    plant: Project, how: Literal["damaged", "missing"], cache: bool
) -> None:
    pinned = pinned_version(plant)
    assert pinned
    file = stored(plant, NUT, cache=cache)
    before = file.read_bytes()
    damage(file) if how == "damaged" else file.unlink()
    found = examine(plant, pinned)
    (flaw,) = found.flaws
    assert flaw == Flaw(
        file.parent.name + file.name, NUT, "cache" if cache else "remote", how, True
    )
    assert found.sound
    assert file.read_bytes() == before
    assert examine(plant, pinned).flaws == ()


def test_what_is_lost_on_both_sides_comes_from_data(plant: Project) -> None:
    pinned = pinned_version(plant)
    assert pinned
    for cache in (True, False):
        damage(stored(plant, NUT, cache=cache))
    found = examine(plant, pinned)
    assert [(flaw.side, flaw.mended) for flaw in found.flaws] == [("cache", True), ("remote", True)]
    for cache in (True, False):
        damage(stored(plant, NUT, cache=cache))
    (plant.data / NUT).unlink()
    found = examine(plant, pinned)
    assert not found.sound
    assert {flaw.path for flaw in found.flaws} == {NUT}


def test_a_damaged_listing_is_mended_too(plant: Project) -> None:
    pinned = pinned_version(plant)
    assert pinned
    file = plant.dvc_remote / "files" / "md5" / pinned[:2] / pinned[2:]
    damage(file)
    (flaw,) = examine(plant, pinned).flaws
    assert (flaw.path, flaw.side, flaw.mended) == (pinned, "remote", True)
