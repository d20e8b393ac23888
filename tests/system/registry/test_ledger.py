"""What a ledger promises, kept by one on either database: see `support.registry.contract`."""

from __future__ import annotations

from tests.support.registry.contract import *  # noqa: F403 - pytest collects what is named here
