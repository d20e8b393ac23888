"""How many trainings a machine has at a time, whichever of its workers runs them."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import LOCKED
from typing import TYPE_CHECKING

from httpx import HTTPError, HTTPStatusError

from flows.connection import api_url
from flows.silence import silence_told
from flows.stopping import pause
from patchae.console import say
from patchae.settings import settings
from patchae.steps.plan import slots

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_LEASE_S = 60.0
"""A slot is free again so long after the process that held it died."""
_POLL_S = 3.0


@contextmanager
def machine_slot(pool: str | None) -> Iterator[None]:
    """Hold one of this machine's places for a training, of which all its runs have a share.

    There are as many as `PATCHAE_SLOTS` says. Prefect's server counts them, for workers, for what
    `patchae serve` starts and for what people start beside them. Where there is no server for more
    than this process, or `PATCHAE_MACHINE` is empty, the process counts for itself.

    Raises:
        Stopped: the run was stopped while it waited.
        StoreUnreachable: Prefect does not answer.
    """
    machine = settings().machine
    machine = socket.gethostname() if machine is None else machine
    if not machine or (pool is None and api_url() is None):
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
            say(f"a place of {name} is given back {_LEASE_S:.0f} s late: {error}", logging.WARNING)


def _taken(name: str) -> ExitStack:
    """Wait for a place; whoever closes what is returned gives it back.

    A training goes on where its lease cannot be renewed, since Prefect does not answer for a while:
    two trainings in one place for a minute are less of a loss than none.

    Raises:
        Stopped: the run was stopped meanwhile.
        StoreUnreachable: Prefect does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectAlreadyExists

    with silence_told(), get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):  # another run has made it since this one looked
            client.upsert_global_concurrency_limit_by_name(name, slots())
        while True:
            # Prefect itself would wait in a thread that nobody can stop.
            if _is_free(client, name) and (held := _place(name)):
                return held
            pause(_POLL_S)


def _is_free(client: SyncPrefectClient, name: str) -> bool:
    found = client.read_global_concurrency_limit_by_name(name)
    return not found.active or found.active_slots < found.limit


def _place(name: str) -> ExitStack | None:
    """A place; None where another run was faster."""
    from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
    from prefect.concurrency.sync import concurrency

    held = ExitStack()
    try:
        held.enter_context(
            concurrency(
                name,
                occupy=1,
                max_retries=0,
                lease_duration=_LEASE_S,
                strict=True,
                raise_on_lease_renewal_failure=False,
            )
        )
    except ConcurrencySlotAcquisitionError as error:
        why = error.__cause__
        if isinstance(why, HTTPStatusError) and why.response.status_code == LOCKED:
            return None
        raise (why if isinstance(why, HTTPError) else error) from None
    return held
