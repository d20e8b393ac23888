"""A growing sequence of sets, kept as runs: what is in one set is mostly in the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Set as AbstractSet

Member = tuple[int, ...]


class Runs:
    """The runs of one sequence in a table with `first`, `last` and the columns of a member.

    Law: after sets were added under the numbers 1 to n, the runs of a member cover exactly the
    numbers of the sets that it is in. `last` is NULL while a run goes on. A set costs as many rows
    as it differs from the one before.

    Args:
        database: open, in a transaction whenever `add` is called.
        table: name of the table.
        member: names of the columns that hold a member.
        of: name and value of the column that tells sequences apart; none if there is only one.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        table: str,
        member: tuple[str, ...],
        of: tuple[str, int] | None = None,
    ) -> None:
        self._database = database
        name, own = of or ("1", 1)
        columns = (*member, *((name,) if of else ()))
        this = " AND ".join(f"{column} = ?" for column in columns)
        self._own = (own,) if of else ()
        # All names are of our own tables.
        self._end = f"UPDATE {table} SET last = ? WHERE {this} AND last IS NULL"  # noqa: S608
        self._begin = (
            f"INSERT INTO {table} ({', '.join(columns)}, first)"  # noqa: S608
            f" VALUES ({', '.join('?' * (len(columns) + 1))})"
        )
        rows = database.execute(
            f"SELECT {', '.join(member)} FROM {table} WHERE last IS NULL AND {name} = ?",  # noqa: S608
            (own,),
        )
        self._open: AbstractSet[Member] = set(rows)

    def add(self, number: int, members: AbstractSet[Member]) -> None:
        """Add the next set, under the next number."""
        gone, new = self._open - members, members - self._open
        self._database.executemany(self._end, ((number - 1, *one, *self._own) for one in gone))
        self._database.executemany(self._begin, ((*one, *self._own, number) for one in new))
        self._open = members
