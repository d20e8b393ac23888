"""`python -m infra.stack`: start and stop the stack, or run one server of it in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
import time

from infra.stack import accounts, mlflow, postgres, prefect, s3, whole, worker
from infra.stack.process import Service
from infra.stack.settings import Settings, settings
from patchae.environment import spare_loopback
from patchae.errors import PatchaeError


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what does not run")
    down = commands.add_parser("down", help="stop everything")
    down.add_argument("--wipe", action="store_true", help="remove all that it kept, secrets too")
    commands.add_parser("status", help="what runs, where, with how much memory")
    commands.add_parser("keys", help="make the secrets, and nothing else")
    setup = commands.add_parser("setup", help="make what a running server lacks; for containers")
    setup.add_argument("what", choices=("stores", "accounts"), help="databases, buckets; accounts")
    for word, does in (("run", "become one server"), ("ready", "whether a server answers")):
        one = commands.add_parser(word, help=f"{does}; for containers")
        one.add_argument("server", choices=("s3", "mlflow", "prefect", "worker"))
        one.add_argument("--name", default="worker", help="of a worker")
    given = parser.parse_args(words)
    spare_loopback()
    try:
        return _do(given, settings())
    except PatchaeError as error:
        sys.stderr.write(f"stack: {error}\n")
        return error.exit_code


def _do(given: argparse.Namespace, found: Settings) -> int:
    began = time.monotonic()
    if given.command == "up":
        whole.up(found)
        _show(found)
        print(f"up after {time.monotonic() - began:.0f} s")
        print(f"accounts: . {found.home}/env/trainer  (or viewer, promoter)")
    elif given.command == "down":
        whole.down(found, wipe=given.wipe)
        print(f"down after {time.monotonic() - began:.0f} s")
    elif given.command == "status":
        return 0 if _show(found) else 1
    elif given.command == "keys":
        whole.keys_of(found)
    elif given.command == "setup":
        keys = whole.keys_of(found)
        if given.what == "stores":
            postgres.setup(found, keys)
            s3.setup(found, keys)
        else:
            mlflow.setup(found, keys)
            accounts.write(found, keys)
    elif given.command == "ready":
        return 0 if _server(given, found).ready() else 1
    else:
        _become(_server(given, found))
    return 0


def _server(given: argparse.Namespace, found: Settings) -> Service:
    keys = whole.keys_of(found)
    if given.server == "s3":
        return s3.service(found, keys)
    if given.server == "mlflow":
        return mlflow.service(found, keys)
    if given.server == "prefect":
        return prefect.service(found, keys)
    return worker.service(found, keys, given.name, worker.from_environment())


def _become(service: Service) -> None:
    """Go on as the server: it has this process's id, and gets its signals."""
    command = [str(word) for word in service.command]
    os.execve(command[0], command, service.whole_environment())  # noqa: S606 - our own command


def _show(found: Settings) -> bool:
    """One line a part; whether all of them run."""
    parts = whole.status(found)
    for part in parts:
        state = "runs" if part.running else "stopped"
        print(f"{part.name:10} {state:8} {part.memory_mb:5} MB  {part.where}")
    return bool(parts) and all(part.running for part in parts)


if __name__ == "__main__":
    sys.exit(main())
