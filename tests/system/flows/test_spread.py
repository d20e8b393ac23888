"""The run of a line and the runs that it sends, with a server that is away at times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound

from flows import spread as module
from flows.silence import is_silence
from flows.spread import spread
from patchae.steps.job import Origin
from patchae.steps.outcome import ClassOutcome

REQUEST = httpx.Request("GET", "http://prefect.example/api")


def refused(code: int) -> httpx.HTTPStatusError:
    """An answer that is an error."""
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(code))


@dataclass
class Server:
    """Prefect's client as `spread` uses it; what is in `troubles` is raised first."""

    troubles: list[Exception] = field(default_factory=list)
    gone: int = 0
    """So many runs are removed before anybody looks at them."""
    at_create: list[Exception] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    sent: list[UUID] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["Completed"])
    at_cancel: Exception = field(default_factory=lambda: refused(500))
    now: str = ""

    def read_deployment_by_name(self, _: str) -> Any:
        return SimpleNamespace(id=uuid4())

    def hello(self) -> httpx.Response:
        return httpx.Response(200)  # a proxy took the date away

    def create_flow_run_from_deployment(self, *_: Any, idempotency_key: str, **__: Any) -> Any:
        self.keys.append(idempotency_key)
        if self.at_create:
            raise self.at_create.pop(0)
        self.sent.append(uuid4())
        return SimpleNamespace(id=self.sent[-1], name="brave-toad")

    def read_flow_run(self, run: UUID) -> Any:
        if self.troubles:
            raise self.troubles.pop(0)
        if run in self.sent[: self.gone]:
            raise ObjectNotFound(refused(404))
        name = self.now = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        state = SimpleNamespace(
            name=name,
            message="",
            is_final=lambda: name != "Scheduled",
            is_crashed=lambda: name == "Crashed",
        )
        return SimpleNamespace(name="run", state=state, start_time=None, id=run)

    def set_flow_run_state(self, run: UUID, _: Any) -> None:
        self.cancelled.append(run)
        raise self.at_cancel


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def client(**_: Any) -> Iterator[Server]:
        yield made

    monkeypatch.setattr("prefect.client.orchestration.get_client", client)
    monkeypatch.setattr(module, "describe", lambda _: {})
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "1")
    monkeypatch.setattr(module, "_POLL_S", 0.0)
    monkeypatch.setattr(module, "_PAUSES_S", (0, 0))
    monkeypatch.setattr(
        module,
        "told",
        lambda *_: {"cap": ClassOutcome("cap", "caps.cap")} if made.now == "Completed" else {},
    )
    return made


@pytest.fixture
def run(tmp_path: Any) -> Any:
    """The run of a line, as far as it matters here."""
    line = SimpleNamespace(
        name="caps", work_pool="pool", classes_per_run=1, data_pool=None, model_name=str
    )
    origin = Origin("", "person", flow_run_id="f", deployment="caps", work_pool="pool")
    return SimpleNamespace(
        line=line, origin=origin, version="v", project=SimpleNamespace(root=tmp_path)
    )


def test_a_server_whose_database_restarts_ends_nothing(server: Server, run: Any) -> None:
    server.troubles = [refused(500), refused(503), httpx.ConnectError("gone")]
    assert spread(run, ["cap"]) == [ClassOutcome("cap", "caps.cap")]
    assert server.cancelled == []


def test_a_server_that_refuses_ends_it_and_says_why(server: Server, run: Any) -> None:
    """Also when the runs that were sent cannot be cancelled."""
    server.troubles = [refused(403)]
    with pytest.raises(httpx.HTTPStatusError) as raised:
        spread(run, ["cap", "lid"])
    assert raised.value.response.status_code == 403
    assert len(server.cancelled) == 2


def test_a_call_whose_answer_was_lost_is_the_same_run(server: Server, run: Any) -> None:
    server.at_create = [httpx.ReadTimeout("lost"), refused(502)]
    spread(run, ["cap"])
    assert server.keys == ["f:1:cap:1"] * 3


def test_a_crashed_run_is_another_one(server: Server, run: Any) -> None:
    server.states = ["Crashed", "Completed"]
    spread(run, ["cap"])
    assert server.keys == ["f:1:cap:1", "f:1:cap:2"]


def test_a_run_that_is_retried_sends_others(
    server: Server, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's pages begin it again under its id; what it sent before is over."""
    spread(run, ["cap"])
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "2")
    spread(run, ["cap"])
    assert server.keys == ["f:1:cap:1", "f:2:cap:1"]


def test_a_run_that_was_removed_fails_its_class_alone(server: Server, run: Any) -> None:
    server.gone = 1
    server.states = ["Scheduled", "Completed"]
    lid, cap = spread(run, ["lid", "cap"]) or []
    assert lid.failed == "its run was removed from Prefect"
    assert cap == ClassOutcome("cap", "caps.cap")
    assert server.cancelled == []


def test_a_pool_whose_deployment_was_removed_fails_what_is_not_sent(
    server: Server, run: Any
) -> None:
    server.at_create = [refused(404)]
    lid, cap = spread(run, ["lid", "cap"]) or []
    assert "the deployment train-class/pool was removed" in str(lid.failed)
    assert cap == ClassOutcome("cap", "caps.cap")


def test_a_run_that_is_gone_need_not_be_cancelled(server: Server, run: Any) -> None:
    server.troubles = [refused(403)]
    server.at_cancel = ObjectNotFound(refused(404))
    with pytest.raises(httpx.HTTPStatusError):
        spread(run, ["cap", "lid"])
    assert len(server.cancelled) == 2


def test_a_class_that_no_worker_takes_is_said(
    server: Server,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_LONG_S", -1.0)
    server.states = ["Scheduled", "Scheduled", "Completed"]
    with caplog.at_level("WARNING", logger="patchae"):
        spread(run, ["cap"])
    (said,) = caplog.messages
    assert "is there a worker of pool pool" in said


@pytest.mark.parametrize(
    ("error", "wanted"),
    [(refused(500), True), (refused(404), False), (httpx.ConnectTimeout("x"), True)],
    ids=str,
)
def test_silence_is_no_refusal(error: httpx.HTTPError, wanted: bool) -> None:
    assert is_silence(error) == wanted
