"""The verdict: from today's evidence, never twice on the same, never against a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from patchae.errors import AliasMoved, AuditBroken, ConfigError
from patchae.files import sha256_bytes
from patchae.registry.alignment import put_back
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.loading import WEIGHTS_FOLDER
from patchae.registry.promotion import promote, retire, rollback
from patchae.registry.verdict import rival_scores_file
from patchae.steps import decide
from patchae.steps.decide import decide_class
from patchae.steps.enrol import enrol_class
from patchae.types import DataVersion, TrainingKey
from tests.support import clean
from tests.support.plant import GATES, Plant, Works, learned
from tests.support.registry.memory import move


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A project with champions, in which tests leave tags that no audit would accept."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        made = Works(Plant(tmp_path_factory.mktemp("decide") / "plant"))
        made.train()
        return made


@pytest.fixture
def works(own: Works) -> Iterator[Works]:
    """The project; its ledger and aliases are put back."""
    made = own
    aliases = made.tracking().aliases
    standing = aliases.get("works.lens")
    before = made.plant.project.ledger.read_bytes()
    lines = made.plant.project.lines_file.read_text()
    yield made
    made.plant.project.ledger.write_bytes(before)
    made.plant.project.lines_file.write_text(lines)
    made.plant.lines["works"]["gates"] = GATES
    for alias, version in standing.items():
        aliases.set("works.lens", alias, version)


def test_a_number_that_mlflow_gives_again_inherits_no_verdict(works: Works) -> None:
    """MLflow was restored from a backup of the time before version 3, of which the rows are."""
    tracking, ledger = works.tracking(), works.plant.ledger
    two, key = tracking.version("works.lens", "2"), TrainingKey("9" * 64)
    lost = {"run_id": "1" * 32, "training_key": "1" * 64, "lineage_sha256": "1" * 64}
    ledger.append("registered", "works.lens", {**lost, "version": "3"}, "ann")
    verdict = works.plant.verdicts("works.lens")[-1].body
    ledger.append("verdict", "works.lens", {**verdict, "version": "3"}, "ann")
    job = replace(learned(works.plant.project, "works", "lens"), key=key)
    given = {"name": "works.lens", "source": two.source, "run_id": two.run_id}
    given["tags"] = {**two.tags, "patchae.training_key": key}
    client, rows = tracking.client, ledger.entries()
    assert client.create_model_version(**given).version == 3
    with pytest.raises(AuditBroken, match=f"version 3 .* is {two.run_id}, row .* says 1111"):
        enrol_class(job, tracking, ledger)
    assert ledger.entries() == rows
    client.delete_model_version("works.lens", "3")
    assert client.create_model_version(**given).version == 4, "as the message says"
    assert enrol_class(job, tracking, ledger).version == "4"
    client.delete_model_version("works.lens", "4")


def test_the_champions_scores_are_kept_with_their_digest(works: Works) -> None:
    tracking = works.tracking()
    verdict = works.plant.verdicts("works.lens")[-1]
    assert verdict.body["champion"] == "1"
    assert (
        verdict.body["data_version"]
        == tracking.version("works.lens", "2").tags["patchae.data_version"]
    )
    folder = tracking.artifacts(tracking.version("works.lens", "2"))
    digest = verdict.body["champion_scores_sha256"]
    assert digest == sha256_bytes((folder / rival_scores_file("1", digest)).read_bytes())
    assert verdict.body["scores_sha256"] == sha256_bytes((folder / "scores.csv").read_bytes())


def test_versions_lead_to_their_rows_and_know_their_other_seeds(works: Works) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    rows = {row.seq: row for row in ledger.entries("works.lens")}
    for number in ("1", "2"):
        tags = tracking.version("works.lens", number).tags
        for name, kind in (("registered", "registered"), ("verdict", "verdict")):
            seq, _, digest = tags[f"patchae.ledger_{name}"].partition(":")
            row = rows[int(seq)]
            assert (row.kind, row.digest, row.body["version"]) == (kind, digest, number)
    version = tracking.version("works.lens", "2")
    assert list(tracking.seeds(version)) == ["0"]
    assert works.plant.verdicts("works.lens")[-1].body["evidence"]["seeds"] == tracking.seeds(
        version
    )


def test_the_champion_keeps_its_verdict_whatever_the_gates_say_later(works: Works) -> None:
    rows = works.plant.ledger.entries()
    works.plant.gates("works", min_test_good=1000)
    job, tracking = learned(works.plant.project, "works", "disc"), works.tracking()
    version = tracking.version("works.disc", "1")
    verdict = decide_class(job, version, tracking, works.plant.ledger)
    assert verdict == works.plant.verdicts("works.disc")[-1]
    assert works.plant.ledger.entries() == rows


def test_an_alias_that_somebody_moved_in_mlflow_is_told_and_left_where_it_is(works: Works) -> None:
    job, tracking = learned(works.plant.project, "works", "lens"), works.tracking()
    version, ledger = tracking.version("works.lens", "2"), works.plant.ledger
    tracking.aliases.set("works.lens", "champion", "1")
    tracking.aliases.set("works.lens", "mine", "1")
    with pytest.raises(AliasMoved, match="champion is version 1 in MLflow and version 2 in the"):
        decide_class(job, version, tracking, ledger)
    assert tracking.aliases.get("works.lens") == {"champion": "1", "previous": "1", "mine": "1"}
    put_back(ledger, tracking.aliases, "works.lens", actor="ann", reason="a test")
    decide_class(job, version, tracking, ledger)
    assert tracking.aliases.get("works.lens") == {"champion": "2", "previous": "1", "mine": "1"}
    tracking.aliases.delete("works.lens", "mine")


def test_a_champion_that_cannot_be_read_holds_the_challenger_until_it_can(works: Works) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    folder = tracking.model_folder(tracking.version("works.lens", "2"))
    facts = folder / WEIGHTS_FOLDER / "model.json"
    whole = facts.read_text()
    works.plant.gates("works", max_drop=0.34)
    job = learned(works.plant.project, "works", "lens")
    version = tracking.version("works.lens", "1")
    try:
        facts.write_text(whole.replace("patchae.model/", "patchae.model/0"))
        row = decide_class(job, version, tracking, ledger)
        assert decide_class(job, version, tracking, ledger) == row, "nothing new, and no new row"
    finally:
        facts.write_text(whole)
    assert (row.body["outcome"], row.body["champion"]) == ("hold", "2")
    assert row.body["reasons"] == ["champion_not_comparable"]
    assert row.body["evidence"]["champion"]["problem"]
    assert row.body["champion_scores_sha256"] is None
    assert ledger.entries()[-1] == row
    again = decide_class(job, version, tracking, ledger)
    assert (again.seq, again.body["outcome"]) == (row.seq + 1, "promote")
    assert tracking.aliases.get("works.lens") == {"champion": "1", "previous": "2"}
    assert decide_class(job, version, tracking, ledger) == again


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_a_device_that_is_not_there_is_no_evidence_against_the_champion(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    works.plant.gates("works", max_drop=0.32)
    job = learned(works.plant.project, "works", "lens")
    rows = ledger.entries()
    monkeypatch.setenv("PATCHAE_DEVICE", "cuda")
    with pytest.raises(ConfigError, match="no CUDA device"):
        decide_class(job, tracking.version("works.lens", "1"), tracking, ledger)
    assert ledger.entries() == rows


def test_a_champion_that_was_deleted_in_mlflow_holds_the_challenger(works: Works) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    job = learned(works.plant.project, "works", "lens")
    ledger.append("move", "works.lens", move("9", **{"from": "2"}), "ann")
    row = decide_class(job, tracking.version("works.lens", "2"), tracking, ledger)
    assert tracking.aliases.get("works.lens") == {"previous": "2"}
    assert (row.body["outcome"], row.body["champion"]) == ("hold", "9")
    assert row.body["evidence"]["champion"]["problem"] == "it is no longer in MLflow"


def test_a_retired_version_is_judged_and_never_moved_to(works: Works) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    version = tracking.version("works.lens", "2")
    rollback(ledger, tracking.aliases, "works.lens", actor="ann", reason="r")
    retire(ledger, "works.lens", "2", actor="ann", reason="r")
    works.plant.gates("works", max_drop=0.4)
    job = learned(works.plant.project, "works", "lens")
    row = decide_class(job, version, tracking, ledger)
    assert (row.body["outcome"], row.body["champion"]) == ("promote", "1")
    assert tracking.aliases.get("works.lens") == {"champion": "1"}


def test_a_model_of_older_images_does_not_replace_one_of_newer_ones(works: Works) -> None:
    tracking, log = works.tracking(), works.plant.project.versions
    whole = log.read_text()
    works.plant.gates("works", max_drop=0.33)
    older = DataVersion("0" * 32 + ".dir")
    job = replace(learned(works.plant.project, "works", "lens"), data_version=older)
    note = {"version": older, "made": "2021-01-01T00:00:00+00:00", "files": 1, "bytes": 1}
    try:
        log.write_text(json.dumps(note) + "\n" + whole)
        row = decide_class(job, tracking.version("works.lens", "1"), tracking, works.plant.ledger)
    finally:
        log.write_text(whole)
    assert (row.body["outcome"], row.body["reasons"]) == ("reject", ["older_data"])


def test_newer_images_that_a_worker_was_sent_before_protect_the_champion_all_the_same(
    works: Works,
) -> None:
    """The log that travelled with the run does not know the champion's data version yet."""
    row = as_sent_before(works, works.plant.ledger, max_drop=0.325)
    assert (row.body["outcome"], row.body["reasons"]) == ("reject", ["older_data"])
    made = works.plant.verdicts("works.lens")[1].body["evidence"]["data_recorded"]
    assert row.body["evidence"]["champion"]["data_recorded"] == made


def test_a_champion_of_images_that_nobody_noted_does_not_stop_every_other_model(
    works: Works,
) -> None:
    """Its verdict was given where no log was, so that nothing says which images came first."""
    ledger = works.plant.ledger
    verdict = works.plant.verdicts("works.lens")[1].body
    unknown = verdict | {"evidence": verdict["evidence"] | {"data_recorded": None}}
    works.plant.project.ledger.unlink()
    ledger.append("move", "works.lens", move("1"), "ann")
    ledger.append("verdict", "works.lens", unknown, "ann")
    ledger.append("move", "works.lens", move("2", **{"from": "1"}), "ann")
    row = as_sent_before(works, ledger, max_drop=0.326)
    assert row.body["evidence"]["champion"]["data_recorded"] is None
    assert (row.body["outcome"], row.body["champion"]) == ("promote", "2")


def as_sent_before(works: Works, ledger: Ledger, **gates: float) -> Entry:
    """The verdict on version 1 where the log knows of older images alone."""
    works.plant.gates("works", **gates)
    older, log = DataVersion("0" * 32 + ".dir"), works.plant.project.versions
    job = replace(learned(works.plant.project, "works", "lens"), data_version=older)
    note = {"version": older, "made": "2021-01-01T00:00:00+00:00", "files": 1, "bytes": 1}
    whole, tracking = log.read_text(), works.tracking()
    try:
        log.write_text(json.dumps(note) + "\n")
        return decide_class(job, tracking.version("works.lens", "1"), tracking, ledger)
    finally:
        log.write_text(whole)


def test_a_former_champion_that_was_replaced_is_judged_against_the_new_one(works: Works) -> None:
    ledger: Ledger = works.plant.ledger
    tracking = works.tracking()
    version = tracking.version("works.lens", "1")
    works.plant.gates("works", min_test_good=1000)
    job = learned(works.plant.project, "works", "lens")
    again = decide_class(job, version, tracking, ledger)
    assert (again.body["outcome"], again.body["champion"]) == ("hold", "2")
    assert tracking.aliases.get("works.lens") == {"champion": "2", "previous": "1"}


def test_a_verdict_that_another_worker_has_acted_upon_is_no_failure(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, ledger = works.tracking(), works.plant.ledger
    works.plant.gates("works", max_drop=0.4)
    job = learned(works.plant.project, "works", "lens")
    asked = []

    def too_late(*arguments: Any, **words: Any) -> None:
        asked.append(words["verdict"])
        promote(*arguments, **words)  # the other one, an instant before
        promote(*arguments, **words)

    monkeypatch.setattr(decide, "promote", too_late)
    verdict = decide_class(job, tracking.version("works.lens", "1"), tracking, ledger)
    assert verdict.body["outcome"] == "promote"
    assert asked == [verdict]
    assert tracking.aliases.get("works.lens")["champion"] == "1"
    assert works.plant.moves("works.lens")[-1] == ("2", "1")
