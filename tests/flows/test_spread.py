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

from flows import spread as module
from flows.silence import is_silence
from flows.spread import spread
from patchae.steps.outcome import ClassOutcome

REQUEST = httpx.Request("GET", "http://prefect.example/api")


def refused(code: int) -> httpx.HTTPStatusError:
    """An answer that is an error."""
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(code))


@dataclass
class Server:
    """Prefect's client as `spread` uses it; what is in `troubles` is raised first."""

    troubles: list[Exception] = field(default_factory=list)
    at_create: list[Exception] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["Completed"])
    now: str = ""

    def read_deployment_by_name(self, _: str) -> Any:
        return SimpleNamespace(id=uuid4())

    def hello(self) -> httpx.Response:
        return httpx.Response(200)  # a proxy took the date away

    def create_flow_run_from_deployment(self, *_: Any, idempotency_key: str, **__: Any) -> Any:
        self.keys.append(idempotency_key)
        if self.at_create:
            raise self.at_create.pop(0)
        return SimpleNamespace(id=uuid4())

    def read_flow_run(self, run: UUID) -> Any:
        if self.troubles:
            raise self.troubles.pop(0)
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
        raise refused(500)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def client(**_: Any) -> Iterator[Server]:
        yield made

    monkeypatch.setattr("prefect.client.orchestration.get_client", client)
    monkeypatch.setattr(module, "describe", lambda _: {})
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
    origin = SimpleNamespace(
        work_pool="pool", reason="", trigger="person", deployment="caps", flow_run_id="f"
    )
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
    assert server.keys == ["f:cap:1"] * 3


def test_a_crashed_run_is_another_one(server: Server, run: Any) -> None:
    server.states = ["Crashed", "Completed"]
    spread(run, ["cap"])
    assert server.keys == ["f:cap:1", "f:cap:2"]


def test_a_class_that_no_worker_takes_is_said(
    server: Server, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "say", said.append)
    monkeypatch.setattr(module, "_LONG_S", -1.0)
    server.states = ["Scheduled", "Scheduled", "Completed"]
    spread(run, ["cap"])
    (one,) = said
    assert "is there a worker of pool pool" in one


@pytest.mark.parametrize(
    ("error", "wanted"),
    [(refused(500), True), (refused(404), False), (httpx.ConnectTimeout("x"), True)],
    ids=str,
)
def test_silence_is_no_refusal(error: httpx.HTTPError, wanted: bool) -> None:
    assert is_silence(error) == wanted
