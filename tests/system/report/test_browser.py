"""The pages in a real browser: on a phone, on a desk, in the dark of a hall, and on paper."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from patchae.drift import store
from patchae.drift.finding import Drift, Reading
from patchae.project import Project
from patchae.report import page as line_page
from patchae.report.drift_page import write_drift_page
from patchae.report.images_page import write_images_page
from patchae.report.life import life_of, render
from patchae.report.start import audits_page, ledger_page, start_page
from tests.integration.validation.gallery import GALLERY, sound
from tests.integration.validation.test_gallery import FIRST, checked
from tests.support import write_image
from tests.support.browser import Browser, chromium
from tests.unit.report.test_life import STORY
from tests.unit.report.test_now import DRIFTED, NOW, audit, week
from tests.unit.report.test_page import FULL as LINE
from tests.unit.report.test_start import FULL, hostile

LONG = "a-class-with-a-name-that-nobody-would-give-to-a-part_" * 2


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """One browser for all tests of this file."""
    return chromium(tmp_path_factory.mktemp("browser"))


def pages() -> dict[str, str]:
    """Every page of the site, with all that can stand in it."""
    full = replace(DRIFTED, model="l.a", traffic=week(NOW), audit=audit("broken"))
    long = replace(FULL.models[0], class_name=LONG, model=f"hall.{LONG}")
    life = life_of("l.a", STORY, NOW)
    return {
        "start": start_page(replace(FULL, models=(long, *FULL.models))),
        "hostile": start_page(hostile()),
        "ledger": ledger_page(FULL, STORY),
        "audits": audits_page(FULL),
        "life": render(life, "index.html", full, home=True),
        "line": line_page.render(LINE, home=True),
    }


PAGES = pages()


WIDTHS = pytest.mark.parametrize("width", [320, 390, 820, 1280])


def fits(browser: Browser, path: Path, width: int) -> None:
    """Nothing stands out of the window, nothing is too small to read, every picture is there."""
    found = browser.look(path, width)
    assert found["out"] == []
    assert found["wide"] <= width
    assert found["small"] == []
    assert found["loaded"]


@WIDTHS
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_and_nothing_is_too_small(
    browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES[name])
    fits(browser, path, width)


@WIDTHS
def test_the_page_of_a_look_for_drift_fits(browser: Browser, project: Project, width: int) -> None:
    image = project.root / "part.png"
    write_image(image, 3, side=96)
    names = ("brightness", "contrast", "shift_x", "embedding", "alarms")
    readings = tuple(Reading(name, 0.5, 0.4, -3.2, 1e-7, drifted=True) for name in names)
    moment = "2026-11-25T05:00:00+00:00"
    found = store.save(
        project,
        Drift("hall.disc", "2", moment, moment, moment, 240, readings, (), (), names),
        [image] * 9,
        [image],
    )
    fits(browser, write_drift_page(project, found), width)


@WIDTHS
def test_the_page_of_validation_fits(browser: Browser, project: Project, width: int) -> None:
    folder = project.data / "bolt"
    sound(folder)
    GALLERY["a test image among the training images"].damage(folder)
    page = write_images_page(project, "caps", FIRST, [checked(folder)], {"nut": "is not there"})
    text = page.read_text().replace("<details>", "<details open>")
    page.write_text(text)
    fits(browser, page, width)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a_sheet_of_a4(browser: Browser, tmp_path: Path, name: str) -> None:
    path = tmp_path / "page.html"
    as_printed = PAGES[name].replace("@media print", "@media all")
    path.write_text(re.sub(r"@media screen and \([^)]*\)", "@media tty", as_printed))
    found = browser.look(path, 718)  # 210 mm less margins of 10 mm
    assert found["out"] == []
    assert found["wide"] <= 718


@pytest.mark.parametrize("name", PAGES)
def test_it_prints(browser: Browser, tmp_path: Path, name: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES[name])
    pdf = browser.printed(path)
    assert pdf.startswith(b"%PDF")
    assert re.search(rb"/Type\s*/Page\b", pdf)


def test_the_states_show_their_colours(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES["start"])
    with Image.open(browser.picture(path, 1280, 4000)) as image:
        seen = {colour for _, colour in image.convert("RGB").getcolors(2**24) or ()}
    light = PAGES["start"].partition("@media screen")[0]
    named = dict(re.findall(r"--([\w-]+): #(\w{6});", light))
    for name in ("promoted-wash", "held-wash", "rejected-wash", "good", "defect"):
        assert tuple(bytes.fromhex(named[name])) in seen, name
