"""What an audit works on, and what it answers.

Whoever calls `audit` gathers the material first; the checks themselves only read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from patchae.errors import DataError
from patchae.evidence.scores import Scored, read_scores
from patchae.lineage.record import LineageRecord, load, missing, parse
from patchae.registry.chain import Entry
from patchae.registry.loading import FACTS
from patchae.registry.operating import calibration_in
from patchae.registry.runs import LoggedRun
from patchae.registry.standing import until
from patchae.types import DataVersion

if TYPE_CHECKING:
    import pandas as pd

    from patchae.dataset.objects import State as ObjectState

T = TypeVar("T")

State = Literal["intact", "broken", "not_checkable"]


@dataclass(frozen=True)
class Unreachable:
    """In place of something that could not be asked for: why.

    Only for a store that does not answer. What a store answers it does not have, is gone, and an
    audit must see that: give the folder without the file, the mapping without the key.
    """

    why: str


_NOT_ASKED = Unreachable("it was not asked for")


@dataclass(frozen=True)
class Material:
    """Everything that could be gathered about one version of a model."""

    model: str
    version: str
    alias: str | None = None
    """The alias under which the version was asked for, if any."""
    at: datetime | None = None
    """The moment that was asked about; None: now."""
    aliases: Mapping[str, str] | Unreachable = _NOT_ASKED
    """All aliases of the model in MLflow."""
    tags: Mapping[str, str] | Unreachable = _NOT_ASKED
    """Tags of the version in MLflow; none when it is gone."""
    run: LoggedRun | Unreachable | None = _NOT_ASKED
    """The training run in MLflow; None when it is gone."""
    entries: Sequence[Entry] | Unreachable = _NOT_ASKED
    """The ledger; entries of other models may be among them."""
    faults: Sequence[str] = ()
    """What is wrong with the ledger as a whole."""
    proven: Sequence[str] = ()
    """What of the ledger was asked beyond its chain."""
    policy: Mapping[str, Any] | Unreachable | None = _NOT_ASKED
    """The gates that `lines.yaml` holds for the class now; None: it does not have the class."""
    artifacts: Path | Unreachable = _NOT_ASKED
    """Folder with the artifacts of the training run."""
    model_folder: Path | Unreachable = _NOT_ASKED
    """Folder with the files of the MLflow model."""
    listing: Callable[[DataVersion], Mapping[str, str]] | Unreachable = _NOT_ASKED
    """Paths relative to data/, each with its md5, of a data version."""
    stored: Callable[[Iterable[str]], set[str]] | Unreachable = _NOT_ASKED
    """Those of some md5s whose objects the store of the images really holds."""
    states: (
        Callable[[Iterable[str], Mapping[str, str]], Mapping[str, ObjectState]] | Unreachable
    ) = _NOT_ASKED
    """In which state objects (md5s, data versions) are in that store, each read to its end, and
    held against the sha256 of those of which it is given."""
    deep: bool = False
    """Whether every object is to be read, rather than a sample."""
    made: Callable[[DataVersion], str | None] | Unreachable = _NOT_ASKED
    """When a data version was first made (ISO 8601), as far as that is noted here."""


@dataclass(frozen=True)
class Link:
    """One link of the chain from images to champion. The code is stable."""

    code: str
    title: str
    state: State
    detail: str


@dataclass(frozen=True)
class Audit:
    """The answer: every link, and broken when any of them is."""

    model: str
    version: str
    links: tuple[Link, ...]

    @property
    def state(self) -> Literal["intact", "broken"]:
        """`intact` says that no link is broken; look at `not_checkable` as well."""
        return "broken" if self.broken else "intact"

    @property
    def broken(self) -> tuple[Link, ...]:
        """The links that do not hold."""
        return tuple(link for link in self.links if link.state == "broken")

    @property
    def not_checkable(self) -> tuple[Link, ...]:
        """The links about which nothing can be said."""
        return tuple(link for link in self.links if link.state == "not_checkable")

    def to_dict(self) -> dict[str, Any]:
        """The audit as JSON values."""
        return {
            "model": self.model,
            "version": self.version,
            "state": self.state,
            "not_checkable": len(self.not_checkable),
            "links": [
                {
                    "code": link.code,
                    "title": link.title,
                    "state": link.state,
                    "detail": link.detail,
                }
                for link in self.links
            ],
        }


class Broken(Exception):
    """Raised by a check: the link does not hold; the message says why."""


class NotCheckable(Exception):
    """Raised by a check: nothing can be said; the message says why."""


class Facts:
    """The material as the checks see it: read once, and `NotCheckable` where it cannot be had.

    A file that is missing or unreadable breaks the link that owns it; every other link that
    needs it is not checkable. The owner therefore uses `artifact`, the others the properties.
    """

    def __init__(self, material: Material) -> None:
        self.material = material
        self.model = material.model
        self.version = material.version

    @cached_property
    def entries(self) -> list[Entry]:
        """The ledger's entries on this model."""
        entries = reachable(self.material.entries, "the ledger")
        return [entry for entry in entries if entry.model == self.model]

    @cached_property
    def entries_then(self) -> list[Entry]:
        """Those of `entries` that stood there at the moment asked about."""
        return until(self.entries, self.material.at)

    def artifact(self, name: str) -> bytes:
        """The content of an artifact of the run.

        Raises:
            Broken: the run has no such artifact.
        """
        folder = reachable(self.material.artifacts, "the run's artifacts")
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise Broken(f"{name}: cannot be read ({error.strerror})") from None

    @cached_property
    def lineage(self) -> dict[str, Any]:
        """The JSON of `lineage.json`, unchecked."""
        return _needed("lineage.json", lambda: load(self.artifact("lineage.json").decode()))

    @cached_property
    def record(self) -> LineageRecord:
        """`lineage.json`, checked."""
        return _needed("lineage.json", lambda: parse(self.artifact("lineage.json").decode()))

    @cached_property
    def calibration(self) -> list[float]:
        """The scores that set the threshold, from the model's files; empty: they are not there."""
        folder = self.material.model_folder
        if isinstance(folder, Unreachable):
            return []
        try:
            return calibration_in(load((folder / FACTS).read_text()))
        except (OSError, ValueError):
            return []  # the link `model_files` says so

    @cached_property
    def lineage_complete(self) -> bool:
        """Whether nothing is missing from `lineage.json`."""
        return not missing(self.lineage)

    @cached_property
    def scores(self) -> list[Scored]:
        """The rows of `scores.csv`."""
        return _needed("scores.csv", lambda: read_scores(self.artifact("scores.csv").decode()))

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """The rows of `manifest.csv`."""
        from patchae.dataset.manifest import from_csv

        return _needed("manifest.csv", lambda: from_csv(self.artifact("manifest.csv").decode()))


def reachable(value: T | Unreachable, what: str) -> T:
    """The value.

    Raises:
        NotCheckable: it could not be reached.
    """
    if isinstance(value, Unreachable):
        raise NotCheckable(f"{what} cannot be reached: {value.why}")
    return value


def some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _needed(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (Broken, ValueError, DataError) as error:
        raise NotCheckable(f"{name} is missing or cannot be used: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
