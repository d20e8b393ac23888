"""Bring together what an audit needs, from MLflow, the ledger and the store of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from patchae.dataset.classes import line_classes
from patchae.errors import AuditBroken, ConfigError, PatchaeError, StoreUnreachable, UsageError
from patchae.files import Progress, silent
from patchae.lineage.audit import LINKS, Audit, Link, audit
from patchae.lineage.ledger_view import LedgerView, view
from patchae.lineage.material import Material, Unreachable, some
from patchae.lineage.naming import version_of
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry.agreement import lacking_rows
from patchae.registry.chain import Entry
from patchae.registry.export import Anchor
from patchae.registry.ledger import Ledger
from patchae.registry.runs import logged_run
from patchae.registry.standing import CHAMPION, champion_of, until
from patchae.registry.tracking import Tracking, Version

T = TypeVar("T")


@dataclass(frozen=True)
class Scope:
    """How far an audit goes, and what it is held against."""

    at: datetime | None = None
    """Audit what was in use at this moment; None: now."""
    deep: bool = False
    """Read every image in the store instead of a sample."""
    keys: tuple[str, ...] | None = None
    """Public keys that are trusted; None: every signature only has to fit its row."""
    anchor: Anchor | None = None
    """A row of the ledger that was noted elsewhere."""
    progress: Progress = silent


def audit_model(
    project: Project, tracking: Tracking, name: str, scope: Scope | None = None
) -> Audit:
    """Audit `MODEL`, `MODEL/VERSION` or `MODEL@ALIAS`; a model alone means its champion.

    Raises:
        UsageError: there is no such model, version or alias.
        StoreUnreachable: MLflow does not answer.
    """
    auditor = _Auditor(project, tracking, scope or Scope())
    return auditor.audit(*version_of(auditor.entries, tracking, name, auditor.scope.at))


def audit_all(project: Project, tracking: Tracking, scope: Scope | None = None) -> Iterator[Audit]:
    """Audit the champion of every class in `lines.yaml` and of every model in the ledger.

    A version that is gone, or was made champion in MLflow alone, is a broken one, too.

    Raises:
        ConfigError: `lines.yaml` cannot be read.
        StoreUnreachable: MLflow or the ledger cannot be used.
        AuditBroken: no champion was found, in a ledger that cannot be trusted.
    """
    auditor = _Auditor(project, tracking, scope or Scope())
    at = auditor.scope.at
    lines = load_lines(project.lines_file).lines
    models = {line.model_name(name) for line in lines for name in line_classes(project, line)}
    found = False
    for model in sorted(models | {entry.model for entry in auditor.entries(None)}):
        version = champion_of(until(auditor.entries(model), at)).current
        if version is None and at is None:
            version = tracking.aliases.get(model).get(CHAMPION)
        if version is None:
            continue
        found = True
        try:
            yield auditor.audit(model, version, CHAMPION)
        except StoreUnreachable:
            raise
        except PatchaeError as error:  # it could not even begin
            title, _ = LINKS["mlflow"]
            yield Audit(model, version, (Link("mlflow", title, "broken", error.what),))
    if not found and auditor.faults:  # no audit of a champion told of them
        raise AuditBroken(
            f"the ledger cannot be trusted: {some(auditor.faults)}",
            where="the ledger",
            mend="restore the ledger from a backup, and find out who wrote into it",
        )


class _Auditor:
    """Audits of one project: the ledger is read and verified once for all of them."""

    def __init__(self, project: Project, tracking: Tracking, scope: Scope) -> None:
        self.scope = scope
        self._project = project
        self._tracking = tracking
        ledger = Ledger.of(project)
        self._ledger = ledger
        self._view: LedgerView | Unreachable = _or_why(
            lambda: view(ledger, scope.keys, scope.anchor)
        )

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong with the ledger as a whole."""
        return () if isinstance(self._view, Unreachable) else self._view.faults

    def entries(self, model: str | None) -> list[Entry]:
        """The entries on one model, or on all.

        Raises:
            StoreUnreachable: the ledger cannot be used.
        """
        if isinstance(self._view, Unreachable):
            return self._ledger.entries(model)  # says why it cannot be used
        return list(self._view.entries) if model is None else self._view.of(model)

    def audit(self, model: str, version: str, alias: str | None) -> Audit:
        """Audit one version, also one that only the ledger still knows."""
        from patchae.dataset import version as versions
        from patchae.dataset import version_log

        project, tracking, book = self._project, self._tracking, self._view
        known = self._known(model, version)
        return audit(
            Material(
                model=model,
                version=version,
                alias=alias,
                at=self.scope.at,
                aliases=_or_why(lambda: tracking.aliases.get(model)),
                tags=known.tags if known else {},
                run=_or_why(lambda: logged_run(tracking, known)) if known else None,
                entries=book if isinstance(book, Unreachable) else book.entries,
                faults=self._faults_of(model),
                proven=() if isinstance(book, Unreachable) else book.proven,
                policy=_policy(project, model),
                artifacts=_folder(tracking, tracking.artifacts, known),
                model_folder=_folder(tracking, tracking.model_folder, known),
                listing=lambda data_version: versions.listing(project, data_version),
                stored=lambda md5s: versions.stored(project, md5s),
                states=lambda names, sha256: versions.stored_states(
                    project, names, self.scope.progress, sha256
                ),
                deep=self.scope.deep,
                made=lambda data_version: version_log.first_made(project, data_version),
            )
        )

    def _faults_of(self, model: str) -> Sequence[str]:
        """What is wrong with the ledger, rows included that MLflow names and it does not have."""
        if isinstance(self._view, Unreachable):
            return ()
        with suppress(StoreUnreachable):  # the links that need MLflow say so
            versions = self._tracking.versions(model)
            lacking = lacking_rows(versions, self._view.entries)
            if lacking:  # perhaps a row came in since the ledger was read
                lacking = lacking_rows(versions, self._ledger.signed_rows()[0])
            return [*self._view.faults, *lacking]
        return self._view.faults

    def _known(self, model: str, version: str) -> Version | None:
        """The version in MLflow; None when the ledger has it and MLflow no longer does."""
        try:
            return self._tracking.version(model, version)
        except UsageError:
            told = [] if isinstance(self._view, Unreachable) else self._view.of(model)
            if not any(version in (row.body.get("version"), row.body.get("to")) for row in told):
                raise
            return None


def _policy(project: Project, model: str) -> dict[str, Any] | Unreachable | None:
    """The gates of a model's class in `lines.yaml`."""
    line, _, class_name = model.partition(".")
    try:
        own = load_lines(project.lines_file).line(line)
        known = class_name in line_classes(project, own)
    except ConfigError as error:
        return Unreachable(error.what)
    except UsageError:  # no such line
        return None
    return own.gates_of(class_name).model_dump(mode="json") if known else None


def _folder(
    tracking: Tracking, fetch: Callable[[Version], Path], version: Version | None
) -> Path | Unreachable:
    return _or_why(lambda: fetch(version)) if version else tracking.nothing()


def _or_why(ask: Callable[[], T]) -> T | Unreachable:
    try:
        return ask()
    except StoreUnreachable as error:
        return Unreachable(error.what)
