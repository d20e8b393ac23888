"""Decisions per model and day, from the log of predictions."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from patchae.project import Project
from patchae.report.week import DAYS, Day, Traffic

if TYPE_CHECKING:
    import pandas as pd


def window(now: datetime) -> datetime:
    """Where the days that a page looks back on begin: a midnight in UTC."""
    first = now.astimezone(UTC).date() - timedelta(days=DAYS - 1)
    return datetime.combine(first, time(), UTC)


def traffic(project: Project, now: datetime) -> dict[str, Traffic]:
    """What each model decided in the last days; a model that decided nothing is not in it.

    Raises:
        StoreUnreachable: the log cannot be read.
    """
    from patchae.predictions.reading import frame

    return per_model(frame(project, since=window(now)), now)


def per_model(decisions: pd.DataFrame, now: datetime) -> dict[str, Traffic]:
    """Count decisions by model and day.

    Args:
        decisions: at least the columns `time` (aware), `model` and `anomalous`.
        now: the last of the days is the one, in UTC, on which this lies.
    """
    first = window(now)
    recent = decisions[(decisions["time"] >= first) & (decisions["time"] <= now)]
    days = [first.date() + timedelta(days=number) for number in range(DAYS)]
    by_day = recent.groupby([recent["model"], recent["time"].dt.date])["anomalous"]
    counted: dict[Hashable, tuple[int, int]] = {
        key: (len(alarms), int(alarms.sum())) for key, alarms in by_day
    }
    return {
        str(model): Traffic(
            tuple(Day(day, *counted.get((model, day), (0, 0))) for day in days),
            newest.to_pydatetime().astimezone(UTC),
        )
        for model, newest in recent.groupby("model")["time"].max().items()
    }
