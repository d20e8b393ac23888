"""From the files of a request to the answer: decoded, asked, logged, told."""

from __future__ import annotations

import asyncio
import base64
import functools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

from starlette.exceptions import HTTPException

from patchae.errors import DataError, StoreBusy
from patchae.files import sha256_bytes
from patchae.predictions.record import Prediction
from patchae.serving import pictures
from patchae.serving.asked import Budget, File, Limits, busy
from patchae.serving.told import Judged, Scores

if TYPE_CHECKING:
    from torch import Tensor

    from patchae.serving.champion import Champion
    from patchae.serving.engine import Answer, Engine
    from patchae.serving.following import Following
    from patchae.serving.gauges import Gauges
    from patchae.serving.keeping import Keeper
    from patchae.types import Sha256

T = TypeVar("T")
_log = logging.getLogger("patchae.serving")


class Sink(Protocol):
    """Where decisions are logged."""

    def append(self, prediction: Prediction) -> None:
        """Log one; it must not be lost after this returns."""


class Seen(NamedTuple):
    """An image of a request, decoded."""

    sha256: Sha256  # of the file's bytes
    pixels: Tensor  # uint8 (3, size, size)
    warnings: tuple[str, ...]  # what makes its score doubtful


@dataclass(frozen=True)
class Parts:
    """What a service is put together from."""

    following: Following
    engine: Engine
    gauges: Gauges
    log: Sink
    limits: Limits
    token: str = ""
    """What askers must show; empty: nothing."""
    keeper: Keeper | None = None
    threads: int = 2
    """That decode images, and as many that log decisions and draw maps."""
    budget: Budget = field(init=False)
    decoders: ThreadPoolExecutor = field(init=False)
    answerers: ThreadPoolExecutor = field(init=False)
    """Of their own: an image that is judged does not wait for those that are not even decoded."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget(self.limits))
        object.__setattr__(self, "decoders", ThreadPoolExecutor(self.threads, "decode"))
        object.__setattr__(self, "answerers", ThreadPoolExecutor(self.threads, "answer"))

    def close(self) -> None:
        """End every thread, once what waits is answered."""
        self.following.close()
        self.engine.close()
        self.decoders.shutdown()
        self.answerers.shutdown()


async def aside(pool: ThreadPoolExecutor, work: Callable[..., T], *given: object) -> T:
    """Do what takes long beside the loop that answers."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, functools.partial(work, *given))


def champion_of(parts: Parts, model: str) -> Champion:
    slot = parts.following.slots.get(model)
    if slot is None:
        served = ", ".join(sorted(parts.following.slots))
        raise HTTPException(404, f"no model '{model}' is served here; these are: {served}")
    if slot.champion is None:
        raise HTTPException(503, f"{model} has no champion yet", {"Retry-After": "1"})
    return slot.champion


async def judged(
    parts: Parts,
    champion: Champion,
    files: Sequence[File],
    arrived: float,
    *,
    map_: bool,
    mask: bool,
) -> Scores:
    """Judge the images of a request.

    Raises:
        HTTPException: 422 an image cannot be judged, 429 the queue is full, 503 there is no log.
    """
    try:
        with parts.engine.places(len(files)) as places:
            seen = await _decoded(parts, champion, files)
            futures = places.submit(champion, [one.pixels for one in seen])
    except StoreBusy as error:
        raise busy(error.what) from None
    answers = await asyncio.gather(*map(asyncio.wrap_future, futures))
    pool = parts.answerers
    logged = await aside(pool, _logged, parts, champion, files, seen, answers, arrived)
    images = await aside(pool, _drawn, champion, logged, seen, answers, map_, mask)
    return Scores(
        model=champion.name,
        version=champion.version,
        data_version=champion.data_version,
        threshold=champion.threshold,
        images=images,
    )


async def _decoded(parts: Parts, champion: Champion, files: Sequence[File]) -> list[Seen]:
    """Check and decode every file."""
    read = await asyncio.gather(
        *(aside(parts.decoders, _read, champion, one, parts.limits.pixels) for one in files),
        return_exceptions=True,
    )
    seen: list[Seen] = []
    for number, (one, found) in enumerate(zip(files, read, strict=True)):
        if isinstance(found, DataError):
            which = one.name or f"image {number + 1}"
            raise HTTPException(422, f"{which}: {found.what}")
        if isinstance(found, BaseException):
            raise found
        seen.append(found)
    return seen


def _read(champion: Champion, one: File, max_pixels: int) -> Seen:
    from patchae.model.images import load

    warnings = champion.detector.check(one.content, max_pixels)  # before anything is decoded
    pixels = load(one.content, champion.size, champion.detector.white)
    return Seen(sha256_bytes(one.content), pixels, warnings)


def _logged(  # noqa: PLR0917 - called by position, from another thread
    parts: Parts,
    champion: Champion,
    files: Sequence[File],
    seen: Sequence[Seen],
    answers: Sequence[Answer],
    arrived: float,
) -> list[Judged]:
    """Log every decision; what is told of each.

    Raises:
        HTTPException: 503, they cannot be logged.
    """
    images = []
    for one, image, answer in zip(files, seen, answers, strict=True):
        now = datetime.now(UTC)
        decision = Prediction(
            time=now,
            image=image.sha256,
            name=one.name[:500],
            model=champion.name,
            version=champion.version,
            score=answer.score,
            threshold=champion.threshold,
            anomalous=answer.score > champion.threshold,
            latency_ms=(time.perf_counter() - arrived) * 1e3,
            origin="service",
        )
        try:
            parts.log.append(decision)
        except OSError:
            _log.exception("a decision cannot be logged")
            raise HTTPException(
                503,
                "decisions cannot be logged now, and none is given without",
                {"Retry-After": "5"},
            ) from None
        if parts.keeper:
            parts.keeper.offer(champion.name, image.sha256, one.content, now)
        word: Literal["good", "anomalous"] = "anomalous" if decision.anomalous else "good"
        parts.gauges.images.labels(champion.name, champion.version, word).inc()
        images.append(
            Judged(
                name=one.name,
                sha256=image.sha256,
                score=answer.score,
                decision=word,
                warnings=list(image.warnings),
            )
        )
    return images


def _drawn(  # noqa: PLR0917 - called by position, from another thread
    champion: Champion,
    images: Sequence[Judged],
    seen: Sequence[Seen],
    answers: Sequence[Answer],
    map_: bool,
    mask: bool,
) -> list[Judged]:
    """The same with the pictures that were asked for."""
    for image, one, answer in zip(images, seen, answers, strict=True):
        if map_:
            image.map = _text(pictures.heat(one.pixels, answer.map, champion.threshold))
        if mask:
            image.mask = _text(pictures.mask(answer.map, champion.size, champion.threshold))
    return list(images)


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()
