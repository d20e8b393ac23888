"""The pages in a real browser: on a phone, on a desk, in the dark of a hall, and on paper."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from patchae.report import page as line_page
from patchae.report.life import life_of, render
from patchae.report.start import audits_page, ledger_page, start_page
from tests.report.browser import Browser, chromium
from tests.report.test_life import STORY
from tests.report.test_now import DRIFTED, NOW, audit, week
from tests.report.test_page import FULL as LINE
from tests.report.test_start import FULL, hostile

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


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_and_nothing_is_too_small(
    browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES[name])
    found = browser.look(path, width)
    assert found["out"] == []
    assert found["wide"] <= width
    assert found["small"] == []
    assert found["loaded"]


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
    with Image.open(browser.picture(path, 1280, 1600)) as image:
        seen = {colour for _, colour in image.convert("RGB").getcolors(2**24) or ()}
    light = PAGES["start"].partition("@media screen")[0]
    named = dict(re.findall(r"--([\w-]+): #(\w{6});", light))
    for name in ("promoted-wash", "held-wash", "rejected-wash", "good", "defect"):
        assert tuple(bytes.fromhex(named[name])) in seen, name
