"""How many trainings a machine has at a time, whichever of its workers runs them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from patchae.steps.plan import slots

_LEASE_S = 60.0
"""A slot is free again so long after the process that held it died."""


@contextmanager
def machine_slot(pool: str | None) -> Iterator[None]:
    """Hold one of this machine's places for a training, of which all its workers have a share.

    There are as many as `PATCHAE_SLOTS` says, or one per GPU. Without a work pool there is one
    process, which counts for itself.
    """
    if pool is None:
        yield
        return
    from prefect.client.orchestration import get_client
    from prefect.concurrency.sync import concurrency

    name = f"patchae-{socket.gethostname()}"
    if devices := os.environ.get("CUDA_VISIBLE_DEVICES"):
        name += f"-gpu-{devices}"  # workers that see other GPUs take no places from these
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, slots())
    with concurrency(name, occupy=1, lease_duration=_LEASE_S, strict=True):
        yield
