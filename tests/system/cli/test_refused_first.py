"""What the ledger alone rules out is refused before anything heavy is even imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from patchae.project import Project
from patchae.registry.ledger import Ledger
from tests.support import write_image
from tests.support.registry.memory import MODEL, judged

HEAVY = {"torch", "mlflow", "pandas", "great_expectations", "prefect", "dvc", "timm"}
SCRIPT = """
import json, sys
from patchae.cli import main
try:
    main()
except SystemExit as end:
    modules = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps({"code": end.code, "modules": modules}))
"""


@pytest.fixture
def held(project: Project) -> Project:
    """A project whose only version was held by the gate; MLflow was never opened."""
    ledger = Ledger.of(project)
    body = {"version": "1", "run_id": "r", "training_key": "k", "lineage_sha256": "l"}
    ledger.append("registered", MODEL, body, "tester")
    judged(ledger, "1", auroc=0.91)
    write_image(project.root / "photos" / "photo.png", 1)
    (project.root / "empty").mkdir()
    return project


REFUSED = {
    "a held model is promoted": (f"promote {MODEL}/1 --reason r", 1, "may not become champion"),
    "a version that nobody judged": (f"promote {MODEL}/2 --reason r", 2, "was never judged"),
    "an override without a reason": (f"promote {MODEL}/1 --override --reason=", 2, "a reason"),
    "no earlier champion": (f"rollback {MODEL} --reason r", 2, "no earlier champion"),
    "one that never was champion": (f"rollback {MODEL} --to 1 --reason r", 2, "never was champion"),
    "a rollback without a reason": (f"rollback {MODEL} --reason=", 2, "a reason"),
    "nothing to settle": ("reconcile a.b --put-back --reason r", 2, "no model is called"),
    "settled without a reason": (f"reconcile {MODEL} --put-back --reason=", 2, "a reason"),
    "an unknown version retired": (f"retire {MODEL}/7 --reason r", 2, "knows no version 7"),
    "an unknown version judged": (f"gate {MODEL}/7", 2, "has no version 7"),
    "a model without a champion": (f"gate {MODEL}", 2, "has no champion"),
    "a threshold of no champion": (f"threshold {MODEL}", 2, "has no champion"),
    "a threshold without a reason": (f"threshold {MODEL}/1 --set 1", 2, "a reason"),
    "a threshold of no version": (f"threshold {MODEL}/7 --set 1 --reason r", 2, "no version 7"),
    "a file of no format": (f"export {MODEL}/1 model.txt", 2, "no format has the suffix"),
    "an export of no champion": (f"export {MODEL} model.pt2", 2, "has no champion"),
    "no name of a model": ("export a/b/c model.pt2", 2, "is not the name of a model"),
    "an image of an unknown model": ("score a.b photos/photo.png", 2, "no model is called"),
    "a folder for an unknown model": ("score a.b photos --out new", 2, "no model is called"),
    "a text that is scored": (f"score {MODEL}/1 lines.yaml", 2, "not an image"),
    "a folder without --out": (f"score {MODEL}/1 photos", 2, "add --out FOLDER"),
    "a folder that is not there": (f"score {MODEL}/1 nosuch --out new", 2, "no such folder"),
    "a folder without images": (f"score {MODEL}/1 empty --out new", 2, "there are no images"),
    "results into a full folder": (f"score {MODEL}/1 photos --out photos", 2, "something else"),
    "results into a file": (f"score {MODEL}/1 photos --out lines.yaml", 2, "this is a file"),
    "an unknown model trained again": ("reproduce a.b", 2, "no model is called"),
    "a line that nobody knows": ("tidy nosuch", 2, "no line is called"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_first(held: Project, case: str) -> None:
    line, code, words = REFUSED[case]
    rows = Ledger.of(held).entries()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *line.split()],
        cwd=held.root,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["code"], words in done.stderr) == (code, True), done.stderr
    assert HEAVY.isdisjoint(told["modules"])
    assert not held.mlflow.exists(), "MLflow's store was not made for it"
    assert Ledger.of(held).entries() == rows
