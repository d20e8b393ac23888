"""The model card: all of it from the record; equal records give equal cards."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest

from patchae.lineage.record import digest
from patchae.report.card import HTML_FILE, MARKDOWN_FILE, card_html, card_markdown, cards
from tests.support.lineage.builder import Built, build

HOSTILE = "<script>alert(1)</script> | `x` ](https://example.org) *b*"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("card"))


@pytest.fixture
def record(built: Built) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((built.artifacts / "lineage.json").read_text())
    return content


class Texts(HTMLParser):
    """The words of a page and the tags that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words = ""
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_both_say_what_an_auditor_asks_for(record: dict[str, Any]) -> None:
    page = Texts(card_html(record)).words
    for text in (card_markdown(record).replace("\\", ""), page):
        for value in (
            *(record["data"]["version"], record["data"]["class_digest"], digest(record)),
            *(record["training"]["weights_sha256"], record["training_key"], "2.14.1"),
            *(file["sha256"] for file in record["files"].values()),
            f"{record['evaluation']['image_auroc']:.4f}",
            f"{record['evaluation']['image_auroc_interval'][0]:.4f}",
            *record["policy"],
            *record["training"]["settings"],
            "patchae audit sample.bolt/VERSION",
        ):
            assert value in text, value


def test_both_have_the_same_headings(record: dict[str, Any]) -> None:
    markdown = re.findall(r"^## (.+)$", card_markdown(record), re.MULTILINE)
    assert re.findall(r"<h2>(.+)</h2>", card_html(record)) == markdown
    assert len(markdown) > 8


def test_equal_records_give_equal_cards_however_their_keys_are_ordered(
    record: dict[str, Any],
) -> None:
    other = json.loads(json.dumps(record, sort_keys=True))
    assert cards(other) == cards(dict(reversed(record.items())))
    assert set(cards(record)) == {MARKDOWN_FILE, HTML_FILE}


def test_every_table_of_the_markdown_has_cells_for_its_columns(record: dict[str, Any]) -> None:
    record["run"]["reason"] = HOSTILE
    for line in card_markdown(record).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {3, 4, 5}
    assert "\\<script\\>" in card_markdown(record)


def test_what_a_record_holds_is_never_markup(record: dict[str, Any]) -> None:
    record["run"]["actor"] = record["environment"]["device_name"] = HOSTILE
    record["evaluation"]["recall_by_defect"] = {HOSTILE: {"found": 1, "n": 2}}
    page = Texts(card_html(record))
    assert page.tags.isdisjoint({"script", "a", "img"})
    assert HOSTILE in page.words


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("validation.findings", [{"code": "c", "severity": "warning", "found": 2}], "1 warning"),
        ("source.git_clean", False, "uncommitted changes"),
        ("evaluation.image_auroc_interval", None, "too few for an interval"),
        ("evaluation.pixel_auroc", 0.9, ""),
        ("training.learned", 900, ""),
    ],
)
def test_each_limit_is_named_when_the_record_shows_it_and_only_then(
    record: dict[str, Any], path: str, value: object, said: str
) -> None:
    record["source"].update(git_commit="a" * 40, git_clean=True)
    before = card_markdown(record)
    changed = deepcopy(record)
    part, name = path.split(".")
    changed[part][name] = value
    after = card_markdown(changed)
    limits = [text.partition("## Limits")[2].partition("##")[0] for text in (before, after)]
    if said:
        assert (said in limits[0], said in limits[1]) == (False, True)
    else:
        assert limits[1].count("\n- ") == limits[0].count("\n- ") - 1


@pytest.mark.parametrize(("count", "held"), [(5, "16.7%"), (99, "2.0%")])
def test_the_promise_of_the_threshold_follows_from_how_many_images_set_it(
    record: dict[str, Any], count: int, held: str
) -> None:
    record["training"]["calibration"] = count
    text = card_markdown(record).partition("## Threshold")[2].partition("##")[0]
    assert f"{count} good images" in text
    assert f"holds {held} on average" in text


def test_a_record_that_is_not_complete_has_no_card(record: dict[str, Any]) -> None:
    del record["training"]["seed"]
    with pytest.raises(ValueError, match="seed"):
        card_markdown(record)
    assert cards(record) == {}
