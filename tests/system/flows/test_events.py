"""Who is told of new images, whoever has pinned them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import events
from flows.events import announce
from patchae.dataset.version import Snapshot, snapshot
from patchae.errors import StoreUnreachable
from patchae.project import prepare_environment
from tests.support import patchae, write_class, write_image
from tests.support.plant import Plant

NOBODY = "http://127.0.0.1:9/api"
Told = list[tuple[str, list[str]]]


@pytest.fixture
def two(plant: Plant) -> Plant:
    """Two lines, one of them with every class that the other leaves."""
    if not plant.lines:
        plant.lines = {"caps": {"classes": ["cap", "lid"]}, "rest": {"classes": "all"}}
        plant.write_lines()
        for number, name in enumerate(("cap", "lid", "nut")):
            write_class(
                plant.project.data, name, train_good=3, test_good=1, test_defect=1, seed=number
            )
    prepare_environment(plant.project)
    (plant.project.state / "announced.json").unlink(missing_ok=True)
    return plant


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What was sent: line and classes; Prefect answers."""
    sent: Told = []

    def send(_: Any, line: str, event: str, classes: Sequence[str], *__: Any, **___: Any) -> bool:
        assert event == events.ARRIVED
        sent.append((line, list(classes)))
        return True

    monkeypatch.setattr(events, "send", send)
    return sent


def arrive(plant: Plant, *names: str) -> Snapshot:
    """A new image for each of these classes, and a snapshot."""
    for name in names:
        folder = plant.project.data / name / "train" / "good"
        write_image(folder / f"{len(list(folder.iterdir())):03d}n.png", hash(name) % 9_999)
    return snapshot(plant.project)


def silent(*_: Any, **__: Any) -> bool:
    """Prefect does not answer."""
    raise ConnectionError("nobody there")


def test_each_line_is_told_of_its_classes_once(two: Plant, told: Told) -> None:
    announce(two.project, snapshot(two.project))
    told.clear()
    taken = arrive(two, "lid", "nut")
    assert announce(two.project, taken) == ["caps", "rest"]
    assert told == [("caps", ["lid"]), ("rest", ["nut"])]
    assert announce(two.project, snapshot(two.project)) == []
    assert len(told) == 2


def test_what_a_run_of_another_line_pinned_is_told_all_the_same(two: Plant, told: Told) -> None:
    """A run trains one class, and its snapshot has pinned new images of two others."""
    announce(two.project, snapshot(two.project))
    told.clear()
    taken = arrive(two, "cap", "lid", "nut")
    assert announce(two.project, taken, trained={"caps": ["cap"]}) == ["caps", "rest"]
    assert told == [("caps", ["lid"]), ("rest", ["nut"])]


def test_what_prefect_could_not_be_told_is_told_by_the_next_snapshot(
    two: Plant, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(two.project, snapshot(two.project))
    taken = arrive(two, "lid")
    with monkeypatch.context() as away:
        away.setattr(events, "send", silent)
        assert announce(two.project, taken) == []
    told.clear()
    unchanged = snapshot(two.project)
    assert not unchanged.changed
    assert announce(two.project, unchanged) == ["caps"]
    assert told == [("caps", ["lid"])]


def test_the_very_first_images_are_told_by_the_next_snapshot_too(
    two: Plant, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line was ever told of anything; what could not be sent is left to be told."""
    snapshot(two.project)
    taken = arrive(two, "lid", "nut")
    with monkeypatch.context() as away:
        away.setattr(events, "send", silent)
        assert announce(two.project, taken) == []
    assert announce(two.project, snapshot(two.project)) == ["caps", "rest"]
    assert told == [("caps", ["lid"]), ("rest", ["nut"])]


def test_a_kill_while_they_are_told_for_the_first_time_loses_none(
    two: Plant, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    snapshot(two.project)
    taken = arrive(two, "lid", "nut")
    with monkeypatch.context() as away:
        away.setattr(events, "send", killed)
        with pytest.raises(KeyboardInterrupt):
            announce(two.project, taken)
    assert announce(two.project, snapshot(two.project)) == ["caps", "rest"]
    assert told == [("caps", ["lid"]), ("rest", ["nut"])]


@pytest.mark.parametrize("command", [["snapshot"], ["validate", "caps"]])
def test_what_was_pinned_and_told_to_nobody_is_told_by_the_next_snapshot(
    two: Plant,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """A snapshot is killed right behind its pin; and `validate` tells nobody."""

    def killed(*_: Any, **__: Any) -> list[str]:
        raise StoreUnreachable("nobody comes here")

    snapshot(two.project)
    folder = two.project.data / "lid" / "train" / "good"
    write_image(folder / f"{len(list(folder.iterdir())):03d}k.png", hash(command[0]) % 9_999)
    with temporary_settings({PREFECT_API_URL: NOBODY}), monkeypatch.context() as away:
        away.setattr(events, "announce", killed)
        patchae(capsys, monkeypatch, *command)
    unchanged = snapshot(two.project)
    assert not unchanged.changed
    assert announce(two.project, unchanged) == ["caps"]
    assert told == [("caps", ["lid"])]


def test_lines_that_cannot_be_read_stop_no_snapshot(two: Plant) -> None:
    two.project.lines_file.write_text("lines: no")
    try:
        with temporary_settings({PREFECT_API_URL: NOBODY}):
            events.expect(two.project)
    finally:
        two.write_lines()
    assert not (two.project.state / "announced.json").exists()
