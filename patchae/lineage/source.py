"""Which code made a model: Git, patchae's version, the model's source, the lock file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from patchae import __version__
from patchae.files import sha256_file
from patchae.project import Project

LOCK_FILE = "requirements.lock"


def source_of(project: Project) -> dict[str, Any]:
    """The part `source` of a lineage record. What cannot be known here is None."""
    from patchae.model.key import source_digest

    lock = project.root / LOCK_FILE
    # data.dvc is named by the record itself, and a snapshot that is not committed yet is the
    # normal state of a line that was just retrained.
    others = ("--", ":/", ":(exclude)data.dvc")
    status = _git(project.root, "status", "--porcelain", "--untracked-files=no", *others)
    return {
        "git_commit": _git(project.root, "rev-parse", "HEAD"),
        "git_clean": None if status is None else not status,
        "model_source_sha256": source_digest(),
        "patchae_version": __version__,
        "lock_sha256": sha256_file(lock) if lock.is_file() else None,
    }


def git_of(project: Project) -> tuple[str, str | None] | None:
    """Address of the project's repository, without a name or password in it, and its commit.

    None where there is no Git, or no remote called `origin`.
    """
    address = _git(project.root, "remote", "get-url", "origin")
    if not address:
        return None
    return re.sub(r"(?<=://)[^/@]*@", "", address), _git(project.root, "rev-parse", "HEAD")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - the user's own Git
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no Git on this machine
        return None
    return done.stdout.strip("\n") if done.returncode == 0 else None
