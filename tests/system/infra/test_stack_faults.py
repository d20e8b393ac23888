"""Servers of the stack die in the middle of a retraining: the same command ends in one version."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.stack import postgres, process, whole
from tests.support import write_class
from tests.support.plant import GATES, TINY
from tests.support.stacked import Stack, running

pytestmark = [
    pytest.mark.skipif(
        postgres.binaries() is None, reason="no PostgreSQL: initdb and postgres were not found"
    ),
]
_PATIENCE_S = 240


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack without workers: here the runs are commands."""
    with running(workers=0) as started:
        yield started


def kill(stack: Stack, name: str) -> None:
    """As a power failure does it, to a server and all that it started."""
    victim = process.alive(stack.settings.home, name)
    assert victim is not None
    family = [victim, *victim.children(recursive=True)]
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=10)


def until(ask: Callable[[], bool], command: subprocess.Popen[str]) -> None:
    """Wait for a moment in the life of a command."""
    end = time.monotonic() + _PATIENCE_S
    while not ask():
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def line_of(stack: Stack, name: str) -> str:
    """A new line with one class of its own; returns its model."""
    stack.plant.lines = {name: {"classes": [f"{name}part"], "training": TINY, "gates": GATES}}
    stack.plant.write_lines()
    write_class(stack.plant.project.data, f"{name}part", train_good=60, seed=len(name) * 7)
    return f"{name}.{name}part"


@pytest.mark.parametrize("name", ["prefect", "mlflow", "postgres", "s3"])
def test_a_server_that_dies_and_comes_back_costs_nothing_but_time(stack: Stack, name: str) -> None:
    model = line_of(stack, name)
    objects, runs = stack.objects("dvc"), stack.count("mlflow", "runs")

    def midway() -> bool:
        if name == "s3":  # while images are sent
            return stack.objects("dvc") > objects + 5
        if name == "prefect":  # while it trains
            return Path(stack.plant.project.work).exists() and stack.objects("dvc") > objects + 60
        return stack.count("mlflow", "runs") > runs  # while it registers

    first = stack.start("promoter", "retrain", name)
    until(midway, first)
    kill(stack, name)
    time.sleep(2)
    whole.up(stack.settings)
    first.communicate(timeout=_PATIENCE_S)

    again = stack.run("promoter", "retrain", name, "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    (told,) = json.loads(again.stdout.splitlines()[-1])["models"]
    assert told["version"] == "1"
    kinds = [row.kind for row in stack.rows(model)]
    assert kinds.count("registered") == 1
    assert kinds.count("move") == 1
    assert stack.ledger().verify() == []
    audit = stack.run("promoter", "audit", model, "--json")
    assert audit.returncode == 0, audit.stdout
    assert json.loads(audit.stdout.splitlines()[-1])["state"] == "intact"
