"""Names of models, and an audit that fetches everything by itself."""

from __future__ import annotations

import pytest

from patchae.errors import UsageError
from patchae.lineage.audit import LINKS
from patchae.lineage.gather import audit_all, audit_model
from patchae.lineage.naming import resolve
from tests.support.plant import Works, the_works


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A project with champions."""
    return the_works(tmp_path_factory)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("works.lens", ("works.lens", "2", "champion")),
        ("works.lens/1", ("works.lens", "1", None)),
        ("works.lens@champion", ("works.lens", "2", "champion")),
        ("works.lens@previous", ("works.lens", "1", "previous")),
    ],
)
def test_a_name_stands_for_a_version(
    works: Works, name: str, expected: tuple[str, str, str | None]
) -> None:
    assert resolve(works.plant.project, works.tracking(), name) == expected


def test_an_alias_of_somebody_elses_is_asked_of_mlflow(works: Works) -> None:
    tracking = works.tracking()
    tracking.aliases.set("works.lens", "shadow", "1")
    found = resolve(works.plant.project, tracking, "works.lens@shadow")
    tracking.aliases.delete("works.lens", "shadow")
    assert found == ("works.lens", "1", "shadow")


def test_the_ledger_not_mlflow_says_who_is_champion(works: Works) -> None:
    tracking = works.tracking()
    tracking.aliases.set("works.lens", "champion", "1")
    found = resolve(works.plant.project, tracking, "works.lens")
    audit = audit_model(works.plant.project, tracking, "works.lens")
    tracking.aliases.set("works.lens", "champion", "2")
    assert found[1] == "2"
    assert [link.code for link in audit.broken] == ["champion"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("works.lens@nobody", "has no nobody"),
        ("works.disc@previous", "has no previous"),
        ("works.wheel", "no model is called"),
        ("works.lens/", "not the name of a model"),
        ("works.lens/two", "not the name of a model"),
        ("works.lens@a@b", "not the name of a model"),
        ("", "not the name of a model"),
    ],
)
def test_a_name_behind_which_nothing_stands(works: Works, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(works.plant.project, works.tracking(), name)


def test_a_line_of_all_classes_has_each_of_them(works: Works) -> None:
    plant = works.plant
    named = plant.project.lines_file.read_text()
    try:
        plant.lines["works"]["classes"] = "all"
        plant.write_lines()
        found = {audit.model: audit for audit in audit_all(plant.project, works.tracking())}
        link = next(link for link in found["works.lens"].links if link.code == "verdict")
    finally:
        plant.lines["works"]["classes"] = ["disc", "lens"]
        plant.project.lines_file.write_text(named)
    assert sorted(found) == ["works.disc", "works.lens"]
    assert link.state == "intact"
    assert "no longer has" not in link.detail


@pytest.mark.parametrize("name", ["works.disc", "works.lens/1", "works.lens/2"])
def test_every_link_of_every_version_is_intact(works: Works, name: str) -> None:
    audit = audit_model(works.plant.project, works.tracking(), name)
    assert [link.code for link in audit.links] == list(LINKS)
    assert {link.code: link.detail for link in audit.links if link.state != "intact"} == {}
