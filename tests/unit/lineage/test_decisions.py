"""Whatever contradicts between ledger, MLflow, gate and record breaks its own link and is named.

Every test takes one intact version, changes one thing, and says exactly which links break.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchae.config import Gates
from patchae.evidence.scores import read_scores
from patchae.files import sha256_bytes, write_text
from patchae.lineage.audit import Material, Unreachable, audit
from patchae.lineage.record import digest
from patchae.registry.evidence import Evidence, rival_of
from patchae.registry.gates import judge
from patchae.registry.ledger import Entry
from patchae.registry.promotion import promote, rollback
from patchae.registry.verdict import rival_scores_file
from tests.support.lineage.answers import OF_THE_RECORD, broken, detail, edit, not_checkable
from tests.support.lineage.builder import build
from tests.support.lineage.built import Built
from tests.support.registry.memory import MODEL, MemoryAliases, judged


def test_a_row_of_the_ledger_was_changed(built: Built) -> None:
    with sqlite3.connect(built.folder / "ledger.db") as connection:
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute("UPDATE ledger SET actor = 'eve' WHERE seq = 3")
    connection.close()
    result = audit(built.material())
    assert set(broken(result)) == {"ledger_chain"}
    assert detail(result, "ledger_chain").startswith("row 3: content changed")


def without(material: Material, *kinds: str) -> Material:
    """The material with rows of some kinds on its model gone from the ledger."""
    assert not isinstance(material.entries, Unreachable)
    return replace(
        material,
        entries=[row for row in material.entries if row.kind not in kinds or row.model != MODEL],
    )


def test_the_registration_was_never_recorded(honest: Built) -> None:
    result = audit(without(honest.material(), "registered"))
    assert set(broken(result)) == {"registered", "mlflow"}
    assert not_checkable(result) == {"times"}
    assert "no row on the registration of version 1" in detail(result, "registered")


def test_the_ledger_recorded_another_run(honest: Built) -> None:
    material = honest.material()
    other = [
        replace(row, body={**row.body, "run_id": "another"}) if row.kind == "registered" else row
        for row in honest.ledger.entries()
    ]
    result = audit(replace(material, entries=other))
    assert set(broken(result)) == {"registered"}
    assert "row 2 of the ledger says another" in detail(result, "registered")


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ({"champion": "2"}, "champion: MLflow says version 2, the ledger says version 1"),
        ({}, "champion: MLflow says none, the ledger says version 1"),
        ({"champion": "1", "previous": "4"}, "previous: MLflow says version 4, the ledger says"),
    ],
)
def test_an_alias_was_moved_in_mlflow(honest: Built, aliases: dict[str, str], said: str) -> None:
    result = audit(honest.material(aliases=aliases))
    assert set(broken(result)) == {"champion"}
    assert detail(result, "champion").startswith(said)


def test_the_alias_asked_for_leads_elsewhere(honest: Built) -> None:
    result = audit(honest.material(alias="previous"))
    assert detail(result, "champion") == (
        "previous: asked for as version 1, but the ledger says none"
    )
    challenger = audit(honest.material(alias="challenger"))
    assert detail(challenger, "champion") == "challenger: MLflow says none"
    assert audit(honest.material(alias=None)).state == "intact"


def test_the_champion_was_never_judged(honest: Built) -> None:
    result = audit(without(honest.material(), "verdict"))
    assert detail(result, "verdict") == "the ledger has no verdict on version 1"
    assert set(broken(result)) == {"verdict", "mlflow"}
    assert not_checkable(result) == {"verdict_recomputed"}


def changed_move(honest: Built, **changes: Any) -> list[Entry]:
    return [
        replace(row, body={**row.body, **changes}) if row.kind == "move" else row
        for row in honest.ledger.entries()
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verdict": 1}, "row 4: promoted without a verdict on version 1 before it"),
        ({"why": "rolled_back"}, "row 4: rolled back to a version that never was champion"),
        ({"from": "7"}, "row 4: moved from version 7, not from the champion"),
    ],
)
def test_a_move_rests_on_nothing(honest: Built, changes: dict[str, Any], said: str) -> None:
    result = audit(honest.material(entries=changed_move(honest, **changes)))
    assert detail(result, "verdict") == said
    assert set(broken(result)) == {"verdict"}


@pytest.mark.parametrize(
    ("why", "outcome", "said"),
    [
        ("overridden", "hold", None),
        ("overridden", "promote", "row 4: overridden although row 3 says otherwise"),
        ("overridden", "reject", "row 4: overridden although row 3 says otherwise"),
        ("adopted", "hold", None),
        ("adopted", "promote", None),
        ("adopted", "reject", "row 4: adopted although row 3 says otherwise"),
        ("promoted", "hold", "row 4: promoted although row 3 says otherwise"),
        ("wished", "promote", "row 4: wished although row 3 says otherwise"),
    ],
)
def test_each_kind_of_move_rests_on_its_kind_of_verdict(
    honest: Built, why: str, outcome: str, said: str | None
) -> None:
    entries = changed_move(honest, why=why)
    entries[2] = replace(entries[2], body={**entries[2].body, "outcome": outcome})
    assert broken(audit(honest.material(entries=entries))).get("verdict") == said


def test_the_verdict_compared_with_another_champion(honest: Built) -> None:
    entries = honest.ledger.entries()
    entries[2] = replace(entries[2], body={**entries[2].body, "champion": "5"})
    result = audit(honest.material(entries=entries))
    assert detail(result, "verdict") == "row 4: promoted on a comparison with another champion"
    assert set(broken(result)) == {"verdict", "verdict_recomputed"}


def test_the_verdict_was_given_on_other_scores(honest: Built) -> None:
    entries = honest.ledger.entries()
    entries[2] = replace(entries[2], body={**entries[2].body, "scores_sha256": "c" * 64})
    assert broken(audit(honest.material(entries=entries))) == {
        "verdict_recomputed": "scores.csv: row 3 of the ledger was decided on other scores"
    }


def test_the_verdict_said_no(honest: Built) -> None:
    entries = [
        replace(row, body={**row.body, "outcome": "reject"})
        if row.kind == "verdict" and row.model == MODEL
        else row
        for row in honest.ledger.entries()
    ]
    result = audit(honest.material(entries=entries))
    assert set(broken(result)) == {"verdict", "verdict_recomputed"}
    assert detail(result, "verdict") == "row 4: promoted although row 3 says otherwise"


def test_the_gate_was_ignored(tmp_path: Path) -> None:
    result = audit(build(tmp_path, ignored_gate=True).material())
    assert set(broken(result)) == {"verdict_recomputed"}
    assert detail(result, "verdict_recomputed") == (
        "row 3 of the ledger says promote (auroc_reaches_minimum, first_champion,"
        " agrees_with_promise);"
        " the gate says hold (auroc_uncertain, false_alarms_uncertain)"
    )


def test_a_better_auroc_was_claimed_than_the_scores_give(tmp_path: Path) -> None:
    result = audit(build(tmp_path, claimed_auroc=0.999).material())
    assert set(broken(result)) == {"evaluation"}
    assert detail(result, "evaluation").startswith("lineage.json: image_auroc is 0.999; scores.csv")


def test_the_evidence_was_dressed_up(honest: Built) -> None:
    entries = honest.ledger.entries()
    evidence = {**entries[2].body["evidence"], "n_good": 600}
    entries[2] = replace(entries[2], body={**entries[2].body, "evidence": evidence})
    result = audit(honest.material(entries=entries))
    assert set(broken(result)) == {"verdict_recomputed"}
    assert "not what the records show" in detail(result, "verdict_recomputed")


def with_a_champion(built: Built) -> tuple[Material, Path]:
    """The verdict as if it had compared with version 7, and the file of that one's scores."""
    text = (built.artifacts / "scores.csv").read_text()
    own = text.replace(",0.1,", ",0.15,").replace(",0.65,", ",0.55,")
    assert own != text
    file = built.artifacts / rival_scores_file("7", sha256_bytes(own.encode()))
    write_text(file, own)
    entries = built.ledger.entries()
    body = entries[2].body
    rows = read_scores(text)
    champion = rival_of("7", rows, read_scores(own), then=rows, data_recorded=None)
    evidence = Evidence.from_dict(body["evidence"]).model_copy(update={"champion": champion})
    lax = Gates(**{**body["policy"], "max_drop": 1.0})
    changed = judge(evidence, lax).to_body(
        "1",
        scores_sha256=body["scores_sha256"],
        champion_scores_sha256=sha256_bytes(own.encode()),
    )
    entries[2] = replace(entries[2], body=changed)
    return built.material(entries=entries), file


def test_the_champions_side_is_recomputed_from_its_scores(built: Built) -> None:
    material, file = with_a_champion(built)
    told = detail(audit(material), "verdict_recomputed")
    assert told.endswith("12 scores; promote as in row 3")
    whole = file.read_text()
    write_text(file, whole.replace(",0.15,", ",0.95,"))
    assert "other scores" in detail(audit(material), "verdict_recomputed")
    file.unlink()
    assert "cannot be read" in detail(audit(material), "verdict_recomputed")


def test_the_champions_auroc_was_dressed_down(built: Built) -> None:
    material, _ = with_a_champion(built)
    assert not isinstance(material.entries, Unreachable)
    entries = list(material.entries)
    paired = entries[2].body["evidence"]["champion"]["paired"]
    paired["champion"]["auroc"] = 0.5
    said = detail(audit(replace(material, entries=entries)), "verdict_recomputed")
    assert said.startswith("image AUROC of champion version 7: champion-7/scores-")


def test_a_version_rolled_back_to_stays_intact(built: Built) -> None:
    aliases = MemoryAliases()
    aliases.models[MODEL] = dict(built.aliases)
    promote(built.ledger, aliases, MODEL, "2", verdict=judged(built.ledger, "2"), actor="tester")
    built.aliases = aliases.get(MODEL)
    assert audit(built.material(alias="previous")).state == "intact"
    rollback(built.ledger, aliases, MODEL, actor="tester", reason="worse on wet parts")
    built.aliases = aliases.get(MODEL)
    assert audit(built.material()).state == "intact"


@pytest.mark.parametrize(
    ("tag", "link"),
    [
        ("lineage_sha256", "lineage_record"),
        ("training_key", "mlflow"),
        ("line", "mlflow"),
        ("class", "mlflow"),
        ("data_version", "mlflow"),
        ("ledger_registered", "mlflow"),
        ("ledger_verdict", "mlflow"),
    ],
)
def test_a_tag_was_changed_in_mlflow(built: Built, tag: str, link: str) -> None:
    built.tags[f"patchae.{tag}"] = "another"
    result = audit(built.material())
    assert set(broken(result)) == {link}
    assert f"patchae.{tag}" in detail(result, link)
    assert "another" in detail(result, link)


def test_the_record_was_changed_together_with_its_tag(built: Built) -> None:
    path = built.artifacts / "lineage.json"
    edit(path, '"device":"cpu"', '"device":"cuda"')
    built.tags["patchae.lineage_sha256"] = digest(json.loads(path.read_text()))
    result = audit(built.material())
    assert set(broken(result)) == {"lineage_record", "registered", "mlflow"}
    assert "lineage.json" in detail(result, "lineage_record")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"schema": "patchae.lineage/1"}'])
def test_the_record_is_gone_or_no_record(built: Built, content: bytes | None) -> None:
    path = built.artifacts / "lineage.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    result = audit(built.material())
    assert "lineage.json" in detail(result, "lineage_record")
    assert set(broken(result)) - {"registered"} == {"lineage_record"}
    assert set(broken(result)) | not_checkable(result) == OF_THE_RECORD | {"lineage_record"}


def test_the_record_is_on_another_model(honest: Built) -> None:
    result = audit(honest.material(model="sample.nut"))
    assert "lineage.json: it is on sample.bolt" in detail(result, "lineage_record")
    assert result.state == "broken"
