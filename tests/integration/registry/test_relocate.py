"""A project that is copied or moved: nothing of the original is touched, and one command mends."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from patchae.errors import UsageError
from patchae.files import digests_of
from patchae.health import examine
from patchae.project import Project, prepare_environment
from patchae.registry.relocate import relocate
from patchae.registry.tracking import Tracking
from tests.support import clean, patchae, write_image
from tests.support.registry.memory import MODEL
from tests.support.retention.shop import Shop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a champion, and with a rejected version and a failed run that may go."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        shop = Shop(tmp_path_factory.mktemp("made") / "plant")
        for make in (shop.champion, shop.rejected, shop.rejected):
            make()
        shop.cut_off("create_model_version")
        yield shop.project.root


@pytest.fixture
def plant(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of that kind for a single story, adopted by its folder."""
    root = tmp_path / "plant"
    shutil.copytree(made, root)
    relocate(Project(root))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def copy(plant: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current folder."""
    root = plant.with_name("copy")
    shutil.copytree(plant, root)
    monkeypatch.chdir(root)
    return root


def sql(root: Path, statement: str, *values: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(root / ".patchae" / "mlflow" / "mlflow.db")) as store, store:
        return store.execute(statement, values).fetchall()


@pytest.mark.parametrize(
    "words",
    [
        ("retrain", "sample"),
        ("tidy", "--yes"),
        ("score", MODEL, "x.png"),
        ("rollback", MODEL, "--reason", "why"),
        ("import", "somewhere"),
    ],
    ids=lambda words: words[0],
)
def test_a_copy_refuses_to_write_or_delete_and_names_the_command(
    plant: Path,
    copy: Path,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_image(copy / "x.png", 1)
    before = digests_of(plant), digests_of(copy)
    code, _, err = patchae(capsys, monkeypatch, *words)
    assert code == 2
    assert "is a copy of another folder" in err
    assert "patchae relocate" in err
    assert (digests_of(plant), digests_of(copy)) == before


def test_what_only_reads_works_in_a_copy_and_says_that_it_is_one(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (("status",), ("ledger", "verify"), ("history", MODEL)):
        code, _, err = patchae(capsys, monkeypatch, *words)
        assert (code, "is a copy of another folder" in err) == (0, True), words
    place = {found.check: found for found in examine(Project(copy), None)}["place"]
    assert (place.state, place.mend) == ("fail", "patchae relocate")
    tracking = Tracking.open(Project(copy))  # reads what is its own, not what the store names
    version = tracking.version(MODEL, "1")
    assert tracking.model_folder(version).is_relative_to(copy)
    assert tracking.artifacts(version).is_relative_to(copy)


def test_a_relocated_copy_tidies_itself_and_leaves_the_original_alone(
    plant: Path, copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = digests_of(plant)
    code, out, _ = patchae(capsys, monkeypatch, "relocate", "--dry-run")
    assert (code, "would be rewritten" in out) == (0, True)
    assert "project of its own from now on" in out
    assert relocate(Project(copy), dry_run=True).former == (plant / ".patchae",)
    code, out, _ = patchae(capsys, monkeypatch, "relocate")
    assert (code, "project of its own from now on" in out) == (0, True)
    code, out, _ = patchae(capsys, monkeypatch, "relocate")
    assert (code, "nothing to do" in out) == (0, True)
    shop = Shop(copy)
    assert {one.item.kind for one in shop.tidy()} == {"run", "weights", "work"}
    shop._made = 100  # a training that the original does not have
    shop.register()
    shop.require_what_the_ledger_names()
    assert digests_of(plant) == original
    shop = Shop(plant)
    shop.require_what_the_ledger_names()
    assert not shop.gone


def test_a_moved_project_goes_on_where_it_was(plant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = plant.rename(plant.with_name("moved"))
    monkeypatch.chdir(moved)
    with pytest.raises(UsageError, match="was moved from another folder"):
        prepare_environment(Project(moved))
    done = relocate(Project(moved))
    assert (done.copied, done.lost, done.former) == (False, (), (plant / ".patchae",))
    shop = Shop(moved)
    shop._made = 100
    shop.champion()
    shop.require_what_the_ledger_names()
    assert not plant.exists()


def _but_locks(folder: Path) -> dict[str, str]:
    return {name: sha for name, sha in digests_of(folder).items() if not name.startswith("locks/")}


@pytest.mark.parametrize("linked", [".patchae", ".patchae/mlflow", ".patchae/mlflow/artifacts"])
def test_a_copy_that_has_the_originals_files_by_a_link_is_not_adopted(
    plant: Path, linked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = (plant / linked).rename(plant.with_name("disk"))
    (plant / linked).symlink_to(disk)
    copy = plant.with_name("copy")
    shutil.copytree(plant, copy, symlinks=True)
    before = _but_locks(disk)
    monkeypatch.chdir(copy)
    with pytest.raises(UsageError, match="is a copy of another folder"):
        prepare_environment(Project(copy))
    with pytest.raises(UsageError, match="by a link"):
        relocate(Project(copy))
    assert _but_locks(disk) == before
    Shop(plant).require_what_the_ledger_names()


def test_runs_that_wait_in_the_embedded_prefect_begin_in_the_copy(plant: Path, copy: Path) -> None:
    database = copy / ".patchae" / "prefect" / "prefect.db"
    database.parent.mkdir(exist_ok=True)
    waiting, done = ('{"line_name": "caps", "root": "%s"}' % plant for _ in range(2))  # noqa: UP031
    with closing(sqlite3.connect(database)) as store, store:
        store.execute("CREATE TABLE deployment (parameters TEXT)")
        store.execute("CREATE TABLE flow_run (parameters TEXT, state_type TEXT)")
        store.execute("INSERT INTO deployment VALUES (?)", (waiting,))
        rows = [(waiting, "SCHEDULED"), (done, "COMPLETED")]
        store.executemany("INSERT INTO flow_run VALUES (?, ?)", rows)
    relocate(Project(copy))
    with closing(sqlite3.connect(database)) as store:
        query = "SELECT json_extract(parameters, '$.root') FROM "
        assert store.execute(f"{query}deployment").fetchall() == [(str(copy),)]
        told = store.execute(f"{query}flow_run").fetchall()
    assert told == [(str(copy),), (str(plant),)], "what is over stays as it was"


def test_files_that_are_not_here_are_named(
    plant: Path, copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(copy / ".patchae" / "mlflow" / "artifacts" / "sample" / "models")
    code, out, _ = patchae(capsys, monkeypatch, "relocate")
    assert (code, "folders of runs and models are not in this state" in out) == (1, True)
    assert digests_of(plant / ".patchae" / "mlflow" / "artifacts" / "sample" / "models")


def test_the_embedded_store_is_relocated_while_a_server_is_used(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(UsageError, match="is a copy of another folder"):
        prepare_environment(Project(copy))
    assert relocate(Project(copy)).paths
    prepare_environment(Project(copy))


def test_a_store_outside_of_both_is_not_taken_from_the_original(
    plant: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = plant.parent / "shared.db"
    shutil.copy(plant / ".patchae" / "mlflow" / "mlflow.db", shared)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}")
    before = shared.read_bytes()
    with pytest.raises(UsageError, match="the original still uses it"):
        relocate(Project(copy))
    (copy / ".patchae" / "mlflow" / "mlflow.db").unlink()
    with pytest.raises(UsageError, match="is a copy of another folder"):
        Tracking.open(Project(copy)).experiment("sample")
    assert shared.read_bytes() == before


@pytest.mark.parametrize(
    ("table", "column"), [("runs", "artifact_uri"), ("logged_models", "artifact_location")]
)
def test_a_store_that_names_somebodys_files_does_not_have_them_deleted(
    plant: Path, table: str, column: str
) -> None:
    thesis = plant.parent / "thesis"
    (thesis / "artifacts" / "model").mkdir(parents=True)
    for name in ("chapter.txt", "artifacts/model/model.safetensors"):
        (thesis / name).write_text("somebody's")
    inner = plant / ".patchae" / "mlflow" / "artifacts" / "sample" / "link"
    inner.symlink_to(thesis)  # a path that looks like one of the state
    before = digests_of(thesis)
    champion = Shop(plant).tracking.version(MODEL, "1").run_id
    for place in (thesis, inner):
        change = f"UPDATE {table} SET {column} = ? WHERE {column} NOT LIKE ?"  # noqa: S608
        sql(plant, change, str(place), f"%{champion}%")
        shop = Shop(plant)
        removed = {one.item.kind for one in shop.tidy() if one.stays is None}
        assert "run" not in removed
        assert table == "runs" or "weights" not in removed
        assert digests_of(thesis) == before
        told = [one.why for one in shop.look().plan.kept if one.kind == "run"]
        assert [why.endswith(f"left alone: {place}") for why in told] == [True]


def test_a_relative_address_of_the_store_is_of_the_root_from_any_folder(
    plant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///.patchae/mlflow/mlflow.db")
    inner = plant / "data" / "bolt"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert Shop(Project.find().root).tracking.aliases.get(MODEL) == {"champion": "1"}
    assert not list(inner.iterdir())
