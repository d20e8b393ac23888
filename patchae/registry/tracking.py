"""The one door to MLflow: runs, models, versions and aliases of one project.

The embedded store is a SQLite file and a folder; `MLFLOW_TRACKING_URI` replaces it with a server.
A server that does not answer is said so within seconds, as `StoreUnreachable`, instead of after
MLflow's minutes of retries.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

from patchae.errors import AccessRefused, StoreUnreachable, UsageError
from patchae.project import Project
from patchae.types import TrainingKey

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from patchae.registry.chain import Entry

TAG = "patchae."
_PROBE_SECONDS = 5
_DATABASE = "mlflow.db"
_ALIKE = ("line", "class", "data_version", "model_source")
"""Tags of runs that are equal where trainings differ in the seed alone."""
_NO_ALIAS = "patchae-access"
"""An alias that no model has."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model, as MLflow tells it."""

    model: str
    version: str
    run_id: str
    source: str
    tags: Mapping[str, str]


class Tracking:
    """MLflow of one project. Create it with `Tracking.open`, once, before threads start."""

    def __init__(self, uri: str, client: MlflowClient, artifacts: Path | None) -> None:
        self.uri = uri
        self.client = client
        self._artifacts = artifacts
        # Copies of what a server holds; gone with this object, or at the end of the process.
        self._downloads = TemporaryDirectory(prefix="patchae-")
        self.aliases = _Aliases(self)

    @classmethod
    def open(cls, project: Project) -> Tracking:
        """Connect; creates the embedded store where there is none.

        Raises:
            StoreUnreachable: the server does not answer, or the store cannot be opened.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI") or _embedded(project)
        if uri.startswith(("http://", "https://")):
            _probe(uri)
            artifacts = None  # the server decides
        else:
            project.mlflow.mkdir(parents=True, exist_ok=True)
            artifacts = project.mlflow / "artifacts"
        logging.getLogger("alembic").setLevel(logging.ERROR)  # migrations are no news to users
        with translated(uri), project.lock("mlflow"):  # two processes must not both create it
            import mlflow

            given = "MLFLOW_TRACKING_URI" in os.environ
            mlflow.set_tracking_uri(uri)
            if not given:  # MLflow sets it, and it would decide for this process's next project
                os.environ.pop("MLFLOW_TRACKING_URI", None)
            if artifacts is not None and uri == _embedded(project):
                _create(project.mlflow / _DATABASE)
            client = mlflow.MlflowClient(uri)
            client.search_experiments(max_results=1)
        return cls(uri, client, artifacts)

    def probe(self) -> None:
        """Ask whether the server is there; nothing to ask of a store in files.

        For what has to know within seconds: MLflow's client tries again for minutes.

        Raises:
            StoreUnreachable: it does not answer.
        """
        if self.uri.startswith(("http://", "https://")):
            _probe(self.uri)

    def experiment(self, line: str) -> str:
        """Id of the experiment of a line, created where there is none."""
        from mlflow.exceptions import MlflowException

        with translated(self.uri):
            found = self.client.get_experiment_by_name(line)
            if found:
                return str(found.experiment_id)
            place = str(self._artifacts / line) if self._artifacts else None
            try:
                return str(self.client.create_experiment(line, artifact_location=place))
            except MlflowException:  # another process was faster
                found = self.client.get_experiment_by_name(line)
                if found is None:
                    raise
                return str(found.experiment_id)

    def with_key(self, model: str, key: TrainingKey, but: Collection[str] = ()) -> Version | None:
        """The version of a model that was trained under a key; the oldest if there are several.

        `but` are versions that do not count: those whose weights were let go
        (`standing.to_train_again`), so that their training can be done again.
        """
        found = [v for v in self.versions(model) if v.tags.get(f"{TAG}training_key") == key]
        return next((v for v in found if v.version not in but), None)

    def versions(self, model: str) -> list[Version]:
        """All versions of a model, oldest first; none when the model does not exist."""
        with translated(self.uri):
            found = self.client.search_model_versions(f"name = '{model}'")
        versions = [_version(item) for item in found]
        return sorted(versions, key=lambda version: int(version.version))

    def version(self, model: str, version: str) -> Version:
        """One version.

        Raises:
            UsageError: it does not exist.
        """
        known = self.versions(model)
        for item in known:
            if item.version == version:
                return item
        numbers = ", ".join(item.version for item in known)
        raise UsageError(
            f"{model} has no version {version}" if known else f"no model is called '{model}'",
            where=self.uri,
            mend=f"use one of: {numbers}" if known else "`patchae status` lists the models",
        )

    def log_text(self, version: Version, text: str, path: str) -> None:
        """Add one file to the artifacts of a version's training run."""
        with translated(self.uri):
            self.client.log_text(version.run_id, text, path)

    def link(self, version: Version, name: str, row: Entry) -> None:
        """Note a row of the ledger at a version, as the tag `patchae.ledger_<name>`: seq:digest."""
        value, tag = f"{row.seq}:{row.digest}", f"{TAG}ledger_{name}"
        if version.tags.get(tag) != value:
            with translated(self.uri):
                self.client.set_model_version_tag(version.model, version.version, tag, value)

    def seeds(self, version: Version) -> dict[str, float]:
        """Image AUROC by seed, of registered trainings that differ from this one in nothing else.

        The same class, data version, settings and source of the model; this one is among them.
        """
        with translated(self.uri):
            own = self.client.get_run(version.run_id)
            wanted = _but_seed(own.data.params)
            tags = {tag: own.data.tags.get(TAG + tag) for tag in _ALIKE}
            same = " and ".join(f"tags.`{TAG}{tag}` = '{value}'" for tag, value in tags.items())
            # A run from before its source was noted resembles none for certain.
            known = None not in tags.values()
            runs = self.client.search_runs([own.info.experiment_id], same) if known else []
        registered = {known.run_id for known in self.versions(version.model)}
        return {
            run.data.params["seed"]: run.data.metrics["image_auroc"]
            for run in (*runs, own)  # of one seed its own counts
            if run.info.run_id in registered
            and _but_seed(run.data.params) == wanted
            and "image_auroc" in run.data.metrics
        }

    def log_report(self, line: str, *pages: Path) -> None:
        """Keep the newest report of a line in MLflow: one run of its experiment, `report`."""
        experiment = self.experiment(line)
        with translated(self.uri):
            found = self.client.search_runs(
                [experiment], f"tags.`{TAG}kind` = 'report'", max_results=1
            )
            run = (
                found[0]
                if found
                else self.client.create_run(
                    experiment, tags={f"{TAG}kind": "report", f"{TAG}line": line}, run_name="report"
                )
            )
            for page in pages:
                self.client.log_artifact(run.info.run_id, str(page))
            self.client.set_terminated(run.info.run_id, "FINISHED")

    def artifacts(self, version: Version) -> Path:
        """The artifacts of a version's training run as a local folder; empty when all are gone."""
        return self._folder(run_id=version.run_id)

    def some_artifacts(self, run_id: str, names: Iterable[str]) -> Path:
        """Those of the named artifacts of a run that are there, in a local folder.

        Others may be in it as well; nothing else is fetched from a server.
        """
        if self._artifacts is not None:
            return self._folder(run_id=run_id)
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        folder = self._new_folder()
        with translated(self.uri):
            try:
                there = {item.path for item in self.client.list_artifacts(run_id)}
                for name in sorted(there.intersection(names)):
                    download_artifacts(
                        run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=self.uri
                    )
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        return Path(folder)

    def model_folder(self, version: Version) -> Path:
        """The files of a version's model as a local folder; the originals where they are local.

        Asked for as MLflow does that loads `models:/MODEL@ALIAS`: not from `source`, which people
        see, but from the place that it keeps beside it and that may be another one. Empty when all
        are gone.
        """
        from mlflow.exceptions import MlflowException

        with translated(self.uri):
            try:
                place = self.client.get_model_version_download_uri(version.model, version.version)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return self.nothing()  # deleted since it was asked for
        return self._folder(artifact_uri=place)

    def nothing(self) -> Path:
        """An empty folder, in place of one whose version is gone."""
        return Path(self._new_folder())

    def _folder(self, **what: str) -> Path:
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        if self._artifacts is None:
            what["dst_path"] = self._new_folder()
        with translated(self.uri):
            try:
                return Path(download_artifacts(**what, tracking_uri=self.uri))
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                # An answer, not silence: an audit must find it broken, not unknown.
                return self.nothing()

    def _new_folder(self) -> str:
        return mkdtemp(dir=self._downloads.name)


class _Aliases:
    """Aliases of registered models; what `patchae.registry.promotion` moves."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def get(self, model: str) -> Mapping[str, str]:
        """All aliases of a model, each with its version; none when the model does not exist."""
        from mlflow.exceptions import MlflowException

        with translated(self._tracking.uri):
            try:
                found = self._tracking.client.get_registered_model(model).aliases
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return {}
                raise
        return {alias: str(version) for alias, version in found.items()}

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        """As `Aliases.has`; MLflow keeps nothing of a version that was deleted."""
        from mlflow.exceptions import MlflowException

        with translated(self._tracking.uri):
            try:
                found = self._tracking.client.get_model_version(model, version)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return False
                raise
        return run is None or found.run_id == run

    def check_may_move(self, model: str) -> None:
        """As `Aliases.check_may_move`: by taking away an alias that is not there."""
        from mlflow.exceptions import MlflowException

        if not self._tracking.uri.startswith(("http://", "https://")):
            return
        with translated(self._tracking.uri):
            try:
                self._tracking.client.delete_registered_model_alias(model, _NO_ALIAS)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise

    def set(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        with translated(self._tracking.uri):
            self._tracking.client.set_registered_model_alias(model, alias, version)

    def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""
        with translated(self._tracking.uri):
            self._tracking.client.delete_registered_model_alias(model, alias)


def _embedded(project: Project) -> str:
    return f"sqlite:///{project.mlflow / _DATABASE}"


def _create(database: Path) -> None:
    """Make the embedded store where there is none: in one step, for MLflow makes it in many.

    One that a crash or a full disk left half made could neither be used nor finished.
    """
    if database.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with TemporaryDirectory(dir=database.parent, prefix=".new-") as folder:
        draft = Path(folder) / database.name
        store = SqlAlchemyStore(f"sqlite:///{draft}", str(database.parent / "artifacts"))
        store.engine.dispose()
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(database)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Errors of MLflow and of what lies under it, as one that says where and what to do."""
    try:
        yield
    except (ImportError, NameError, TypeError):  # a defect of ours is not the server's
        raise
    except Exception as error:
        from mlflow.exceptions import MlflowException
        from requests import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        if not isinstance(error, MlflowException | RequestException | SQLAlchemyError):
            raise
        code = getattr(error, "error_code", None)
        if code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            raise _refused(uri, code) from None
        raise _unreachable(uri, str(error).partition("\n")[0]) from error


def _but_seed(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != "seed"}


def _version(item: Any) -> Version:
    return Version(item.name, str(item.version), item.run_id, item.source, dict(item.tags))


def _probe(uri: str) -> None:
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=_PROBE_SECONDS)
    except requests.RequestException as error:
        raise _unreachable(uri, f"no answer ({type(error).__name__})") from None
    if answer.status_code >= 500:
        raise _unreachable(uri, f"it answers {answer.status_code}")


def _refused(uri: str, code: str) -> AccessRefused:
    who = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "UNAUTHENTICATED":
        return AccessRefused(
            f"MLflow does not know the account '{who}', or not with this password"
            if who
            else "MLflow asks for an account, and none is given",
            where=uri,
            mend="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    return AccessRefused(
        f"MLflow does not let the account '{who or 'nobody'}' do that",
        where=uri,
        mend="use an account that may: a trainer to register models, a promoter to move aliases",
    )


def _unreachable(uri: str, why: str) -> StoreUnreachable:
    return StoreUnreachable(
        f"MLflow cannot be used: {why}",
        where=uri,
        mend="start the server or correct MLFLOW_TRACKING_URI; unset it for the embedded store",
    )
