"""One project on disk: the folder that holds `lines.yaml`, and where everything else lies in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from patchae.environment import give_identity, prefect_dotenv, spare_loopback
from patchae.errors import ConfigError, StoreBusy
from patchae.files import MODE, write_text
from patchae.holders import sentence, signature
from patchae.relocation import not_relocated, read_former_states
from patchae.settings import settings

LINES_FILE = "lines.yaml"
FOREVER = -1.0
"""As the timeout of a lock: however long it takes."""


@dataclass(frozen=True)
class Project:
    """Paths of one project."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The project around `start` (default: the current folder), looking upwards.

        Raises:
            ConfigError: no `lines.yaml` here or in any folder above.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / LINES_FILE).is_file():
                return cls(folder)
        raise ConfigError(
            f"no {LINES_FILE} here or in any folder above",
            where=str(here),
            mend=f"change to a patchae project, or create {LINES_FILE} (see docs/lines.md)",
        )

    @property
    def lines_file(self) -> Path:
        """`lines.yaml`: the product lines."""
        return self.root / LINES_FILE

    @property
    def data(self) -> Path:
        """Images, one folder per class in MVTec AD layout."""
        return self.root / "data"

    @property
    def data_dvc(self) -> Path:
        """The pinned version of `data/`."""
        return self.root / "data.dvc"

    @property
    def state(self) -> Path:
        """Everything that is not in Git."""
        return self.root / settings().state

    @property
    def dvc_remote(self) -> Path:
        """The embedded DVC remote."""
        return self.state / "dvc-remote"

    @property
    def mlflow(self) -> Path:
        """The embedded MLflow store: a database and a folder of artifacts."""
        return self.state / "mlflow"

    @property
    def prefect(self) -> Path:
        """The home of the embedded Prefect server."""
        return self.state / "prefect"

    @property
    def ledger(self) -> Path:
        """The embedded ledger."""
        return self.state / "ledger.db"

    @property
    def validations(self) -> Path:
        """Validation records, by data version and class."""
        return self.state / "validation"

    @property
    def versions(self) -> Path:
        """Which data versions were made here, in their order."""
        return self.state / "versions.jsonl"

    @property
    def captured(self) -> Path:
        """Which images came in by capture or feedback."""
        return self.state / "captured.jsonl"

    @property
    def pictures(self) -> Path:
        """What was read of image files; may be removed at any time."""
        return self.state / "cache" / "pictures.db"

    @property
    def trace(self) -> Path:
        """Which version used which image; may be removed at any time."""
        return self.state / "trace.db"

    @property
    def manifests(self) -> Path:
        """Manifests as Parquet, by class: of the images that were read last."""
        return self.state / "manifests"

    @property
    def work(self) -> Path:
        """Trained but perhaps not yet registered models, by training key."""
        return self.state / "work"

    @property
    def predictions(self) -> Path:
        """The log of decisions: journals, and Parquet by day."""
        return self.state / "predictions"

    @property
    def recent(self) -> Path:
        """Images that the scoring service kept, by model and day."""
        return self.state / "recent"

    @property
    def drift(self) -> Path:
        """Looks for drift, by model."""
        return self.state / "drift"

    @property
    def reports(self) -> Path:
        """Rendered reports, by line."""
        return self.state / "reports"

    @contextmanager
    def lock(self, name: str, timeout: float | None = None) -> Iterator[None]:
        """Hold the project-wide lock `name`; the operating system frees it when a process dies.

        Raises:
            StoreBusy: another process still holds it after `timeout` seconds
                (default: `PATCHAE_LOCK_TIMEOUT`).
        """
        from filelock import FileLock, Timeout

        path = self.state / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the lock: whoever asks for that empties it.
        holder = path.with_suffix(".holder")
        patience = settings().lock_timeout if timeout is None else timeout
        try:
            with FileLock(path, timeout=patience):
                with suppress(OSError):  # another user's, who lets nobody write: it is for messages
                    holder.write_text(json.dumps(signature()), encoding="utf-8")
                yield
        except Timeout:
            who = sentence(holder.read_text("utf-8", "replace") if holder.is_file() else "")
            raise StoreBusy(
                f"{who} has held '{name}' for more than {patience:.0f} s",
                where=str(path),
                mend="wait for it to end, or raise PATCHAE_LOCK_TIMEOUT",
            ) from None

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Say that something is in use, as others may at the same time; `unused` sees it.

        The operating system forgets it when the process dies.
        """
        import fcntl

        with self._mark(name) as mark:
            fcntl.flock(mark, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self, name: str) -> Iterator[bool]:
        """Whether nobody uses something; if so, whoever begins to waits until the block ends."""
        import fcntl

        with self._mark(name) as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextmanager
    def _mark(self, name: str) -> Iterator[int]:
        path = self.state / "locks" / f"{name}.used"
        path.parent.mkdir(parents=True, exist_ok=True)
        mark = os.open(path, os.O_RDWR | os.O_CREAT, MODE)
        try:
            yield mark
        finally:
            os.close(mark)


def prepare_environment(project: Project, *, reading: bool = False) -> None:
    """Point the libraries at the project's embedded stores and turn all telemetry off.

    Makes the folder of the state, keeps servers of this machine from being asked through a proxy,
    and gives a user without home or name one of each. Only sets what the environment (and for
    Prefect `.env`) leaves open, so standard variables win. Call it before Prefect, MLflow, DVC or
    Great Expectations are imported.

    Args:
        project: the project.
        reading: whether the caller neither writes nor deletes what a store names.

    Raises:
        UsageError: the project was copied or moved, and the caller is not only reading.
        ConfigError: the folder of the state is not there and cannot be made.
    """
    if not reading and (former := read_former_states(project.state)):
        raise not_relocated(former[0], project.state)
    _make_state(project)
    spare_loopback()
    give_identity(project.state / "home")
    defaults = {
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A profile of one's own does not say so, and need not name a server.
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "DVC_NO_ANALYTICS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # An ephemeral server needs up to 33 s on a small machine; Prefect's own patience is 20 s.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # Slots held by a killed process expire instead of leaking for ever.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }
    given = os.environ.keys() | prefect_dotenv()
    if not given & {"PREFECT_API_URL", "PREFECT_HOME"}:
        # The home of the server that Prefect starts; the person's own profiles hold all the same.
        defaults["PREFECT_HOME"] = str(project.prefect)
        with suppress(OSError):  # of a state that is read-only; Prefect itself lets nobody else in
            project.prefect.mkdir(exist_ok=True)
        profiles = Path.home() / ".prefect" / "profiles.toml"
        if profiles.is_file():
            defaults["PREFECT_PROFILES_PATH"] = str(profiles)
    for name in defaults.keys() - given:
        os.environ[name] = defaults[name]


def _make_state(project: Project) -> None:
    """Make the folder of the state; one that is there may be read-only."""
    ignore = project.state / ".gitignore"
    try:
        project.state.mkdir(parents=True, exist_ok=True)
        if not ignore.exists():  # whatever the project's own .gitignore says
            write_text(ignore, "*\n")
    except OSError as error:
        raise ConfigError(
            f"the folder of patchae's state cannot be written: {error.strerror}",
            where=str(project.state),
            mend="make it writable, or set PATCHAE_STATE to a folder that is",
        ) from None
