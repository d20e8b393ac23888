"""How many trainings a machine has at a time, whichever of its workers runs them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from httpx import HTTPError

from flows.silence import silence_told
from patchae.console import say
from patchae.settings import settings
from patchae.steps.plan import slots

_LEASE_S = 60.0
"""A slot is free again so long after the process that held it died."""


@contextmanager
def machine_slot(pool: str | None) -> Iterator[None]:
    """Hold one of this machine's places for a training, of which all its runs have a share.

    There are as many as `PATCHAE_SLOTS` says. Prefect's server counts them, for workers, for what
    `patchae serve` starts and for what people start beside them. Where there is no server for more
    than this process, or `PATCHAE_MACHINE` is empty, the process counts for itself.

    Raises:
        StoreUnreachable: Prefect does not answer.
    """
    machine = settings().machine
    machine = socket.gethostname() if machine is None else machine
    if not machine or (pool is None and not os.environ.get("PREFECT_API_URL")):
        yield
        return
    name = f"patchae-{machine}"
    if devices := os.environ.get("CUDA_VISIBLE_DEVICES"):
        name += f"-gpu-{devices}"  # workers that see other GPUs take no places from these
    place = _taken(name)
    try:
        yield
    finally:
        try:
            place.close()
        except HTTPError as error:  # Prefect takes it back when its lease ends
            say(f"a place of {name} is given back {_LEASE_S:.0f} s late: {error}")


def _taken(name: str) -> ExitStack:
    """Wait for a place; whoever closes what is returned gives it back.

    A training goes on where its lease cannot be renewed, since Prefect does not answer for a while:
    two trainings in one place for a minute are less of a loss than none.

    Raises:
        StoreUnreachable: Prefect does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.concurrency.sync import concurrency

    held = ExitStack()
    with silence_told():
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(name, slots())
        held.enter_context(
            concurrency(
                name,
                occupy=1,
                lease_duration=_LEASE_S,
                strict=True,
                raise_on_lease_renewal_failure=False,
            )
        )
    return held
