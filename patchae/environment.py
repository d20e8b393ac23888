"""What this process's libraries are given by the environment, whoever and wherever it runs."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from urllib.request import getproxies_environment

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def spare_loopback() -> None:
    """Keep what runs on this machine from being asked through a proxy; `NO_PROXY` keeps the rest.

    Without a proxy nothing is set: where `NO_PROXY` alone is set, macOS forgets its own proxies.
    """
    proxies = getproxies_environment()
    hosts = [host.strip() for host in proxies.pop("no", "").split(",") if host.strip()]
    if not proxies or "*" in hosts:
        return
    spared = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    # Libraries read either, and not all of them the same one first.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = spared


def prefect_dotenv() -> set[str]:
    """Return the names of Prefect's settings in the `.env` of the current folder.

    Prefect takes them only where the environment says nothing else.
    """
    from dotenv import dotenv_values

    try:
        return {name for name in dotenv_values(".env") if name.startswith("PREFECT_")}
    except (OSError, UnicodeDecodeError):  # Prefect itself will say so, where it is wanted
        return set()


def give_identity(home: Path) -> None:
    """Give a user without a home folder or a name one of each, as a container's user may be.

    Libraries ask for both while they are imported. A home that exists stays, writable or not:
    somebody's credentials may be in it.
    """
    try:
        missing = not Path.home().is_dir()
    except RuntimeError:  # HOME is unset, and nothing is known of this user
        missing = True
    if missing:
        os.environ["HOME"] = str(home)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid{os.getuid()}"
