"""How many trainings a machine has at a time, as Prefect's server counts them."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import copy_context
from typing import Any

import pytest
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.slots import machine_slot
from flows.stopping import Stopped, stopping_with_the_flow

pytestmark = pytest.mark.usefixtures("prefect_server")


def taken(machine: str) -> tuple[int, int] | None:
    """Places of a machine that are taken, and how many it has; None where nobody asked for one."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            found = client.read_global_concurrency_limit_by_name(f"patchae-{machine}")
        except ObjectNotFound:
            return None
    return found.active_slots, found.limit


@pytest.mark.parametrize("pool", ["patchae", None])
def test_every_run_of_a_server_takes_a_place_of_its_machine(
    monkeypatch: pytest.MonkeyPatch, pool: str | None
) -> None:
    """Of a worker, of `patchae serve`, and by hand beside them."""
    monkeypatch.setenv("PATCHAE_MACHINE", f"hall-{pool}")
    with machine_slot(pool):
        assert taken(f"hall-{pool}") == (1, 1)
    assert taken(f"hall-{pool}") == (0, 1)


def test_a_machine_has_as_many_places_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_SLOTS", "2")
    with machine_slot(None), machine_slot(None):
        assert taken(socket.gethostname()) == (2, 2)


def test_where_another_counts_no_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_MACHINE", "by-hand")
    with temporary_settings(restore_defaults={PREFECT_API_URL}), machine_slot(None):
        pass
    assert taken("by-hand") is None
    monkeypatch.setenv("PATCHAE_MACHINE", "")
    with machine_slot("patchae"), machine_slot("patchae"):
        assert taken("") is None


def test_a_run_that_is_stopped_waits_for_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_MACHINE", "stopped")

    def wait() -> None:
        with machine_slot(None):
            pass

    with ThreadPoolExecutor() as pool, machine_slot(None):
        with suppress(KeyboardInterrupt), stopping_with_the_flow():
            waiting = pool.submit(copy_context().run, wait)
            raise KeyboardInterrupt
        with pytest.raises(Stopped):
            waiting.result(timeout=60)


def test_two_runs_that_find_no_limit_make_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one sees that it is there only when it makes it."""
    from prefect.client.orchestration import SyncPrefectClient

    monkeypatch.setenv("PATCHAE_MACHINE", "new")
    real = SyncPrefectClient.read_global_concurrency_limit_by_name
    found: list[Any] = [None]

    def read(client: SyncPrefectClient, name: str) -> Any:
        if not found:
            return real(client, name)
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
        return found.pop()  # as it was before the other run made it

    monkeypatch.setattr(SyncPrefectClient, "read_global_concurrency_limit_by_name", read)
    with machine_slot(None):
        assert taken("new") == (1, 1)


def test_a_place_that_another_run_took_first_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was free when this run looked."""
    from prefect.client.orchestration import SyncPrefectClient

    monkeypatch.setenv("PATCHAE_MACHINE", "raced")
    held = ExitStack()
    held.enter_context(machine_slot(None))
    real, looks = SyncPrefectClient.read_global_concurrency_limit_by_name, []

    def read(client: SyncPrefectClient, name: str) -> Any:
        found = real(client, name)
        looks.append(found.active_slots)
        return found.model_copy(update={"active_slots": 0})

    monkeypatch.setattr(SyncPrefectClient, "read_global_concurrency_limit_by_name", read)
    monkeypatch.setattr("flows.slots.pause", lambda _: held.close())
    with machine_slot(None):
        assert looks[-1] == 0
