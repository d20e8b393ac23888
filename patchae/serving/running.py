"""Start the service, and end it so that nobody is left without an answer."""

from __future__ import annotations

import ipaddress
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from patchae.console import say
from patchae.errors import UsageError
from patchae.predictions.log import PredictionLog
from patchae.project import Project
from patchae.registry.tracking import Tracking
from patchae.serving.app import service
from patchae.serving.asked import Limits
from patchae.serving.champion import Champion, Runtime
from patchae.serving.engine import LARGEST_BATCH, MOST_WAITING, Engine
from patchae.serving.following import FOLLOW_S, Following
from patchae.serving.gauges import Gauges
from patchae.serving.judging import Parts
from patchae.serving.keeping import Keeper
from patchae.serving.listening import bound, listen
from patchae.serving.proving import Keys
from patchae.settings import settings

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 30
"""How long a request that is under way has when the service is told to end."""
CONNECTIONS = 512


@dataclass(frozen=True)
class Wish:
    """How the service shall run."""

    host: str = "127.0.0.1"
    port: int = 8000
    every_s: float = FOLLOW_S
    runtime: Runtime = "torch"
    keys: Keys = None
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    largest_batch: int = LARGEST_BATCH
    most_waiting: int = MOST_WAITING
    keep: int = 0
    """Every so many images one is kept; 0: none."""
    keep_most: int = 1000
    without_token: bool = False
    """Serve other machines although there is no token."""


def serve(project: Project, names: Sequence[str], wish: Wish) -> None:
    """Serve the champions of some models until the process is told to end.

    Raises:
        UsageError: a model has no champion, others could ask without a token, two limits
            contradict each other, or the port is taken.
        AuditBroken: a champion may not be served.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    token = settings().token
    require_sense(wish)
    if not token and not wish.without_token and not _loopback(wish.host):
        raise UsageError(
            f"anybody who reaches {wish.host} could ask",
            where="--host",
            mend="set PATCHAE_TOKEN, or say --without-token",
        )
    with bound(wish.host, wish.port) as sockets, closing(PredictionLog.open(project)) as log:
        server, parts = prepared(project, names, wish, log, token)
        try:
            listen(sockets)
            say(f"serving at http://{wish.host}:{wish.port}, for people at /docs")
            with _told_to_end():
                server.run(sockets)
        finally:
            parts.close()


def require_sense(wish: Wish) -> None:
    """Refuse limits that would have a request within all of them wait for ever.

    Raises:
        UsageError: a request may be larger than all of them together.
    """
    limits = wish.limits
    if limits.images > wish.most_waiting:
        raise UsageError(
            f"a request may have {limits.images} images, and only {wish.most_waiting} may wait",
            where="--max-images, --queue",
            mend=f"--max-images {wish.most_waiting}, or --queue {limits.images}",
        )
    if limits.body_bytes > limits.all_bytes:
        raise UsageError(
            f"a request may have {limits.body_bytes:,} bytes, and all of them together"
            f" {limits.all_bytes:,}",
            where="--max-body",
            mend=f"--max-body {limits.all_bytes // 10**6} at most",
        )


def prepared(
    project: Project, names: Sequence[str], wish: Wish, log: PredictionLog, token: str
) -> tuple[uvicorn.Server, Parts]:
    """The server with every champion loaded; it does not listen yet. Raises as `serve`."""
    import uvicorn

    def took_over(champion: Champion) -> None:
        gauges.champion.labels(champion.name, champion.version).set(1)
        for other in before.get(champion.name, []):
            gauges.champion.remove(champion.name, other)
        before[champion.name] = [champion.version]
        say(f"{champion.name}: version {champion.version} answers")

    before: dict[str, list[str]] = {}
    following = Following(
        project,
        Tracking.open(project),
        names,
        every_s=wish.every_s,
        keys=wish.keys,
        runtime=wish.runtime,
        changed=took_over,
    )
    gauges = Gauges(lambda: engine.waiting, lambda: following.seen)
    engine = Engine(
        largest_batch=wish.largest_batch,
        most_waiting=wish.most_waiting,
        observe=gauges.batched,
    )
    try:
        following.start()
    except BaseException:
        engine.close()
        raise
    parts = Parts(
        following=following,
        engine=engine,
        gauges=gauges,
        log=log,
        limits=wish.limits,
        token=token,
        keeper=Keeper(project.recent, wish.keep, wish.keep_most) if wish.keep else None,
        threads=max(2, torch.get_num_threads()),
    )
    config = uvicorn.Config(
        service(parts),
        host=wish.host,
        port=wish.port,
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    return uvicorn.Server(config), parts


@contextmanager
def _told_to_end() -> Iterator[None]:
    """To be told to end is no error: uvicorn answers what it has, and raises the signal again."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, lambda *_: None) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
