"""What needs attention, in which order, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from patchae.drift.finding import Drift, Reading
from patchae.report.content import Audit, AuditLink, LinkState
from patchae.report.now import Failure, Judged, Looked, Now, Rank, in_order
from patchae.report.week import DAYS, Day, Traffic

NOW = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
CALM = Now(
    "hall",
    "disc",
    "hall.disc",
    NOW,
    champion="3",
    since=NOW - timedelta(days=21),
    judged=Judged("3", "promote", NOW - timedelta(days=21), "image AUROC 0.99 reaches 0.90"),
)


def audit(state: LinkState, version: str = "3") -> Audit:
    links = (AuditLink("a", "Some link", "holds", ""), AuditLink("b", "The files", state, "gone"))
    return Audit(version, links, NOW - timedelta(hours=5))


def look(version: str = "3", **drifted: bool) -> Looked:
    readings = tuple(
        Reading(name, 0.5, 0.4, effect, 1e-6 if is_drifted else 0.5, is_drifted)
        for effect, (name, is_drifted) in enumerate(drifted.items(), 1)
    )
    drift = Drift(
        "hall.disc", version, "2026-11-25T05:00:00Z", "2026-11-24T05:00:00Z",
        "2026-11-25T04:00:00Z", 240, readings, (),
        confirmed=tuple(name for name, is_drifted in drifted.items() if is_drifted),
    )  # fmt: skip
    return Looked(drift, None)


def of_folder(found: Looked) -> Looked:
    """The same at images that somebody named."""
    return replace(found, drift=replace(found.drift, folder=True))


def once(found: Looked) -> Looked:
    """The same, before a second look has confirmed it."""
    return replace(found, drift=replace(found.drift, confirmed=()))


def week(last: datetime, alarms: int = 2) -> Traffic:
    days = [date(2026, 11, 19) + timedelta(days=number) for number in range(DAYS)]
    return Traffic(tuple(Day(day, 100, alarms) for day in days), last)


REJECTED = replace(CALM, judged=Judged("4", "reject", NOW, "image AUROC 0.70 lies below 0.90"))
HELD = replace(CALM, judged=Judged("4", "hold", NOW, "too few images"))
BROKEN = replace(CALM, audit=audit("broken"))
DRIFTED = replace(CALM, looked=look(brightness=True, embedding=False, score=True))
FAILED = replace(CALM, failure=Failure(NOW, "2 images cannot be decoded\n  to mend: ..."))
SILENT = replace(CALM, traffic=week(NOW - timedelta(hours=25)))
NOTHING = replace(REJECTED, champion=None)


@pytest.mark.parametrize(
    ("now", "rank", "sentence"),
    [
        (BROKEN, Rank.BROKEN, "The audit of the deployed version 3 does not hold: The files."),
        (
            NOTHING,
            Rank.NOTHING_DEPLOYED,
            "Nothing is deployed. Version 4 was rejected: image AUROC 0.70 lies below 0.90.",
        ),
        (
            DRIFTED,
            Rank.DRIFT,
            "Drift: score and brightness of recent images differ from what version 3 was"
            " calibrated on.",
        ),
        (
            replace(CALM, looked=once(look(red=True))),
            Rank.DRIFT_ONCE,
            "Seen once: red of recent images differs from what version 3 was calibrated on; it"
            " counts if the next look finds it, too.",
        ),
        (
            replace(CALM, looked=of_folder(look(red=True))),
            Rank.DRIFT,
            "Drift: red of the images in a named folder differs from what version 3 was"
            " calibrated on.",
        ),
        (
            FAILED,
            Rank.FAILED,
            "The last run could not finish this class: 2 images cannot be decoded",
        ),
        (
            REJECTED,
            Rank.REJECTED,
            "Version 4 was rejected: image AUROC 0.70 lies below 0.90. Version 3 stays.",
        ),
        (HELD, Rank.HELD, "Version 4 is on hold: too few images. Version 3 stays."),
        (SILENT, Rank.SILENT, "No image was judged since 2026-11-24 05:30 UTC."),
    ],
)
def test_one_fact_is_one_sentence(now: Now, rank: Rank, sentence: str) -> None:
    assert [(need.rank, need.sentence) for need in now.needs] == [(rank, sentence)]


@pytest.mark.parametrize(
    "now",
    [
        CALM,
        replace(CALM, audit=audit("holds")),
        replace(CALM, audit=audit("unknown")),
        replace(CALM, looked=look(brightness=False)),
        replace(CALM, traffic=week(NOW - timedelta(hours=23))),
        Now("hall", "new", "hall.new", NOW),
    ],
)
def test_what_is_in_order_is_not_mentioned(now: Now) -> None:
    assert (now.needs, now.rank) == ((), Rank.CALM)


def test_a_hold_that_somebody_overruled_is_in_order_until_it_is_judged_again() -> None:
    hold = Judged("3", "hold", NOW, "too few images", overruled=True)
    assert replace(CALM, judged=hold).needs == ()
    (need,) = replace(CALM, judged=replace(hold, overruled=False)).needs
    assert need.sentence == "Version 3 was put on hold, yet is deployed: too few images."


def test_one_class_can_need_several_things_the_worst_first() -> None:
    now = replace(REJECTED, audit=BROKEN.audit, looked=DRIFTED.looked)
    assert [need.rank for need in now.needs] == [Rank.BROKEN, Rank.DRIFT, Rank.REJECTED]
    assert now.rank == Rank.BROKEN


def test_a_look_at_another_version_says_nothing_of_the_champion() -> None:
    now = replace(DRIFTED, champion="4")
    assert now.drift is None
    assert Rank.DRIFT not in {need.rank for need in now.needs}


def test_what_needs_attention_first_comes_first_and_equals_by_name() -> None:
    models = [CALM, SILENT, REJECTED, BROKEN, replace(BROKEN, class_name="axle"), NOTHING]
    assert [(one.rank, one.class_name) for one in in_order(models)] == [
        (Rank.BROKEN, "axle"),
        (Rank.BROKEN, "disc"),
        (Rank.NOTHING_DEPLOYED, "disc"),
        (Rank.REJECTED, "disc"),
        (Rank.SILENT, "disc"),
        (Rank.CALM, "disc"),
    ]


def test_a_rate_of_no_images_is_none_and_not_zero() -> None:
    assert Day(date(2026, 11, 25), 0, 0).rate is None
    assert Traffic((), None).rate is None
    assert week(NOW).rate == pytest.approx(0.02)
    low, high = week(NOW).interval
    assert low < 0.02 < high
