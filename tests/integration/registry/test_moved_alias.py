"""An alias that somebody moved in a real MLflow: every command that looks says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from patchae.project import Project, prepare_environment
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import override, promote
from patchae.registry.tracking import Tracking
from tests.support import patchae
from tests.support.registry.memory import MODEL, judged

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tracking(project: Project) -> Tracking:
    """Versions 1 to 3 of a model, promoted 1 and 2, held 3."""
    prepare_environment(project)
    tracking, ledger = Tracking.open(project), Ledger.of(project)
    tracking.client.create_registered_model(MODEL)
    run = tracking.client.create_run(tracking.experiment("sample")).info.run_id
    for _ in range(3):
        tracking.client.create_model_version(MODEL, source=f"runs:/{run}/model", run_id=run)
    for version in "12":
        verdict = judged(ledger, version)
        promote(ledger, tracking.aliases, MODEL, version, verdict=verdict, actor="ann")
    judged(ledger, "3", n_good=1)
    return tracking


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as the console script does: code, standard output, standard error."""

    def command(*words: str) -> tuple[int, str, str]:
        code, out, err = patchae(capsys, monkeypatch, *words)
        assert "Traceback" not in out + err
        return code, out, err

    return command


def last(told: tuple[int, str, str]) -> Any:
    """The JSON object that ends the output."""
    return json.loads(told[1].splitlines()[-1])


def checks(told: tuple[int, str, str]) -> dict[str, str]:
    """The states that `doctor` found."""
    return {one["check"]: one["state"] for one in last(told)["checks"]}


def test_a_moved_alias_is_found_told_and_reconciled(
    tracking: Tracking, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchae.health.LOW_BYTES", 0)  # however full this machine's disk is
    (model,) = last(run("status", "--json"))["models"]
    assert (model["champion"], model["aliases"], model["mend"]) == ("2", "aligned", None)
    sound = run("doctor", "--json")
    assert (sound[0], last(sound)["sound"]) == (0, True)
    assert checks(sound) == {
        **dict.fromkeys(("lines", "place", "ledger", "mlflow", "stores", "aliases", "disk"), "ok"),
        "data": "warn",
    }

    tracking.aliases.set(MODEL, "champion", "3")
    said = "champion is version 3 in MLflow and version 2 in the ledger"
    status = run("status", "--json")
    assert said in status[1]
    (model,) = last(status)["models"]
    assert (model["champion"], model["aliases"]) == ("2", "moved")
    assert "patchae reconcile sample.bolt --put-back" in model["mend"]
    doctor = run("doctor", "--json")
    assert (doctor[0], checks(doctor)["aliases"]) == (1, "fail")
    assert said in doctor[1]
    audit = run("audit", MODEL)
    assert audit[0] == 1
    assert "champion: MLflow says version 3, the ledger says version 2" in audit[1]

    assert run("reconcile", MODEL, "--reason", "r")[0] == 2, "neither of the two"
    put_back = run("reconcile", MODEL, "--put-back", "--reason", "nobody asked", "--json")
    assert last(put_back) == {
        "model": MODEL,
        "champion": "2",
        "previous": "1",
        "adopted": False,
    }
    assert "BROKEN         MLflow's aliases" not in run("audit", MODEL)[1]
    tracking.aliases.set(MODEL, "champion", "3")
    adopted = run("reconcile", MODEL, "--adopt", "--reason", "it was me", "--json")
    assert last(adopted) == {"model": MODEL, "champion": "3", "previous": "2", "adopted": True}
    assert tracking.aliases.get(MODEL) == {"champion": "3", "previous": "2"}
    moves = last(run("history", "sample", "--since", "2020-01-01", "--json"))["moves"]
    assert [(one["to"], one["why"]) for one in moves] == [
        ("1", "promoted"),
        ("2", "promoted"),
        ("3", "adopted"),
    ]
    later = datetime.now(UTC).isoformat()
    assert last(run("history", MODEL, "--since", later, "--json"))["moves"] == []
    at = last(run("history", "sample", "--at", moves[1]["time"], "--json"))
    assert at["champions"] == [{"model": MODEL, "champion": "2", "threshold": None}]

    # Nothing was registered here: no version's files are known, and none is put into use.
    code, _, told = run("rollback", MODEL, "--reason", "r")
    assert (code, "must not be used: its lineage record" in told) == (1, True)
    code, _, told = run("promote", f"{MODEL}/3", "--override", "--reason", "r")
    assert (code, "was already used for a promotion" in told) == (2, True)
    assert run("promote", MODEL, "--reason", "r")[0] == 2


def test_a_version_that_was_deleted_is_told_and_what_is_left_goes_on(
    project: Project, tracking: Tracking, run: Run
) -> None:
    ledger = Ledger.of(project)
    tracking.client.delete_model_version(MODEL, "1")
    doctor = run("doctor", "--json")
    assert checks(doctor)["aliases"] == "warn"
    assert "version 1 of sample.bolt is no longer in MLflow, and its alias previous" in doctor[1]
    (model,) = last(run("status", "--json"))["models"]
    assert (model["champion"], model["aliases"]) == ("2", "lost")
    assert "nothing has to be done" in model["mend"]

    tracking.client.delete_model_version(MODEL, "2")
    assert not tracking.aliases.has(MODEL, "2")
    assert tracking.aliases.has(MODEL, "3")
    rows = ledger.entries()
    code, _, told = run("reconcile", MODEL, "--put-back", "--reason", "r")
    assert (code, "nothing can be put back: version 2" in told) == (2, True)
    code, _, told = run("rollback", MODEL, "--reason", "r")
    assert (code, "version 1 of sample.bolt is no longer in MLflow" in told) == (2, True)
    audit = run("audit", f"{MODEL}/3")
    assert "champion: MLflow says none, the ledger says version 2" in audit[1]
    assert checks(run("doctor", "--json"))["aliases"] == "fail"
    (model,) = last(status := run("status", "--json"))["models"]
    assert (model["aliases"], model["mend"] in status[1]) == ("lost", True)
    assert ledger.entries() == rows
    override(ledger, tracking.aliases, MODEL, "3", actor="ann", reason="what is left")
    assert tracking.aliases.get(MODEL) == {"champion": "3"}


def test_what_is_wrong_is_one_line_of_the_doctor(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.lines_file.write_text("lines: 7")
    monkeypatch.setenv("PATCHAE_LEDGER_URL", "postgresql+psycopg://a:s3cret@127.0.0.1:1/d")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    for name in ("LOW_BYTES", "EMPTY_BYTES"):
        monkeypatch.setattr(f"patchae.health.{name}", 10**18)
    told = run("doctor", "--json")
    assert told[0] == 1
    wrong = dict.fromkeys(("lines", "ledger", "mlflow", "aliases", "disk"), "fail")
    assert checks(told) == {**wrong, "place": "ok", "data": "warn"}
    assert "s3cret" not in told[1] + told[2]
    assert len(told[1].splitlines()) == len(checks(told)) + 1
