"""DVC's cache on this machine: images of versions that are not in use, if the remote holds them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from patchae.dataset.thinning import spare, thin
from patchae.errors import DataError
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import Stays
from patchae.registry.standing import champion_of
from patchae.registry.tracking import TAG, Tracking
from patchae.retention.item import Asked, Found
from patchae.types import DataVersion


def cache(project: Project, tracking: Tracking, ledger: Ledger, asked: Asked) -> Found:
    """What may go of the cache, as one thing.

    The pinned version stays, what `data/` holds, and the versions of each champion and of the one
    before: those are what is trained on, judged again and rolled back to.

    Raises:
        StoreUnreachable: MLflow, the ledger or the DVC remote cannot be used.
    """
    found, days = Found("cache"), asked.policy.cache_days
    if days is None or asked.line is not None:
        return found
    in_use = _in_use(tracking, ledger)
    before = asked.now - timedelta(days=days)
    try:
        objects, others = spare(project, in_use, before)
    except DataError as error:  # somebody is bringing images in
        found.stay(error.what)
        return found
    if others:
        found.stay("in use, or younger than `cache_days`", others)
    if objects:
        found.go(
            f"{len(objects)} images",
            sum(objects.values()),
            "of versions that are not in use; the remote is asked first",
            partial(_remove, project, in_use, before),
        )
    return found


def _remove(project: Project, in_use: set[DataVersion], before: datetime) -> int:
    try:
        freed = thin(project, in_use, before)
    except DataError as error:
        raise Stays(error.what) from None
    if freed == 0:
        raise Stays("the remote does not hold them whole: `patchae doctor --data` looks closer")
    return freed


def _in_use(tracking: Tracking, ledger: Ledger) -> set[DataVersion]:
    found = set()
    for model in ledger.models():
        standing = champion_of(ledger.entries(model)).aliases().values()
        for version in tracking.versions(model):
            if version.version in standing and (data := version.tags.get(f"{TAG}data_version")):
                found.add(DataVersion(data))
    return found
