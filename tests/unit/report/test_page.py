"""The page tells everything, loads nothing, and escapes what it is given."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from patchae.report.content import (
    Audit,
    AuditLink,
    ClassReport,
    DefectRecall,
    HeatMap,
    Lineage,
    LineReport,
    LinkState,
    ModelReport,
    Move,
    Outcome,
    Reason,
    Score,
)
from patchae.report.page import WORDS, headline, render, write

NOW = datetime(2026, 11, 23, 16, 9, tzinfo=ZoneInfo("Europe/Berlin"))
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"
THRESHOLD = 0.4


def png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (32, 16), (200, 80, 20)).save(file, "PNG")
    return file.getvalue()


def model(
    version: str = "1",
    outcome: Outcome = "promote",
    reasons: tuple[Reason, ...] = (Reason("auroc_reached", "Its image AUROC is high enough."),),
    *,
    images: int = 60,
    maps: bool = False,
) -> ModelReport:
    scores = tuple(
        Score(
            f"bottle/test/{'crack' if i % 3 else 'good'}/{i:03d}.png",
            "crack" if i % 3 else "good",
            int(i % 3 > 0),
            score := 0.2 + 0.1 * (i % 5) + 0.1 * (i % 3 > 0),
            int(score > THRESHOLD),
        )
        for i in range(images)
    )
    return ModelReport(
        version=version,
        trained=NOW - timedelta(days=2),
        image_auroc=0.9876,
        pixel_auroc=None,
        pixel_auroc_interval=None,
        aupro=0.8765,
        aupro_interval=(0.8, 0.9),
        threshold=THRESHOLD,
        recall=0.8,
        false_alarm_rate=0.05,
        n_good=20,
        n_defect=40,
        recall_by_defect=(DefectRecall("crack", 32, 40), DefectRecall("dent", 0, 0)),
        ms_per_image=31.4,
        outcome=outcome,
        reasons=reasons,
        scores=scores,
        maps=(HeatMap(scores[1], "worst", png()), HeatMap(scores[2], "best", png()))
        if maps
        else (),
        lineage=Lineage(
            sha256="ab" * 32,
            data_version="1f" * 16 + ".dir",
            training_key="cd" * 32,
            backbone="tf_efficientnet_lite0",
            train_good=209,
            test_good=20,
            test_defect=40,
            git_commit="ef" * 20,
            git_clean=False,
        ),
        run_url="https://mlflow.example.org/#/experiments/1/runs/7",
    )


def audit(state: LinkState = "holds") -> Audit:
    return Audit("1", (AuditLink("images", "Every image is stored", state, "9 of 9 objects"),))


def line(*classes: ClassReport) -> LineReport:
    return LineReport(
        line="bottling",
        description="Glass of hall 2",
        generated=NOW,
        data_version="1f" * 16 + ".dir",
        classes=classes,
        patchae_version="0.1.0",
        schedule="0 3 * * 1 (Europe/Berlin)",
    )


PROMOTED = ClassReport(
    "bottle",
    "bottling.bottle",
    "1",
    NOW - timedelta(days=21),
    model(maps=True),
    history=(Move(NOW - timedelta(days=21), "1", None, "keller", "promoted", "first light"),),
    audit=audit(),
)
REJECTED = ClassReport(
    "pill",
    "bottling.pill",
    "2",
    NOW - timedelta(days=3),
    model("3", "reject", (Reason("below_champion", "It is worse than version 2."),)),
    model("2"),
    audit=audit("broken"),
)
HELD = ClassReport(
    "cap",
    "bottling.cap",
    None,
    None,
    model("1", "hold", (Reason("few_defects", "There are only 2 defective images."),)),
)
FAILED = ClassReport(
    "screw",
    "bottling.screw",
    None,
    None,
    None,
    failed="2 images cannot be decoded\n  to mend: patchae retrain bottling --class screw",
)
FULL = line(PROMOTED, REJECTED, HELD, FAILED)


class Page(HTMLParser):
    """The elements and the visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.css = ""
        self._in_style = False
        self.feed(html)
        self.close()
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.css += data
        else:
            self.words += data

    def all(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]

    def tags(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def full() -> Page:
    return Page(render(FULL))


def test_the_page_loads_nothing_and_runs_nothing(full: Page) -> None:
    names = {name for _, attrs in full.elements for name in attrs}
    assert not [name for name in names if name.startswith("on")]
    assert not names & {"srcset", "action", "formaction", "background", "poster", "data"}
    assert not {"script", "iframe", "object", "embed", "base"} & {tag for tag, _ in full.elements}
    assert all(source.startswith("data:image/png;base64,") for source in full.all("src"))
    outside = [target for target in full.all("href") if not target.startswith(("#", "data:"))]
    assert set(outside) == {"https://mlflow.example.org/#/experiments/1/runs/7"}
    assert all(attrs["href"] == "data:," for attrs in full.tags("link"))
    styles = full.css + " ".join(full.all("style"))
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = (a["content"] for a in full.tags("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_every_class_says_what_became_of_it_and_why(full: Page) -> None:
    for item in FULL.classes:
        assert item.class_name in full.words
        assert headline(item) in full.words
        assert WORDS[item.state] in full.words
        for reason in item.candidate.reasons if item.candidate else ():
            assert full.words.count(reason.sentence) == 2  # in the overview and in its section
            assert reason.code in full.words
    assert "2 of 4Deployed" in full.words


def test_a_failed_class_shows_its_whole_message(full: Page) -> None:
    assert "Why it could not be finished" in full.words
    assert (
        "2 images cannot be decoded to mend: patchae retrain bottling --class screw" in full.words
    )


def test_a_failure_outweighs_an_older_verdict() -> None:
    report = line(replace(PROMOTED, failed="the disk is full"))
    assert (report.count("failed"), report.count("promoted")) == (1, 0)
    page = Page(render(report))
    assert page.words.count("the disk is full") == 2
    assert "The last run could not finish this class. Version 1 is deployed." in page.words
    assert "Last verdict: version 1" in page.words


def test_the_evidence_of_both_champion_and_candidate_is_there(full: Page) -> None:
    assert "Evidence of version 3" in full.words
    assert "Evidence of the deployed version 2" in full.words
    assert "version 2: 0.9876" in full.words
    charts = [attrs["aria-label"] for attrs in full.tags("svg") if attrs.get("role") == "img"]
    assert len(charts) == len(set(charts)) == 8


def test_a_broken_audit_is_told_at_the_top_and_in_its_class(full: Page) -> None:
    top = full.words[: full.words.index("Overview")]
    assert "Broken for pill" in top
    assert "Holds for 1 deployed model" in top
    assert "The audit of the deployed version does not hold" in full.words


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), "unknown"),
        (("holds", "holds"), "holds"),
        (("holds", "unknown"), "unknown"),
        (("unknown", "broken", "holds"), "broken"),
    ],
)
def test_an_audit_is_as_good_as_its_weakest_link(
    states: tuple[LinkState, ...], expected: LinkState
) -> None:
    links = tuple(AuditLink("code", "title", state, "") for state in states)
    assert Audit("1", links).state == expected


def test_an_audit_says_when_it_was_made_and_the_line_the_oldest_of_all() -> None:
    old = replace(audit(), time=NOW - timedelta(days=40))
    new = replace(audit(), time=NOW - timedelta(days=1))
    page = Page(
        render(line(replace(PROMOTED, audit=new), replace(PROMOTED, class_name="b", audit=old)))
    )
    assert "As it was found at 2026-11-22 16:09 CET." in page.words
    assert "As it was found at 2026-10-14 16:09 CEST." in page.words
    assert "the oldest of 2026-10-14 16:09 CEST" in page.words
    assert "the oldest of" not in Page(render(line(PROMOTED))).words


def test_full_digests_can_be_found_and_copied(full: Page) -> None:
    for digest in ("ab" * 32, "cd" * 32, "1f" * 16 + ".dir"):
        assert digest in full.words
        assert digest in full.all("title")


def test_heat_maps_carry_their_bytes_size_and_meaning(full: Page) -> None:
    images = full.tags("img")
    assert len(images) == 2
    for attrs in images:
        assert base64.b64decode(attrs["src"].partition(",")[2]) == png()
        assert (attrs["width"], attrs["height"]) == ("32", "16")
        assert "bottle/test/" in attrs["alt"]
    assert "Wrong: no alarm on a defect score 0.4000 not above threshold 0.4000" in full.words
    assert "Right: alarm on a defect score 0.5000 above threshold 0.4000" in full.words


def test_hostile_texts_stay_texts() -> None:
    score = Score(HOSTILE, HOSTILE, 1, 0.1, 0)
    judged = replace(
        model(HOSTILE, "reject", (Reason(HOSTILE, HOSTILE),)),
        recall_by_defect=(DefectRecall(HOSTILE, 1, 2),),
        scores=(score, replace(score, label=0)),
        maps=(HeatMap(score, "worst", b"not a PNG"),),
        lineage=replace(model().lineage, backbone=HOSTILE, data_version=HOSTILE),
        run_url="javascript:alert(3)",
    )
    report = replace(
        line(
            ClassReport(
                HOSTILE,
                HOSTILE,
                HOSTILE,
                NOW,
                judged,
                failed=HOSTILE,
                history=(Move(NOW, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
                audit=Audit(HOSTILE, (AuditLink(HOSTILE, HOSTILE, "broken", HOSTILE),)),
            )
        ),
        line=HOSTILE,
        description=HOSTILE,
        schedule=HOSTILE,
        data_version=HOSTILE,
    )
    page = Page(render(report))
    assert not page.tags("script")
    assert "onerror" not in {name for _, attrs in page.elements for name in attrs}
    assert not [target for target in page.all("href") if target.startswith("javascript")]
    assert page.words.count(HOSTILE) > 15


def test_undecodable_file_names_do_not_stop_the_page(tmp_path: Path) -> None:
    score = Score("bottle/test/crack/\udcff.png", "crack\udcff", 1, 0.1, 0)
    judged = replace(model(), scores=(score,), maps=(HeatMap(score, "worst", png()),))
    page = write(line(replace(PROMOTED, class_name="a\udcff", candidate=judged)), tmp_path / "x")
    assert "bottle/test/crack/?.png" in page.read_text(encoding="utf-8")


def test_without_a_champion_the_page_says_what_to_do() -> None:
    page = Page(render(line(ClassReport("cap", "bottling.cap", None, None, None))))
    assert "No model is deployed on this line yet" in page.words
    assert "patchae retrain bottling" in page.words
    assert "No version has been judged yet. Nothing is deployed." in page.words
    assert "No model is deployed on this line yet" not in Page(render(FULL)).words


def test_a_line_without_classes_says_what_to_do() -> None:
    page = Page(render(line()))
    assert "This line has no classes yet" in page.words
    assert "patchae import" in page.words
    assert not page.tags("table")


@pytest.mark.parametrize("images", [0, 1, 2])
def test_little_evidence_still_makes_a_page(images: int) -> None:
    judged = replace(model(images=images), recall_by_defect=())
    assert "No defective test images." in Page(render(line(replace(HELD, candidate=judged)))).words


@pytest.mark.parametrize(
    ("champion", "outcome", "said"),
    [
        ("3", "promote", "Version 3 passed its gates and is deployed."),
        ("2", "promote", "but is not deployed now. Version 2 is deployed."),
        (None, "reject", "Version 3 was rejected. Nothing is deployed."),
        ("2", "hold", "the evidence is too thin to decide. Version 2 is deployed."),
        ("3", "reject", "Version 3 was rejected, yet is deployed."),
    ],
)
def test_the_headline_tells_verdict_and_deployment(
    champion: str | None, outcome: Outcome, said: str
) -> None:
    item = ClassReport("pill", "bottling.pill", champion, None, model("3", outcome))
    assert headline(item).endswith(said)


def test_times_stand_in_the_zone_of_the_report() -> None:
    utc = replace(PROMOTED, champion_since=datetime(2026, 11, 1, 2, 0, tzinfo=UTC))
    assert "In service since 2026-11-01 03:00 CET" in Page(render(line(utc))).words


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        render(replace(FULL, generated=datetime(2026, 11, 23)))  # noqa: DTZ001


def test_equal_reports_give_equal_pages_and_others_do_not() -> None:
    again = replace(FULL, classes=tuple(replace(item) for item in FULL.classes))
    assert render(FULL) == render(again)
    assert render(FULL) != render(replace(FULL, description="Glass of hall 3"))


def test_the_page_is_small_without_its_images() -> None:
    bare = replace(PROMOTED, candidate=model())
    assert len(render(line(bare, REJECTED, replace(bare, class_name="cap"), FAILED))) < 100_000


def test_writing_puts_the_rendered_page_there(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "bottling" / "index.html"
    assert write(FULL, target) == target
    assert target.read_text(encoding="utf-8") == render(FULL)
    assert [path.name for path in target.parent.iterdir()] == ["index.html"]


def test_the_page_can_be_read_without_seeing_it(full: Page) -> None:
    assert full.tags("html") == [{"lang": "en"}]
    assert all(attrs.get("scope") in ("row", "col", "colgroup") for attrs in full.tags("th"))
    assert all(attrs.get("alt") for attrs in full.tags("img"))
    for attrs in full.tags("svg"):
        assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label")
    levels = [int(tag[1]) for tag, _ in full.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_links_within_the_page_lead_somewhere(full: Page) -> None:
    ids = full.all("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in full.all("href") if href.startswith("#")} <= set(ids)


def luminance(color: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_contrasts_with_what_it_stands_on(theme: int) -> None:
    css = (files("patchae.report") / "templates" / "page.css").read_text()
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colors = dict(re.findall(r"--([\w-]+): (#\w+);", block))
    states = ("promoted", "held", "rejected", "failed", "untrained")
    pairs = [(state, f"{state}-wash") for state in states]
    pairs += [(text, on) for text in ("ink", "soft", "link") for on in ("paper", "card", "wash")]
    pairs += [(text, "card") for text in ("promoted", "rejected", "good", "defect")]
    for text, on in pairs:
        low, high = sorted((luminance(colors[text]), luminance(colors[on])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, on)


def test_every_share_says_how_sure_it_is() -> None:
    page = render(line(PROMOTED))
    judged = PROMOTED.candidate
    assert judged is not None
    low, high = judged.image_auroc_interval
    assert 0 < low < high < 1
    assert f"<small>95 %: {low:.4f} to {high:.4f}</small>" in page
    low, high = judged.recall_interval
    assert f"<small>95 %: {100 * low:.1f}% to {100 * high:.1f}%</small>" in page
    assert "32 of 40; 95 %: 64.4% to 90.9%" in page  # Clopper and Pearson's
    assert "0 of 0<" in page, "of nothing there is no share"
    assert "<small>95 %: 0.8000 to 0.9000</small>" in page  # AUPRO
    nothing = replace(
        judged, scores=(), n_good=0, n_defect=0, recall_by_defect=(), aupro_interval=None
    )
    assert "95 %" not in render(line(replace(PROMOTED, candidate=nothing)))
