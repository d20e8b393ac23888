"""Tells a configured OpenLineage receiver how a retraining goes, and never holds it up.

Events are handed to a thread; whatever happens there is one warning and the end of the telling. So
a receiver that is down, slow or wrong costs a retraining at most `PATIENCE_S` seconds, at its end.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from patchae.console import say
from patchae.lineage import openlineage
from patchae.lineage.openlineage import Images, Made, Run, State
from patchae.lineage.source import git_of
from patchae.project import Project
from patchae.steps.job import ClassJob, Origin

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

PATIENCE_S = 5.0
"""How long the end of a retraining waits for events that are still on their way."""
_TIMEOUT_S = 3.0
"""Of one HTTP request to OPENLINEAGE_URL; another transport's configuration says its own."""


class ClassNews:
    """What is to be told of one class; filled while it is worked on."""

    def __init__(self, class_name: str, data_version: str) -> None:
        self.images = Images(class_name, data_version)
        self.made: tuple[Made, ...] = ()

    def checked(self, job: ClassJob) -> None:
        """Its images passed validation."""
        self.images = Images(
            job.class_name,
            job.data_version,
            count=len(job.manifest),
            bytes=int(job.manifest["bytes"].sum()),
            checks=tuple((one.code, one.severity, one.passed) for one in job.validation.checks),
        )

    def judged(self, model: str, version: str, verdict: str) -> None:
        """A version is registered and has its verdict."""
        told = f"Patch AE of {self.images.class_name}; verdict: {verdict}"
        self.made = (Made(model, version, told),)


class Announcer:
    """The events of one retraining, in their order; silent where no receiver is configured.

    No method fails because of the receiver, and only the end of `announcing` waits for it.
    """

    def __init__(self, flow: Run | None) -> None:
        self._flow = flow
        self._events: queue.Queue[Callable[[], RunEvent] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._send, name="openlineage", daemon=True)
        if flow:
            self._thread.start()
            self._put(flow, "START")

    @contextmanager
    def of_class(self, model: str, class_name: str, data_version: str) -> Iterator[ClassNews]:
        """Tell that a class begins and, behind the block, how it ended."""
        news = ClassNews(class_name, data_version)
        run = Run(
            id=str(uuid.uuid4()),
            job=f"train {model}",
            description=f"Validates, trains, judges and perhaps promotes {model}",
            parent=self._flow,
            git=self._flow.git if self._flow else None,
        )
        self._put(run, "START", images=(news.images,))
        try:
            yield news
        except BaseException as error:
            self._put(run, "FAIL", images=(news.images,), error=_said(error))
            raise
        self._put(run, "COMPLETE", images=(news.images,), made=news.made)

    def close(self, error: BaseException | None = None) -> None:
        """The retraining ended, with what it failed for, if it did; waits `PATIENCE_S` at most."""
        if not self._flow:
            return
        self._put(self._flow, "FAIL" if error else "COMPLETE", error=_said(error))
        self._events.put(None)
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            _warn(f"the receiver did not take all of them within {PATIENCE_S:.0f} s")

    def _put(self, run: Run, state: State, **more: Any) -> None:
        if self._flow:
            # The moment is now; building the event, which imports the client, is the thread's work.
            now = datetime.now(UTC)
            self._events.put(lambda: openlineage.event(run, state, time=now, **more))

    def _send(self) -> None:
        try:
            client = _client()
            while (make := self._events.get()) is not None:
                client.emit(make())
            client.close(PATIENCE_S)
        except Exception as error:  # noqa: BLE001 - transports of any kind raise of any kind
            _warn(str(error).partition("\n")[0] or type(error).__name__)


@contextmanager
def announcing(project: Project, line: str, origin: Origin) -> Iterator[Announcer]:
    """Tell of the retraining of a line that happens in the block, and how it ended."""
    flow = None
    if openlineage.configured():
        flow = Run(
            id=origin.flow_run_id or str(uuid.uuid4()),
            job=f"retrain {line}",
            description=f"Retrains the product line {line}",
            git=git_of(project),
        )
    announcer = Announcer(flow)
    try:
        yield announcer
    except BaseException as error:
        announcer.close(error)
        raise
    announcer.close()


def _said(error: BaseException | None) -> str | None:
    return None if error is None else str(error) or type(error).__name__


def _client() -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    for name in ("openlineage", "urllib3"):  # our one warning says it
        logging.getLogger(name).setLevel(logging.CRITICAL)
    before = set(os.environ)
    try:
        return OpenLineageClient(transport=_simple_http())
    finally:
        for name in set(os.environ) - before:  # the client writes its configuration there
            if name.startswith("OPENLINEAGE__"):
                os.environ.pop(name)


def _simple_http() -> Any:
    """The transport of OPENLINEAGE_URL alone, with our patience; None where more is configured."""
    url = os.environ.get("OPENLINEAGE_URL")
    if not url or any(name.startswith("OPENLINEAGE__TRANSPORT") for name in os.environ):
        return None
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    told: dict[str, Any] = {"url": url, "timeout": _TIMEOUT_S, "retry": {"total": 0}}
    if endpoint := os.environ.get("OPENLINEAGE_ENDPOINT"):
        told["endpoint"] = endpoint
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        told["auth"] = {"type": "api_key", "apiKey": key}
    return HttpTransport(HttpConfig.from_dict(told))


def _warn(why: str) -> None:
    say(
        f"warning: OpenLineage events were not sent: {why}; the retraining goes on without them",
        logging.WARNING,
    )
