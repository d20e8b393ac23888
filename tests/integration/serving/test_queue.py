"""What finds no place in the queue is refused before any work; what is judged waits for nobody."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from patchae.errors import StoreBusy, UsageError
from patchae.project import Project
from patchae.serving.asked import Limits
from patchae.serving.engine import Engine
from patchae.serving.running import Wish, serve
from tests.integration.serving.conftest import LENS, Service, until


def test_places_are_for_all_images_of_a_request_or_none() -> None:
    engine = Engine(most_waiting=10)
    try:
        with engine.places(7):
            assert engine.waiting == 7
            with pytest.raises(StoreBusy, match="7 images wait already"), engine.places(4):
                raise AssertionError("there were no places")
            with engine.places(3):
                assert engine.waiting == 10
        assert engine.waiting == 0
    finally:
        engine.close()


def test_with_a_full_queue_nothing_is_decoded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(service.parts.engine, "_most", 0)
        told = service.post(b"this is no image, which only who decodes it finds out")
    assert told.status_code == 429, told.text
    assert service.version()


def test_what_cannot_be_judged_gives_its_places_back(service: Service) -> None:
    for _ in range(3):
        files = [("image", b"no image"), ("image", service.image().read_bytes())]
        told = service.client.post(f"/v1/score/{LENS}", files=files)
        assert told.status_code == 422
    assert service.parts.engine.waiting == 0


def test_what_is_judged_does_not_wait_for_what_is_not_even_decoded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = service.parts.following.slots[LENS].champion
    assert champion
    ask, asked, go, later = champion.ask, threading.Event(), threading.Event(), threading.Event()
    codes: list[int] = []

    def slowly(images: Any) -> Any:
        asked.set()
        go.wait(30)
        return ask(images)

    def post() -> None:
        codes.append(service.post(service.image().read_bytes()).status_code)

    with monkeypatch.context() as patch:
        patch.setitem(champion.__dict__, "ask", slowly)
        one = threading.Thread(target=post)
        one.start()
        try:
            until(asked.is_set, patience=30)
            for _ in range(service.parts.threads):
                service.parts.decoders.submit(later.wait, 60)
            go.set()
            one.join(30)
            assert codes == [200]
        finally:
            go.set()
            later.set()
            one.join()


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        (Wish(limits=Limits(images=129)), "--max-images"),
        (Wish(most_waiting=63), "--queue"),
        (Wish(limits=Limits(body_bytes=256 * 1024 * 1024 + 1)), "--max-body"),
    ],
)
def test_limits_that_contradict_each_other_are_refused_at_once(
    tmp_path: Path, wish: Wish, where: str
) -> None:
    with pytest.raises(UsageError) as found:
        serve(Project(tmp_path), ["no.model"], wish)
    assert found.value.where
    assert where in found.value.where
    assert not (tmp_path / ".patchae").exists()
