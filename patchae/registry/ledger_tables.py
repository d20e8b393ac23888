"""The tables of the ledger, and the triggers with which the database itself protects them.

Rows are only ever appended, one after the other; signatures are never changed. SQLite and
PostgreSQL say so in different words, and this is the one place that knows both. Whoever may drop a
trigger may change a row: that the chain then shows it is the business of `chain`.
"""

from __future__ import annotations

from sqlalchemy import DDL, Column, Integer, MetaData, Table, Text, event

metadata = MetaData()
rows = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("time", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("flow_run", Text, nullable=False),
    Column("body", Text, nullable=False),
    # Unique: even without a lock two rows could not follow the same one.
    Column("previous", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    sqlite_strict=True,
)
signatures = Table(
    "signature",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)


def _sqlite(table: str, change: str, refusal: str, when: str = "") -> str:
    return (
        f"CREATE TRIGGER {_name(table, change)} BEFORE {change} ON {table} {when}"
        f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    )


def _postgresql(table: str, change: str, refusal: str, when: str = "") -> list[str]:
    name = _name(table, change)
    each = "STATEMENT" if change == "TRUNCATE" else "ROW"
    test = when or "TRUE"
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {test} THEN RAISE EXCEPTION '{refusal}'; END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH {each}"
        f" EXECUTE FUNCTION {name}()",
        # Otherwise a session that calls itself a replica passes by.
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
    ]


def _name(table: str, change: str) -> str:
    return f"{table}_at_the_end" if change == "INSERT" else f"{table}_no_{change.lower()}"


def _at_creation(table: Table, dialect: str, statement: str) -> None:
    # DDL takes % for a placeholder
    made = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    event.listen(table, "after_create", made.execute_if(dialect=dialect))


_NOT_NEXT = "NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM ledger)"
_NOT_THE_LAST = (
    "NEW.seq <> (SELECT COALESCE(MAX(seq), 0) FROM ledger)"
    " OR EXISTS (SELECT 1 FROM signature WHERE seq = NEW.seq)"
)
for _table, _what in ((rows, "rows"), (signatures, "signatures")):
    for _change, _done in (("UPDATE", "changed"), ("DELETE", "deleted"), ("TRUNCATE", "deleted")):
        _refusal = f"{_what} of the ledger are never {_done}"
        if _change != "TRUNCATE":  # SQLite has none
            _at_creation(_table, "sqlite", _sqlite(_table.name, _change, _refusal))
        for _statement in _postgresql(_table.name, _change, _refusal):
            _at_creation(_table, "postgresql", _statement)
# INSERT OR REPLACE of SQLite deletes without firing the trigger on DELETE: these refuse it.
for _table, _refusal, _wrong in (
    (rows, "rows of the ledger are only appended", _NOT_NEXT),
    (signatures, "signatures of the ledger come with their row", _NOT_THE_LAST),
):
    _at_creation(_table, "sqlite", _sqlite(_table.name, "INSERT", _refusal, f"WHEN {_wrong}"))
    for _statement in _postgresql(_table.name, "INSERT", _refusal, _wrong):
        _at_creation(_table, "postgresql", _statement)
