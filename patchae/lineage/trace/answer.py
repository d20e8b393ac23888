"""The answer of a trace: where images occurred, who used them, and what is or was live of that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from patchae.files import Progress, silent
from patchae.lineage.trace.asked import Asked
from patchae.lineage.trace.file import with_index
from patchae.lineage.trace.fill import catch_up
from patchae.lineage.trace.index import USES, Index
from patchae.lineage.trace.kept import Image, ModelVersion, Run
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import Period, periods
from patchae.types import DataVersion

if TYPE_CHECKING:
    from patchae.lineage.trace.sources import Artifacts


@dataclass(frozen=True)
class Stay:
    """A time without a gap in which an image stood under one path."""

    path: str
    first: DataVersion
    first_made: str
    last: DataVersion
    last_made: str
    current: bool
    """It is there in the newest version that is known."""

    @property
    def parts(self) -> tuple[str, str, str]:
        """Class, split and label: the folders of the path."""
        class_name, split, label, *_ = self.path.split("/")
        return class_name, split, label


@dataclass(frozen=True)
class Use:
    """One model version and what it used an image for."""

    model: str
    version: str
    use: str
    """`learned`, `calibration` or `judged`."""
    path: str


@dataclass(frozen=True)
class Traced:
    """One image that was asked for."""

    asked: str
    sha256: str | None
    md5: str | None
    stays: tuple[Stay, ...] = ()
    uses: tuple[Use, ...] = ()

    @property
    def found(self) -> bool:
        """Whether it occurred anywhere."""
        return bool(self.stays or self.uses)


@dataclass(frozen=True)
class Affected:
    """A model version that used at least one of the images."""

    version: ModelVersion
    counts: dict[str, int]
    """Of the images asked for, by use: each counts once."""
    periods: tuple[Period, ...]

    @property
    def live(self) -> bool:
        """Whether it is champion now."""
        return any(period.until is None for period in self.periods)


@dataclass(frozen=True)
class Answer:
    """All that was asked for at once."""

    images: tuple[Traced, ...]
    affected: tuple[Affected, ...]
    """Live ones first, then by model and version."""
    data_versions: int
    """How many were looked through."""
    model_versions: int
    unread: tuple[tuple[str, str], ...]
    """Versions that could not be looked through, each with the reason."""


def trace(
    project: Project,
    ledger: Ledger,
    wanted: Sequence[Asked],
    *,
    rebuild: bool = False,
    progress: Progress = silent,
    artifacts: Artifacts | None = None,
) -> Answer:
    """Answer from the index, which is brought up to date first.

    Args:
        project: the project.
        ledger: its ledger.
        wanted: what to look for.
        rebuild: forget the index and read everything anew.
        progress: called while versions are read.
        artifacts: where those of the runs are; default: MLflow.

    Raises:
        StoreUnreachable, StoreBusy: a store that is needed does not answer, or is held.
        AuditBroken: a row of the ledger cannot be read.
    """

    def work(index: Index) -> Answer:
        if rebuild:
            index.clear()
        rows = ledger.entries(kinds=("registered", "move"))
        registered = [row for row in rows if row.kind == "registered"]
        catch_up(index, project, registered, progress, artifacts=artifacts)
        return answer(index, [row for row in rows if row.kind == "move"], wanted)

    return with_index(project, work)


def answer(index: Index, moves: Sequence[Entry], wanted: Sequence[Asked]) -> Answer:
    """The answer from an index as it is.

    Args:
        index: open.
        moves: the ledger's rows of this kind.
        wanted: what to look for.
    """
    lookup = _Lookup(index)
    at = index.images_at(one.path for one in wanted if one.path)
    images = [traced for one in wanted for traced in lookup.traced(one, at)]
    versions, data = index.versions(), index.data()
    unread = [(f"data version {one.version}", one.unread) for one in data if one.unread]
    unread += [(f"{one.model}/{one.version}", one.unread) for one in versions if one.unread]
    return Answer(
        images=tuple(images),
        affected=tuple(_affected(images, versions, moves)),
        data_versions=sum(one.unread is None for one in data),
        model_versions=sum(one.unread is None for one in versions),
        unread=tuple(unread),
    )


class _Lookup:
    """The index with the numbers of its versions told apart."""

    def __init__(self, index: Index) -> None:
        self._index = index
        numbers = {one.version: one.number for one in index.data()}
        # A version that cannot be read says nothing: what was there before and after, stayed.
        self._timeline = [
            (number, version, at)
            for at, version in index.timeline()
            if (number := numbers.get(version)) is not None
        ]
        self._versions: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for one in index.versions():
            if one.number is not None:
                self._versions[one.model].append((one.number, one.version))

    def traced(self, one: Asked, at: dict[str, list[Image]]) -> list[Traced]:
        """What is known of one; a path may have had several images, one after the other."""
        if one.path is not None:
            images = at.get(one.path, [])
        elif one.md5 is not None:  # known for every image; sha256 only of those that models used
            images = self._index.images(md5=one.md5)
            if one.sha256:
                images = [image for image in images if image.sha256 in (None, one.sha256)]
        else:
            images = self._index.images(sha256=one.sha256)
        unknown = Traced(one.text, one.sha256, one.md5)
        return [self._image(unknown, image) for image in images] or [unknown]

    def _image(self, unknown: Traced, image: Image) -> Traced:
        stays: list[Stay] = []
        uses: list[Use] = []
        for place, path in self._index.places(image):
            stays += self._stays(path, self._index.held(place))
            uses += [
                Use(model, version, use, path)
                for model, use, run in self._index.used(place)
                for number, version in self._versions[model]
                if run.holds(number)
            ]
        sha256 = unknown.sha256 or image.sha256
        return replace(unknown, sha256=sha256, md5=image.md5, stays=tuple(stays), uses=tuple(uses))

    def _stays(self, path: str, runs: list[Run]) -> Iterable[Stay]:
        begin: int | None = None
        for position, (number, *_) in enumerate([*self._timeline, (0, "", "")]):
            there = any(run.holds(number) for run in runs)
            if there and begin is None:
                begin = position
            elif not there and begin is not None:
                _, first, first_made = self._timeline[begin]
                _, last, last_made = self._timeline[position - 1]
                current = position == len(self._timeline)
                yield Stay(path, first, first_made, last, last_made, current)
                begin = None


def _affected(
    images: Iterable[Traced], versions: Iterable[ModelVersion], moves: Sequence[Entry]
) -> list[Affected]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for image in {(one.md5, one.sha256): one for one in images}.values():
        for model, version, use in {(one.model, one.version, one.use) for one in image.uses}:
            counts[model, version][use] += 1
    live: dict[str, list[Period]] = {}
    for model in {model for model, _ in counts}:
        live[model] = periods(move for move in moves if move.model == model)
    found = [
        Affected(
            one,
            {use: counts[one.model, one.version][use] for use in USES},
            tuple(period for period in live[one.model] if period.version == one.version),
        )
        for one in versions
        if (one.model, one.version) in counts and one.unread is None
    ]
    return sorted(found, key=lambda one: (not one.live, one.version.model, one.version.seq))
