"""Bring together what an audit needs, from MLflow, the ledger and the store of images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from patchae.errors import AuditBroken, StoreUnreachable, UsageError
from patchae.lineage.audit import Audit, audit
from patchae.lineage.decisions import registered
from patchae.lineage.material import Broken, Facts, Material, NotCheckable, Unreachable
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.standing import ALIASES, CHAMPION, champion_of
from patchae.registry.tracking import Tracking, Version

T = TypeVar("T")
_MODEL = re.compile(r"(?P<model>[A-Za-z0-9_.-]+)(?:/(?P<version>\d+)|@(?P<alias>[A-Za-z0-9_.-]+))?")


def audit_model(project: Project, tracking: Tracking, name: str) -> Audit:
    """Audit `MODEL`, `MODEL/VERSION` or `MODEL@ALIAS`; a model alone means its champion.

    Raises:
        UsageError: there is no such model, version or alias.
        StoreUnreachable: MLflow does not answer.
    """
    from patchae.dataset import version as versions

    model, version, alias = resolve(project, tracking, name)
    known = tracking.version(model, version)
    ledger = Ledger.of(project)
    found = _or_why(ledger.verify)
    faults = () if isinstance(found, Unreachable) else found
    return audit(
        Material(
            model=model,
            version=version,
            alias=alias,
            aliases=_or_why(lambda: tracking.aliases.get(model)),
            tags=known.tags,
            entries=_or_why(ledger.entries),
            faults=faults,
            artifacts=_folder(tracking.artifacts, known),
            model_folder=_folder(tracking.model_folder, known),
            listing=lambda data_version: versions.listing(project, data_version),
            stored=lambda md5s: versions.stored(project, md5s),
        )
    )


def resolve(project: Project, tracking: Tracking, name: str) -> tuple[str, str, str | None]:
    """Model, version and alias (if one was asked for) of a name.

    `champion` and `previous` are answered by the ledger, which is the truth; other aliases by
    MLflow.

    Raises:
        UsageError: the name is none, or nothing stands behind it.
    """
    parts = _MODEL.fullmatch(name)
    if parts is None:
        raise UsageError(
            f"'{name}' is not the name of a model",
            mend="write MODEL, MODEL/VERSION or MODEL@ALIAS, for example sample.washer@champion",
        )
    model, version = parts["model"], parts["version"]
    if version is not None:
        return model, version, None
    alias = parts["alias"] or CHAMPION
    if alias in ALIASES:
        standing = champion_of(Ledger.of(project).entries(model)).aliases()
        found = standing.get(alias)
    else:
        found = tracking.aliases.get(model).get(alias)
    if found is None:
        known = [item.version for item in tracking.versions(model)]
        raise UsageError(
            f"{model} has no {alias}" if known else f"no model is called '{model}'",
            where="the ledger",
            mend=f"name a version: {', '.join(f'{model}/{item}' for item in known)}"
            if known
            else "`patchae status` lists the models",
        )
    return model, found, alias


def lineage_of(project: Project, tracking: Tracking, name: str) -> tuple[str, str, dict[str, Any]]:
    """Model, version and lineage record of a name, the record as the JSON that the ledger knows.

    Raises:
        UsageError: there is no such model or version.
        AuditBroken: its record is missing, not complete, or not the one that was registered.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    model, version, _ = resolve(project, tracking, name)
    facts = Facts(
        Material(
            model=model,
            version=version,
            entries=Ledger.of(project).entries(),  # its record may follow a row on another model
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


def _folder(fetch: Callable[[Version], Path], version: Version) -> Path | Unreachable:
    return _or_why(lambda: fetch(version))


def _or_why(ask: Callable[[], T]) -> T | Unreachable:
    try:
        return ask()
    except StoreUnreachable as error:
        return Unreachable(error.what)
