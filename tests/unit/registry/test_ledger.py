"""What a ledger promises, kept by one in a file; `tests.registry.contract` says what it is."""

from __future__ import annotations

from tests.registry.contract import *  # noqa: F403 - pytest collects what is named here
