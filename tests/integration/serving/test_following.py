"""The champion changes under load: nobody is left without an answer, or with two minds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from bench.agreement import disputed
from patchae.errors import AuditBroken, StoreUnreachable, UsageError
from patchae.model.detector import PatchAE
from patchae.predictions.reading import predictions
from patchae.registry.promotion import override, rollback
from patchae.registry.standing import champion_of, last_verdict, moves
from patchae.registry.tracking import Tracking
from patchae.serving import following
from patchae.serving.asked import Limits
from patchae.serving.champion import Champion
from tests.integration.serving.conftest import LENS, Service, running, until
from tests.support.plant import Works

WHY = {"actor": "a test", "reason": "to see who answers"}


def champion(works: Works) -> str:
    """The version that the ledger has."""
    found = champion_of(works.plant.ledger.entries(LENS)).current
    assert found
    return found


def move(works: Works, tracking: Tracking, version: str) -> None:
    """Make a version the champion, whatever the gate said of it."""
    ledger = works.plant.ledger
    rows = ledger.entries(LENS)
    verdict = last_verdict(rows, version)
    was = version in [row.body["to"] for row in rows if row.kind == "move"]
    if was:
        rollback(ledger, tracking.aliases, LENS, to=version, **WHY)
    else:
        assert verdict
        override(ledger, tracking.aliases, LENS, version, **WHY)


@pytest.fixture
def tracking(works: Works) -> Iterator[Tracking]:
    made, before = works.tracking(), champion(works)
    yield made
    if champion(works) != before:
        move(works, made, before)


@contextmanager
def load(service: Service, clients: int = 3) -> Iterator[list[tuple[int, set[str], str]]]:
    """Ask all the time; every answer's status, versions and, if it was none, what it said."""
    answers: list[tuple[int, set[str], str]] = []
    ended = threading.Event()
    files = [("image", (f"{n}.png", service.image("good", n).read_bytes())) for n in range(3)]

    def ask() -> None:
        with httpx.Client(timeout=60) as client:
            while not ended.is_set():
                told = client.post(f"http://127.0.0.1:{service.port}/v1/score/{LENS}", files=files)
                found = told.json()
                said = {found["version"]} if told.status_code == 200 else set()
                answers.append((told.status_code, said, told.text))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for one in threads:
        one.start()
    try:
        yield answers
    finally:
        ended.set()
        for one in threads:
            one.join()


def test_a_body_that_comes_after_a_promotion_is_judged_by_the_new_champion(
    works: Works, tracking: Tracking
) -> None:
    first = champion(works)
    second = {"1": "2", "2": "1"}[first]
    before = sum(1 for _ in predictions(works.plant.project, model=LENS))
    with running(works.plant.project, LENS, limits=Limits(body_s=120.0)) as service:
        content = service.image().read_bytes()

        def slowly() -> Iterator[bytes]:
            yield content[:100]
            move(works, tracking, second)
            until(lambda: service.version() == second)
            yield content[100:]

        with httpx.Client(base_url=service.client.base_url, timeout=60) as camera:
            told = camera.post(
                f"/v1/score/{LENS}", content=slowly(), headers={"Content-Type": "image/png"}
            )
        assert told.json()["version"] == second
    decided = list(predictions(works.plant.project, model=LENS))[before:]
    assert disputed(decided, moves(works.plant.ledger.entries(LENS))) == []


def test_promotion_rollback_and_trouble_under_load(
    works: Works, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "AGAIN_S", 0.5)
    first = champion(works)
    second = {"1": "2", "2": "1"}[first]
    before = sum(1 for _ in predictions(works.plant.project, model=LENS))
    with running(works.plant.project, LENS) as service, load(service) as answers:
        assert service.version() == first
        move(works, tracking, second)
        until(lambda: service.version() == second)
        move(works, tracking, first)
        until(lambda: service.version() == first)

        # The other version's weights are no longer those that were judged.
        weights = tracking.model_folder(tracking.version(LENS, second))
        (file,) = weights.rglob("model.safetensors")
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        move(works, tracking, second)
        refused = f"{LENS}/{second} is not served"
        until(lambda: refused in service.problems().get(LENS, ""))
        assert service.version() == first
        file.write_bytes(whole)
        until(lambda: service.version() == second)
        until(lambda: not service.problems())

        # MLflow is away, and comes back.
        def gone(_: str) -> None:
            raise StoreUnreachable("MLflow does not answer")

        with monkeypatch.context() as away:
            away.setattr(service.parts.following._tracking.aliases, "get", gone)
            assert "does not answer" in until(service.problems)[LENS]
            assert service.version() == second
        until(lambda: not service.problems())
        asked = service.parts
    assert answers
    assert [text for status, _, text in answers if status != 200] == []
    assert {frozenset(said) for _, said, _ in answers} == {frozenset({first}), frozenset({second})}
    decisions = list(predictions(works.plant.project, model=LENS))[before:]
    assert disputed(decisions, moves(works.plant.ledger.entries(LENS))) == []
    logged = len(decisions)
    metrics = asked.gauges.registry.get_sample_value
    judged = sum(
        metrics("patchae_images_total", {"model": LENS, "version": v, "decision": d}) or 0
        for v in (first, second)
        for d in ("good", "anomalous")
    )
    assert logged == judged >= 3 * len(answers)


def test_a_refusal_says_the_same_after_mlflow_was_away(
    works: Works, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = champion(works)
    second = {"1": "2", "2": "1"}[first]
    (file,) = tracking.model_folder(tracking.version(LENS, second)).rglob("model.json")
    whole = file.read_bytes()
    refused = f"{LENS}/{second} is not served"

    def gone(_: str) -> None:
        raise StoreUnreachable("MLflow does not answer")

    with running(works.plant.project, LENS) as service:
        file.write_bytes(whole + b" ")
        try:
            move(works, tracking, second)
            until(lambda: refused in service.problems().get(LENS, ""))
            with monkeypatch.context() as away:
                away.setattr(service.parts.following._tracking.aliases, "get", gone)
                until(lambda: "does not answer" in service.problems()[LENS])
            until(lambda: refused in service.problems()[LENS], patience=20)
        finally:
            file.write_bytes(whole)


def test_what_cannot_be_loaded_is_not_tried_again_at_once(
    works: Works, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = {"1": "2", "2": "1"}[champion(works)]
    tries: list[str] = []

    def fails(*_: object) -> None:
        tries.append(second)
        raise RuntimeError("out of memory")

    with running(works.plant.project, LENS) as service, monkeypatch.context() as patch:
        patch.setattr(PatchAE, "load", fails)
        move(works, tracking, second)
        until(lambda: "RuntimeError: out of memory" in service.problems().get(LENS, ""))
        looked = time.time()
        until(lambda: service.parts.following.seen > looked + 1, patience=20)
        assert tries == [second]
        assert "RuntimeError: out of memory" in service.problems()[LENS]


def test_a_version_that_is_rolled_back_while_it_is_loaded_answers_nobody(
    works: Works, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = champion(works)
    second = {"1": "2", "2": "1"}[first]
    answered: list[str] = []
    loaded: list[str] = []
    real = following.load

    def load_and_roll_back(*given: Any, **named: Any) -> Champion:
        made = real(*given, **named)
        loaded.append(made.version)
        if made.version == second:
            move(works, tracking, first)
        return made

    monkeypatch.setattr(following, "load", load_and_roll_back)
    looking = following.Following(
        works.plant.project,
        tracking,
        [LENS],
        every_s=0.05,
        changed=lambda champion: answered.append(champion.version),
    )
    looking.start()
    try:
        move(works, tracking, second)
        until(lambda: loaded == [first, second])
        looked = time.time()
        until(lambda: looking.seen > looked)
    finally:
        looking.close()
    assert answered == [first]
    assert looking.slots[LENS].problem is None


def test_a_look_that_never_ends_does_not_keep_the_service_from_ending(
    works: Works, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def silent(_: Tracking) -> None:
        asked.set()
        answer.wait()

    monkeypatch.setattr(Tracking, "probe", silent)
    monkeypatch.setattr(following, "CLOSE_S", 0.01)
    looking = following.Following(works.plant.project, tracking, [], every_s=0.01)
    looking.start()
    asked.wait()
    try:
        looking.close()
        assert not answer.is_set(), "it is still under way"
    finally:
        answer.set()


def test_a_model_without_champion_or_with_a_broken_audit_is_not_started(
    works: Works, tracking: Tracking
) -> None:
    with pytest.raises(UsageError, match="no champion"), running(works.plant.project, "works.no"):
        raise AssertionError("it started")
    held = tracking.version(LENS, champion(works))
    (file,) = tracking.model_folder(held).rglob("model.json")
    whole = file.read_bytes()
    file.write_bytes(whole + b" ")
    try:
        with pytest.raises(AuditBroken, match="is not served"), running(works.plant.project):
            raise AssertionError("it started")
    finally:
        file.write_bytes(whole)
