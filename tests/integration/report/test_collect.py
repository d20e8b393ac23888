"""The report says what the ledger, MLflow and the audit say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.report.collect import audited, line_report
from patchae.report.content import ClassReport, LineReport
from tests.support.plant import Works, the_works


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A project with champions."""
    return the_works(tmp_path_factory)


def report(works: Works, failed: dict[str, str] | None = None) -> LineReport:
    """The report of the line as it stands."""
    project, line, classes = works.plant.project, works.plant.read("works"), ["disc", "lens"]
    tracking = works.tracking()
    audits = audited(project, tracking, line, classes)
    return line_report(project, tracking, line, classes, failed, audits=audits)


def lens(works: Works) -> ClassReport:
    """The part on the class that was retrained."""
    return report(works).classes[1]


def test_the_champion_and_how_it_became_one(works: Works) -> None:
    found = lens(works)
    assert (found.model, found.champion) == ("works.lens", "2")
    assert [(move.before, move.to) for move in found.history] == [("1", "2"), (None, "1")]
    assert found.champion_since == found.history[0].time
    assert found.candidate is not None
    assert (found.candidate.version, found.candidate.outcome) == ("2", "promote")
    assert found.champion_report is None  # the candidate is the champion


def test_the_evidence_is_that_of_the_run(works: Works) -> None:
    found = lens(works).candidate
    assert found is not None
    assert (found.n_good, found.n_defect) == (6, 6)
    assert len(found.scores) == 12
    assert {score.path for score in found.scores} >= {item.score.path for item in found.maps}
    half = len(found.maps) / 2
    assert [item.rank for item in found.maps] == [
        "worst" if number < half else "best" for number in range(len(found.maps))
    ]
    assert found.lineage is not None
    assert found.lineage.train_good == 27


def test_the_audit_stands_beside_its_champion(works: Works) -> None:
    audit = lens(works).audit
    assert audit is not None
    assert audit.version == "2"
    assert {link.state for link in audit.links} == {"holds"}
    assert audit.time is not None


def test_why_a_class_failed_stands_with_what_it_still_has(works: Works) -> None:
    disc = report(works, {"disc": "a truncated image"}).classes[0]
    assert (disc.failed, disc.champion) == ("a truncated image", "1")


def test_a_class_that_was_never_judged_is_there_all_the_same(works: Works) -> None:
    line = works.plant.read("works")
    found = line_report(works.plant.project, works.tracking(), line, ["wheel"]).classes[0]
    assert (found.champion, found.candidate, found.audit, found.history) == (None, None, None, ())


@pytest.fixture
def scores(works: Works) -> Iterator[Path]:
    tracking = works.tracking()
    path = tracking.artifacts(tracking.version("works.lens", "2")) / "scores.csv"
    whole = path.read_bytes()
    yield path
    path.write_bytes(whole)


@pytest.mark.parametrize("content", [b"", b"path\n", b"\xff\xfe"])
def test_damaged_artifacts_leave_a_report_whose_audit_says_so(
    works: Works, scores: Path, content: bytes
) -> None:
    scores.write_bytes(content)
    found = lens(works)
    assert found.candidate is None
    assert (found.state, found.unread and found.unread.version) == ("promoted", "2")
    assert found.audit is not None
    assert "broken" in {link.state for link in found.audit.links}
