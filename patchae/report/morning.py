"""Fill the start page: the ledger once, the log of decisions once, and each model's last looks.

Nothing is trained, scored or audited for it, and MLflow is not asked: it is quick enough to be made
every morning for every line.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

from patchae import __version__
from patchae.dataset.classes import check_names
from patchae.dataset.layout import present_classes
from patchae.dataset.version import pinned_version
from patchae.errors import ConfigError, StoreUnreachable
from patchae.lineage.last_audit import last_audit
from patchae.lineage.ledger_view import LedgerView, view
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import champion_of, last_verdict, moves
from patchae.registry.wording import explain_row
from patchae.report.collect import shown
from patchae.report.failures import failures
from patchae.report.looks import last_look
from patchae.report.now import Judged, Now, Plant, in_order
from patchae.report.rows import readable
from patchae.report.traffic import traffic
from patchae.report.week import Traffic


def plant(project: Project, book: LedgerView | None = None, now: datetime | None = None) -> Plant:
    """All lines as they stand.

    A log of decisions that cannot be read is said on the page; the rest is shown all the same.

    Args:
        project: the project.
        book: the ledger, where it was read already.
        now: the moment of the page, aware; default: this one.

    Raises:
        ConfigError: `lines.yaml` cannot be read.
        StoreUnreachable: the ledger cannot be used.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    book = book or view(Ledger.of(project))
    by_model: dict[str, list[Entry]] = defaultdict(list)
    for entry in readable(book.entries):
        by_model[entry.model].append(entry)
    lines = load_lines(project.lines_file)
    present = present_classes(project.data)
    unread, decided = [], dict[str, Traffic]()
    try:
        decided = traffic(project, moment)
    except StoreUnreachable as error:
        unread.append(f"The log of decisions cannot be read: {error.what}.")
    models = []
    for line in lines.lines:
        try:
            check_names(project, line)
        except ConfigError as error:
            unread.append(f"{error.what}.")
        failed = failures(project, line.name)
        for name in lines.classes(line, present):
            model = line.model_name(name)
            stands = _stands(project, line.name, name, by_model[model], moment)
            models.append(
                replace(
                    stands,
                    traffic=decided.get(model),
                    looked=last_look(project, model, name),
                    failure=failed.get(name),
                )
            )
    return Plant(
        generated=moment,
        models=in_order(models),
        lines=tuple(line.name for line in lines.lines),
        data_version=pinned_version(project),
        patchae_version=__version__,
        rows=len(book.entries),
        faults=book.faults,
        unread=tuple(unread),
    )


def _stands(
    project: Project, line: str, class_name: str, entries: list[Entry], now: datetime
) -> Now:
    """What the rows of the ledger on one model, and its last audit, say."""
    model = f"{line}.{class_name}"
    champion = champion_of(entries).current
    moved, last = moves(entries), last_verdict(entries)
    audit = last_audit(project, model, champion) if champion else None
    return Now(
        line=line,
        class_name=class_name,
        model=model,
        generated=now,
        champion=champion,
        since=datetime.fromisoformat(moved[-1].time) if moved else None,
        judged=_judged(last, moved) if last else None,
        audit=shown(audit.audit, audit.time) if audit else None,
    )


def _judged(row: Entry, moved: list[Entry]) -> Judged:
    version, newest = row.body["version"], moved[-1] if moved else None
    return Judged(
        version,
        row.body["outcome"],
        datetime.fromisoformat(row.time),
        explain_row(row.body),
        overruled=newest is not None and newest.seq > row.seq and newest.body["to"] == version,
    )
