"""All of the stack: up, down and how it is, in the one order in which that works."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.stack import accounts, mlflow, postgres, prefect, process, s3, worker
from infra.stack.keys import Keys
from infra.stack.process import Service
from infra.stack.settings import Settings

LAYERS = (("postgres", "s3"), ("prefect", "mlflow"))
"""Servers that start together; workers come last. They are stopped the other way round."""


@dataclass(frozen=True)
class Part:
    """One server or worker, as `status` tells it."""

    name: str
    running: bool
    where: str
    memory_mb: int
    """Of it and what it started, counted once."""


def keys_of(settings: Settings) -> Keys:
    """The secrets of the stack; made where there are none."""
    # Others may pass, since PostgreSQL may be another user; what is inside is closed.
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o711)
    keys = Keys(settings.home / "secrets")
    keys.make()
    return keys


def up(settings: Settings) -> None:
    """Start what does not run, and wait until it is ready; repeatable.

    Raises:
        UsageError: something is missing on this machine.
        ConfigError: the workers' settings are not usable; nothing was started.
        StoreUnreachable: a server does not start; what was started goes on running.
    """
    given = worker.from_file()
    keys = keys_of(settings)
    postgres.create(settings, keys)
    _start(settings, [postgres.service(settings, keys), s3.service(settings, keys)])
    postgres.setup(settings, keys)
    s3.setup(settings, keys)
    _start(settings, [prefect.service(settings, keys), mlflow.service(settings, keys)])
    mlflow.setup(settings, keys)
    accounts.write(settings, keys)
    _start(settings, worker.services(settings, keys, given))


def _start(settings: Settings, services: Iterable[Service]) -> None:
    some = list(services)
    for one in some:
        process.start(settings.home, one)
    process.wait(settings.home, some)


def down(settings: Settings, *, wipe: bool = False) -> None:
    """Stop everything; with `wipe` remove what it kept, secrets included."""
    if settings.home.exists():
        known = {one.name: one for one in services(settings)}
        workers = set(known) - {name for layer in LAYERS for name in layer}
        for layer in (sorted(workers), *reversed(LAYERS)):
            process.stop(settings.home, [known[name] for name in layer])
        process.stop_strays(settings.home)
        if wipe:
            shutil.rmtree(settings.home)


def services(settings: Settings) -> list[Service]:
    """Everything, in the order of starting."""
    keys = keys_of(settings)
    makers = {"postgres": postgres, "s3": s3, "prefect": prefect, "mlflow": mlflow}
    servers = [makers[name].service(settings, keys) for layer in LAYERS for name in layer]
    return servers + worker.services(settings, keys)


def status(settings: Settings) -> list[Part]:
    """How it is."""
    import psutil

    found = []
    for one in services(settings) if settings.home.exists() else []:
        running = process.alive(settings.home, one.name)
        memory = 0
        if running is not None:
            for member in (running, *running.children(recursive=True)):
                try:
                    memory += own_memory(member.memory_full_info())
                except psutil.Error:
                    continue
        where = one.where or f"pool {settings.pool}"
        found.append(Part(one.name, running is not None, where, memory >> 20))
    return found


def own_memory(info: Any) -> int:
    """Bytes of a process: with its part of what it shares, where the system tells that (Linux)."""
    return int(getattr(info, "pss", info.uss))
