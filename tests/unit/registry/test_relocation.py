"""Which paths of a store are those of another state, and where they lie in this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.errors import DataError
from patchae.files import remove
from patchae.project import Project
from patchae.registry.embedded import address_of
from patchae.relocation import former_state, local_path, relocated, shared


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_path_in_another_state_is_moved_into_this_one(tmp_path: Path, prefix: str) -> None:
    state, former = tmp_path / "copy" / ".patchae", tmp_path / "plant" / "state"
    place = f"{prefix}{former}/mlflow/artifacts/caps/models/m-1/artifacts"
    assert former_state(place, state) == former
    assert relocated(place, [former], state) == str(
        state / "mlflow" / "artifacts" / "caps" / "models" / "m-1" / "artifacts"
    )


def test_a_path_in_the_state_itself_is_at_home_also_by_a_link(tmp_path: Path) -> None:
    state = tmp_path / "plant" / ".patchae"
    (state / "mlflow" / "artifacts").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "plant")
    assert former_state(str(state / "mlflow/artifacts/caps"), state) is None
    assert former_state(str(tmp_path / "link/.patchae/mlflow/artifacts/caps"), state) is None


def test_a_copy_that_shares_a_linked_state_is_still_a_copy(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "mlflow" / "artifacts").mkdir(parents=True)
    for name in ("plant", "copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".patchae").symlink_to(disk)
    plant, copy = (tmp_path / name / ".patchae" for name in ("plant", "copy"))
    assert former_state(str(plant / "mlflow/artifacts/caps"), copy) == plant
    assert shared(plant, copy) == copy / "mlflow" / "artifacts"
    assert former_state(str(plant / "mlflow/artifacts/caps"), plant) is None


@pytest.mark.parametrize("place", ["s3://bucket/mlflow/artifacts/caps", "/home/somebody/models"])
def test_what_is_in_no_state_is_nobodys_copy(tmp_path: Path, place: str) -> None:
    assert former_state(place, tmp_path / ".patchae") is None
    assert relocated(place, [tmp_path], tmp_path / ".patchae") == place


def test_a_place_on_a_server_is_no_path_of_this_machine() -> None:
    assert local_path("mlflow-artifacts:/1/2/artifacts") is None
    assert local_path("file:///a%20b/c") == Path("/a b/c")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:///.patchae/mlflow/mlflow.db", "sqlite:///{root}/.patchae/mlflow/mlflow.db"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
        ("file:mlruns", "file://{root}/mlruns"),
        ("file:///srv/mlruns", "file:///srv/mlruns"),
        ("./mlruns", "{root}/mlruns"),
        ("/srv/mlruns", "/srv/mlruns"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://a@b/c", "postgresql://a@b/c"),
        ("", "sqlite:///{root}/.patchae/mlflow/mlflow.db"),
    ],
)
def test_a_relative_address_is_one_of_the_projects_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    inner = tmp_path / "plant" / "data"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    root = tmp_path / "plant"
    assert address_of(Project(root)) == meant.format(root=root)


def test_nothing_is_removed_through_a_link_that_leads_out(tmp_path: Path) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    (other / "day").mkdir(parents=True)
    (other / "day" / "part.png").write_bytes(b"somebody's")
    (state / "recent").mkdir(parents=True)
    (state / "recent" / "caps.blue").symlink_to(other)
    for path in (state / "recent" / "caps.blue" / "day", state / ".." / "other" / "day", state):
        with pytest.raises(DataError, match="nothing was removed"):
            remove(path, state)
    remove(state / "recent" / "caps.blue", state)  # the link itself is the state's
    assert (other / "day" / "part.png").read_bytes() == b"somebody's"
    assert not list((state / "recent").iterdir())


def test_what_is_gone_already_is_removed_without_a_word(tmp_path: Path) -> None:
    remove(tmp_path / "gone" / "file", tmp_path)
