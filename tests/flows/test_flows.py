"""Every flow can be loaded, under the name that deployments and docs use."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import flows

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
