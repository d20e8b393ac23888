"""What the name of a model means: `MODEL`, `MODEL/VERSION` or `MODEL@ALIAS`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from patchae.errors import AuditBroken, UsageError
from patchae.lineage.decisions import registered
from patchae.lineage.ledger_view import sound_entries
from patchae.lineage.material import Broken, Facts, Material, NotCheckable
from patchae.project import Project
from patchae.registry.admission import check_not_let_go
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import ALIASES, CHAMPION, LEAVING, champion_of, until
from patchae.registry.tracking import Tracking

_MODEL = re.compile(r"(?P<model>[A-Za-z0-9_.-]+)(?:/(?P<version>\d+)|@(?P<alias>[A-Za-z0-9_.-]+))?")


def resolve(
    project: Project, tracking: Tracking, name: str, at: datetime | None = None
) -> tuple[str, str, str | None]:
    """Model, version and alias (if one was asked for) of a name.

    `champion` and `previous` are answered by the ledger, which is the truth; other aliases by
    MLflow.

    Raises:
        UsageError: the name is none, or nothing stands behind it.
    """
    return version_of(Ledger.of(project).entries, tracking, name, at)


def version_of(
    entries: Callable[[str], list[Entry]], tracking: Tracking, name: str, at: datetime | None
) -> tuple[str, str, str | None]:
    """As `resolve`, by the entries of a model that were read before."""
    parts = _parts(name)
    model, version = parts["model"], parts["version"]
    alias = parts["alias"] or CHAMPION
    if at is not None and (version is not None or alias not in ALIASES):
        raise UsageError(
            f"what was '{name}' at a time is not recorded",
            mend=f"the ledger knows it of {model}@champion and {model}@previous",
        )
    if version is not None:
        return model, version, None
    if alias in ALIASES:
        found = champion_of(until(entries(model), at)).aliases().get(alias)
    else:
        found = tracking.aliases.get(model).get(alias)
    if found is None:
        known = [item.version for item in tracking.versions(model)]
        when = f" at {at.isoformat()}" if at else ""
        raise UsageError(
            f"{model} has no {alias}{when}" if known else f"no model is called '{model}'",
            where="the ledger",
            mend=f"name a version: {', '.join(f'{model}/{item}' for item in known)}"
            if known
            else "`patchae status` lists the models",
        )
    return model, found, alias


def known_in_ledger(project: Project, name: str) -> tuple[str, str]:
    """Model and version of a name, by the ledger alone: at once, before MLflow is even opened.

    Only what another alias than `champion` and `previous` means, MLflow is asked.

    Raises:
        UsageError: the name is none, or the ledger knows nothing that it could mean.
    """
    parts = _parts(name)
    model, version, alias = parts["model"], parts["version"], parts["alias"] or CHAMPION
    if alias not in ALIASES:
        return resolve(project, Tracking.open(project), name)[:2]
    entries = Ledger.of(project).entries(model)
    if version is None:
        version = champion_of(entries).aliases().get(alias)
    numbers = [row.body["version"] for row in entries if row.kind == "registered"]
    if version is None or version not in numbers:
        what = f"version {parts['version']}" if parts["version"] else alias
        raise UsageError(
            f"{model} has no {what}" if entries else f"no model is called '{model}'",
            where="the ledger",
            mend=f"name a version: {', '.join(f'{model}/{number}' for number in numbers)}"
            if numbers
            else "`patchae status` lists the models",
        )
    return model, version


def refuse_early(project: Project, name: str) -> None:
    """Refuse a name of which the ledger alone says that no model can be loaded under it.

    Raises:
        UsageError: it is none, the model has no champion, or the version let go of its weights.
    """
    parts = _parts(name)
    model, version = parts["model"], parts["version"]
    if version is None:
        model, version = known_in_ledger(project, name)
    check_not_let_go(Ledger.of(project).entries(model, LEAVING), model, version)


def _parts(name: str) -> re.Match[str]:
    parts = _MODEL.fullmatch(name)
    if parts is None:
        raise UsageError(
            f"'{name}' is not the name of a model",
            mend="write MODEL, MODEL/VERSION or MODEL@ALIAS, for example sample.washer@champion",
        )
    return parts


def lineage_of(project: Project, tracking: Tracking, name: str) -> tuple[str, str, dict[str, Any]]:
    """Model, version and lineage record of a name, the record as the JSON that the ledger knows.

    Raises:
        UsageError: there is no such model or version.
        AuditBroken: its record is missing, not complete, or not the one that was registered; or the
            ledger that says so was altered.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    model, version, _ = resolve(project, tracking, name)
    facts = Facts(
        Material(
            model=model,
            version=version,
            # All of them: its record may follow a row on another model.
            entries=sound_entries(Ledger.of(project)),
            artifacts=tracking.artifacts(tracking.version(model, version)),
        )
    )
    try:
        registered(facts)
        facts.record  # noqa: B018 - complete, or not to be used
    except (Broken, NotCheckable) as error:
        raise AuditBroken(
            f"the lineage record of {model}/{version} cannot be used: {error}",
            where="MLflow",
            mend=f"`patchae audit {model}/{version}` says more",
        ) from None
    return model, version, facts.lineage
