"""The one door to MLflow: runs, models, versions and aliases of one project.

The embedded store is a SQLite file and a folder, see `embedded`; `MLFLOW_TRACKING_URI` replaces it
with a server.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

from patchae.errors import StoreUnreachable, UsageError
from patchae.files import lies_in
from patchae.network import shown
from patchae.project import Project
from patchae.registry import embedded
from patchae.registry.mlflow_aliases import MlflowAliases
from patchae.registry.mlflow_answers import absent, is_server, probe, translated
from patchae.relocation import former_state, former_states, local_path, not_relocated, relocated
from patchae.types import TrainingKey

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from patchae.registry.chain import Entry

TAG = "patchae."
_TRIAL = "patchae-can-write.txt"
"""A file among the artifacts of an experiment."""
_PAGE = 1000
_ALIKE = ("line", "class", "data_version", "model_source")
"""Tags of runs that are equal where trainings differ in the seed alone."""


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
        self.aliases = MlflowAliases(uri, client)

    @classmethod
    def open(cls, project: Project) -> Tracking:
        """Connect; creates the embedded store where there is none.

        Raises:
            StoreUnreachable: the server does not answer, or the store cannot be opened.
        """
        given, uri = os.environ.get("MLFLOW_TRACKING_URI"), embedded.address_of(project)
        probe(uri)
        artifacts = None if is_server(uri) else embedded.artifacts_of(project)
        if artifacts is not None:
            project.mlflow.mkdir(parents=True, exist_ok=True)
        logging.getLogger("alembic").setLevel(logging.ERROR)  # migrations are no news to users
        own = uri == embedded.uri_of(project)
        made = is_server(uri) or (own and embedded.database_of(project).exists())
        # Two processes must not both create it; a state that is read-only has no locks to take.
        with translated(uri), nullcontext() if made else project.lock("mlflow"):
            import mlflow

            mlflow.set_tracking_uri(uri)
            # MLflow sets the variable, too, and it would decide for this process's next project.
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            if given is not None:
                os.environ["MLFLOW_TRACKING_URI"] = given
            if own:
                embedded.create(project)
            client = mlflow.MlflowClient(uri)
            client.search_experiments(max_results=1)
        return cls(uri, client, artifacts)

    def probe(self) -> None:
        """Ask whether the server is there; nothing to ask of a store in files.

        For what has to know within seconds: MLflow's client tries again for minutes.

        Raises:
            StoreUnreachable: it does not answer.
        """
        probe(self.uri)

    def experiment(self, line: str) -> str:
        """Id of the experiment of a line, created where there is none.

        Raises:
            UsageError: it was deleted, or its files lie outside of the project's state.
        """
        from mlflow.exceptions import MlflowException

        if found := self.known_experiment(line):
            return found
        with translated(self.uri):
            place = str(self._artifacts / line) if self._artifacts else None
            try:
                return str(self.client.create_experiment(line, artifact_location=place))
            except MlflowException:  # another process was faster
                found = self.client.get_experiment_by_name(line)
                if found is None:
                    raise
                return str(found.experiment_id)

    def known_experiment(self, line: str) -> str | None:
        """Id of the experiment of a line; None: it has none yet.

        Raises:
            UsageError: it was deleted, or its files lie outside of the project's state.
        """
        with translated(self.uri):
            found = self.client.get_experiment_by_name(line)
        if found is None:
            return None
        if found.lifecycle_stage != "active":
            raise UsageError(
                f"MLflow's experiment '{line}' was deleted: nothing can be registered in it",
                where=shown(self.uri),
                mend=self._command(f"experiments restore --experiment-id {found.experiment_id}"),
            )
        self.require_own(str(found.artifact_location))
        return str(found.experiment_id)

    def require_writable(self, line: str) -> None:
        """Make sure that a run of a line can be logged: its row, and its files.

        The experiment has a tag afterwards. The file that is written is removed again, or is the
        same one each time where this account may remove nothing.

        Raises:
            AccessRefused: this account may not.
            StoreUnreachable: MLflow, or its store of artifacts, cannot be written.
            UsageError: the experiment was deleted.
        """
        experiment = self.experiment(line)
        with translated(self.uri):
            self.client.set_experiment_tag(experiment, f"{TAG}line", line)
            place = str(self.client.get_experiment(experiment).artifact_location)
        with TemporaryDirectory(prefix="patchae-") as folder:
            file = Path(folder) / _TRIAL
            file.write_text("patchae can write here\n")
            try:
                from mlflow.store.artifact import artifact_repository_registry

                store = artifact_repository_registry.get_artifact_repository(
                    place, tracking_uri=self.uri
                )
                store.log_artifact(str(file))
            except Exception as error:
                raise StoreUnreachable(
                    f"MLflow's store of artifacts cannot be written: {_first_line(error)}",
                    where=shown(place),
                    mend="make it writable for this account, or make room in it",
                ) from error
            with suppress(Exception):
                store.delete_artifacts(_TRIAL)

    def _command(self, words: str) -> str:
        """A command line of MLflow's own, for this store."""
        here = os.environ.get("MLFLOW_TRACKING_URI") == self.uri
        return f"{'' if here else f'MLFLOW_TRACKING_URI={shlex.quote(self.uri)} '}mlflow {words}"

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

    def all_versions(self) -> list[Version]:
        """Every version of every model that patchae registered, by model, oldest first."""
        found, token = [], None
        with translated(self.uri):
            while True:
                page = self.client.search_model_versions("", max_results=_PAGE, page_token=token)
                found += [_version(item) for item in page]
                if not (token := page.token):
                    break
        ours = [version for version in found if f"{TAG}training_key" in version.tags]
        return sorted(ours, key=lambda version: (version.model, int(version.version)))

    def local_folders(self) -> dict[str, Path]:
        """The folders of this machine that hold files of experiments, by their names."""
        from mlflow.entities import ViewType

        with translated(self.uri):
            found = self.client.search_experiments(ViewType.ALL)
        if self._artifacts is None:
            return {}
        state = self._artifacts.parents[1]
        places = {
            one.name: relocated(str(one.artifact_location), self._former, state) for one in found
        }
        return {name: path for name, place in places.items() if (path := local_path(place))}

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
            where=shown(self.uri),
            mend=f"use one of: {numbers}" if known else "`patchae status` lists the models",
        )

    def require_own(self, place: str, *names: str) -> None:
        """Refuse a place of artifacts that is not the project's, whatever MLflow says of it.

        Args:
            place: of a run, a model or an experiment, as MLflow has it.
            names: files in it, where not all of it is meant.

        Raises:
            UsageError: it is a path of this machine that lies outside of the project's state.
        """
        path = local_path(place)
        if path is None:  # S3, or a server's own store: reached with its keys alone
            return
        if self._artifacts is not None:
            inner = all(lies_in(path / name, path) for name in names)
            if inner and lies_in(path, self._artifacts):
                return
            state = self._artifacts.parents[1]
            if former := former_state(place, state):
                raise not_relocated(former, state)
        raise UsageError(
            "MLflow names files outside of this project's state; they are left alone",
            where=place,
            mend="find out who changed MLflow's store, and restore it from a backup",
        )

    def log_text(self, version: Version, text: str, path: str) -> None:
        """Add one file to the artifacts of a version's training run."""
        with translated(self.uri):
            self.require_own(str(self.client.get_run(version.run_id).info.artifact_uri))
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
            self.require_own(str(run.info.artifact_uri))
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
                if not absent(error):
                    raise
        return Path(folder)

    def model_folder(self, version: Version, only: str | None = None) -> Path:
        """The files of a version's model as a local folder; the originals where they are local.

        With `only` nothing but that file, by its path in the folder, is fetched from a server.

        Asked for as MLflow does that loads `models:/MODEL@ALIAS`: not from `source`, which people
        see, but from the place that it keeps beside it and that may be another one. Empty when all
        are gone.
        """
        from mlflow.exceptions import MlflowException

        with translated(self.uri):
            try:
                place = self.client.get_model_version_download_uri(version.model, version.version)
            except MlflowException as error:
                if not absent(error):
                    raise
                return self.nothing()  # deleted since it was asked for
        if only is None or self._artifacts is not None:
            return self._folder(artifact_uri=place)
        found = self._folder(artifact_uri=f"{place.rstrip('/')}/{only}")
        return found.parents[len(Path(only).parts) - 1] if found.is_file() else found

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
                what = self._at_home(what)
                return Path(download_artifacts(**what, tracking_uri=self.uri))
            except MlflowException as error:
                if not absent(error):
                    raise
                # An answer, not silence: an audit must find it broken, not unknown.
                return self.nothing()

    def _at_home(self, what: dict[str, str]) -> dict[str, str]:
        """Where to read what lies elsewhere by a store that was copied or moved."""
        if not self._former or self._artifacts is None:
            return what
        place = what.get("artifact_uri") or self.client.get_run(what["run_id"]).info.artifact_uri
        rest = {name: value for name, value in what.items() if name != "run_id"}
        state = self._artifacts.parents[1]
        return rest | {"artifact_uri": relocated(str(place), self._former, state)}

    @cached_property
    def _former(self) -> list[Path]:
        """The other states that the store's experiments lie in."""
        if self._artifacts is None:
            return []
        from mlflow.entities import ViewType

        found = self.client.search_experiments(ViewType.ALL)
        places = [str(one.artifact_location) for one in found]
        return former_states(places, self._artifacts.parents[1])

    def _new_folder(self) -> str:
        return mkdtemp(dir=self._downloads.name)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _but_seed(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != "seed"}


def _version(item: Any) -> Version:
    return Version(item.name, str(item.version), item.run_id, item.source, dict(item.tags))
