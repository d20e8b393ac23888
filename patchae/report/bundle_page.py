"""The page of an audit bundle: what a version is, what made it, who decided, and how to check it.

One file that works from a folder, with no network and no script. It holds no time of its own: equal
bundles have equal pages. Times are in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from patchae.lineage.record import LineageRecord, digest, load, parse
from patchae.registry.chain import Entry
from patchae.registry.export import Anchor
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.standing import champion_of
from patchae.registry.verdict import Finding, Verdict
from patchae.registry.wording import sentence
from patchae.report import templating, text
from patchae.report.rows import readable
from patchae.types import Sha256

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from patchae.lineage.bundle.content import Sources

_WORDS = {
    "promoted": "Promote",
    "held": "Hold",
    "rejected": "Reject",
    "holds": "Intact",
    "broken": "Broken",
    "unknown": "Not checkable",
}
_OUTCOMES = {"promote": "promoted", "hold": "held", "reject": "rejected"}
_STATES = {"intact": "holds", "broken": "broken", "not_checkable": "unknown"}


@dataclass(frozen=True)
class Judged:
    """One verdict, ready to be shown."""

    row: Entry
    state: str
    findings: tuple[tuple[str, str], ...]
    """The outcome and the sentence of each criterion."""


@dataclass(frozen=True)
class Event:
    """One row of the ledger that concerns the version, in words."""

    row: Entry
    what: str
    why: str


def render(sources: Sources, pages: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        sources: what the bundle is made from.
        pages: other pages for people in the bundle, to be linked to, such as `model-card.html`.
    """
    audit, entries = sources.audit, readable(sources.entries)
    record, sha256 = _record(sources)
    newest = sources.rows[-1] if sources.rows else None
    standing = {version: alias for alias, version in champion_of(entries).aliases().items()}
    content = {
        "audit": audit,
        "record": record,
        "record_sha256": sha256,
        "judged": [_judged(row) for row in entries if _is_verdict_on(row, audit.version)],
        "life": [event for row in entries if (event := _event(row, audit.version))],
        "standing": standing.get(audit.version),
        "anchor": str(Anchor(newest.seq, Sha256(newest.digest))) if newest else None,
        "signed": bool(sources.signatures),
        "shown": sum(row.model == audit.model for row in sources.rows),
        "rows": len(sources.rows),
        "with_model": sources.model_folder is not None,
        "with_images": sources.images is not None,
        "pages": pages,
    }
    page = _environment().get_template("bundle.html.j2").render(content)
    # File names can hold what UTF-8 cannot (undecodable bytes): shown as "?", never an error.
    return page.encode("utf-8", "replace").decode()


def _record(sources: Sources) -> tuple[LineageRecord | None, str | None]:
    """The record and its digest; None where it is gone or is none."""
    try:
        content = (sources.artifacts / LINEAGE_FILE).read_text()
        return parse(content), digest(load(content))
    except (OSError, ValueError):
        return None, None


def _is_verdict_on(row: Entry, version: str) -> bool:
    return row.kind == "verdict" and row.body["version"] == version


def _judged(row: Entry) -> Judged:
    try:
        verdict = Verdict.from_body(row.body)
        findings = tuple((_OUTCOMES[one.outcome], _said(one, verdict)) for one in verdict.findings)
        return Judged(row, _OUTCOMES[verdict.outcome], findings)
    except (ValueError, LookupError, TypeError):  # forged; `verify.py` says what of it is wrong
        return Judged(row, "unknown", ())


def _said(finding: Finding, verdict: Verdict) -> str:
    said = sentence(finding, verdict.evidence)
    return said[:1].upper() + said[1:]


def _change(row: Entry) -> Event:
    """What a row changed of a version itself."""
    body = row.body
    if row.kind == "retired":
        return Event(row, "retired", str(body["reason"]))
    if row.kind == "tidied":
        return Event(row, "weights let go", ", ".join(body["files"]))
    moved = f"threshold moved from {body['from']:.6g} to {body['to']:.6g}"
    return Event(row, moved, str(body["reason"]))


def _event(row: Entry, version: str) -> Event | None:
    """What a row says of a version; None when it says nothing."""
    body = row.body
    if row.kind == "registered" and body["version"] == version:
        return Event(row, "registered", f"run {body['run_id']}")
    if row.kind == "verdict" and body["version"] == version:
        return Event(row, f"judged: {body['outcome']}", "")
    if row.kind in {"retired", "tidied", "threshold"} and body["version"] == version:
        return _change(row)
    if row.kind == "move" and version in (body["to"], body["from"]):
        what = (
            f"champion ({_plain(body['why'])})"
            if body["to"] == version
            else f"no longer champion: version {body['to']} is ({_plain(body['why'])})"
        )
        return Event(row, what, str(body["reason"]))
    return None


def _plain(code: Any) -> str:
    return str(code).replace("_", " ")


def _environment() -> Environment:
    made = templating.environment()
    made.filters.update(
        auroc=text.auroc,
        auroc_interval=lambda limits: text.interval(tuple(limits), text.auroc) if limits else "",
        number=text.number,
        percent=text.percent,
        percent_interval=lambda limits: (
            text.interval(tuple(limits), text.percent) if limits else ""
        ),
        plain=_plain,
        when=_when,
    )
    made.globals.update(WORDS=_WORDS, STATES=_STATES, count=text.count)
    return made


def _when(time: str) -> Markup | str:
    """A time of the ledger, readable by machines too; as it stands where it is none."""
    from markupsafe import Markup

    try:
        said = text.when(datetime.fromisoformat(time))
    except ValueError:
        return time
    return Markup('<time datetime="{}">{}</time>').format(time, said)
