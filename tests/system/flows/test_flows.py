"""Every flow can be loaded, under the name that deployments and docs use."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import flows
from patchae.steps.monitor import Seen
from tests.support import patchae
from tests.support.plant import Plant

FLOWS = {
    "monitor": {"monitor": "monitor"},
    "retrain": {"retrain": "retrain"},
    "score": {"score": "score"},
    "tidy": {"tidy": "tidy"},
    "workers": {"train_class": "train-class"},
}
"""Flows by module: function and name; what is not listed here holds tasks or helpers only."""


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in Path(flows.__path__[0]).glob("[!_]*.py"))
)
def test_every_module_loads_and_has_the_flow_of_its_name(module: str) -> None:
    from prefect import Flow

    loaded = import_module(f"flows.{module}")
    own = {
        name: value.name
        for name, value in vars(loaded).items()
        if isinstance(value, Flow) and value.fn.__module__ == loaded.__name__
    }
    assert own == FLOWS.get(module, {})


@pytest.mark.usefixtures("prefect_server")
def test_a_look_for_drift_is_at_every_class_of_a_line_that_has_all(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import monitor

    looked: list[str] = []

    def look_at(*arguments: Any, **_: Any) -> Iterator[Seen]:
        (name,) = arguments[3]
        looked.append(name)
        yield Seen(name, f"caps.{name}", None, None, "nothing came")

    monkeypatch.setattr(monitor, "look_at", look_at)
    plant.line("caps", "blue", "red")
    plant.lines["caps"]["classes"] = "all"
    plant.write_lines()
    assert monitor.monitor(line_name="caps", root=plant.project.root) == []
    assert looked == ["blue", "red"]


def test_a_folder_of_prefect_that_cannot_be_written_is_named(
    plant: Plant,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    plant.line("jars", "round")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "file" / "prefect"))
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        code, _, said = patchae(capsys, monkeypatch, "retrain", "jars")
    assert code == 3
    assert said.splitlines()[-1] == f"  where:   {tmp_path / 'file' / 'prefect'}"
