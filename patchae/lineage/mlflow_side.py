"""The link `mlflow`: what MLflow shows of a version is what the record and the ledger hold.

People read MLflow's pages, not digests: a number that was made nicer there must not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from patchae.lineage.material import Broken, Facts, reachable
from patchae.lineage.record import LineageRecord

_LINKS = {"registered": "registered", "verdict": "verdict", "tidied": "tidied"}
"""Tags `patchae.ledger_<name>` of the version, and the kind of row that each must name."""


def mlflow(facts: Facts) -> str:
    """Tags, parameters and metrics are as the record says; tags to the ledger name real rows."""
    tags = reachable(facts.material.tags, "MLflow")
    run = reachable(facts.material.run, "MLflow")
    if not tags:
        raise Broken(f"MLflow no longer has version {facts.version}, or lost all its tags")
    if run is None or run.deleted:
        raise Broken(f"MLflow no longer has the run of version {facts.version}")
    record = facts.record
    _compare(f"the run of version {facts.version}", run.run_id, record.run.mlflow_run_id)
    for where, found in ((f"version {facts.version}", tags), ("its run", run.tags)):
        for name, value in _tags(record).items():
            _compare(f"tag {name} of {where}", found.get(name), value)
    params = {**record.training.settings, "device": record.environment.device}
    for name, setting in params.items():
        _compare(f"parameter {name} of the run", run.params.get(name), str(setting))
    metrics = dict(_metrics(record))
    for name, number in metrics.items():
        _compare(f"metric {name} of the run", run.metrics.get(name), number)
    links = _linked(facts, tags)
    return (
        f"{len(params)} parameters and {len(metrics)} metrics of run {run.run_id};"
        f" {links or 'no'} tags lead to the ledger"
    )


def _tags(record: LineageRecord) -> dict[str, str]:
    return {
        "patchae.training_key": record.training_key,
        "patchae.line": record.line,
        "patchae.class": record.class_name,
        "patchae.data_version": record.data.version,
    }


def _metrics(record: LineageRecord) -> Iterator[tuple[str, float | None]]:
    """Single numbers of the evaluation; one that is null must not stand in MLflow either."""
    for name, value in record.evaluation.model_dump(mode="json").items():
        if isinstance(value, int | float) or (value is None and not name.endswith("_interval")):
            yield name, value
    yield "training_seconds", record.training.seconds


def _linked(facts: Facts, tags: Mapping[str, str]) -> int:
    """How many tags lead to rows of the ledger; none is no fault, a kill may come before it."""
    found = 0
    for name, kind in _LINKS.items():
        told = tags.get(f"patchae.ledger_{name}")
        rows = {
            f"{row.seq}:{row.digest}"
            for row in facts.entries
            if row.kind == kind and row.body["version"] == facts.version
        }
        if told is not None and told not in rows:
            raise Broken(f"tag patchae.ledger_{name}: {told} is no such row on this version")
        found += told is not None
    return found


def _compare(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Broken(f"{what}: MLflow says {found}, lineage.json says {expected}")
