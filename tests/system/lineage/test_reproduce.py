"""A version trained again from its record: what is the same, what is not; nothing is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import patchae as package
from patchae.dataset.manifest import from_csv
from patchae.dataset.restoring import lay_out
from patchae.errors import DataError, UsageError
from patchae.files import digests_of
from patchae.lineage.parts import Source
from patchae.lineage.record import LineageRecord, parse
from patchae.lineage.reproduce.again import train_again
from patchae.lineage.reproduce.code import Code, clear, code_of
from patchae.lineage.reproduce.compare import Difference, Rebuilt, differences
from patchae.lineage.reproduce.run import judge
from patchae.project import Project
from patchae.types import DataVersion
from tests.support import git_init, patchae
from tests.support.lineage.builder import Built
from tests.support.plant import Works, the_works

PACKAGE = Path(package.__file__).parent
WEIGHTS = "artifacts/model/model.safetensors"
CHURN = (".patchae/locks/", ".patchae/dvc-site-cache/", ".dvc/tmp/", ".dvc/cache/")
"""Locks and caches: they say nothing, and whoever reads may write them."""


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Works:
    """A project with champions, which is the current one."""
    works = the_works(tmp_path_factory)
    monkeypatch.chdir(works.plant.project.root)
    return works


def record_of(works: Works, model: str, version: str) -> LineageRecord:
    tracking = works.tracking()
    folder = tracking.artifacts(tracking.version(model, version))
    return parse((folder / "lineage.json").read_text())


def as_found(record: LineageRecord, **environment: Any) -> Rebuilt:
    """What a training in the very same place tells."""
    there = record.environment.model_dump(mode="json")
    return Rebuilt(
        weights_sha256="0" * 64,
        scores=(),
        settings=record.training.settings,
        backbone_sha256=record.training.weights_sha256,
        source_sha256=record.source.model_source_sha256,
        environment={**there, **environment},
    )


@pytest.fixture
def record(honest: Built) -> LineageRecord:
    found = parse((honest.artifacts / "lineage.json").read_text())
    files = {WEIGHTS: next(iter(found.files.values())).model_copy(update={"sha256": "1" * 64})}
    return found.model_copy(update={"files": files})


class TestWhatDiffers:
    def test_nothing_in_the_very_same_place(self, record: LineageRecord) -> None:
        assert differences(record, as_found(record)) == ()

    def test_each_thing_by_itself_and_no_other(self, record: LineageRecord) -> None:
        packages = {"numpy": "2.3.1", "torch": "2.13.0", "timm": "1.0.31"}
        found = as_found(record, packages=packages, threads=8, driver="CUDA 13.0")
        assert set(differences(record, found)) == {
            Difference("package torch", "2.14.1", "2.13.0"),
            Difference("package timm", None, "1.0.31"),
            Difference("threads", "2", "8"),
            Difference("driver", None, "CUDA 13.0"),
        }

    def test_source_weights_and_settings(self, record: LineageRecord) -> None:
        found = Rebuilt(
            weights_sha256="0" * 64,
            scores=(),
            settings={**record.training.settings, "epochs": 7, "new": "default"},
            backbone_sha256="b" * 64,
            source_sha256="c" * 64,
            environment=record.environment.model_dump(mode="json"),
        )
        assert [one.what for one in differences(record, found)] == [
            "source of patchae.model",
            "weights of the backbone",
            "setting epochs",
            "setting new",
        ]
        assert str(differences(record, found)[-1]) == "setting new: none then, default now"


class TestTheAnswer:
    def test_the_same_weights_are_identical_whatever_they_score(
        self, record: LineageRecord
    ) -> None:
        assert judge(record, "1" * 64, None) == "identical"

    def test_other_weights_are_held_against_the_interval(self, record: LineageRecord) -> None:
        low, high = record.evaluation.image_auroc_interval or (0.0, 0.0)
        assert 0 < low < high
        assert judge(record, "2" * 64, low) == "equivalent"
        assert judge(record, "2" * 64, high) == "equivalent"
        assert judge(record, "2" * 64, low - 0.01) == "different"
        assert judge(record, "2" * 64, None) == "different"

    def test_without_an_interval_only_the_recorded_number_is_equivalent(
        self, record: LineageRecord
    ) -> None:
        told = record.evaluation.model_copy(update={"image_auroc_interval": None})
        bare = record.model_copy(update={"evaluation": told})
        assert judge(bare, "2" * 64, told.image_auroc) == "equivalent"
        assert judge(bare, "2" * 64, told.image_auroc - 0.01) == "different"


# The code


@pytest.fixture
def holding(tmp_path: Path) -> Project:
    """A project in a folder of a repository that holds patchae's own model in its first commit."""
    root = tmp_path / "repository"
    project = Project(root / "plant")
    shutil.copytree(PACKAGE / "model", project.root / "patchae" / "model")
    git_init(root)
    return project


def source(project: Project, digest: str, *, clean: bool = True, commit: str = "") -> Source:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project.root, capture_output=True, text=True, check=True
    )
    return Source(
        git_commit=commit or done.stdout.strip(),
        git_clean=clean,
        model_source_sha256=digest,
        patchae_version="0.0.9",
        lock_sha256=None,
    )


def worktrees(project: Project) -> int:
    done = subprocess.run(
        ["git", "worktree", "list"], cwd=project.root, capture_output=True, text=True, check=True
    )
    return len(done.stdout.splitlines())


INSTALLED = Code("installed", PACKAGE.parent)


class TestTheCode:
    def test_a_commit_that_holds_it_becomes_a_worktree_beside_what_is_checked_out(
        self, holding: Project, tmp_path: Path
    ) -> None:
        told = source(holding, INSTALLED.digest)
        changed = holding.root / "patchae" / "model" / "key.py"
        changed.write_text("# somebody works on it\n")
        code = code_of(holding, told, tmp_path / "space", "l.a/1")
        assert (code.origin, code.digest) == ("worktree", INSTALLED.digest)
        assert code.folder.is_relative_to(tmp_path / "space")
        assert changed.read_text() == "# somebody works on it\n"
        assert worktrees(holding) == 2
        clear(holding, tmp_path / "space")
        assert (worktrees(holding), (tmp_path / "space").exists()) == (1, False)

    def test_worktrees_of_the_users_stay_also_those_that_are_not_there_now(
        self, holding: Project, tmp_path: Path
    ) -> None:
        drive, space = tmp_path / "drive", tmp_path / "space"
        add = ["git", "worktree", "add", "-q", "--detach", drive / "tree"]
        subprocess.run(add, cwd=holding.root, check=True)
        drive.rename(tmp_path / "unplugged")
        told = source(holding, INSTALLED.digest)
        code_of(holding, told, space, "l.a/1")
        clear(holding, space)
        assert (worktrees(holding), space.exists()) == (2, False)
        code_of(holding, told, space, "l.a/1")
        shutil.rmtree(space)  # by somebody, after the one that made it was killed
        clear(holding, space)
        assert (worktrees(holding), space.exists()) == (2, False)

    def test_what_is_installed_serves_where_git_has_no_patchae(
        self, project: Project, tmp_path: Path
    ) -> None:
        told = source(project, INSTALLED.digest)
        assert code_of(project, told, tmp_path / "space", "l.a/1") == INSTALLED

    @pytest.mark.parametrize(
        ("clean", "commit", "why"),
        [
            (True, "", "holds a patchae, but not the one"),
            (False, "", "the tree was not clean"),
            (True, "a" * 40, "is not in this repository"),
        ],
    )
    def test_another_source_is_refused_with_the_version_that_made_the_model(
        self, holding: Project, tmp_path: Path, clean: bool, commit: str, why: str
    ) -> None:
        told = source(holding, "0" * 64, clean=clean, commit=commit)
        with pytest.raises(UsageError, match=why) as caught:
            code_of(holding, told, tmp_path / "one", "l.a/1")
        assert "patchae==0.0.9" in str(caught.value)
        clear(holding, tmp_path / "one")
        assert code_of(holding, told, tmp_path / "two", "l.a/1", anyway=True) == INSTALLED


# The whole of it


@pytest.fixture
def another_torch(works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose torch says that it is another version than trained the works."""
    folder = tmp_path / "installed" / "torch-9.9.9.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9.9\n")
    monkeypatch.syspath_prepend(folder.parent)


def state(root: Path) -> dict[str, str]:
    return {path: one for path, one in digests_of(root).items() if not path.startswith(CHURN)}


@pytest.mark.usefixtures("another_torch")
def test_a_version_comes_out_identical_says_what_differs_and_changes_nothing(
    works: Works, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = works.plant.project
    before = state(project.root)
    left = project.state / "reproduce" / "worktree"  # by one that was killed
    subprocess.run(["git", "worktree", "add", "-q", "--detach", left], cwd=project.root, check=True)
    shutil.rmtree(project.state / "reproduce" / "worktree")
    (left.parent / "data").mkdir(parents=True)
    code, out, err = patchae(capsys, monkeypatch, "reproduce", "works.lens/2", "--json")
    assert code == 0, err
    assert state(project.root) == before
    told = json.loads(out.splitlines()[-1])
    assert (told["outcome"], told["code"]) == ("identical", "installed")
    assert told["rebuilt_sha256"] == told["weights_sha256"]
    assert told["rebuilt_image_auroc"] is None
    recorded = record_of(works, "works.lens", "2").environment.packages["torch"]
    assert told["differences"] == [
        {"what": "package torch", "recorded": recorded, "found": "9.9.9"}
    ]
    assert f"package torch: {recorded} then, 9.9.9 now" in out
    assert worktrees(project) == 1
    assert not left.parent.exists()


def test_other_weights_are_scored_on_the_recorded_test_images(works: Works, tmp_path: Path) -> None:
    record = record_of(works, "works.disc", "1")
    tracking = works.tracking()
    artifacts = tracking.artifacts(tracking.version("works.disc", "1"))
    rows = from_csv((artifacts / "manifest.csv").read_text())
    version = DataVersion(record.data.version)
    # 24 + 6 + 6 images and 6 masks
    assert lay_out(works.plant.project, version, ["disc"], tmp_path / "data") == 42
    other = {**record.training.settings, "seed": 1}
    changed = record.model_copy(
        update={"training": record.training.model_copy(update={"settings": other})}
    )
    rebuilt = train_again(tmp_path, INSTALLED, changed, rows)
    assert rebuilt.weights_sha256 != record.files[WEIGHTS].sha256
    assert len(rebuilt.scores) == 12
    assert [one.what for one in differences(record, rebuilt)] == ["setting seed"]


def test_settings_that_this_patchae_does_not_know_are_refused(works: Works, tmp_path: Path) -> None:
    record = record_of(works, "works.disc", "1")
    settings = {**record.training.settings, "glow": 3}
    strange = record.model_copy(
        update={"training": record.training.model_copy(update={"settings": settings})}
    )
    tracking = works.tracking()
    artifacts = tracking.artifacts(tracking.version("works.disc", "1"))
    rows = from_csv((artifacts / "manifest.csv").read_text())
    with pytest.raises(UsageError, match="glow"):
        train_again(tmp_path, INSTALLED, strange, rows)


def test_a_forged_record_is_not_reproduced(
    works: Works, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = works.tracking()
    file = tracking.artifacts(tracking.version("works.disc", "1")) / "lineage.json"
    whole = file.read_text()
    file.write_text(whole.replace('"seed": 0', '"seed": 1'))
    try:
        code, _, err = patchae(capsys, monkeypatch, "reproduce", "works.disc/1")
    finally:
        file.write_text(whole)
    assert code == 1
    assert "patchae audit works.disc/1" in err


def test_a_class_that_the_version_does_not_hold_is_named(works: Works, tmp_path: Path) -> None:
    version = DataVersion(record_of(works, "works.disc", "1").data.version)
    with pytest.raises(DataError, match="wheel"):
        lay_out(works.plant.project, version, ["wheel"], tmp_path)
