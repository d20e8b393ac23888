"""Links that hold between the ledger, MLflow's aliases and the record: who decided what, and when.

Each check returns what it found intact, or raises `Broken` or `NotCheckable`.
"""

from __future__ import annotations

from patchae.config import Gates
from patchae.lineage.material import Broken, Facts, NotCheckable, Unreachable, reachable
from patchae.lineage.record import digest, parse
from patchae.registry.chain import Entry
from patchae.registry.standing import (
    ALIASES,
    champion_of,
    former_champions,
    last_verdict,
    let_go,
    moves,
    registrations,
    retired,
    verdicts,
)
from patchae.registry.wording import explain_row

_ALLOWED = {"promoted": ("promote",), "overridden": ("hold",), "adopted": ("promote", "hold")}
"""The outcomes of the verdict that each kind of move may rest on."""


def ledger_chain(facts: Facts) -> str:
    """Nothing in the ledger was changed, removed, inserted or exchanged."""
    entries = reachable(facts.material.entries, "the ledger")
    faults = facts.material.faults
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise Broken("; ".join(faults[:3]) + more)
    return ", ".join(
        (f"{len(entries)} rows, each following the one before", *facts.material.proven)
    )


def registered(facts: Facts) -> str:
    """The ledger recorded the version with the digest of this very lineage record."""
    rows = registrations(facts.entries, facts.version)
    if not rows:
        raise Broken(f"the ledger has no row on the registration of version {facts.version}")
    expected = {
        "lineage_sha256": digest(facts.lineage),
        "run_id": facts.record.run.mlflow_run_id,
        "training_key": facts.record.training_key,
    }
    for row in rows:
        for key, value in expected.items():
            if row.body[key] != value:
                raise Broken(
                    f"lineage.json: {key} is {value}; row {row.seq} of the ledger says"
                    f" {row.body[key]}"
                )
    _check_position(facts, rows[0])
    return f"row {rows[0].seq}, by {rows[0].actor} at {rows[0].time}"


def champion(facts: Facts) -> str:
    """The alias that was asked for led here, and the aliases in MLflow are as the ledger says now.

    MLflow does not keep where its aliases pointed earlier: of an earlier moment the ledger answers.
    """
    standing, at = champion_of(facts.entries).aliases(), facts.material.at
    then = champion_of(facts.entries_then).aliases()
    alias = facts.material.alias
    if alias in ALIASES and then.get(alias) != facts.version:
        raise Broken(
            f"{alias}: asked for as version {facts.version},"
            f" but the ledger says {_version(then.get(alias))}"
        )
    present = reachable(facts.material.aliases, "MLflow")
    for name in ALIASES:
        if present.get(name) != standing.get(name):
            raise Broken(
                f"{name}: MLflow says {_version(present.get(name))},"
                f" the ledger says {_version(standing.get(name))}"
            )
    if alias is not None and alias not in ALIASES and present.get(alias) != facts.version:
        raise Broken(f"{alias}: MLflow says {_version(present.get(alias))}")
    now = "; ".join(f"{name} is {_version(standing.get(name))}" for name in ALIASES)
    return f"{alias} at {at.isoformat()} was version {facts.version}; now {now}" if at else now


def verdict(facts: Facts) -> str:
    """The version was judged, and every move to it rests on a verdict or on a rollback."""
    entries = facts.entries
    last = last_verdict(facts.entries_then, facts.version) or last_verdict(entries, facts.version)
    if last is None:
        raise Broken(f"the ledger has no verdict on version {facts.version}")
    for position, move in enumerate(entries):
        if move.kind == "move" and move.body["to"] == facts.version:
            _check_move(facts, move, entries[:position])
    told = f"row {last.seq}: {last.body['outcome']}; {explain_row(last.body)}"
    return told + _policy_since(facts, last)


def lineage_record(facts: Facts) -> str:
    """The lineage record is complete, and MLflow and the ledger hold its digest."""
    content = facts.artifact("lineage.json")
    try:
        record = parse(content.decode())
    except ValueError as error:
        raise Broken(f"lineage.json: {error}") from None
    if record.model != facts.model:
        raise Broken(f"lineage.json: it is on {record.model}")
    own = digest(facts.lineage)
    compared = []
    tags = facts.material.tags
    if not isinstance(tags, Unreachable):
        compared.append("MLflow")
        told = tags.get("patchae.lineage_sha256")
        if told != own:
            raise Broken(
                f"lineage.json: its digest is {own}; the tag patchae.lineage_sha256 in MLflow says"
                f" {told}"
            )
    if not isinstance(facts.material.entries, Unreachable):
        for row in registrations(facts.entries, facts.version)[:1]:
            compared.append("the ledger")
            if row.body["lineage_sha256"] != own:
                raise Broken(f"lineage.json: its digest is not that in row {row.seq} of the ledger")
    if not compared:
        raise NotCheckable("neither MLflow nor the ledger holds a digest to compare with")
    return f"complete; its digest is in {' and in '.join(compared)}"


def _check_position(facts: Facts, registration: Entry) -> None:
    """The row that was the newest when the record was written stands before its registration."""
    told = facts.record.ledger
    if told is None:
        return
    before = {row.seq: row.digest for row in reachable(facts.material.entries, "the ledger")}
    if told.seq >= registration.seq or before.get(told.seq) != told.digest:
        raise Broken(
            f"lineage.json: it was written after row {told.seq} of another ledger;"
            f" row {registration.seq} registers it"
        )


def _check_move(facts: Facts, move: Entry, before: list[Entry]) -> None:
    seq, body, current = move.seq, move.body, champion_of(before).current
    if body["from"] != current:
        raise Broken(f"row {seq}: moved from {_version(body['from'])}, not from the champion")
    if facts.version in retired(before):
        raise Broken(f"row {seq}: moved to a version that is retired")
    if facts.version in let_go(before):
        raise Broken(f"row {seq}: moved to a version whose weights were let go")
    if body["why"] == "rolled_back":
        if facts.version not in former_champions(before):
            raise Broken(f"row {seq}: rolled back to a version that never was champion")
        return
    row = last_verdict(before, facts.version)
    if row is None or body["verdict"] not in [one.seq for one in verdicts(before, facts.version)]:
        raise Broken(
            f"row {seq}: {body['why']} without a verdict on version {facts.version} before it"
        )
    if row.seq != body["verdict"]:
        raise Broken(f"row {seq}: {body['why']} although row {row.seq} judged it again")
    if row.body["outcome"] not in _ALLOWED.get(body["why"], ()):
        raise Broken(f"row {seq}: {body['why']} although row {row.seq} says otherwise")
    if body["why"] == "adopted":  # a person's word, whatever it was compared with, or used for
        return
    if row.body["champion"] != current:
        raise Broken(f"row {seq}: {body['why']} on a comparison with another champion")
    for earlier in moves(before):
        if earlier.body["verdict"] == row.seq:
            raise Broken(f"row {seq}: {body['why']} on a verdict that row {earlier.seq} used")


def _policy_since(facts: Facts, row: Entry) -> str:
    """What `lines.yaml` says otherwise now than the policy of a verdict; a policy may change."""
    now = facts.material.policy
    if isinstance(now, Unreachable):
        return ""
    if now is None:
        return "; lines.yaml no longer has this class"
    then = Gates(**row.body["policy"]).model_dump(mode="json")
    other = [
        f"{key} {now[key]} instead of {then[key]}" for key in then if now.get(key) != then[key]
    ]
    return f"; lines.yaml has another policy now: {', '.join(other)}" if other else ""


def _version(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
