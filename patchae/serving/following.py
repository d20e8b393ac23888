"""Which champion answers for each model: whoever the aliases name, looked at every few seconds.

A new champion is proven, loaded and warmed up beside the old one, and then takes its place in one
step. A request has the champion that it found when it came, so its images are all answered by one
version. What stands in the way of a new champion is told, and the old one goes on; where MLflow or
the ledger does not answer, everything stays as it is until it does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from patchae.errors import PatchaeError, StoreUnreachable, UsageError
from patchae.project import Project
from patchae.registry.fetched import Fetched
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.serving.champion import Champion, Runtime, load
from patchae.serving.proving import Keys, Named, named, prove

FOLLOW_S = 5.0
AGAIN_S = 60.0
"""A version that could not be served is tried again after so long."""
CLOSE_S = 30.0
"""How long the end of the service waits for a look that is under way."""
_log = logging.getLogger("patchae.serving")


@dataclass(frozen=True)
class Refusal:
    """A version, or its threshold, that could not be served."""

    champion: Named
    tried: float
    """`time.monotonic`."""
    why: str


@dataclass
class Slot:
    """What answers for one model."""

    name: str
    champion: Champion | None = None
    problem: str | None = None
    """What keeps the champion that is named from being served; None: nothing."""
    refused: Refusal | None = None


class Following:
    """Slots for some models, and the thread that keeps them up to date."""

    def __init__(
        self,
        project: Project,
        tracking: Tracking,
        names: Sequence[str],
        *,
        every_s: float = FOLLOW_S,
        keys: Keys = None,
        runtime: Runtime = "torch",
        changed: Callable[[Champion], None] = lambda champion: None,
    ) -> None:
        self._project, self._tracking, self._ledger = project, tracking, Ledger.of(project)
        self._every_s, self._keys, self._runtime = every_s, keys, runtime
        self._changed = changed
        self._ended = threading.Event()
        self.slots = {name: Slot(name) for name in names}
        self.seen = 0.0
        """When MLflow and the ledger last answered, in seconds of the Unix epoch."""
        self._thread = threading.Thread(target=self._work, name="following", daemon=True)

    def start(self) -> None:
        """Load every champion, then follow.

        Raises:
            PatchaeError: one cannot be served; nothing is followed.
        """
        for slot in self.slots.values():
            while slot.champion is None:
                self._look(slot)
        self.seen = time.time()
        self._thread.start()

    def close(self) -> None:
        """Follow no longer; a look that takes longer than `CLOSE_S` ends with the process."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _work(self) -> None:
        while not self._ended.wait(self._every_s):
            silent = self._silent()
            for slot in self.slots.values():
                if self._ended.is_set():
                    return
                self._follow(slot, silent)

    def _silent(self) -> StoreUnreachable | None:
        """That MLflow does not answer, found once for all models and within seconds."""
        try:
            self._tracking.probe()
        except StoreUnreachable as error:
            return error
        return None

    def _follow(self, slot: Slot, silent: StoreUnreachable | None) -> None:
        if silent:
            self._tell(slot, _unknown(silent))
            return
        try:
            self._look(slot)
        except StoreUnreachable as error:
            self._tell(slot, _unknown(error))
        except PatchaeError as error:
            self.seen = time.time()
            self._tell(slot, _why(error))
        except Exception as error:  # noqa: BLE001 - the thread must live, whatever a library raises
            _log.exception("following %s", slot.name)
            self._tell(slot, _why(error))
        else:
            self.seen = time.time()
            self._tell(slot, None)

    def _look(self, slot: Slot) -> None:
        wanted = named(self._tracking, self._ledger, slot.name)
        if slot.champion is not None and slot.champion.named == wanted:
            slot.refused = None
            return
        refused = slot.refused
        if refused and refused.champion == wanted and time.monotonic() - refused.tried < AGAIN_S:
            raise UsageError(refused.why)
        try:
            made = self._made(slot, wanted)
        except StoreUnreachable:
            raise
        except Exception as error:
            slot.refused = Refusal(wanted, time.monotonic(), _why(error))
            raise
        if named(self._tracking, self._ledger, slot.name) != wanted:
            return  # to load takes a while; the next look finds who is champion now
        slot.champion, slot.refused = made, None
        self._changed(made)

    def _made(self, slot: Slot, wanted: Named) -> Champion:
        """The champion to serve: loaded, or the one in memory at another threshold, proven anew."""
        if slot.champion is not None and slot.champion.version == wanted.version:
            with Fetched(self._tracking) as own:
                prove(self._project, own, slot.name, wanted.version, self._keys)
            return slot.champion.at(wanted.threshold)
        return load(
            self._project,
            self._tracking,
            slot.name,
            wanted.version,
            threshold=wanted.threshold,
            keys=self._keys,
            runtime=self._runtime,
            beside=[one.champion for one in self.slots.values() if one.champion],
        )

    def _tell(self, slot: Slot, problem: str | None) -> None:
        if problem != slot.problem:
            if problem:
                _log.warning("%s: %s", slot.name, problem)
            else:
                _log.warning("%s: all is well again", slot.name)
        slot.problem = problem


def _why(error: Exception) -> str:
    return error.what if isinstance(error, PatchaeError) else f"{type(error).__name__}: {error}"


def _unknown(error: StoreUnreachable) -> str:
    return f"its champion is not known: {error.what}"
