"""Links that hold between the ledger, MLflow and the gate: who decided what on which evidence.

Each check returns what it found intact, or raises `Broken` or `NotCheckable`.
"""

from __future__ import annotations

from patchae.config import Gates
from patchae.evidence.scores import SCORES_FILE, read_scores
from patchae.files import sha256_bytes
from patchae.lineage.material import Broken, Facts, NotCheckable, Unreachable, reachable
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import digest, parse
from patchae.registry.chain import Entry
from patchae.registry.evidence import Evidence, Rival, evidence_of, rival_of
from patchae.registry.gates import judge
from patchae.registry.standing import (
    ALIASES,
    champion_of,
    former_champions,
    last_verdict,
    moves,
    registrations,
    verdicts,
)
from patchae.registry.verdict import Verdict, rival_scores_file
from patchae.registry.wording import explain

_ALLOWED = {"promoted": ("promote",), "overridden": ("hold",), "adopted": ("promote", "hold")}
"""The outcomes of the verdict that each kind of move may rest on."""
TOLERANCE = 1e-9
"""Two ways to compute the same AUROC may differ by this much in floating point."""


def ledger_chain(facts: Facts) -> str:
    """Nothing in the ledger was changed, removed, inserted or exchanged."""
    entries = reachable(facts.material.entries, "the ledger")
    faults = facts.material.faults
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise Broken("; ".join(faults[:3]) + more)
    return f"{len(entries)} rows, each following the one before"


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
    """The aliases in MLflow, and the one that was asked for, point where the ledger says."""
    standing = champion_of(facts.entries).aliases()
    alias = facts.material.alias
    if alias in ALIASES and standing.get(alias) != facts.version:
        raise Broken(
            f"{alias}: asked for as version {facts.version},"
            f" but the ledger says {_version(standing.get(alias))}"
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
    return "; ".join(f"{name} is {_version(standing.get(name))}" for name in ALIASES)


def verdict(facts: Facts) -> str:
    """The version was judged, and every move to it rests on a verdict or on a rollback."""
    entries = facts.entries
    last = last_verdict(entries, facts.version)
    if last is None:
        raise Broken(f"the ledger has no verdict on version {facts.version}")
    for position, move in enumerate(entries):
        if move.kind == "move" and move.body["to"] == facts.version:
            _check_move(facts, move, entries[:position])
    return f"row {last.seq}: {last.body['outcome']}; {explain(Verdict.from_body(last.body))}"


def verdict_recomputed(facts: Facts) -> str:
    """The scores give the evidence of the verdict, and the gate decides the same on it again."""
    row = _decisive(facts)
    if row is None:
        raise NotCheckable(f"the ledger has no verdict on version {facts.version}")
    scores, record = facts.scores, facts.record
    if row.body["scores_sha256"] != sha256_bytes(facts.artifact(SCORES_FILE)):
        raise Broken(f"scores.csv: row {row.seq} of the ledger was decided on other scores")
    auroc = image_auroc([item.label for item in scores], [item.score for item in scores])
    told = Evidence.from_dict(row.body["evidence"])
    for name, value in (
        ("lineage.json", record.evaluation.image_auroc),
        (f"row {row.seq} of the ledger", told.image_auroc.auroc if told.image_auroc else auroc),
    ):
        if not abs(value - auroc) <= TOLERANCE:
            raise Broken(f"image AUROC: scores.csv gives {auroc!r}, {name} says {value!r}")
    found = evidence_of(
        scores,
        champion=_rival(facts, row, told.champion),
        ms_per_image=record.evaluation.ms_per_image,
        validation_passed=record.validation.passed,
        lineage_complete=facts.lineage_complete,
        data_recorded=told.data_recorded,
        seeds=told.seeds,
    )
    champion = told.champion.version if told.champion else None
    if champion != row.body["champion"] or not _close(found.to_dict(), told.to_dict()):
        raise Broken(f"the evidence in row {row.seq} of the ledger is not what the records show")
    given, again = Verdict.from_body(row.body), judge(told, Gates(**row.body["policy"]))
    if (again.outcome, again.reasons) != (given.outcome, given.reasons):
        raise Broken(
            f"row {row.seq} of the ledger says {given.outcome} ({', '.join(given.reasons)});"
            f" the gate says {again.outcome} ({', '.join(again.reasons)})"
        )
    return f"image AUROC {auroc:.6f} from {len(scores)} scores; {again.outcome} as in row {row.seq}"


def _rival(facts: Facts, row: Entry, told: Rival | None) -> Rival | None:
    """The champion's side of the evidence, from its scores; what they cannot give is as told."""
    if told is None or told.paired is None:
        return told
    digest_told = row.body["champion_scores_sha256"]
    name = rival_scores_file(told.version, digest_told)
    text = facts.artifact(name)
    if sha256_bytes(text) != digest_told:
        raise Broken(f"{name}: row {row.seq} of the ledger was decided on other scores")
    try:
        own = read_scores(text.decode())
        found = rival_of(
            told.version, facts.scores, own, then=None, data_recorded=told.data_recorded
        )
    except ValueError as error:
        raise Broken(f"{name}: {error}") from None
    auroc = image_auroc([item.label for item in own], [item.score for item in own])
    if not abs(told.paired.champion.auroc - auroc) <= TOLERANCE:
        raise Broken(
            f"image AUROC of champion version {told.version}: {name} gives {auroc!r},"
            f" row {row.seq} of the ledger says {told.paired.champion.auroc!r}"
        )
    return found.model_copy(
        update={"image_auroc_then": told.image_auroc_then, "same_images": told.same_images}
    )


def _close(one: object, other: object) -> bool:
    """Whether two JSON values are equal, numbers up to `TOLERANCE`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return one == other


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
        for tag, value in (
            ("lineage_sha256", own),
            ("training_key", record.training_key),
            ("line", record.line),
            ("class", record.class_name),
            ("data_version", record.data.version),
        ):
            if tags.get(f"patchae.{tag}") != value:
                raise Broken(
                    f"lineage.json: it says {value} where the tag patchae.{tag} in MLflow says"
                    f" {tags.get(f'patchae.{tag}')}"
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
    if body["why"] == "rolled_back":
        if facts.version not in former_champions(before):
            raise Broken(f"row {seq}: rolled back to a version that never was champion")
        return
    for row in verdicts(before, facts.version):
        if row.seq == body["verdict"]:
            allowed = _ALLOWED.get(body["why"], ())
            if row.body["outcome"] not in allowed:
                raise Broken(f"row {seq}: {body['why']} although row {row.seq} says otherwise")
            if body["why"] != "adopted" and row.body["champion"] != current:
                raise Broken(f"row {seq}: {body['why']} on a comparison with another champion")
            return
    raise Broken(f"row {seq}: {body['why']} without a verdict on version {facts.version} before it")


def _decisive(facts: Facts) -> Entry | None:
    """The verdict that made the version champion last, or else the newest one on it."""
    for move in reversed(moves(facts.entries)):
        if move.body["to"] == facts.version and move.body["verdict"] is not None:
            named = [row for row in facts.entries if row.seq == move.body["verdict"]]
            return named[0] if named else None
    return last_verdict(facts.entries, facts.version)


def _version(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
