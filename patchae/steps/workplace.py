"""A project on a machine that has only the package: made from what travels, filled by DVC.

What travels is text without secrets: `lines.yaml`, DVC's configuration and the pin. Images come
from the remote, and only those of the classes that are trained; models and verdicts go to MLflow
and to the ledger that all machines share. So a workplace may be removed at any time.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from patchae.console import say
from patchae.dataset.dvc_config import default_remote
from patchae.dataset.dvc_repo import EMBEDDED
from patchae.dataset.restoring import pull
from patchae.errors import ConfigError, StoreBusy
from patchae.files import Progress, silent, stats_below, write_text
from patchae.project import FOREVER, Project
from patchae.settings import settings
from patchae.types import DataVersion

_CONFIG = ".dvc/config"
TRAVELS = ("lines.yaml", _CONFIG, "data.dvc")
"""Files of a project that another machine needs. `.dvc/config.local` stays: it may hold keys."""
_SECRETS = re.compile(
    r"(?im)^[ \t]*(access_key_id|secret_access_key|session_token|\w*password|\w*passphrase"
    r"|\w*secret\w*|\w*token|sas_\w+|connection_string|account_key|sse_\w*key\w*|oss_key_\w+)"
    r"[ \t]*=.*(\n[ \t]+(?![ \t]*[\w]+[ \t]*=).*)*\n?"
)
"""Options of DVC's configuration that only the machine may know that they were written on."""
_IN_URL = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")
_LOG = "versions"
"""The log of data versions travels, too: gates and validation ask which version came before."""
_NEWEST = 200
"""Its newest lines suffice; all of them could be more than Prefect takes as a parameter."""


def describe(project: Project) -> dict[str, str]:
    """The text of every file that travels, by its name."""
    files = {
        name: (project.root / name).read_text()
        for name in TRAVELS
        if (project.root / name).is_file()
    }
    if _CONFIG in files:
        files[_CONFIG] = _without_secrets(files[_CONFIG])
    log = project.versions.read_text().splitlines(True) if project.versions.is_file() else []
    return files | {_LOG: "".join(log[-_NEWEST:])}


def workplace(described: Mapping[str, str], name: str) -> Project:
    """The project in a folder of this machine, `PATCHAE_WORKPLACES`/<name>; made if need be.

    Raises:
        ConfigError: MLflow, the ledger or the store of images would be one of this machine alone.
    """
    remote = default_remote(described.get(_CONFIG, ""), ".dvc/config of the project")
    if remote in (None, EMBEDDED):
        raise ConfigError(
            "a worker with a workplace of its own cannot reach images in the project's folder",
            where=".dvc/config of the project",
            mend="give DVC a remote that all machines reach (docs/images.md), or the worker the"
            " project's own folder: patchae deploy --root FOLDER",
        )
    for variable in ("MLFLOW_TRACKING_URI", "PATCHAE_LEDGER_URL"):
        if not os.environ.get(variable):
            raise ConfigError(
                "a worker with a workplace of its own needs the servers that all share",
                where=variable,
                mend="set it for the worker, or give it the project's own folder:"
                " patchae deploy --root FOLDER",
            )
    root = settings().workplaces.expanduser().absolute() / name
    project = Project(root)
    with project.lock("workplace"):
        paths = {file: root / file for file in TRAVELS} | {_LOG: project.versions}
        for file, path in paths.items():
            text = described.get(file)
            if text is not None and (not path.is_file() or path.read_text() != text):
                write_text(path, text)
    return project


@contextmanager
def fetched(
    project: Project,
    version: DataVersion,
    classes: Sequence[str],
    progress: Progress = silent,
) -> Iterator[None]:
    """Have the images of some classes in a workplace for the length of the block.

    Objects that the cache lacks come from the remote, each verified. Nobody removes them meanwhile,
    and nobody brings another version of them. A class that another run of this machine has, such as
    one whose line died, is waited for as long as it is trained; the system frees it when that run
    dies.

    Raises:
        DataError: the version does not hold a class; an object is missing or damaged.
        StoreBusy: another process works on `data/` for too long.
        StoreUnreachable: the remote does not answer.
    """
    with ExitStack() as held:
        for name in sorted(classes):  # all in one order, so that no two wait for each other
            try:
                held.enter_context(_in_use(project, name, timeout=0))
            except StoreBusy:
                say(f"{name}: another run on this machine has its images; waiting until it ends")
                held.enter_context(_in_use(project, name, timeout=FOREVER))
        make_room(project, keep=classes)
        pull(project, version, classes, force=True, progress=progress)
        yield


def make_room(project: Project, keep: Sequence[str] = ()) -> int:
    """Remove images of a workplace that is larger than `PATCHAE_WORKPLACE_GB`; bytes removed.

    The oldest classes that no run has go first, then DVC's cache; all can be fetched again.

    Args:
        project: a workplace, never a project that people work in.
        keep: classes that stay.
    """
    cache = project.root / ".dvc" / "cache"
    removed, most = 0, settings().workplace_gb * 1e9
    with project.lock("data"):
        classes = [one for one in _folders(project.data) if one.name not in keep]
        for folder in (*sorted(classes, key=lambda one: one.stat().st_mtime), cache):
            if _size(project.data) + _size(cache) <= most:
                break
            with suppress(StoreBusy), _in_use(project, folder.name, timeout=0):
                removed += _size(folder)
                shutil.rmtree(folder, ignore_errors=True)
    return removed


def _in_use(project: Project, name: str, timeout: float) -> AbstractContextManager[None]:
    return project.lock(f"images-{name}", timeout)


def _without_secrets(config: str) -> str:
    """DVC's configuration as it may stand among the parameters of a run."""
    return _IN_URL.sub(r"\1@", _SECRETS.sub("", config))


def _folders(parent: Path) -> list[Path]:
    return [one for one in parent.iterdir() if one.is_dir()] if parent.is_dir() else []


def _size(folder: Path) -> int:
    return sum(found.st_size for found in stats_below(folder))
