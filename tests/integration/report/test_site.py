"""The site as a whole: every link leads somewhere, and it is there in one step."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from patchae.drift import store
from patchae.drift.finding import Drift, Reading
from patchae.files import write_text
from patchae.lineage.last_audit import last_audit, remember
from patchae.lineage.material import Audit, Link
from patchae.predictions.log import PredictionLog
from patchae.predictions.record import Prediction
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.report import LOCK, failures, site
from patchae.report.drift_page import drift_page, write_drift_page
from patchae.report.images_page import images_page, write_images_page
from patchae.report.looks import last_look
from patchae.report.morning import plant
from patchae.report.site import report_path, start_path, write_report, write_site
from tests.support.plant import Plant, Works, the_works
from tests.unit.report.test_page import Page

GENERATOR = '<meta name="generator" content="patchae'


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A project with champions."""
    return the_works(tmp_path_factory)


def dead_links(folder: Path) -> list[str]:
    """Links between the pages of a folder that lead nowhere."""
    pages = {path.resolve(): Page(path.read_text()) for path in folder.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for target in page.all("href"):
            if target.startswith(("data:", "https:")):
                continue
            parts = urlparse(target)
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            fragments = {parts.fragment, unquote(parts.fragment)}
            if there not in pages:
                found.append(f"{path.name}: {target}")
            elif parts.fragment and not fragments & set(pages[there].all("id")):
                found.append(f"{path.name}: {target} (no such part)")
    return found


def test_every_link_of_the_site_leads_to_a_page_and_a_part_of_it(works: Works) -> None:
    found = write_site(works.plant.project, works.tracking())
    folder = works.plant.project.reports
    assert {"works.disc", "works.lens"} <= {model.model for model in found.models}
    assert {path.name for path in folder.glob("*.html")} == {
        "index.html",
        "ledger.html",
        "audits.html",
    }
    assert (folder / "works" / "life-lens.html").is_file()
    assert dead_links(folder) == []


def test_the_audit_of_a_line_is_what_the_start_page_then_shows(works: Works) -> None:
    project = works.plant.project
    write_report(project, works.tracking(), works.plant.read("works"))
    page = Page(start_path(project).read_text())
    assert "Holds" in page.words
    lens = next(model for model in plant(project).models if model.model == "works.lens")
    assert lens.audit is not None
    assert lens.audit.state == "holds"
    assert lens.audit.time is not None
    assert dead_links(project.reports) == []


def test_what_the_line_decided_stands_on_the_start_page(works: Works) -> None:
    project = works.plant.project
    shutil.rmtree(project.predictions, ignore_errors=True)  # what other tests asked
    log = PredictionLog.open(project)
    for number in range(50):
        log.append(
            Prediction(
                datetime.now(UTC), f"{number:064x}", "1.png", "works.lens", "2", 0.6, 0.5,
                number < 5, 9.0, "service",
            )
        )  # fmt: skip
    log.close()
    lens = next(model for model in plant(project).models if model.model == "works.lens")
    assert lens.traffic is not None
    assert (lens.traffic.images, lens.traffic.alarms) == (50, 5)


def test_whoever_serves_the_folder_sees_the_next_report(works: Works, tmp_path: Path) -> None:
    """A server or a mount holds the folder itself, and the folder may be a link to a share."""
    project = works.plant.project
    shutil.rmtree(project.reports, ignore_errors=True)
    share = tmp_path / "share"
    (share / "lost+found").mkdir(parents=True)
    project.reports.symlink_to(share)
    try:
        write_site(project, works.tracking())
        folders = {path: path.stat().st_ino for path in (share, share / "works")}
        first = (share / "index.html").stat().st_ino
        write_site(project, works.tracking())
        assert {path: path.stat().st_ino for path in folders} == folders
        assert (share / "index.html").stat().st_ino != first
        write_report(project, works.tracking(), works.plant.read("works"))
        assert {path: path.stat().st_ino for path in folders} == folders
        assert project.reports.is_symlink()
        assert (share / "lost+found").is_dir()
        assert dead_links(share) == []
    finally:
        project.reports.unlink()


def test_a_look_at_a_folder_does_not_hide_what_cameras_see(tmp_path: Path) -> None:
    project = Project(tmp_path)

    def look(hour: int, *, folder: bool, confirmed: tuple[str, ...] = ()) -> Drift:
        moment = f"2026-11-25T{hour:02d}:00:00+00:00"
        found = Drift("l.a", "2", moment, moment, moment, 240, (), (), (), confirmed, folder=folder)
        return store.save(project, found, [], [])

    named = look(4, folder=True, confirmed=("red",))
    assert store.latest(project, "l.a") == named, "there is no other"
    drifted = look(5, folder=False, confirmed=("brightness",))
    look(6, folder=True)
    shown = last_look(project, "l.a", "a")
    assert shown is not None
    assert shown.drift == drifted


def test_the_last_look_for_drift_is_led_to_and_travels_with_the_site(
    works: Works,
) -> None:
    project = works.plant.project
    image = next((project.data / "lens" / "train" / "good").iterdir())
    reading = Reading("brightness", 0.5, 0.4, -3.2, 1e-7, drifted=True)
    moment = "2026-11-25T05:00:00+00:00"
    looked = store.save(
        project,
        Drift("works.lens", "2", moment, moment, moment, 240, (reading,), (), (), ("brightness",)),
        [image],
        [image],
    )
    write_drift_page(project, looked)
    found = write_site(project, works.tracking())
    assert found.models[0].model == "works.lens"
    assert found.models[0].needs[0].sentence == (
        "Drift: brightness of recent images differs from what version 2 was calibrated on."
    )
    assert dead_links(project.reports) == []
    page = project.reports / "works" / "drift-lens.html"
    assert page.read_bytes() == drift_page(project, looked).read_bytes()
    shutil.rmtree(store.folder_of(project, looked))
    write_site(project, works.tracking())
    assert not page.exists()


def test_a_failed_class_is_named_until_it_is_finished(tmp_path: Path) -> None:
    project = Project(tmp_path)
    failures.remember(project, "hall", {"disc": "no space", "lens": "no images"}, ())
    assert {name: one.why for name, one in failures.failures(project, "hall").items()} == {
        "disc": "no space",
        "lens": "no images",
    }
    failures.remember(project, "hall", {}, ["lens"])
    assert set(failures.failures(project, "hall")) == {"disc"}
    assert failures.failures(project, "yard") == {}


def test_what_others_put_beside_the_pages_stays(works: Works) -> None:
    project = works.plant.project
    images = images_page(project, "works")
    write_text(images, "<p>of validation</p>")
    stale = report_path(project, "works").with_name("life-gone.html")
    write_text(stale, '<meta name="generator" content="patchae">')
    write_site(project, works.tracking())
    assert images.read_text() == "<p>of validation</p>"
    assert "images.html" in Page(report_path(project, "works").read_text()).all("href")
    assert not stale.exists()
    images.unlink()


@pytest.fixture
def hall(tmp_path: Path) -> Plant:
    """A line whose first training failed for one class; of the other one nothing is known yet."""
    made = Plant(tmp_path / "plant")
    made.line("hall", "disc", "lens")
    failures.remember(made.project, "hall", {"disc": "2 images cannot be decoded"}, ())
    return made


def test_classes_of_which_the_ledger_knows_nothing_have_a_page_that_is_led_to(hall: Plant) -> None:
    write_site(hall.project, hall.tracking())
    folder = hall.project.reports
    assert dead_links(folder) == []
    assert (folder / "hall" / "life-disc.html").is_file()
    assert (folder / "hall" / "life-lens.html").is_file()


def test_pages_that_others_made_stay_wherever_they_lie(hall: Plant) -> None:
    other = hall.project.reports / "grafana" / "index.html"
    write_text(other, "<h1>not of patchae</h1>")
    write_site(hall.project, hall.tracking())
    assert other.read_text() == "<h1>not of patchae</h1>"


def test_every_kind_of_page_says_who_made_it(hall: Plant) -> None:
    project, moment = hall.project, "2026-11-25T05:00:00+00:00"
    look = Drift("hall.lens", "1", moment, moment, moment, 240, (), ())
    write_drift_page(project, store.save(project, look, [], []))
    write_images_page(project, "hall", "v", [], {})
    write_site(project, hall.tracking())
    pages = {path.name: path.read_text() for path in project.reports.rglob("*.html")}
    assert {"life-disc.html", "drift-lens.html", "images.html", "ledger.html"} <= set(pages)
    assert [name for name, text in pages.items() if GENERATOR not in text[:2048]] == []
    hall.project.lines_file.write_text("lines:\n  yard:\n    classes: [disc]\n")
    write_site(project, hall.tracking())
    assert not (project.reports / "hall").exists()


def test_what_changes_while_a_report_waits_for_another_stands_on_all_of_its_pages(
    hall: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its audits take a while, and so may whoever writes pages just now."""
    project, ledger = hall.project, hall.ledger
    body = {"to": "1", "from": None, "why": "promoted", "reason": "", "verdict": None}
    ledger.append("move", "hall.lens", body, "ann")
    ledger.append("move", "hall.lens", {**body, "to": "2", "from": "1"}, "ann")
    locked = Project.lock

    def waits(project: Project, name: str, **more: Any) -> Any:
        if name == LOCK:
            back = {**body, "to": "1", "from": "2", "why": "rolled_back"}
            ledger.append("move", "hall.lens", back, "ann")
        return locked(project, name, **more)

    tracking = hall.tracking()
    monkeypatch.setattr(Project, "lock", waits)
    path = write_report(project, tracking, hall.read("hall"))
    assert "Version 1 is deployed." in Page(path.read_text()).words
    assert "Version 1 is live" in Page(path.with_name("life-lens.html").read_text()).words
    assert "version 1" in Page(start_path(project).read_text()).words


def test_a_site_that_cannot_be_made_leaves_the_one_before(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = works.plant.project
    write_site(project, works.tracking())
    before = {path: path.read_bytes() for path in project.reports.rglob("*.html")}

    def full_disk(*_: object) -> dict[str, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site, "_over_all", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_site(project, works.tracking())
    assert {path: path.read_bytes() for path in project.reports.rglob("*.html")} == before
    assert not list(project.reports.glob(".*"))


def test_an_altered_ledger_is_said_on_the_start_page_and_does_not_stop_it(works: Works) -> None:
    from dataclasses import replace

    from patchae.lineage.ledger_view import view

    project = works.plant.project
    book = replace(view(Ledger.of(project)), faults=("row 2: was altered",))
    assert plant(project, book).faults == ("row 2: was altered",)


def test_the_last_audit_is_that_of_its_version(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = Audit("l.a", "1", (Link("split", "No image is in both", "broken", "one is"),))
    second = Audit("l.a", "2", (Link("split", "No image is in both", "intact", ""),))
    moment = datetime(2026, 11, 25, 4, tzinfo=UTC)
    remember(project, first, moment)
    remember(project, second)
    kept = last_audit(project, "l.a", "1")
    assert kept is not None
    assert (kept.audit, kept.time) == (first, moment)
    assert last_audit(project, "l.a", "3") is None
    (file,) = project.state.rglob("1.json")
    file.write_text("{")
    assert last_audit(project, "l.a", "1") is None


def test_a_state_that_cannot_be_written_is_no_reason_for_an_audit_to_fail(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.state.mkdir()
    (project.state / "audits").write_text("a file where the folder belongs")
    remember(project, Audit("l.a", "1", ()))
    assert last_audit(project, "l.a", "1") is None
