"""PostgreSQL: the databases of Prefect, MLflow, its accounts, and the ledger.

It refuses to run as root; started by root, it runs as `postgres`, or else as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.stack.keys import ACCOUNTS, Keys, private
from infra.stack.process import Service
from infra.stack.settings import Settings
from patchae.errors import StoreUnreachable, UsageError

if TYPE_CHECKING:
    from psycopg import Connection

OWNER = "owner"
DATABASES = {"prefect": "prefect", "mlflow": "mlflow", "mlflow_auth": "mlflow", "ledger": OWNER}
"""Each with the role that owns it."""
PROMOTING = ("move", "threshold", "confirmed", "repair", "retired", "tidied")
"""The kinds of rows that only the promoter may append."""


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there is no PostgreSQL."""
    beside = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    named = shutil.which("initdb")
    for folder in ([Path(named).resolve().parent] if named else []) + beside:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def other_user() -> pwd.struct_passwd | None:
    """Whom the server runs as; None: as this process does."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def init(folder: Path, data: Path, password: Path, *more: str) -> None:
    """Make the files of a new server whose first role is `OWNER`, as whoever it will run as.

    Raises:
        UsageError: that user may not enter the folder.
    """
    user = other_user()
    who: dict[str, Any] = {}
    if user:
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        for one in (data.parent, password):
            os.chown(one, user.pw_uid, user.pw_gid)
        try:
            subprocess.run(["/bin/sh", "-c", ":"], cwd=data.parent, check=True, **who)
        except OSError:
            raise UsageError(
                f"PostgreSQL does not run as root, and the user {user.pw_name} may not enter the"
                " folder of its data",
                where=str(data.parent),
                mend="let others enter the folders above it (chmod o+x), start the stack as"
                " another user, or set STACK_HOME",
            ) from None
    words = ("-D", data, "-U", OWNER, "-E", "UTF8", "--locale=C", "--pwfile", password, *more)
    subprocess.run(  # noqa: S603 - our own command
        [str(word) for word in (folder / "initdb", *words)],
        check=True,
        capture_output=True,
        cwd=data.parent,
        **who,
    )


def service(settings: Settings, keys: Keys) -> Service:
    """The server.

    Raises:
        UsageError: there is no PostgreSQL on this machine.
    """
    folder = binaries()
    if folder is None:
        raise UsageError(
            "there is no PostgreSQL on this machine: initdb and postgres were not found",
            where="PATH, /usr/lib/postgresql",
            mend="install it (Debian, Ubuntu: apt-get install postgresql)",
        )
    data = settings.home / "postgres" / "data"
    user = other_user()
    return Service(
        "postgres",
        [
            *(folder / "postgres", "-D", data, "-p", str(settings.ports["postgres"])),
            *("-c", f"listen_addresses={settings.bind}", "-c", "unix_socket_directories="),
            *("-c", "max_connections=200", "-c", "log_statement=none"),
        ],
        ready=lambda: _reachable(settings, keys),
        where=f"{settings.postgres_host}:{settings.ports['postgres']}",
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        ends_with=signal.SIGINT,  # at once, whoever is connected, and tidily
    )


def create(settings: Settings, keys: Keys) -> None:
    """Make the files of the server where there are none.

    `initdb` writes `PG_VERSION` first and needs seconds for the rest. So it works in a folder of
    this process, which becomes `data` in one step: what was interrupted begins anew.
    """
    data = settings.home / "postgres" / "data"
    if (data / "PG_VERSION").exists():
        return
    folder = binaries()
    if folder is None:
        return  # `service` says what to do
    data.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in (data, *data.parent.glob("data.*")):  # of a start that was interrupted
        shutil.rmtree(left, ignore_errors=True)
    new = data.with_name(f"data.{os.getpid()}")  # no other, whose initdb may have outlived it
    password = data.parent / "password"
    private(password, keys["postgres"])
    try:
        init(folder, new, password, "-A", "scram-sha-256")
    finally:
        password.unlink()
    new.rename(data)


def setup(settings: Settings, keys: Keys) -> None:
    """Roles, databases, and who may do what to the ledger; repeatable."""
    from psycopg import sql

    roles = {"prefect": keys["postgres_prefect"], "mlflow": keys["postgres_mlflow"]}
    roles |= {f"ledger_{account}": keys[f"ledger_{account}"] for account in ACCOUNTS}
    with _connect(settings, keys, "postgres") as connection:
        for role, password in roles.items():
            known = _one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role)
            word = "ALTER" if known else "CREATE"
            connection.execute(
                sql.SQL(f"{word} ROLE {{}} LOGIN PASSWORD {{}}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )
        for name, owner in DATABASES.items():
            if not _one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(name), sql.Identifier(owner)
                    )
                )
                connection.execute(
                    sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
                )
    _ledger(settings, keys)


def ledger_url(settings: Settings, keys: Keys, account: str) -> str:
    """How an account reaches the ledger."""
    return settings.database("ledger", f"ledger_{account}", keys[f"ledger_{account}"], "psycopg")


def _ledger(settings: Settings, keys: Keys) -> None:
    """The tables of the ledger, owned by nobody's account; a trainer cannot append a move."""
    from sqlalchemy import NullPool, create_engine, text

    from patchae.registry import ledger_tables as tables

    url = settings.database("ledger", OWNER, keys["postgres"], "psycopg")
    accounts = ", ".join(f"ledger_{account}" for account in ACCOUNTS)
    appending = "ledger_trainer, ledger_promoter"
    kinds = ", ".join(f"'{kind}'" for kind in PROMOTING)
    named = f"{tables.rows.name}, {tables.signatures.name}"
    statements = [
        f"GRANT CONNECT ON DATABASE ledger TO {accounts}",
        f"GRANT SELECT ON {named} TO {accounts}",
        f"GRANT INSERT ON {named} TO {appending}",
        f"ALTER TABLE {tables.rows.name} ENABLE ROW LEVEL SECURITY",
    ]
    for name, rule in {
        "all_read": f"FOR SELECT TO {accounts} USING (true)",
        "promoters_append": "FOR INSERT TO ledger_promoter WITH CHECK (true)",
        "trainers_move_nothing": f"FOR INSERT TO ledger_trainer WITH CHECK (kind NOT IN ({kinds}))",
    }.items():
        table = tables.rows.name
        statements += [
            f"DROP POLICY IF EXISTS {name} ON {table}",
            f"CREATE POLICY {name} ON {table} {rule}",
        ]
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        for statement in statements:
            connection.execute(text(statement))


def _connect(settings: Settings, keys: Keys, database: str) -> Connection[Any]:
    import psycopg

    try:
        return psycopg.connect(
            host=settings.postgres_host,
            port=settings.ports["postgres"],
            user=OWNER,
            password=keys["postgres"],
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )
    except psycopg.OperationalError as error:
        raise StoreUnreachable(
            f"PostgreSQL cannot be used: {str(error).strip().partition(chr(10))[0]}",
            where=f"{settings.postgres_host}:{settings.ports['postgres']}",
            mend="look into logs/postgres.log of the stack's folder",
        ) from None


def _reachable(settings: Settings, keys: Keys) -> bool:
    try:
        with _connect(settings, keys, "postgres"):
            return True
    except StoreUnreachable:
        return False


def _one(connection: Connection[Any], query: str, *values: str) -> Iterable[Any] | None:
    found: Iterable[Any] | None = connection.execute(query.encode(), values).fetchone()
    return found
