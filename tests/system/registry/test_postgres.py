"""A ledger on a PostgreSQL that refuses, is not there, or was set up in an odd way."""

from __future__ import annotations

import socket

import pytest

from patchae.errors import ConfigError, StoreUnreachable
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.ledger_postgres import ServerStore
from tests.support.postgres import PASSWORD, Server
from tests.support.registry.memory import move


def test_the_setting_names_the_database(
    project: Project, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_LEDGER_URL", postgres.new())
    row = Ledger.of(project).append("move", "m", move("1"), "ann")
    assert Ledger.of(project).entries() == [row]
    assert not project.ledger.exists()


@pytest.mark.parametrize(
    "url",
    [
        "no url",
        "postgresql+psycopg://ann:s3cret@host:port/name",
        "postgresql+psycopg://ann:s3cret@host",
        "postgresql://ann:s3cret@host/name",
        "mysql+pymysql://ann:s3cret@host/name",
        "sqlite:///s3cret.db",
    ],
)
def test_what_is_no_url_of_postgresql_is_one_message(
    project: Project, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PATCHAE_LEDGER_URL", url)
    with pytest.raises(ConfigError, match="PATCHAE_LEDGER_URL is not usable") as raised:
        Ledger.of(project)
    assert PASSWORD not in str(raised.value)


def test_a_server_that_cannot_be_used_is_named_without_the_password(postgres: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"postgresql+psycopg://owner:{PASSWORD}@127.0.0.1:{free.getsockname()[1]}/d"
        for url, said in (
            (nobody, "refused"),
            (postgres.url("postgres", "wr0ng"), "password authentication failed"),
            (postgres.url("missing"), 'database "missing" does not exist'),
            (postgres.url("missing") + f"?password={PASSWORD}", "does not exist"),
        ):
            ledger = Ledger(ServerStore(url))
            for use in (ledger.entries, lambda it=ledger: it.append("move", "m", move("1"), "ann")):
                with pytest.raises(StoreUnreachable, match=said) as raised:
                    use()
                assert PASSWORD not in str(raised.value)
                assert "wr0ng" not in str(raised.value)
                assert "127.0.0.1" in str(raised.value.where)


def test_a_commit_is_on_the_disk_even_where_the_server_would_not_wait(postgres: Server) -> None:
    postgres.execute(
        "postgres",
        "CREATE DATABASE hasty",
        "ALTER DATABASE hasty SET synchronous_commit = off",
        "ALTER DATABASE hasty SET default_transaction_isolation = 'serializable'",
    )
    ledger = Ledger(ServerStore(postgres.url("hasty")))
    with ledger.transaction() as transaction:
        told = transaction._connection.exec_driver_sql("SHOW synchronous_commit").scalar()
        transaction.append("move", "m", move("1"), "ann")
    assert told == "on"
    assert ledger.verify() == []
