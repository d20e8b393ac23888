"""The pages over all lines tell everything, load nothing, and escape what they are given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from patchae.report.life import life_of, render
from patchae.report.now import Failure, Judged, Looked, Now, Plant, in_order
from patchae.report.start import audits_page, ledger_page, start_page
from tests.unit.report.test_life import STORY
from tests.unit.report.test_now import (
    BROKEN,
    CALM,
    DRIFTED,
    FAILED,
    HELD,
    NOTHING,
    NOW,
    REJECTED,
    SILENT,
    audit,
    look,
    of_folder,
    week,
)
from tests.unit.report.test_page import HOSTILE, Page


def plant(*models: Now, **other: Any) -> Plant:
    return replace(
        Plant(NOW, in_order(list(models)), ("hall",), "1f" * 16 + ".dir", "0.1.0", 812, ()), **other
    )


def named(**models: Now) -> list[Now]:
    return [replace(now, class_name=name, model=f"hall.{name}") for name, now in models.items()]


FULL = plant(
    *named(
        broken=BROKEN,
        nothing=NOTHING,
        drifted=replace(DRIFTED, traffic=week(NOW)),
        failed=FAILED,
        rejected=REJECTED,
        held=HELD,
        silent=SILENT,
        calm=replace(CALM, audit=audit("holds"), looked=look(score=False), traffic=week(NOW)),
        new=Now("hall", "new", "hall.new", NOW),
    )
)


def test_every_class_is_there_and_what_it_needs_in_words() -> None:
    page = Page(start_page(FULL))
    for now in FULL.models:
        assert now.class_name in page.words
        for need in now.needs:
            assert need.sentence in page.words
    assert "7 of 9 classes need attention." in page.words
    assert page.words.index("hall / broken") < page.words.index("hall / drifted")
    assert page.words.index("hall / drifted") < page.words.index("hall / silent")
    assert "hall / calm" not in page.words


def test_every_class_leads_to_its_page_its_evidence_and_its_audit() -> None:
    found = set(Page(start_page(FULL)).all("href"))
    for now in FULL.models:
        assert f"hall/life-{now.class_name}.html" in found
        if now.judged and not now.failure:
            assert f"hall/index.html#class-{now.class_name}" in found
        assert (f"audits.html#hall.{now.class_name}" in found) == (now.champion is not None)
    assert {"hall/index.html", "ledger.html", "audits.html"} <= found


def test_what_is_not_known_is_said_calmly() -> None:
    page = Page(start_page(plant(CALM)))
    assert "Nothing needs attention." in page.words
    assert "no decisions logged" in page.words
    assert "Not looked at" in page.words
    assert "Not audited" in page.words
    assert "What needs attention" not in page.words
    assert "No line has a class yet." in Page(start_page(plant())).words


def test_numbers_carry_how_many_images_they_are_of() -> None:
    page = Page(start_page(FULL))
    assert "2.0% of 700 images" in page.words
    assert "2,100 images, 42 alarms" in page.words


def test_a_chain_that_does_not_hold_comes_before_all_else() -> None:
    page = Page(start_page(replace(FULL, faults=("row 7: altered", "row 9: altered"))))
    told = "Its chain does not hold: row 7: altered; and 1 fault more."
    assert page.words.index(told) < page.words.index("hall / broken")


def test_a_log_that_cannot_be_read_does_not_hide_the_rest() -> None:
    page = Page(start_page(plant(CALM, unread=("The log of decisions cannot be read: no S3.",))))
    assert "The log of decisions cannot be read: no S3." in page.words
    assert "version 3" in page.words


def test_the_audits_are_shown_as_last_made_with_the_command_that_proves_them() -> None:
    page = Page(audits_page(FULL))
    assert "2026-11-25 01:30 UTC" in page.words
    assert "patchae audit hall.calm/3" in page.words
    assert "Broken: The files (gone)" in page.words
    assert page.words.index("hall.broken") < page.words.index("hall.held")  # never audited
    assert page.words.index("hall.held") < page.words.index("hall.calm")
    assert "hall.nothing" not in page.words


def test_the_ledger_is_shown_newest_first_with_where_each_row_leads() -> None:
    known = replace(CALM, line="l", class_name="a", model="l.a")
    page = Page(ledger_page(plant(known), STORY))
    assert page.words.index("Retired") < page.words.index("Rolled back to")
    assert "l/life-a.html" in page.all("href")
    assert "<b>false</b> alarms" in page.words
    broken = Page(ledger_page(plant(known, faults=("row 2: altered",)), STORY))
    assert "What does not hold" in broken.words
    assert "row 2: altered" in broken.words


def test_the_page_of_a_model_says_how_it_stands() -> None:
    now = replace(DRIFTED, audit=audit("holds"), traffic=week(NOW), line="l", class_name="a")
    life = life_of("l.a", STORY, NOW)
    page = Page(render(life, "index.html", replace(now, model="l.a"), home=True))
    assert "700 images judged, 14 alarms: 2.0%" in page.words
    assert "2026-11-25 until now" in page.words
    assert "Looked at 240 images of 2026-11-24 05:00 UTC to 2026-11-25 04:00 UTC" in page.words
    assert "1e-06" in page.words
    looked = replace(now, model="l.a", looked=of_folder(look(score=True)))
    named = Page(render(life, "index.html", looked))
    assert "Looked at 240 images in a folder that somebody named, of 2026-11-24" in named.words
    assert "As it was found at 2026-11-25 01:30 UTC." in page.words
    assert {"../index.html", "../ledger.html", "index.html#class-a"} <= set(page.all("href"))
    bare = Page(render(life, "index.html", replace(CALM, model="l.a")))
    assert "No decisions logged." in bare.words
    assert "Not looked at." in bare.words
    assert "Not audited yet" in bare.words
    assert "../index.html" not in bare.all("href")


def hostile() -> Plant:
    judged = Judged(HOSTILE, "reject", NOW, HOSTILE)
    drifted = replace(look(brightness=True).drift, version=HOSTILE)
    now = replace(
        DRIFTED, line=HOSTILE, class_name=HOSTILE, model=HOSTILE, champion=HOSTILE, judged=judged,
        looked=Looked(drifted, HOSTILE), audit=audit("broken", HOSTILE),
        failure=Failure(NOW, HOSTILE), traffic=week(NOW),
    )  # fmt: skip
    return plant(now, lines=(HOSTILE,), data_version=HOSTILE, faults=(HOSTILE,))


@pytest.mark.parametrize("kind", ["start", "ledger", "audits", "life"])
def test_every_page_runs_nothing_loads_nothing_and_keeps_texts_as_texts(kind: str) -> None:
    found = hostile()
    html = {
        "start": lambda: start_page(found),
        "ledger": lambda: ledger_page(found, STORY),
        "audits": lambda: audits_page(found),
        "life": lambda: render(life_of(HOSTILE, STORY, NOW), "index.html", found.models[0]),
    }[kind]()
    page = Page(html)
    tags = {tag for tag, _ in page.elements}
    assert not {"script", "iframe", "object", "embed", "base", "img", "form"} & tags
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert not [target for target in page.all("href") if target.startswith(("http", "java", "//"))]
    assert "url(" not in page.css
    assert "@import" not in page.css
    (policy,) = (a["content"] for a in page.tags("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert HOSTILE in page.words
    assert html == html.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "html",
    [start_page(FULL), audits_page(FULL), ledger_page(FULL, STORY)],
    ids=["start", "audits", "ledger"],
)
def test_the_skeleton_is_one_that_a_screen_reader_can_use(html: str) -> None:
    page = Page(html)
    assert page.tags("html") == [{"lang": "en"}]
    assert [len(page.tags(tag)) for tag in ("header", "main", "footer", "nav", "h1")] == [1] * 5
    assert page.tags("nav")[0]["aria-label"]
    assert all("scope" in head for head in page.tags("th"))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {name for value in page.all("aria-labelledby") for name in value.split()} <= set(ids)
    for drawing in page.tags("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing["aria-label"]
    assert len(page.tags("table")) == len(page.tags("caption"))
    assert page.tags("a")[0] == {"class": "skip", "href": "#main"}
    assert [a.get("aria-current") for a in page.tags("a") if "aria-current" in a] == ["page"]
