"""What is kept by day: looks for drift, and images that the scoring service kept for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from patchae.project import Project
from patchae.retention.item import Asked, Found, Kind, folders, newest_change, size_of
from patchae.retention.work import GOING, remove_folder

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def recent(project: Project, asked: Asked) -> Found:
    """Images of days that are over: `.patchae/recent/<model>/<day>/`."""
    return _aged(project, asked, "recent", asked.policy.recent_days)


def drift(project: Project, asked: Asked) -> Found:
    """Looks for drift: `.patchae/drift/<model>/<stamp>/`; the newest of a model stays."""
    return _aged(project, asked, "drift", asked.policy.drift_days, newest=True)


def _aged(
    project: Project, asked: Asked, kind: Kind, days: int | None, *, newest: bool = False
) -> Found:
    found = Found(kind)
    for parent in folders(project.state / kind):
        if not asked.concerns(parent.name):
            continue
        inside = folders(parent)
        whole = [one for one in inside if not one.name.startswith(GOING)]
        for folder in inside:
            going = folder.name.startswith(GOING)
            since = _day(folder)
            if newest and whole and folder == whole[-1]:
                found.stay("the newest look for drift")
            elif not going and (days is None or asked.age(since) < days):
                found.stay(f"younger than `{kind}_days`")
            else:
                what = folder.relative_to(project.state).as_posix()
                why = "its removal was interrupted" if going else f"of {since:%Y-%m-%d}"
                found.go(what, size_of(folder), why, partial(remove_folder, folder))
    return found


def _day(folder: Path) -> datetime:
    """The day in a folder's name, else when anything in it was written last."""
    if day := _DAY.match(folder.name):
        return datetime.fromisoformat(day[0]).replace(tzinfo=UTC)
    return datetime.fromtimestamp(newest_change(folder), UTC)
