"""The project as a DVC repository: how it is configured, set up and opened.

The file `.dvc/config` belongs to the user. What patchae needs besides is laid over it in memory:
DVC's own databases under the project's state folder instead of a folder of the whole machine, and
the embedded remote where no other is configured. The user's global DVC configuration counts as
always, since credentials may be in it.
"""

from __future__ import annotations

import atexit
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from patchae.dataset.dvc_sides import not_usable
from patchae.dataset.dvc_store import Store
from patchae.dataset.git import in_git
from patchae.errors import DataError, StoreBusy
from patchae.files import write_text
from patchae.project import Project
from patchae.settings import settings

EMBEDDED = "embedded"
_HEAD = "[core]\n    analytics = false\n    check_update = false\n"
_NO_SCM = "    no_scm = true\n"


def initialise(project: Project) -> None:
    """Make the project a DVC repository with a folder as its remote; one that is stays as it is.

    But for one thing: where Git came later than DVC, DVC learns of it, and so has Git ignore the
    images. Nothing is put into Git's index, which `dvc init` would do.
    """
    file = _config_file(project)
    if not file.is_file():
        write_text(file, config_text(project))
    elif in_git(project.root) and (text := with_git(then := file.read_text("utf-8"))) != then:
        write_text(file, text)


def config_text(project: Project) -> str:
    """The `.dvc/config` that `initialise` writes."""
    remote = project.dvc_remote
    if remote.is_relative_to(project.root):
        remote = Path("..") / remote.relative_to(project.root)
    return (
        _HEAD
        + ("" if in_git(project.root) else _NO_SCM)
        + f"    remote = {EMBEDDED}\n['remote \"{EMBEDDED}\"']\n"
        + f"    url = {remote.as_posix()}\n    verify = true\n"
    )


def with_git(text: str) -> str:
    """A `.dvc/config` that `initialise` has written where there was no Git, as it is with Git.

    Any other stays as it is: that DVC knows nothing of Git may be somebody's wish.
    """
    return text.replace(_NO_SCM, "", 1) if text.startswith(_HEAD + _NO_SCM) else text


@contextmanager
def open_store(project: Project, *, writing: bool = False) -> Iterator[Store]:
    """The project's DVC repository, opened once for many questions.

    For `writing`, other DVC processes are kept out meanwhile.

    Raises:
        DataError: the project has no DVC repository yet.
        ConfigError: DVC cannot use its configuration.
        StoreBusy: another process held DVC's lock longer than `PATCHAE_LOCK_TIMEOUT`.
    """
    if not _config_file(project).is_file():
        raise DataError(
            "no version of data/ was ever made here",
            where=str(project.root),
            mend="patchae snapshot",
        )
    _prepare_process()
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        configured = Config(str(_config_file(project).parent))
        repo = Repo(str(project.root.absolute()), config=_overlay(project, configured))
    except (DvcException, SCMError) as error:
        raise not_usable(_config_file(project), error) from None
    try:
        with _locked(repo.lock) if writing else nullcontext():
            yield Store(repo, project.data.absolute())
    finally:
        repo.close()


@contextmanager
def _locked(lock: Any) -> Iterator[None]:
    from dvc.lock import LockError

    patience = settings().lock_timeout
    deadline = time.monotonic() + patience
    while True:
        try:
            lock.lock()  # asks for about 3 s before it gives up
            break
        except LockError:
            if time.monotonic() >= deadline:
                raise StoreBusy(
                    f"another DVC process has held its lock for more than {patience:.0f} s",
                    where=str(lock.lockfile),
                    mend="wait for it to end, or raise PATCHAE_LOCK_TIMEOUT",
                ) from None
    try:
        yield
    finally:
        lock.unlock()


def _config_file(project: Project) -> Path:
    return project.root / ".dvc" / "config"


def _overlay(project: Project, configured: Any) -> dict[str, Any]:
    """What holds for patchae without standing in the file, so that the file can be anyone's."""
    core: dict[str, Any] = {"site_cache_dir": str(_site_cache(project))}
    # In a folder of a group DVC's own folders are the group's, too; else it takes that from them.
    shared = {"shared": "group"} if project.root.stat().st_mode & stat.S_ISGID else {}
    overlay: dict[str, Any] = {"core": core, "cache": shared}
    if not in_git(project.root):
        core["no_scm"] = True
    name = configured["core"].get("remote") or EMBEDDED
    url = configured["remote"].get(name, {}).get("url")
    usual = project.root.absolute() / ".patchae" / "dvc-remote"
    if name == EMBEDDED and (url is None or Path(url) == usual):
        # The embedded remote moves with the project's state (PATCHAE_STATE).
        core["remote"] = EMBEDDED
        remote = {"url": str(project.dvc_remote.absolute()), "verify": True, **shared}
        overlay["remote"] = {EMBEDDED: remote}
    return overlay


def _site_cache(project: Project) -> Path:
    """The folder of DVC's own databases: one could only read those of another user."""
    if not os.access(project.state, os.W_OK):
        return Path(_scratch())
    folder = project.state.absolute() / "dvc-site-cache"
    theirs = folder.exists() and folder.stat().st_uid != os.getuid()
    return folder.with_name(f"{folder.name}-{os.getuid()}") if theirs else folder


@cache
def _scratch() -> str:
    """A folder for this process alone, gone with it."""
    folder = TemporaryDirectory(prefix="patchae-dvc-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return folder.name


def _prepare_process() -> None:
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # also turns its progress bars off
