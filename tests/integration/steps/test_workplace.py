"""A project on a machine that has only the package: what it holds, and what it may lose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from patchae.dataset import version_log
from patchae.dataset.version import snapshot
from patchae.errors import ConfigError, DataError
from patchae.files import write_text
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.steps import workplace as module
from patchae.steps.workplace import describe, fetched, make_room, workplace
from patchae.types import DataVersion
from tests.support import write_class
from tests.support.plant import Plant

SERVERS = {
    "MLFLOW_TRACKING_URI": "http://mlflow.example",
    "PATCHAE_LEDGER_URL": "postgresql://ledger.example/ledger",
}


@pytest.fixture
def home(tmp_path: Path) -> Project:
    """A project whose images are in a store that other machines reach."""
    plant = Plant(tmp_path / "home")
    plant.lines = {"caps": {"classes": ["cap", "lid"]}}
    plant.write_lines()
    (tmp_path / "store").mkdir()
    write_text(
        plant.project.root / ".dvc" / "config",
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n",
    )
    write_text(plant.project.root / ".dvc" / "config.local", "# secret\n")
    for number, name in enumerate(("cap", "lid"), 1):
        write_class(plant.project.data, name, seed=number)
    return plant.project


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker's environment names."""
    monkeypatch.setenv("PATCHAE_WORKPLACES", str(tmp_path / "places"))
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)


def files(project: Project) -> dict[str, bytes]:
    """Every image of a project."""
    return {
        path.relative_to(project.data).as_posix(): path.read_bytes()
        for path in project.data.rglob("*.png")
    }


@pytest.mark.usefixtures("servers")
def test_it_has_the_classes_that_are_asked_for_and_no_others(home: Project) -> None:
    version = snapshot(home).version
    place = workplace(describe(home), "caps-hall-3")
    with fetched(place, version, ["cap"]):
        assert files(place) == {
            name: content for name, content in files(home).items() if name.startswith("cap/")
        }
    assert load_lines(place.lines_file) == load_lines(home.lines_file)
    assert version_log.entries(place) == version_log.entries(home)
    assert not any("secret" in path.read_text() for path in (place.root / ".dvc").glob("config*"))
    with pytest.raises(DataError), fetched(place, version, ["nut"]):
        pass


@pytest.mark.usefixtures("servers")
def test_what_changed_at_home_travels(home: Project) -> None:
    first = snapshot(home).version
    place = workplace(describe(home), "caps")
    with fetched(place, first, ["cap"]):
        pass
    (home.data / "cap/train/good/000.png").unlink()
    write_text(home.lines_file, home.lines_file.read_text() + "    description: other\n")
    second = snapshot(home).version
    assert workplace(describe(home), "caps") == place
    assert place.lines_file.read_text() == home.lines_file.read_text()
    with fetched(place, second, ["cap"]):
        assert not (place.data / "cap/train/good/000.png").exists()
        assert version_log.before(place, second) == [first]


@pytest.mark.usefixtures("servers")
def test_room_is_made_without_taking_what_a_run_uses(
    home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = snapshot(home).version
    place = workplace(describe(home), "caps")
    with fetched(place, version, ["cap"]):
        monkeypatch.setenv("PATCHAE_WORKPLACE_GB", "1e-9")
        with fetched(place, version, ["lid"]):
            assert {name.partition("/")[0] for name in files(place)} == {"cap", "lid"}
        assert make_room(place) > 0
        assert {name.partition("/")[0] for name in files(place)} == {"cap"}
    assert make_room(place) > 0
    assert files(place) == {}
    with fetched(place, version, ["cap"]):
        assert len(files(place)) > 0


@pytest.mark.usefixtures("servers")
def test_a_class_that_another_run_has_is_waited_for_however_long(
    home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = snapshot(home).version
    place = workplace(describe(home), "caps")
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    waits = Event()
    monkeypatch.setattr(module, "say", lambda _: waits.set())

    def next_run() -> dict[str, Any]:
        with fetched(place, version, ["cap"]):
            return files(place)

    with ThreadPoolExecutor() as pool:
        with fetched(place, version, ["cap"]):
            waiting = pool.submit(next_run)
            assert waits.wait(60)
        assert len(waiting.result()) > 0


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_of_this_machine_alone_is_none(
    name: str, home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(home)
    monkeypatch.delenv(name)
    with pytest.raises(ConfigError) as raised:
        workplace(describe(home), "caps")
    assert raised.value.where == name


@pytest.mark.usefixtures("servers")
def test_images_in_the_projects_folder_cannot_be_reached(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "alone")
    plant.lines = {"caps": {"classes": ["cap"]}}
    plant.write_lines()
    write_class(plant.project.data, "cap", seed=1)
    snapshot(plant.project)
    with pytest.raises(ConfigError, match="cannot reach images"):
        workplace(describe(plant.project), "caps")
    assert DataVersion(version_log.entries(plant.project)[-1].version)


@pytest.mark.usefixtures("servers")
def test_a_configuration_that_is_none_is_said_by_line(home: Project) -> None:
    described = describe(home)
    broken = described | {".dvc/config": "[core]\nremote\n"}
    with pytest.raises(ConfigError, match="DVC's configuration cannot be read") as raised:
        workplace(broken, "caps")
    assert raised.value.where == ".dvc/config of the project, line 2"


def test_no_secret_of_dvc_travels_wherever_it_was_written(home: Project) -> None:
    """A key that was set without --local stands in the file that is meant for everybody."""
    config = home.root / ".dvc" / "config"
    plain = config.read_text()
    more = "".join(
        f"    {name} = planted-{name}\n"
        for name in (
            "access_key_id",
            "Secret_Access_Key",
            "session_token",
            "password",
            "key_passphrase",
            "client_secret",
            "sas_token",
            "connection_string",
            "account_key",
            "sse_customer_key",
            "oss_key_secret",
        )
    )
    url = "    endpointurl = https://ann:planted-in-url@store.example/x\n    user = ann\n"
    config.write_text(plain + more + url)
    told = describe(home)[".dvc/config"]
    assert "planted" not in told
    assert told.startswith(plain)
    assert "https://ann@store.example/x" in told
    assert "user = ann" in told
