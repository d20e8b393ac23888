"""The day when a batch turns out to be mislabelled, from the list of images to the new champion."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Command, Told
from tests.support import clean
from tests.support.plant import Plant, steps

BAD = 20


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """A line of two classes with a champion each; then twenty images of `cap` came, and a third."""
    clean(monkeypatch)
    made = Plant(tmp_path / "plant")
    made.line("caps", "cap", "lid")
    for name in ("cap", "lid"):
        steps(made.project, "caps", name, made.tracking())
    made.add_train("cap", BAD)
    steps(made.project, "caps", "cap", made.tracking())
    return made


def answer(told: Told) -> Any:
    """The JSON that ends the output."""
    return json.loads(told.out.splitlines()[-1])


def uses(found: Any) -> dict[str, tuple[int, bool]]:
    """By model version: how many of the images taught or calibrated it, and whether it is live."""
    return {
        f"{one['model']}/{one['version']}": (one["learned"] + one["calibration"], one["live"])
        for one in found["models"]
    }


def test_one_list_in_all_affected_models_out_and_a_champion_without_them(
    plant: Plant,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(plant.project.root)
    run = Command(capsys, monkeypatch)
    assert plant.standing("caps.cap") == {"champion": "2", "previous": "1"}
    bad = sorted((plant.project.data / "cap/train/good").glob("more*.png"))
    listed = tmp_path / "bad.csv"
    listed.write_text(
        "path\n" + "".join(f"{path.relative_to(plant.project.data)}\n" for path in bad)
    )

    # The list names the one version that used them; it is live.
    told = run("trace", "--from-list", str(listed), "--csv", str(tmp_path / "uses.csv"), "--json")
    assert told.code == 0, told.err
    assert "20 of 20 images occurred" in told.out
    assert uses(answer(told)) == {"caps.cap/2": (BAD, True)}
    with (tmp_path / "uses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] + "/" + row["version"] for row in rows} == {"caps.cap/2"}
    assert {row["image"] for row in rows} == {
        str(path.relative_to(plant.project.data)) for path in bad
    }

    # Back to the champion before, and the version is not to return.
    reason = "twenty caps of batch 17 are mislabelled"
    assert run("rollback", "caps.cap", "--reason", reason).code == 0
    assert run("retire", "caps.cap/2", "--reason", reason).code == 0

    # Trained again without them.
    digests = [one["sha256"] for one in answer(told)["images"]]
    listed.write_text("sha256\n" + "\n".join(digests) + "\n")
    for path in bad:
        path.unlink()
    plant.add_train("cap", 6)
    told = run("retrain", "caps", "--class", "cap", "--reason", "without batch 17")
    assert told.code == 0, told.err
    assert plant.standing("caps.cap") == {"champion": "3", "previous": "1"}

    # The new version used none of them, the old one is told with the time that it was live.
    told = run("trace", "--from-list", str(listed), "--json")
    assert uses(answer(told)) == {"caps.cap/2": (BAD, False)}
    (affected,) = answer(told)["models"]
    (period,) = affected["periods"]
    assert period["until"] is not None
    assert not any(stay["current"] for one in answer(told)["images"] for stay in one["stays"])

    # What was done is on record, and everything behind the champions holds.
    told = run("history", "caps.cap", "--json")
    assert [(move["from"], move["to"], move["why"]) for move in answer(told)["moves"]] == [
        (None, "1", "promoted"),
        ("1", "2", "promoted"),
        ("2", "1", "rolled_back"),
        ("1", "3", "promoted"),
    ]
    assert [move["reason"] for move in answer(told)["moves"]][2:] == [reason, "without batch 17"]
    told = run("audit", "--all", "--json")
    assert told.code == 0, told.err
    assert [(one["model"], one["version"], one["state"]) for one in answer(told)] == [
        ("caps.cap", "3", "intact"),
        ("caps.lid", "1", "intact"),
    ]
    code = run("rollback", "caps.cap", "--to", "2", "--reason", "by mistake").code
    assert code == 2, "a retired version does not return"
