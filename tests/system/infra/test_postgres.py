"""The files of the stack's PostgreSQL: made once, whatever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack import postgres, whole
from infra.stack.settings import Settings
from tests.support import ROOT

pytestmark = pytest.mark.skipif(
    postgres.binaries() is None, reason="no PostgreSQL: initdb and postgres were not found"
)

_CREATE = """\
import sys
from pathlib import Path
from infra.stack import postgres, whole
from infra.stack.settings import Settings
found = Settings(home=Path(sys.argv[1]))
postgres.create(found, whole.keys_of(found))
"""


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A stack without any files, in a folder that PostgreSQL's user may enter."""
    with tempfile.TemporaryDirectory(prefix="patchae-postgres-") as folder:
        Path(folder).chmod(0o711)
        yield Settings(home=Path(folder) / "stack")  # type: ignore[call-arg]


def whole_files(data: Path) -> bool:
    """Whether a folder holds what a server starts from, by PostgreSQL's own account."""
    binaries = postgres.binaries()
    assert binaries is not None
    said = subprocess.run(
        [binaries / "pg_controldata", data],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    return "shut down" in said.stdout and (data / "postgresql.auto.conf").exists()


def end(group: int) -> None:
    """End what is left of a group of processes."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.mark.parametrize("victims", ["initdb, too", "only who started it"])
def test_a_start_that_is_killed_while_initdb_works_is_begun_anew(
    settings: Settings, victims: str
) -> None:
    folder = settings.home / "postgres"
    making = subprocess.Popen(
        [sys.executable, "-c", _CREATE, str(settings.home)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        while not list(folder.glob("*/PG_VERSION")):  # the first thing that initdb writes
            assert making.poll() is None
            time.sleep(0.002)
        making.send_signal(signal.SIGKILL)
        if victims == "initdb, too":
            os.killpg(making.pid, signal.SIGKILL)
        making.wait()
        postgres.create(settings, whole.keys_of(settings))
        assert whole_files(folder / "data")
        if victims == "initdb, too":  # else what it leaves is its own affair
            assert [one.name for one in folder.iterdir()] == ["data"]
    finally:
        end(making.pid)


def test_files_that_are_whole_are_left_as_they_are(settings: Settings) -> None:
    keys = whole.keys_of(settings)
    postgres.create(settings, keys)
    version = settings.home / "postgres" / "data" / "PG_VERSION"
    made = version.stat()
    postgres.create(settings, keys)
    assert version.stat() == made
