"""Is every object of a data version whole, in the cache and in the remote? What is not is mended.

Both sides are read to the last byte, since a disk that loses a bit tells nobody. An object that is
damaged or missing on one side is made anew from the other, or from the file in `data/` that has its
content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchae.dataset.dvc_repo import open_store
from patchae.dataset.dvc_sides import Side
from patchae.dataset.dvc_store import Store
from patchae.dataset.objects import State
from patchae.dataset.version import read_listing
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.types import DataVersion


@dataclass(frozen=True)
class Flaw:
    """An object that was not whole on one side."""

    md5: str
    path: str
    """A file of the version that has this content; the version itself for its listing."""
    side: Side
    state: State
    mended: bool


@dataclass(frozen=True)
class Examined:
    """What an examination found."""

    version: DataVersion
    objects: int
    flaws: tuple[Flaw, ...]

    @property
    def sound(self) -> bool:
        """Whether everything is whole now."""
        return all(flaw.mended for flaw in self.flaws)


def examine(
    project: Project,
    version: DataVersion,
    progress: Progress = silent,
    *,
    dry_run: bool = False,
) -> Examined:
    """Read every object of a version on both sides, and mend what can be mended.

    With `dry_run` nothing is mended.

    Raises:
        DataError: neither side holds the version's own listing unaltered.
        StoreBusy: another process works on `data/` for too long.
        StoreUnreachable: the remote does not answer.
    """
    with project.lock("data"), open_store(project, writing=True) as store:
        listing = read_listing(store, project, version)
        users = {md5: path for path, md5 in sorted(listing.items(), reverse=True)}
        users[version] = version
        names = sorted(users)
        sides: tuple[Side, ...] = ("cache", "remote")
        found = {side: store.states(side, names, progress) for side in sides}
        bad = {side: [n for n in names if found[side][n] != "whole"] for side in sides}
        if any(bad.values()) and not dry_run:
            _mend(store, bad, found, progress)
        after = {side: store.states(side, bad[side], progress) for side in sides}
    flaws = [
        Flaw(name, users[name], side, found[side][name], mended=after[side][name] == "whole")
        for side in sides
        for name in bad[side]
    ]
    return Examined(version, len(names), tuple(flaws))


def _mend(
    store: Store,
    bad: Mapping[Side, Sequence[str]],
    found: Mapping[Side, Mapping[str, State]],
    progress: Progress,
) -> None:
    """The cache first, from the remote or from `data/`; then the remote from the cache."""
    store.fetch([name for name in bad["cache"] if found["remote"][name] == "whole"], progress)
    lost = [name for name in bad["cache"] if found["remote"][name] != "whole"]
    if lost:
        here = {md5: path for path, md5 in store.scan(progress).files.items()}
        store.adopt({name: here[name] for name in lost if name in here})
    whole = store.states("cache", bad["remote"])
    store.replace([name for name in bad["remote"] if whole[name] == "whole"], progress)
