"""A line that was trained for real and tidied: everything that people do with it still works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from patchae.lineage.gather import audit_model
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.standing import champion_of, let_go
from patchae.registry.tracking import Tracking
from patchae.steps.tidy import Tidying, look
from tests.support import ROOT, clean, patchae
from tests.support.plant import Plant, steps
from tests.support.prefect_database import give_database
from tests.unit.test_docs import check_json

MODEL = "works.lens"


class Works(Plant):
    """A line whose model had the champions 1 and 2, and whose version 3 was not let pass."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.line("works", "lens")
        self.mlflow: Tracking = self.tracking()
        self.outcomes = [self.retrain()]
        for limit in (0.6, 0.99):
            self.add_train("lens", 2)
            self.gates("works", min_image_auroc=limit)
            self.outcomes.append(self.retrain())

    def write_lines(self) -> None:
        """With a policy beside the lines."""
        content = {"lines": self.lines, "retention": {"keep_last": 1}}
        self.project.lines_file.write_text(yaml.safe_dump(content))

    def retrain(self) -> str:
        """All steps of the class; the verdict."""
        return str(steps(self.project, "works", "lens", self.mlflow).body["outcome"])

    def later(self) -> Tidying:
        """What may go in 400 days."""
        return look(self.project, clock=lambda: datetime.now(UTC) + timedelta(days=400))

    @property
    def entries(self) -> list[Entry]:
        return self.ledger.entries(MODEL)

    def keys(self) -> dict[str, str]:
        """The training key of each version."""
        rows = [row.body for row in self.entries if row.kind == "registered"]
        return {body["version"]: body["training_key"] for body in rows}

    def audits(self) -> dict[str, tuple[str, list[str]]]:
        """State of each version, and the links that cannot be checked."""
        found = {}
        for version in self.mlflow.versions(MODEL):
            audit = audit_model(self.project, self.mlflow, f"{MODEL}/{version.version}")
            unknown = [link.code for link in audit.not_checkable]
            found[version.version] = (audit.state, unknown)
        return found


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        made = Works(tmp_path_factory.mktemp("story") / "plant")
        give_database(made.project.prefect)
        yield made


class Run:
    """Commands in the project."""

    def __init__(self, capsys: Any, monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
        self._given = capsys, monkeypatch
        monkeypatch.chdir(project.root)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        return patchae(*self._given, *words)


@pytest.fixture
def run(works: Works, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch, works.project)


def test_the_command_shows_asks_and_removes(works: Works, run: Run) -> None:
    abandoned = works.project.work / MODEL / "abandoned"
    (abandoned / "samples-cpu").mkdir(parents=True)
    (abandoned / "samples-cpu" / "a.bin").write_bytes(b"x" * 1_500)
    old = time.time() - 20 * 86_400
    for path in (abandoned, *abandoned.rglob("*")):
        os.utime(path, (old, old))
    code, out, err = run("tidy", "--dry-run", "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    check_json("tidy", {**told, "removed": [{**told["may_go"][0], "removed": True}]})
    assert told["dry_run"] is True
    assert [one["kind"] for one in told["may_go"]] == ["work"] * 4
    assert "work  work/works.lens/abandoned" in out.replace("  " * 9, "")
    assert "1.5 kB" in out
    assert {one["kind"] for one in told["kept"]} == {"weights", "cache"}
    code, out, _ = run("tidy")
    assert code == 0
    assert "nothing was removed: --yes removes it" in out
    assert abandoned.is_dir()
    code, out, _ = run("tidy", "works", "--yes", "--json")
    told = json.loads(out.splitlines()[-1])
    assert code == 0
    assert [one["removed"] for one in told["removed"]] == [True] * 4
    assert told["bytes"] == sum(one["bytes"] for one in told["removed"]) > 1_500
    assert not (works.project.work / MODEL).exists()
    assert run("tidy", "smaple")[0] == 2


def test_after_tidying_audits_rollbacks_and_reproductions_work(works: Works, run: Run) -> None:
    assert works.outcomes == ["promote", "promote", "hold"]
    assert works.audits() == dict.fromkeys("123", ("intact", []))
    works.add_train("lens", 2)
    works.gates("works")
    assert works.retrain() == "promote"  # version 4, so that 3 is not the newest
    weights = [item.what for item in works.later().plan.items if item.kind == "weights"]
    assert weights == [f"{MODEL}/3"]
    removed = list(works.later().carry_out())
    assert all(one.stays is None for one in removed)
    intact: dict[str, Any] = dict.fromkeys("124", ("intact", []))
    assert works.audits() == {**intact, "3": ("intact", ["model_files"])}
    code, out, _ = run("audit", "--all")
    assert code == 0, out
    for version in ("1", "2", "4"):
        code, out, err = run("rollback", MODEL, "--to", version, "--reason", "a story")
        assert code == 0, err
        assert champion_of(works.entries).current == version
    code, out, err = run("reproduce", f"{MODEL}/3")
    assert code == 0, err
    assert "identical" in out


def test_what_was_let_go_is_refused_and_trained_again_when_it_is_wanted(
    works: Works, run: Run
) -> None:
    code, _, err = run("promote", f"{MODEL}/3", "--override", "--reason", "r")
    assert code in (1, 2)
    assert "let go by the retention policy" in err
    image = str(works.first_train("lens"))
    for words in (("export", f"{MODEL}/3", "out.pt2"), ("score", f"{MODEL}/3", image)):
        code, _, err = run(*words)
        assert code == 2, words
        assert "let go by the retention policy" in err, words
    before = works.keys()
    newest = sorted((works.project.data / "lens" / "train" / "good").glob("more*"))
    for path in newest[-2:]:
        path.unlink()  # the images of version 3 again
    works.retrain()
    assert works.keys() == {**before, "5": before["3"]}
    assert set(let_go(works.entries)) == {"3"}
    assert works.audits()["5"] == ("intact", [])


def test_a_running_training_is_left_alone(works: Works) -> None:
    """A real `patchae retrain` beside a tidying for which everything is old enough."""
    works.add_train("lens", 2)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    training = subprocess.Popen(
        [sys.executable, "-m", "patchae", "retrain", "works"],
        cwd=works.project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen = set()
    try:
        while training.poll() is None:
            with works.project.unused(f"work-{MODEL}") as free:
                running = not free
            if running:
                seen |= {one.stays for one in works.later().carry_out()}
            time.sleep(0.2)
    finally:
        training.kill()
    out = training.communicate()[0]
    assert training.returncode == 0, out
    assert "a training of this class is running" in seen
    newest = works.mlflow.versions(MODEL)[-1].version
    assert works.audits()[newest] == ("intact", [])
