"""How many trainings a machine has at a time, as Prefect's server counts them."""

from __future__ import annotations

import socket

import pytest

from flows.slots import machine_slot

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
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("PATCHAE_MACHINE", f"hall-{pool}")
    with machine_slot(pool):
        assert taken(f"hall-{pool}") == (1, 1)
    assert taken(f"hall-{pool}") == (0, 1)


def test_a_machine_has_as_many_places_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("PATCHAE_SLOTS", "2")
    with machine_slot(None), machine_slot(None):
        assert taken(socket.gethostname()) == (2, 2)


def test_where_another_counts_no_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_MACHINE", "by-hand")
    with machine_slot(None):
        assert taken("by-hand") is None
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("PATCHAE_MACHINE", "")
    with machine_slot("patchae"), machine_slot("patchae"):
        assert taken("") is None
