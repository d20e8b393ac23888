"""The source that trained a version, ready to be imported.

A project that holds patchae itself, as this repository does, has that source in Git: a worktree of
the commit gives it, without a change to what the user has checked out. Elsewhere it is the
installed patchae, which may be another one; its digest says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import patchae
from patchae.errors import UsageError
from patchae.files import digest_json, sha256_file
from patchae.lineage.parts import Source
from patchae.project import Project
from patchae.types import Sha256

Origin = Literal["worktree", "installed"]
_MODEL = "patchae/model"


@dataclass(frozen=True)
class Code:
    """A folder that holds the package `patchae`."""

    origin: Origin
    folder: Path

    @property
    def digest(self) -> Sha256:
        """What `source_digest` says in that patchae; torch is not imported for it."""
        files = sorted((self.folder / _MODEL).glob("*.py"))
        return digest_json({file.name: sha256_file(file) for file in files})


def code_of(
    project: Project, source: Source, workspace: Path, name: str, *, anyway: bool = False
) -> Code:
    """The source that a record names: from Git where Git has it, else what is installed.

    Either is only taken when its digest is that of the record. The worktree of a tree that was not
    clean may lack what trained; a project may have been trained by another patchae than its own.

    Args:
        project: the project whose commit the record holds.
        source: that part of the record.
        workspace: a folder of our own; a worktree is made in it.
        name: of the version, for the message.
        anyway: take what is installed when neither has the digest.

    Raises:
        UsageError: neither has it, or Git has the commit and refuses to check it out.
    """
    installed = Code("installed", Path(patchae.__file__).resolve().parent.parent)
    in_git = _worktree(project, source.git_commit, workspace) if source.git_commit else None
    for code in (in_git, installed):
        if code and code.digest == source.model_source_sha256:
            return code
    if anyway:
        return installed
    raise UsageError(
        f"{name} was trained by another source of patchae {source.patchae_version}:"
        f" {_why(project, source, in_git)}",
        where=f"source.model_source_sha256 is {source.model_source_sha256[:16]}..., installed is"
        f" {installed.digest[:16]}...",
        mend=f"install patchae {source.patchae_version} (pip install"
        f" patchae=={source.patchae_version}) in an environment of its own and run the command"
        " there; --anyway trains with what is installed here",
    )


def clear(project: Project, workspace: Path) -> None:
    """Remove a workspace and what Git remembers of a worktree in it; both may be absent.

    Only of that one: a worktree of the user's may be missing because its disk is not there now.
    """
    workspace.mkdir(parents=True, exist_ok=True)  # else Git does not know the path again
    _git(project.root, "worktree", "remove", "--force", str(_tree(workspace)))
    shutil.rmtree(workspace)


def _tree(workspace: Path) -> Path:
    return (workspace / "worktree").absolute()


def _worktree(project: Project, commit: str, workspace: Path) -> Code | None:
    """A worktree of a commit; None where Git has no such commit, or no patchae in it."""
    if _git(project.root, "cat-file", "-e", f"{commit}:./{_MODEL}").returncode:
        return None
    tree = _tree(workspace)
    # No hook of the user's runs: a check-out of ours is none of its business.
    hooks = ("-c", f"core.hooksPath={os.devnull}")
    made = _git(project.root, *hooks, "worktree", "add", "--quiet", "--detach", str(tree), commit)
    if made.returncode:
        said = made.stderr.strip().splitlines()
        raise UsageError(
            f"Git cannot check out commit {commit}: {said[-1] if said else 'without a word'}",
            where=str(project.root),
            mend="mend what Git names, then run the command again",
        )
    return Code("worktree", tree / _git(project.root, "rev-parse", "--show-prefix").stdout.strip())


def _why(project: Project, source: Source, in_git: Code | None) -> str:
    commit = source.git_commit
    if in_git:
        if source.git_clean is False:
            return f"commit {commit} lacks it, since the tree was not clean when it trained"
        return f"commit {commit} holds a patchae, but not the one that trained it"
    if commit and _git(project.root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        return f"commit {commit} is not in this repository, and the installed one is another"
    return "the installed one is another"


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - fixed words, a commit and a folder of ours
            ["git", *arguments],  # noqa: S607 - the user's own Git
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # no Git on this machine: then it has no commit either
        return subprocess.CompletedProcess(arguments, 127, "", "the program git is not there")
