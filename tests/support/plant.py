"""A plant to tell stories about: one project with many small lines, retrained for real.

A fresh MLflow store and Prefect's server are the slow parts, so every story of a module gets a
line of its own in one project instead of a project of its own.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from patchae.config import Line
from patchae.dataset.version import snapshot
from patchae.lines_file import load_lines
from patchae.project import Project, prepare_environment
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.relocate import relocate
from patchae.registry.standing import champion_of, moves, verdicts
from patchae.registry.tracking import Tracking
from patchae.steps.decide import decide_class
from patchae.steps.enrol import enrol_class
from patchae.steps.job import ClassJob, Origin
from patchae.steps.learn import evaluate_class, train_class
from patchae.steps.prepare import check, job
from tests.support import clean, git_init, write_class, write_image

TINY = {
    "backbone": "tf_efficientnet_lite0",
    "image_size": 64,
    "epochs": 1,
    "damaged_images": 0,
    "memory_size": 300,
    "channels": 16,
}


GATES: dict[str, Any] = {
    "min_image_auroc": 0.6,
    "max_drop": 0.35,
    "max_false_alarms": 1.0,
    "broken_promise": "allow",
}
"""What six good and six defective images can show: a perfect AUROC may be one of 0.69."""


class Plant:
    """A project whose lines a story adds as it needs them."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.project = Project(root)
        self.lines: dict[str, dict[str, Any]] = {}
        (root / ".gitignore").write_text("/data\n/.patchae\n")
        git_init(root)
        self._written = 0

    def line(self, name: str, *classes: str, training: dict[str, Any] | None = None) -> Line:
        """Add a line, with images for each of its classes."""
        self.lines[name] = {
            "classes": list(classes),
            "training": {**TINY, **(training or {})},
            "gates": GATES,
        }
        self.write_lines()
        for class_name in classes:
            self._written += 1
            write_class(self.project.data, class_name, seed=self._written)
        return self.read(name)

    def gates(self, name: str, **gates: float) -> Line:
        """Give a line gates other than `GATES`, and change nothing else."""
        self.lines[name]["gates"] = {**GATES, **gates}
        self.write_lines()
        return self.read(name)

    def write_lines(self) -> None:
        """Write `lines.yaml`."""
        self.project.lines_file.write_text(yaml.safe_dump({"lines": self.lines}))

    def read(self, name: str) -> Line:
        """A line as `lines.yaml` has it."""
        return load_lines(self.project.lines_file).line(name)

    def add_train(self, class_name: str, count: int, *, defect: bool = False) -> None:
        """More images for train/good; with `defect` some that do not belong there."""
        folder = self.project.data / class_name / "train" / "good"
        for _ in range(count):
            self._written += 1
            path = folder / f"more{self._written:03d}.png"
            write_image(path, 1_000_000 + self._written, defect=defect)

    @property
    def ledger(self) -> Ledger:
        """The project's ledger."""
        return Ledger.of(self.project)

    def tracking(self) -> Tracking:
        """The project's MLflow."""
        prepare_environment(self.project)
        return Tracking.open(self.project)

    def standing(self, model: str) -> dict[str, str]:
        """The aliases as the ledger has them."""
        return champion_of(self.ledger.entries(model)).aliases()

    def verdicts(self, model: str) -> list[Entry]:
        """All verdicts on a model."""
        return verdicts(self.ledger.entries(model))

    def moves(self, model: str) -> list[tuple[str | None, str]]:
        """Every change of the champion: from, to."""
        return [(m.body["from"], m.body["to"]) for m in moves(self.ledger.entries(model))]

    def validate(self, name: str) -> None:
        """Version the images and check those of a line, as `patchae validate` does."""
        prepare_environment(self.project)
        version = snapshot(self.project).version
        for class_name in self.lines[name]["classes"]:
            assert check(self.project, self.read(name), class_name, version).validation.passed

    def spoil(self, class_name: str) -> bytes:
        """Cut a training image in half; returns what it was."""
        path = self.first_train(class_name)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return whole

    def first_train(self, class_name: str) -> Path:
        """One image of train/good."""
        return self.project.data / class_name / "train" / "good" / "000.png"

    def misplace(self, class_name: str) -> Path:
        """Copy the folder of a defect into train/; returns the copy."""
        source = self.project.data / class_name / "test" / "hole"
        return Path(shutil.copytree(source, self.project.data / class_name / "train" / "hole"))


def job_of(project: Project, line: str, class_name: str) -> ClassJob:
    """The job of a class as its images are now."""
    chosen = load_lines(project.lines_file).line(line)
    checked = check(project, chosen, class_name, snapshot(project).version)
    return job(project, chosen, checked, Origin("on demand"))


def learned(project: Project, line: str, class_name: str) -> ClassJob:
    """A class trained and scored, but not registered."""
    made = job_of(project, line, class_name)
    train_class(made)
    evaluate_class(made)
    return made


def steps(project: Project, line: str, class_name: str, tracking: Tracking) -> Entry:
    """All steps of one class, without Prefect; returns the verdict."""
    made, ledger = learned(project, line, class_name), Ledger.of(project)
    return decide_class(made, enrol_class(made, tracking, ledger), tracking, ledger)


class Works:
    """A project whose line `works` was retrained twice for `lens` and once for `disc`."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant

    def train(self) -> None:
        """Do what the project is said to have done."""
        plant = self.plant
        plant.line("works", "disc", "lens")
        tracking = plant.tracking()
        for name in ("disc", "lens"):
            steps(plant.project, "works", name, tracking)
        plant.add_train("lens", 3)
        steps(plant.project, "works", "lens", tracking)

    def copy(self, root: Path) -> Works:
        """The same project in another folder, as a project of its own."""
        shutil.copytree(self.plant.project.root, root, symlinks=True)
        plant = Plant.__new__(Plant)
        plant.project, plant.lines = Project(root), dict(self.plant.lines)
        plant._written = self.plant._written
        relocate(plant.project)
        return Works(plant)

    def tracking(self) -> Tracking:
        """MLflow of the project."""
        return self.plant.tracking()


_made: list[Works] = []


def the_works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A copy of one such project, for all tests of this process; who changes it puts it back.

    It is trained once for all processes that test side by side.
    """
    if not _made:
        own = tmp_path_factory.getbasetemp()
        shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
        with pytest.MonkeyPatch.context() as patch:
            clean(patch)
            original = _trained(shared / "works")
            _made.append(original.copy(tmp_path_factory.mktemp("works") / "plant"))
    return _made[0]


def _trained(folder: Path) -> Works:
    """The project that all processes copy, from the one that comes first."""
    done = folder / "trained.pickle"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            works = Works(Plant(folder / "plant"))
            works.train()
            done.write_bytes(pickle.dumps(works))
        trained: Works = pickle.loads(done.read_bytes())  # noqa: S301 - written above
    return trained


def runs(tracking: Tracking, line: str, class_name: str) -> list[Any]:
    """All training runs of a class, whatever their state."""
    experiment = tracking.experiment(line)
    query = f"tags.`patchae.class` = '{class_name}'"
    return list(tracking.client.search_runs([experiment], query))


def only(found: Sequence[Any]) -> Any:
    """The one element."""
    assert len(found) == 1
    return found[0]
