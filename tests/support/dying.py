"""Dying before or after a call: `os._exit`, so nothing is cleaned up."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

DEAD = 77


def before(owner: Any, name: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        os._exit(DEAD)

    getattr(owner, name)  # a moment that no longer exists is an error
    setattr(owner, name, die)


def after(owner: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def work_and_die(*args: Any, **more: Any) -> None:
        real(*args, **more)
        os._exit(DEAD)

    setattr(owner, name, work_and_die)
