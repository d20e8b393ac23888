"""The audit of a real project: MLflow, DVC's remote and the ledger, intact and tampered with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from patchae.dataset.version import listing, pinned_version
from patchae.lineage.audit import LINKS
from patchae.types import DataVersion
from tests.integration.cli.conftest import Command, Told
from tests.support.lineage.forging import flip
from tests.support.plant import Works
from tests.support.registry.memory import move


def answer(told: Told) -> Any:
    """The JSON that ends the output."""
    return json.loads(told.out.splitlines()[-1])


def broken(told: Told) -> list[str]:
    """Codes of the broken links of a single audit."""
    return [link["code"] for link in answer(told)["links"] if link["state"] == "broken"]


def detail(told: Told, code: str) -> str:
    """What was said on one link of a single audit."""
    return next(str(link["detail"]) for link in answer(told)["links"] if link["code"] == code)


@contextmanager
def changed(path: Path) -> Iterator[Path]:
    """A file with another last byte, until the end of the block."""
    whole, mode = path.read_bytes(), path.stat().st_mode
    path.chmod(0o644)  # DVC protects its objects
    flip(path)
    try:
        yield path
    finally:
        path.write_bytes(whole)
        path.chmod(mode)


def stored(works: Works, name: str) -> Path:
    """An object of the remote."""
    (found,) = works.plant.project.dvc_remote.rglob(f"{name[:2]}/{name[2:]}")
    return found


def version_of(run: Command, model: str) -> DataVersion:
    """The data version that a champion was trained on."""
    told = run("audit", model, "--json")
    return DataVersion(detail(told, "data_version").partition(":")[0])


@pytest.fixture
def ledger(works: Works) -> Iterator[Path]:
    """The ledger's file, which is put back."""
    path = works.plant.project.ledger
    whole = path.read_bytes()
    yield path
    path.write_bytes(whole)


def test_a_deep_audit_reads_every_image_of_its_class(run: Command) -> None:
    told = run("audit", "works.lens", "--deep", "--json")
    assert told.code == 0
    assert [link["code"] for link in answer(told)["links"]] == list(LINKS)
    assert {link["state"] for link in answer(told)["links"]} == {"intact"}
    # 27 + 6 + 6 images, and one content for all masks
    assert "40 of 40 objects and the list of the version were read" in detail(told, "data_version")
    plain = run("audit", "works.lens", "--json")
    assert " of 40 objects" in detail(plain, "data_version")
    assert detail(plain, "data_version") != detail(told, "data_version")
    assert plain.out == run("audit", "works.lens", "--json").out


def test_a_byte_of_an_image_in_the_remote(run: Command, works: Works) -> None:
    version = version_of(run, "works.lens")
    path = "lens/train/good/003.png"
    md5 = listing(works.plant.project, version)[path]
    with changed(stored(works, md5)):
        told = run("audit", "works.lens", "--deep", "--json")
        other = run("audit", "works.disc", "--deep", "--json")
    assert (told.code, broken(told)) == (1, ["data_version"])
    assert f"{path}: damaged in the store of the images" in told.err
    assert (other.code, broken(other)) == (0, []), "the class of another model"
    with changed(stored(works, version)):
        told = run("audit", "works.lens", "--json")
    assert (told.code, broken(told)) == (1, ["data_version"])
    assert f"the list of data version {version}: damaged" in told.err
    assert pinned_version(works.plant.project)
    assert run("audit", "works.lens", "--deep").code == 0


def test_a_number_in_mlflow(run: Command, works: Works) -> None:
    tracking = works.tracking()
    run_id = tracking.version("works.disc", "1").run_id
    true = tracking.client.get_run(run_id).data.metrics["recall"]
    now = int(time.time() * 1000)
    tracking.client.log_metric(run_id, "recall", 0.123, timestamp=now + 1)
    told = run("audit", "works.disc", "--json")
    tracking.client.log_metric(run_id, "recall", true, timestamp=now + 2)
    assert broken(told) == ["mlflow"]
    assert f"metric recall of the run: MLflow says 0.123, lineage.json says {true}" in told.err
    assert run("audit", "works.disc").code == 0


def test_a_run_in_the_trash(run: Command, works: Works) -> None:
    tracking = works.tracking()
    run_id = tracking.version("works.disc", "1").run_id
    tracking.client.delete_run(run_id)
    told = run("audit", "works.disc", "--json")
    tracking.client.restore_run(run_id)
    assert "MLflow no longer has the run of version 1" in detail(told, "mlflow")
    assert run("audit", "works.disc").code == 0


def test_what_was_in_use_at_a_time(run: Command) -> None:
    first, second = answer(run("history", "works.lens", "--json"))["moves"][:2]
    told = run("audit", "works.lens", "--at", first["time"], "--json")
    assert (told.code, answer(told)["version"]) == (0, "1")
    assert detail(told, "champion").startswith("champion at ")
    assert "now champion is version 2" in detail(told, "champion")
    later = run("audit", "works.lens@previous", "--at", second["time"], "--json")
    assert (later.code, answer(later)["version"]) == (0, "1")
    before = run("audit", "works.lens", "--at", "2020-01-01")
    assert (before.code, "has no champion at 2020" in before.err) == (2, True)
    for name in ("works.lens/1", "works.lens@shadow"):
        told = run("audit", name, "--at", first["time"])
        assert (told.code, "at a time is not recorded" in told.err) == (2, True)
    assert run("audit", "works.lens", "--at", "March").code == 2
    everything = answer(run("audit", "--all", "--at", first["time"], "--json"))
    assert ("works.lens", "1") in [(one["model"], one["version"]) for one in everything]


def test_an_anchor_and_keys_are_asked_for(run: Command, tmp_path: Path) -> None:
    anchor = run("ledger", "anchor").out.strip()
    held = run("audit", "works.disc", "--anchor", anchor, "--json")
    assert held.code == 0
    assert "is the one noted elsewhere" in detail(held, "ledger_chain")
    seq = anchor.partition(":")[0]
    other = run("audit", "works.disc", "--anchor", f"{seq}:{'a' * 64}", "--json")
    assert (other.code, broken(other)) == (1, ["ledger_chain"])
    key = answer(run("ledger", "keygen", str(tmp_path / "key"), "--json"))["public"]
    unsigned = run("audit", "works.disc", "--key", key, "--json")
    assert broken(unsigned) == ["ledger_chain"]
    assert "the newest row is not signed" in unsigned.err
    assert run("audit", "works.disc", "--anchor", "seven").code == 2
    assert run("audit", "works.disc", "--key", str(tmp_path / "key")).code == 2


def test_a_policy_may_change(run: Command, works: Works) -> None:
    works.plant.gates("works", min_image_auroc=0.65)
    try:
        told = run("audit", "works.disc", "--json")
    finally:
        works.plant.gates("works")
    assert told.code == 0
    assert detail(told, "verdict").endswith(
        "; lines.yaml has another policy now: min_image_auroc 0.65 instead of 0.6"
    )


class TestAll:
    """`patchae audit --all` answers for every champion, whatever one of them is like."""

    def test_all_are_intact(self, run: Command) -> None:
        told = run("audit", "--all", "--json")
        assert told.code == 0
        assert [(one["model"], one["version"]) for one in answer(told)] == [
            ("works.disc", "1"),
            ("works.lens", "2"),
        ]
        assert told.out.splitlines()[-2] == "2 champions: 2 intact, 0 broken"

    def test_one_is_broken(self, run: Command, works: Works) -> None:
        tracking = works.tracking()
        folder = tracking.model_folder(tracking.version("works.disc", "1"))
        with changed(folder / "MLmodel"):
            told = run("audit", "--all", "--json")
        assert told.code == 1
        assert "1 of 2 champions are broken: works.disc/1 (model_files)" in told.err
        assert [one["state"] for one in answer(told)] == ["broken", "intact"]
        assert told.out.splitlines()[-2] == "2 champions: 1 intact, 1 broken"

    @pytest.mark.usefixtures("ledger")
    def test_one_is_gone_from_mlflow(self, run: Command, works: Works) -> None:
        works.plant.ledger.append("move", "works.ghost", move("3"), "tester")
        told = run("audit", "--all", "--json")
        assert told.code == 1
        by_model = {one["model"]: one for one in answer(told)}
        assert by_model["works.ghost"]["state"] == "broken"
        states = {link["code"]: link["state"] for link in by_model["works.ghost"]["links"]}
        assert (states["mlflow"], states["lineage_record"]) == ("broken", "broken")
        assert by_model["works.lens"]["state"] == "intact"
        alone = run("audit", "works.ghost")
        assert (alone.code, "MLflow no longer has version 3" in alone.err) == (1, True)

    def test_one_was_made_champion_in_mlflow_alone(self, run: Command, works: Works) -> None:
        tracking = works.tracking()
        client, lens = tracking.client, tracking.version("works.lens", "1")
        works.plant.lines["works"]["classes"].append("lid")
        works.plant.write_lines()
        client.create_registered_model("works.lid")
        try:
            client.create_model_version("works.lid", lens.source, lens.run_id)
            tracking.aliases.set("works.lid", "champion", "1")
            told = run("audit", "--all", "--json")
        finally:
            client.delete_registered_model("works.lid")
            works.plant.lines["works"]["classes"].remove("lid")
            works.plant.write_lines()
        assert told.code == 1
        lid = next(one for one in answer(told) if one["model"] == "works.lid")
        states = {link["code"]: link["state"] for link in lid["links"]}
        assert {states[code] for code in ("champion", "registered", "verdict")} == {"broken"}

    @pytest.mark.parametrize("words", [(), ("works.disc", "--all")])
    def test_it_is_all_or_one(self, run: Command, words: tuple[str, ...]) -> None:
        told = run("audit", *words)
        assert (told.code, "name a model, or ask for all of them" in told.err) == (2, True)
