"""One thread that asks models, and the queue before it.

While a model works, images gather; all that are for the same champion are asked together, so that
batches grow with the load and a single image never waits for others. The queue is bounded: a place
in it is taken before an image is decoded, and what finds none is refused at once, rather than
answered too late.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from patchae.errors import StoreBusy

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from patchae.serving.champion import Champion

LARGEST_BATCH, MOST_WAITING = 8, 128


@dataclass(frozen=True)
class Answer:
    """What a champion says of one image."""

    score: float
    map: np.ndarray
    """Anomaly map (H, W) at the finest stride, float32."""
    waited_s: float
    """In the queue."""


@dataclass
class _Question:
    champion: Champion
    pixels: Tensor
    asked: float
    answer: Future[Answer] = field(default_factory=Future)


@dataclass
class Places:
    """Places in the queue that are kept for the images of one request."""

    _engine: Engine
    kept: int

    def submit(self, champion: Champion, images: Sequence[Tensor]) -> list[Future[Answer]]:
        """Ask a champion for the images; once.

        Args:
            champion: answers all of them, whatever is promoted meanwhile.
            images: uint8 (3, S, S) each, as many as places.

        Raises:
            StoreBusy: the engine has ended.
        """
        return self._engine._submit(self, champion, images)


class Engine:
    """The thread; `close` answers what waits and ends it.

    Args:
        largest_batch: images asked together.
        most_waiting: images that may wait, those that are being decoded among them.
        observe: is told of each batch: the model's name, images, and seconds that it took.
    """

    def __init__(
        self,
        *,
        largest_batch: int = LARGEST_BATCH,
        most_waiting: int = MOST_WAITING,
        observe: Callable[[str, int, float], None] = lambda name, images, seconds: None,
    ) -> None:
        self._largest, self._most, self._observe = largest_batch, most_waiting, observe
        self._waiting: deque[_Question] = deque()
        self._kept = 0
        """Places of images that are still being decoded."""
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many images wait, or have a place and are being decoded."""
        return len(self._waiting) + self._kept

    @contextmanager
    def places(self, count: int) -> Iterator[Places]:
        """Places for all images of a request, or none; those not used are free after the block.

        Raises:
            StoreBusy: so many are not free now.
        """
        with self._changed:
            if self._ended or self.waiting + count > self._most:
                raise StoreBusy(f"{self.waiting} images wait already", mend="ask again in a moment")
            self._kept += count
        made = Places(self, count)
        try:
            yield made
        finally:
            with self._changed:
                self._kept -= made.kept

    def _submit(
        self, places: Places, champion: Champion, images: Sequence[Tensor]
    ) -> list[Future[Answer]]:
        now = time.perf_counter()
        questions = [_Question(champion, one, now) for one in images]
        if len(questions) != places.kept:
            raise ValueError(f"{len(questions)} images for {places.kept} places")
        with self._changed:
            if self._ended:
                raise StoreBusy("the service ends", mend="ask again in a moment")
            self._kept, places.kept = self._kept - places.kept, 0
            self._waiting.extend(questions)
            self._changed.notify()
        return [one.answer for one in questions]

    def close(self) -> None:
        """Answer what waits, and end."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            started = time.perf_counter()
            try:
                self._answer(batch, started)
            except Exception as error:  # noqa: BLE001 - an asker is told, and the next one answered
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(error)
            self._observe(batch[0].champion.name, len(batch), time.perf_counter() - started)

    def _next(self) -> list[_Question]:
        """The oldest question and those that can be asked with it; none when all is over."""
        with self._changed:
            while True:
                while not self._waiting:
                    if self._ended:
                        return []
                    self._changed.wait()
                if batch := self._taken():
                    return batch

    def _taken(self) -> list[_Question]:
        """Take questions to the champion of the oldest one out of the queue."""
        champion = self._waiting[0].champion
        batch: list[_Question] = []
        rest: list[_Question] = []
        for one in self._waiting:
            if one.champion is not champion or len(batch) == self._largest:
                rest.append(one)
            elif one.answer.set_running_or_notify_cancel():  # else whoever asked is gone
                batch.append(one)
        self._waiting = deque(rest)
        return batch

    @staticmethod
    def _answer(batch: list[_Question], started: float) -> None:
        import torch

        scores, maps = batch[0].champion.ask(torch.stack([one.pixels for one in batch]))
        for one, score, map_ in zip(batch, scores.tolist(), maps.numpy(), strict=True):
            one.answer.set_result(Answer(score, map_, started - one.asked))
