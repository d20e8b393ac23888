"""An audit always answers: intact link by link, broken, or not checkable and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from patchae.errors import DataError, StoreUnreachable
from patchae.files import canonical_json
from patchae.lineage.audit import LINKS, Material, Unreachable, audit
from tests.support import ROOT, examples
from tests.support.lineage.answers import (
    OF_THE_LEDGER,
    OF_THE_RECORD,
    broken,
    detail,
    not_checkable,
)
from tests.support.lineage.built import Built
from tests.support.registry.memory import MODEL

DOCS = ROOT / "docs" / "audit.md"
ALL = set(LINKS)


def test_an_honest_version_is_intact_in_every_link(honest: Built) -> None:
    result = audit(honest.material())
    assert [(link.code, link.state) for link in result.links] == [
        (code, "intact") for code in LINKS
    ], broken(result)
    assert result.state == "intact"
    assert detail(result, "ledger_chain") == "5 rows, each following the one before"
    assert detail(result, "champion") == "champion is version 1; previous is none"
    assert detail(result, "manifest").startswith("36 images, class digest ")
    assert detail(result, "data_version").endswith(
        "36 images and 6 masks, all stored;"
        " 18 of 37 objects and the list of the version were read again"
    )
    assert detail(result, "verdict_recomputed").startswith("image AUROC 0.972222 from 12 scores")


def test_an_audit_is_json(honest: Built) -> None:
    content = audit(honest.material()).to_dict()
    assert json.loads(canonical_json(content)) == content
    assert (content["model"], content["version"], content["state"]) == (MODEL, "1", "intact")
    assert content["not_checkable"] == 0
    assert [set(link) for link in content["links"]] == [{"code", "title", "state", "detail"}] * len(
        LINKS
    )


def test_an_audit_changes_nothing(built: Built) -> None:
    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in built.folder.rglob("*") if path.is_file()}

    before = everything()
    audit(built.material())
    assert everything() == before


def test_nothing_can_be_reached(honest: Built) -> None:
    result = audit(Material(MODEL, "1"))
    assert not_checkable(result) == ALL
    assert result.state == "intact"
    assert result.to_dict()["not_checkable"] == len(LINKS)


def test_each_store_takes_only_its_own_links_along(honest: Built) -> None:
    down = Unreachable("no answer")
    for field, codes in (
        ("aliases", {"champion"}),
        ("tags", {"mlflow", "threshold"}),
        ("run", {"mlflow"}),
        ("entries", OF_THE_LEDGER),
        ("artifacts", OF_THE_RECORD | {"lineage_record", "probe"}),
        ("model_folder", {"model_files"}),
        ("listing", {"data_version"}),
        ("stored", {"data_version"}),
        ("states", {"data_version"}),
        ("made", set()),
        ("policy", set()),
    ):
        result = audit(honest.material(**{field: down}))
        assert (field, not_checkable(result)) == (field, codes)
        assert broken(result) == {}
        assert all("no answer" in link.detail for link in result.not_checkable)


def test_a_store_that_fails_while_asked(honest: Built) -> None:
    def silent(_: Any) -> Any:
        raise StoreUnreachable("the bucket does not answer")

    def empty(_: Any) -> Any:
        raise DataError("there is no such data version")

    result = audit(honest.material(listing=silent))
    assert not_checkable(result) == {"data_version"}
    assert detail(result, "data_version") == "the bucket does not answer"
    assert broken(audit(honest.material(listing=empty))) == {
        "data_version": "there is no such data version"
    }


ARTIFACTS = (
    *("lineage.json", "manifest.csv", "validation.json", "scores.csv"),
    *("split.csv", "components.json"),
)


@settings(deadline=None, max_examples=examples(60))
@given(st.data())
def test_any_other_byte_in_any_file_breaks_the_audit(honest: Built, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from((*ARTIFACTS, "../model/MLmodel")))
    path = honest.artifacts / name
    old = path.read_bytes()
    at = data.draw(st.integers(0, len(old) - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    new = old[:at] + byte + old[at + 1 :]
    assume(not _same(name, old, new))
    try:
        path.write_bytes(new)
        assert audit(honest.material()).state == "broken"
    finally:
        path.write_bytes(old)


def _same(name: str, old: bytes, new: bytes) -> bool:
    """The same bytes, or other spaces in JSON, whose digest is over its content."""
    if not name.endswith(".json") or old == new:
        return old == new
    try:
        return bool(json.loads(old) == json.loads(new))
    except ValueError:
        return False


@settings(deadline=None, max_examples=examples(40))
@given(name=st.sampled_from(ARTIFACTS), content=st.binary() | st.text().map(str.encode))
def test_an_audit_answers_whatever_lies_there(honest: Built, name: str, content: bytes) -> None:
    path = honest.artifacts / name
    old = path.read_bytes()
    try:
        path.write_bytes(content)
        result = audit(honest.material())
    finally:
        path.write_bytes(old)
    assert result.state == "broken"
    assert any(name in said for said in broken(result).values())


def test_the_docs_explain_every_link() -> None:
    text = DOCS.read_text()
    for code, (title, _) in LINKS.items():
        assert f"| `{code}` | {title} |" in text
