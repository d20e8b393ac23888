"""A ledger's place on either database, as a value that child processes can be given."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from patchae.registry.ledger import Ledger
from patchae.registry.ledger_postgres import ServerStore

# Children of a process that has imported everything begin at once, and share nothing else.
children = multiprocessing.get_context("forkserver")
children.set_forkserver_preload([__name__, "psycopg", "filelock", "tests.support.registry.memory"])


def side_by_side(work: Callable[..., None], arguments: Iterable[tuple[Any, ...]]) -> list[int]:
    """Run `work` in a process for each tuple of arguments, at the same time; their exit codes."""
    running = [children.Process(target=work, args=given) for given in arguments]
    for process in running:
        process.start()
    for process in running:
        process.join()
    return [process.exitcode or 0 for process in running]


@dataclass(frozen=True)
class Place:
    """A SQLite file, or the URL of a PostgreSQL database."""

    at: Path | str

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that a command line names."""
        return cls(text if text.startswith("postgresql") else Path(text))

    def __str__(self) -> str:
        return str(self.at)

    def ledger(
        self, *, flow_run: str | None = None, clock: Callable[[], datetime] | None = None
    ) -> Ledger:
        """The ledger there."""
        return Ledger(self.where(), flow_run=flow_run, **({"clock": clock} if clock else {}))

    def where(self) -> Path | ServerStore:
        """What a `Ledger` is made from."""
        return self.at if isinstance(self.at, Path) else ServerStore(self.at)

    def execute(self, *statements: str) -> None:
        """Do as somebody with a database tool does; all statements or none."""
        if isinstance(self.at, Path):
            connection = sqlite3.connect(self.at)
            try:
                with connection:
                    for statement in statements:
                        connection.execute(statement)
            finally:
                connection.close()
            return
        import psycopg

        with psycopg.connect(self.at.replace("+psycopg", "")) as server:
            for statement in statements:
                server.execute(statement.encode())

    def tamper(self, statement: str) -> None:
        """Change the tables past the triggers, as their owner can."""
        names = [("ledger", f"ledger_{name}") for name in ("no_update", "no_delete", "at_the_end")]
        names += [("signature", f"signature_{name}") for name in ("no_update", "no_delete")]
        on = "" if isinstance(self.at, Path) else " ON {}"
        self.execute(
            *(f"DROP TRIGGER {name}{on.format(table)}" for table, name in names), statement
        )
