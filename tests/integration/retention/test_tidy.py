"""What goes and what stays, with real stores: rows, runs, files and folders."""

from __future__ import annotations

import json
import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patchae.errors import UsageError
from patchae.files import write_text
from patchae.registry.registration import register
from patchae.registry.removal import TIDIED
from patchae.registry.standing import champion_of, former_champions
from patchae.retention.log import log_file
from patchae.steps.tidy import Removed, freed, tidy_work
from tests.support.registry.memory import MODEL
from tests.support.retention.shop import Shop
from tests.unit.retention.test_aged import aged

WEIGHTS = "artifacts/model/model.safetensors"


def went(removed: list[Removed], kind: str) -> list[str]:
    """What is gone of a kind."""
    assert all(one.stays is None for one in removed)
    return [one.item.what for one in removed if one.item.kind == kind]


def test_only_the_weights_of_what_never_was_in_use_go(shop: Shop) -> None:
    first, rejected, second = shop.champion(), shop.rejected(), shop.champion()
    assert went(shop.tidy(timedelta(days=80)), "weights") == [], "not old enough"
    assert len(list(shop.project.work.rglob("*.safetensors"))) == 0, "MLflow holds all three"
    removed = shop.tidy()
    assert went(removed, "weights") == [f"{MODEL}/{rejected}"]
    assert freed(removed) == 50_000
    assert WEIGHTS not in shop.files(rejected)
    assert "MLmodel" in shop.files(rejected)
    assert WEIGHTS in shop.files(first) & shop.files(second)
    shop.require_what_the_ledger_names()
    assert shop.tidy() == []


def test_runs_without_a_version_go_and_no_other(shop: Shop) -> None:
    client = shop.tracking.client
    failed = shop.cut_off("create_model_version")
    silent = shop.cut_off("create_model_version", None)
    early = shop.cut_off("log_artifacts")
    champion = shop.champion()
    experiment = shop.tracking.experiment("sample")
    foreign = client.create_run(experiment, run_name="somebody's").info.run_id
    client.set_terminated(foreign, "FAILED")
    assert went(shop.tidy(timedelta(days=20)), "run") == [], "not old enough"
    assert "scores.csv" in shop.artifacts(failed)
    assert client.search_logged_models([experiment], f"source_run_id = '{failed}'")
    gone = went(shop.tidy(), "run")
    assert sorted(gone) == sorted(f"{MODEL} {run}" for run in (failed, silent, early))
    for run in (failed, silent, early):
        found = client.get_run(run)
        assert found.info.lifecycle_stage == "deleted"
        assert "by tester: no version" in found.data.tags[TIDIED]
        assert shop.artifacts(run) == set()
        assert not client.search_logged_models([experiment], f"source_run_id = '{run}'")
    assert client.get_run(foreign).info.lifecycle_stage == "active"
    assert WEIGHTS in shop.files(champion)
    shop.require_what_the_ledger_names()
    assert went(shop.tidy(), "run") == []


def test_a_version_that_the_ledger_does_not_have_yet_is_left_alone(shop: Shop) -> None:
    version = register(shop.tracking, shop.training(), lambda *_: {"files": {}})
    client = shop.tracking.client
    client.update_run(version.run_id, status="RUNNING")  # killed before it was finished
    kept = {one.why for one in shop.look().plan.kept if one.kind == "weights"}
    assert any("`patchae retrain` records it" in why for why in kept)
    shop.tidy()
    assert WEIGHTS in shop.files(version.version)
    assert client.get_run(version.run_id).info.lifecycle_stage == "active"


def test_altered_weights_are_evidence_and_stay(shop: Shop) -> None:
    rejected = shop.rejected()
    shop.champion()
    folder = shop.tracking.model_folder(shop.tracking.version(MODEL, rejected))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1] + b"!")
    (found,) = (one for one in shop.tidy() if one.item.kind == "weights")
    assert "is not what was registered: `patchae audit` first" in str(found.stays)
    assert found.bytes == 0
    assert rejected not in shop.gone
    (folder / WEIGHTS).write_bytes(whole)
    assert went(shop.tidy(), "weights") == [f"{MODEL}/{rejected}"]


def test_a_record_that_the_ledger_does_not_vouch_for_keeps_the_weights(shop: Shop) -> None:
    rejected = shop.rejected()
    shop.champion()
    version = shop.tracking.version(MODEL, rejected)
    file = shop.tracking.artifacts(version) / "lineage.json"
    whole = file.read_text()
    file.write_text(whole.replace('"bytes"', '"bites"', 1))
    look = shop.look()
    assert not [item for item in look.plan.items if item.kind == "weights"]
    assert any("not the one that the ledger vouches for" in one.why for one in look.plan.kept)
    file.write_text(whole)


def test_a_promotion_between_look_and_removal_wins(shop: Shop) -> None:
    waiting = shop.rejected()
    shop.champion()
    look = shop.look()
    assert f"{MODEL}/{waiting}" in [item.what for item in look.plan.items]
    shop.tracking.aliases.set(MODEL, "candidate", waiting)
    name = f"{MODEL}/{waiting}"
    (found,) = (one for one in look.carry_out() if one.item.what == name)
    assert found.stays == "an alias in MLflow points at it"
    assert WEIGHTS in shop.files(waiting)
    shop.tracking.aliases.delete(MODEL, "candidate")
    shop.tidy()


def test_a_model_whose_turn_somebody_has_is_passed_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process registers, judges or promotes just now."""
    run, rejected = shop.cut_off("create_model_version"), shop.rejected()
    shop.champion()
    look = shop.look()
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0.1")
    with shop.ledger.turn(MODEL):
        found = {one.item.kind: one for one in look.carry_out()}
    for kind in ("run", "weights"):
        assert "another process has been moving" in str(found[kind].stays)
    assert WEIGHTS in shop.files(rejected)
    assert shop.artifacts(run)
    shop.tidy()
    assert WEIGHTS not in shop.files(rejected)


def test_work_that_a_training_uses_is_never_touched(shop: Shop) -> None:
    shop.champion()
    abandoned = shop.training().model_folder.parents[1]
    fresh = shop.training().model_folder.parents[1]
    old = time.time() - 30 * 86_400
    for path in (abandoned, *abandoned.rglob("*")):
        os.utime(path, (old, old))
    today = timedelta(0)
    with shop.project.using(f"work-{MODEL}"), shop.project.using(f"work-{MODEL}"):
        found = [one for one in shop.tidy(today) if one.item.kind == "work"]
        assert {one.stays for one in found} == {"a training of this class is running"}
        assert abandoned.name in " ".join(one.item.what for one in found)
    assert abandoned.is_dir()
    look = shop.look(today)
    (abandoned / "trained" / "more").write_text("a training went on")
    found = [one for one in look.carry_out() if one.item.kind == "work"]
    assert [one.stays for one in found if abandoned.name in one.item.what] == [
        "a training has used it meanwhile"
    ]
    os.utime(abandoned / "trained" / "more", (old, old))
    os.utime(abandoned / "trained", (old, old))
    assert abandoned.name in " ".join(went(shop.tidy(today), "work"))
    assert not abandoned.exists()
    assert fresh.is_dir()


def test_days_that_are_over_go_and_the_newest_look_stays(shop: Shop) -> None:
    state = shop.project.state
    old, new = "2020-01-01", "2099-01-01"
    for day in (old, new):
        write_text(state / "recent" / MODEL / day / "a.png", "image")
        write_text(state / "recent" / "other.model" / day / "a.png", "image")
    stamps = ("20200101T0000000000000", "20200201T0000000000000")
    for stamp in stamps:
        write_text(state / "drift" / MODEL / stamp / "drift.json", "{}")
        aged(state / "drift" / MODEL / stamp, datetime(2020, 2, 1, tzinfo=UTC))
    removed = shop.tidy(timedelta(0))
    assert went(removed, "recent") == [f"recent/other.model/{old}", f"recent/{MODEL}/{old}"]
    assert went(removed, "drift") == [f"drift/{MODEL}/{stamps[0]}"]
    assert (state / "recent" / MODEL / new / "a.png").is_file()
    assert (state / "drift" / MODEL / stamps[1] / "drift.json").is_file()


def test_everything_removed_is_in_the_log(shop: Shop) -> None:
    log_file(shop.project).write_text('{"torn')
    rejected = shop.rejected()
    shop.champion()
    shop.tidy()
    torn, *lines = log_file(shop.project).read_text().splitlines()
    assert torn == '{"torn'
    told = [json.loads(line) for line in lines]
    own = [(one["step"], one["actor"]) for one in told if one["what"] == f"{MODEL}/{rejected}"]
    assert own == [("begins", "tester"), ("done", "tester")]
    assert told[0]["policy"]["keep_last"] == 1
    assert {one["step"] for one in told} == {"begins", "done"}


def test_a_run_that_the_ledger_names_and_mlflow_would_remove_is_told(shop: Shop) -> None:
    rejected = shop.register()
    client = shop.tracking.client
    client.delete_run(rejected.run_id)
    (told,) = (one for one in shop.look().plan.kept if "MLflow's trash" in one.why)
    assert (told.kind, told.count) == ("run", 1)
    assert shop.artifacts(rejected.run_id)
    client.restore_run(rejected.run_id)
    assert not [one for one in shop.look().plan.kept if "MLflow's trash" in one.why]


def test_a_workplace_removes_the_work_that_was_registered_and_nothing_else(shop: Shop) -> None:
    shop.tidy()
    version = shop.register()
    going_on = shop.training().model_folder
    kept = shop.project.state / "recent" / MODEL / "2020-01-01" / "a.png"
    write_text(kept, "image")
    tidy_work(shop.project)
    left = [path.name for path in (shop.project.work / MODEL).iterdir()]
    assert left == [going_on.parents[1].name]
    assert kept.is_file()
    assert WEIGHTS in shop.files(version.version)
    shop.tidy()


def test_a_line_that_nobody_knows(shop: Shop) -> None:
    from patchae.steps.tidy import look

    with pytest.raises(UsageError, match="no line is called 'smaple'"):
        look(shop.project, "smaple")


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_all_that_the_ledger_names_is_there(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path / "plant")
    chance = random.Random(seed)  # the same histories every time
    for _ in range(12):
        step = chance.choice(("champion", "rejected", "rejected", "cut off", "back", "tidy"))
        if step == "champion":
            shop.champion()
        elif step == "rejected":
            shop.rejected()
        elif step == "cut off":
            at = chance.choice(("log_artifacts", "log_text", "create_model_version"))
            shop.cut_off(at, chance.choice(("FAILED", None)))
        elif step == "back" and champion_of(shop.entries).previous:
            shop.rollback()
        elif step == "tidy":
            shop.tidy()
    shop.champion()
    shop.tidy()
    shop.require_what_the_ledger_names()
    assert shop.tidy() == []
    current = champion_of(shop.entries).current
    for version in former_champions(shop.entries):
        if version != current:
            shop.rollback(version)
            current = version
            assert shop.tracking.aliases.get(MODEL)["champion"] == version
            assert WEIGHTS in shop.files(version)
    assert shop.ledger.verify() == []
