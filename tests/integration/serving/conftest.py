"""A service that really listens, over a project with two versions of one model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from flows.server import free_port
from patchae.predictions.log import PredictionLog
from patchae.project import Project
from patchae.serving.judging import Parts
from patchae.serving.running import Wish, prepared
from tests.support.plant import Works, the_works

T = TypeVar("T")
LENS, DISC = "works.lens", "works.disc"
TOKEN = "open sesame"  # noqa: S105


class Service:
    """A running service, and a way to ask it."""

    def __init__(self, project: Project, parts: Parts, port: int, token: str) -> None:
        self.project, self.parts, self.port = project, parts, port
        head = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=head, timeout=60)

    def image(self, kind: str = "good", number: int = 0, class_name: str = "lens") -> Path:
        """A test image."""
        return self.project.data / class_name / "test" / kind / f"{number:03d}.png"

    def post(self, content: bytes, model: str = LENS, **params: Any) -> httpx.Response:
        """Ask about one file."""
        return self.client.post(
            f"/v1/score/{model}",
            content=content,
            params=params,
            headers={"Content-Type": "image/png"},
        )

    def version(self) -> str:
        """The version that answers for `LENS`."""
        told = self.post(self.image().read_bytes())
        assert told.status_code == 200, told.text
        return str(told.json()["version"])

    def problems(self) -> dict[str, str]:
        """What /readyz says."""
        told: dict[str, str] = self.client.get("/readyz").json()["problems"]
        return told


@contextmanager
def running(project: Project, *models: str, token: str = "", **wish: Any) -> Iterator[Service]:
    """A service for the length of the block."""
    port = free_port(0)
    wanted = Wish(port=port, every_s=0.2, **wish)
    with closing(PredictionLog(project.predictions)) as log:
        server, parts = prepared(project, models or (LENS,), wanted, log, token)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until(lambda: server.started)
            service = Service(project, parts, port, token)
            with closing(service.client):
                yield service
        finally:
            server.should_exit = True
            thread.join()
            parts.close()


def until(ask: Callable[[], T], patience: float = 240) -> T:
    """Wait until something is so."""
    end = time.monotonic() + patience
    while not (found := ask()):
        assert time.monotonic() < end, "it never came so"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="package")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """Whoever changes it puts it back."""
    return the_works(tmp_path_factory)


@pytest.fixture(scope="module")
def service(works: Works) -> Iterator[Service]:
    """A service of both models with small limits."""
    from patchae.serving.asked import Limits

    limits = Limits(
        body_bytes=400_000,
        all_bytes=2_000_000,
        images=4,
        pixels=1_000_000,
        body_s=5.0,
        answer_s=20.0,
    )
    works.tracking()
    with running(works.plant.project, LENS, DISC, token=TOKEN, limits=limits) as made:
        yield made
