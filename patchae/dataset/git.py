"""One commit of a few files that leaves everything else in Git exactly as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from patchae.errors import UsageError


def in_git(folder: Path) -> bool:
    """Whether a folder lies in a Git working tree."""
    here = folder.absolute()
    return any((parent / ".git").exists() for parent in (here, *here.parents))


def head(root: Path, path: str) -> bytes | None:
    """The content of a file in the last commit; None if it is not in there."""
    done = _git(root, "show", f"HEAD:./{path}")
    return done.stdout if done.returncode == 0 else None


def commit(root: Path) -> str | None:
    """The commit that is checked out; None where there is no Git, or no commit yet."""
    done = _git(root, "rev-parse", "--quiet", "--verify", "HEAD") if in_git(root) else None
    return done.stdout.decode().strip() if done and done.returncode == 0 else None


def history(root: Path, path: str) -> list[tuple[str, str, str]]:
    """Commits that changed a file, oldest first: hash, time (ISO 8601), and what it then held.

    None where there is no Git, or no commit yet.
    """
    if not in_git(root):
        return []
    listed = _git(root, "log", "--reverse", "--format=%H %cI", "--", path)
    found = []
    for line in listed.stdout.decode().splitlines() if listed.returncode == 0 else []:
        commit, _, made = line.partition(" ")
        shown = _git(root, "show", f"{commit}:./{path}")
        if shown.returncode == 0:  # else the commit removed it
            found.append((commit, made, shown.stdout.decode(errors="replace")))
    return found


def commit_only(root: Path, paths: Sequence[str], message: str) -> bool:
    """Commit those of the files that differ from the last commit; whether there were any.

    What else is changed or staged stays changed or staged.

    Raises:
        UsageError: Git refused, with its own words.
    """
    changed = [path for path in paths if head(root, path) != (root / path).read_bytes()]
    if not changed:
        return False
    listed = _git(root, "ls-files", "-z", "--", *changed).stdout.decode(errors="surrogateescape")
    new = sorted(set(changed) - set(listed.split("\0")))
    if new:
        # Only names are put into the index: `commit --only` takes no file that Git does not know.
        _must(root, "add", "--intent-to-add", "--", *new)
    try:
        _must(root, "commit", "--only", "--quiet", "--message", message, "--", *changed)
    except UsageError:
        if new:
            _git(root, "rm", "--cached", "--quiet", "--", *new)
        raise
    return True


def _must(root: Path, *arguments: str) -> None:
    done = _git(root, *arguments)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise UsageError(
            f"git {arguments[0]} refused: {' '.join(said[:4]) or 'without a word'}",
            where=str(root),
            mend="mend what Git names, then run the command again",
        )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - the user's own Git, with paths after `--`
            ["git", *arguments],  # noqa: S607
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("the program git is not there", where="PATH", mend="install Git") from None
