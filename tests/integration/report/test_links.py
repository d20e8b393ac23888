"""No page links to one that is not there, in whatever order pages are written and removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.dataset.version import pinned_version
from patchae.report.images_page import write_images_page
from patchae.report.site import write_report, write_site
from tests.integration.report.test_site import dead_links
from tests.support.plant import Works, the_works
from tests.unit.report.test_page import Page


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """A project with champions, a line that has no image yet, and no page so far."""
    made = the_works(tmp_path_factory)
    before = dict(made.plant.lines)
    made.plant.lines["mvtec"] = {"classes": ["hazelnut"]}
    made.plant.write_lines()
    shutil.rmtree(made.plant.project.reports, ignore_errors=True)
    yield made
    made.plant.lines = before
    made.plant.write_lines()
    shutil.rmtree(made.plant.project.reports, ignore_errors=True)


def test_any_order_of_commands_leaves_no_dead_link(works: Works) -> None:
    project, tracking, read = works.plant.project, works.tracking(), works.plant.read
    reports = project.reports
    write_report(project, tracking, read("works"))
    assert dead_links(reports) == [], "the report of one line, before there is another"
    shown = Page((reports / "index.html").read_text())
    assert "mvtec" in shown.words, "it is named all the same"

    write_report(project, tracking, read("mvtec"))
    assert dead_links(reports) == []
    assert "mvtec/index.html" in Page((reports / "index.html").read_text()).all("href")

    shutil.rmtree(reports / "works")
    write_report(project, tracking, read("mvtec"))
    assert dead_links(reports) == [], "somebody removed the folder of a line"

    version = pinned_version(project)
    assert version is not None
    write_images_page(project, "works", version, [], {})
    write_report(project, tracking, read("mvtec"))
    assert dead_links(reports) == [], "a folder that holds the page of validation alone"

    write_site(project, tracking)
    assert dead_links(reports) == []
    assert (reports / "works" / "life-lens.html").is_file()

    (reports / "works" / "life-lens.html").unlink()
    write_report(project, tracking, read("mvtec"))
    assert dead_links(reports) == ["index.html: life-lens.html"], "of the page that was not renewed"
    write_report(project, tracking, read("works"))
    assert dead_links(reports) == []


def test_a_line_that_is_gone_leaves_no_dead_link(works: Works) -> None:
    project, tracking = works.plant.project, works.tracking()
    write_site(project, tracking)
    del works.plant.lines["mvtec"]
    works.plant.write_lines()
    write_report(project, tracking, works.plant.read("works"))
    assert dead_links(project.reports) == []
    write_site(project, tracking)
    assert dead_links(project.reports) == []
    assert not (Path(project.reports) / "mvtec").exists()
