"""What a ledger promises, kept by one on either database; `tests.registry.contract` says what."""

from __future__ import annotations

from tests.registry.contract import *  # noqa: F403 - pytest collects what is named here
