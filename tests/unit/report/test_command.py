"""The command `patchae report`: for one line and for all."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from patchae.cli import app
from patchae.errors import UsageError
from tests.support.plant import Works, the_works
from tests.unit.test_docs import check_json


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Works:
    """A project with champions, and somebody in its folder."""
    found = the_works(tmp_path_factory)
    monkeypatch.chdir(found.plant.project.root)
    return found


@pytest.mark.parametrize(
    ("words", "line"), [((), None), (("--audit",), None), (("works",), "works")]
)
def test_it_says_where_the_site_begins(works: Works, words: tuple[str, ...], line: str) -> None:
    done = CliRunner().invoke(app, ["report", *words, "--json"])
    assert done.exit_code == 0, done.output
    value = json.loads(done.output.splitlines()[-1])
    check_json("report", value)
    reports = works.plant.project.reports
    assert value["line"] == line
    assert value["report"] == str((reports / line if line else reports) / "index.html")
    assert (reports / "index.html").is_file()


def test_one_line_and_all_audits_exclude_each_other(works: Works) -> None:
    done = CliRunner().invoke(app, ["report", "works", "--audit"])
    assert isinstance(done.exception, UsageError)
    assert "patchae report works" in str(done.exception.mend)


def test_a_line_that_does_not_exist_is_named(works: Works) -> None:
    done = CliRunner().invoke(app, ["report", "nowhere"])
    assert isinstance(done.exception, UsageError)
    assert "nowhere" in done.exception.what
