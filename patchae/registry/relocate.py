"""Having a copied or moved project's state be that of its own folder: `patchae relocate`.

MLflow's paths are rewritten in one transaction, which comes last: a process that dies before leaves
the project as it was, and the next call begins again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from patchae.errors import StoreUnreachable, UsageError
from patchae.network import shown
from patchae.project import Project
from patchae.registry.embedded import address_of, database_of, uri_of
from patchae.registry.ledger import Ledger
from patchae.registry.mlflow_answers import is_server
from patchae.relocation import COLUMNS, exists, former_states, local_path, relocated, shared

_NOT_BEGUN = "('SCHEDULED', 'PENDING', 'PAUSED')"


@dataclass(frozen=True)
class Relocation:
    """What was rewritten, or would be."""

    former: tuple[Path, ...]
    """Folders of the states that MLflow's store named; none: nothing had to be done."""
    copied: bool
    """Whether one of them is still there: this project then is one of its own from now on."""
    paths: int
    """Paths in MLflow's store."""
    lost: tuple[str, ...]
    """Paths that no file or folder has here."""
    settings: tuple[Path, ...]
    """Files of settings that name a former folder; they are a person's, and stay as they are."""
    rows: int
    """Rows of the ledger, which copy and original have in common."""


def relocate(project: Project, *, dry_run: bool = False) -> Relocation:
    """Rewrite what a copied or moved state holds of the folder that it was made in.

    Raises:
        UsageError: the store is not in the project, or by a link alone, and the original uses it.
        StoreUnreachable: the store cannot be written.
        StoreBusy: another process works with it for too long.
    """
    rows = len(Ledger.of(project).signed_rows()[0])
    # The embedded store, too, while a server is used: whoever unsets it works with that again.
    stores = {uri_of(project)} if database_of(project).is_file() else set()
    if not is_server(address_of(project)):
        stores.add(address_of(project))
    done = [_rewritten(project, uri, dry_run) for uri in sorted(stores)]
    former = sorted({folder for one in done for folder in one.former})
    return Relocation(
        tuple(former),
        any(exists(folder) for folder in former),
        sum(one.paths for one in done),
        tuple(sorted({place for one in done for place in one.lost})),
        tuple(_naming(project, former)),
        rows,
    )


@dataclass(frozen=True)
class _Rewritten:
    """What was done to one store."""

    former: list[Path]
    paths: int
    lost: set[str]


def _rewritten(project: Project, uri: str, dry_run: bool) -> _Rewritten:
    if uri == uri_of(project) and not database_of(project).is_file():
        return _Rewritten([], 0, set())
    engine = create_engine(uri)
    try:
        with project.lock("mlflow"), engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            places = list(_places(connection))
            former = former_states((place for *_, place in places), project.state)
            _require_own_store(project, uri, former)
            moved = {place: relocated(place, former, project.state) for *_, place in places}
            changed = [(*column, place) for *column, place in places if moved[place] != place]
            if changed and not dry_run:
                _rewrite_prefect(project, former)
                for table, column, place in changed:
                    connection.execute(
                        text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old"),  # noqa: S608 - our own names
                        {"new": moved[place], "old": place},
                    )
            lost = {new for new in moved.values() if _is_lost(new, project.state)}
            return _Rewritten(former, len(changed), lost)
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreUnreachable(
            f"MLflow's store cannot be rewritten: {str(error).partition(chr(10))[0]}",
            where=shown(uri),
            mend="end what uses it, check its permissions and the disk, then run the command again",
        ) from None
    finally:
        engine.dispose()


def _require_own_store(project: Project, uri: str, former: list[Path]) -> None:
    """Refuse to rewrite a store, or to adopt files, that an original still uses."""
    if uri != uri_of(project) and any(exists(folder) for folder in former):
        raise UsageError(
            "MLflow's store is not in this project, and the original still uses it",
            where=shown(uri),
            mend="give this project one of its own with MLFLOW_TRACKING_URI, or none at all: then"
            " it is the embedded store",
        )
    for folder in former:
        if same := shared(folder, project.state):
            raise UsageError(
                f"this project and the original in {folder.parent} have the same files, by a link",
                where=str(same),
                mend="put a copy of what the link leads to in its place: cp -rL",
            )


def _places(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Table, column and place of all artifacts that the store names, each once."""
    tables = set(inspect(connection).get_table_names())
    for table, column in COLUMNS:
        if table in tables:
            query = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - our own names
            for place in connection.scalars(text(query)):
                yield table, column, str(place)


def _is_lost(place: str, state: Path) -> bool:
    """Whether a place of a run or a model in this state has no folder; those are made when used."""
    path = local_path(place)
    inside = path and path.is_relative_to(state) and path.name == "artifacts"
    return bool(inside and path and not path.exists())


def _naming(project: Project, former: list[Path]) -> Iterator[Path]:
    """Yield the files of DVC's settings that name a former project."""
    for file in (project.root / ".dvc" / name for name in ("config", "config.local")):
        if file.is_file() and any(str(one.parent) in file.read_text("utf-8") for one in former):
            yield file


def _rewrite_prefect(project: Project, former: list[Path]) -> None:
    """Have runs that wait in the embedded Prefect begin here, and not in the original."""
    database = project.prefect / "prefect.db"
    if not database.is_file():
        return
    with closing(sqlite3.connect(database)) as store, store:
        for folder in former:
            new, old = str(project.root), str(folder.parent)
            for table, which in (
                ("deployment", ""),
                ("flow_run", f" AND state_type IN {_NOT_BEGUN}"),
            ):
                store.execute(
                    f"UPDATE {table} SET parameters = json_set(parameters, '$.root', ?)"  # noqa: S608 - our own names
                    f" WHERE json_extract(parameters, '$.root') = ?{which}",
                    (new, old),
                )
