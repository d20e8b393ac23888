"""What is kept by day: looks for drift, and images that the scoring service kept for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path

from patchae.drift import store
from patchae.project import Project
from patchae.retention.item import Asked, Found, Kind, folders, newest_change, size_of
from patchae.retention.work import GOING, remove_folder


def recent(project: Project, asked: Asked) -> Found:
    """Images of days that are over: `.patchae/recent/<model>/<day>/`."""
    return _aged(project, asked, "recent", asked.policy.recent_days, lambda _: {})


def drift(project: Project, asked: Asked) -> Found:
    """Looks for drift: `.patchae/drift/<model>/<stamp>/`; those that are still asked for stay."""
    return _aged(project, asked, "drift", asked.policy.drift_days, partial(_needed, project))


def _needed(project: Project, model: Path) -> dict[Path, str]:
    """The looks at a model that stay however old they are, and why."""
    needed = {}
    every = store.all_of(project, model.name)
    for one in reversed(every):  # so that the newest has the last word
        if one.asked:  # else a retraining of the same champion would be asked for once more
            needed[one.version] = store.folder_of(project, one)
    why = dict.fromkeys(needed.values(), "a retraining was asked for because of it")
    if kept := next((one for one in every if not one.folder), None):
        why[store.folder_of(project, kept)] = "the newest look at what the service kept"
    if whole := [one for one in folders(model) if not one.name.startswith(GOING)]:
        why[whole[-1]] = "the newest look for drift"
    return why


def _aged(
    project: Project,
    asked: Asked,
    kind: Kind,
    days: int | None,
    needed: Callable[[Path], Mapping[Path, str]],
) -> Found:
    found = Found(kind)
    for parent in folders(project.state / kind):
        if not asked.concerns(parent.name):
            continue
        stays = needed(parent)
        for folder in folders(parent):
            going = folder.name.startswith(GOING)
            since = _over(folder)
            if folder in stays:
                found.stay(stays[folder])
            elif not going and (days is None or asked.age(since) < days):
                found.stay(f"younger than `{kind}_days`")
            else:
                what = folder.relative_to(project.state).as_posix()
                why = "its removal was interrupted" if going else f"over since {since:%Y-%m-%d}"
                found.go(what, size_of(folder), why, partial(remove_folder, project, folder))
    return found


def _over(folder: Path) -> datetime:
    """When the day in a folder's name was over, else when anything in it was written last."""
    with suppress(ValueError, OverflowError):
        day = date.fromisoformat(folder.name)
        return datetime.combine(day, time(), UTC) + timedelta(days=1)
    return datetime.fromtimestamp(newest_change(folder), UTC)
