"""The two places where DVC keeps objects: its cache on this machine, and the default remote.

An object is named by its md5. Whatever is read is hashed: a name proves nothing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from patchae.dataset import objects
from patchae.errors import ConfigError, DataError, StoreSilent, StoreUnreachable
from patchae.files import Progress, silent

Side = Literal["cache", "remote"]


class Sides:
    """Cache and remote of an open DVC repository."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self._cache = repo.cache.local
        self._known_remote: Any = None

    def held(self, names: Iterable[str]) -> set[str]:
        """Those of the objects that the remote holds; the cache, if the remote does not answer."""
        wanted = [name for name in dict.fromkeys(names) if objects.NAME.fullmatch(name)]
        if not wanted:
            return set()
        try:
            with self.reaching_remote():
                return objects.existing(self.remote, wanted)
        except StoreUnreachable:
            return objects.existing(self._cache, wanted)

    def read(self, name: str) -> bytes | None:
        """One object from the remote, else from the cache; None if neither holds it unaltered.

        Raises:
            StoreUnreachable: the remote does not answer and the cache does not hold it.
        """
        if not objects.NAME.fullmatch(name):
            return None
        unreachable: StoreUnreachable | None = None
        content: bytes | None = None
        try:
            with self.reaching_remote():
                content = objects.read(self.remote, name)
        except StoreUnreachable as error:
            unreachable = error
        content = content if content is not None else objects.read(self._cache, name)
        if content is None and unreachable is not None:
            raise unreachable
        return content

    def fetch(
        self, names: Sequence[str], progress: Progress = silent
    ) -> tuple[int, dict[str, objects.State]]:
        """Have objects in the cache, whole: what is damaged or missing there comes from the remote.

        Returns:
            How many were fetched; and what could not be had, with its state in the remote.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        here = objects.states(self._cache, names, progress, "looking at the cache")
        lacking = [name for name in names if here[name] != "whole"]
        if not lacking:
            return 0, {}
        with self.reaching_remote():
            there = objects.existing(self.remote, lacking)
            found = [name for name in lacking if name in there]
            self._copy(self.remote, self._cache, found, "fetching images", progress)
        after = objects.states(self._cache, found)
        problems: dict[str, objects.State] = dict.fromkeys(set(lacking) - there, "missing")
        for name, state in after.items():
            if state != "whole":
                self._cache.delete(name)
                problems[name] = "damaged"
        return list(after.values()).count("whole"), problems

    def states(
        self,
        side: Side,
        names: Sequence[str],
        progress: Progress = silent,
        sha256: Mapping[str, str] = objects.NOTHING_KNOWN,
    ) -> dict[str, objects.State]:
        """In which state objects are on one side, held against those sha256 that are known.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        if side == "cache":
            return objects.states(self._cache, names, progress, "reading the cache", sha256)
        with self.reaching_remote():
            return objects.states(self.remote, names, progress, "reading the remote", sha256)

    def replace(self, names: Sequence[str], progress: Progress = silent) -> None:
        """Have objects in the remote as the cache holds them, whatever is there now.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        with self.reaching_remote():
            self._copy(self._cache, self.remote, names, "mending the remote", progress)

    @staticmethod
    def _copy(
        source: Any, target: Any, names: Sequence[str], what: str, progress: Progress
    ) -> None:
        """From one store to another, over what is there; nothing is hashed."""
        for name in objects.existing(target, list(names)):
            target.delete(name)
        jobs = max(source.fs.jobs, target.fs.jobs)
        target.add(
            [source.oid_to_path(name) for name in names],
            source.fs,
            list(names),
            check_exists=False,
            verify=False,  # with it DVC drops a wrong copy without a word
            batch_size=jobs,
            callback=callback(what, progress),
        )

    def place(self, name: str, target: Path, drafts: Path) -> None:
        """Copy an object of the cache to a file, in one move.

        Args:
            name: the object.
            target: the file; one that is there is replaced.
            drafts: a folder on the same file system, for the copy while it is not whole.

        Raises:
            DataError: the file cannot be written.
        """
        draft = drafts / name
        try:
            drafts.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._cache.oid_to_path(name), draft)
            draft.replace(target)
        except OSError as error:
            raise DataError(
                f"an image cannot be written: {error.strerror}",
                where=str(target),
                mend="free space or correct permissions, then run the command again",
            ) from None

    def cached(self) -> dict[str, Path]:
        """The objects of the cache, each with its file."""
        return {name: Path(self._cache.oid_to_path(name)) for name in self._cache.all()}

    def forget(self, name: str) -> None:
        """Remove an object from the cache; the remote keeps it."""
        self._cache.delete(name)

    @property
    def remote(self) -> Any:
        """The object store of the default remote.

        Raises:
            ConfigError: DVC is configured in a way that it does not understand.
        """
        from dvc.exceptions import DvcException

        if self._known_remote is None:
            try:
                self._known_remote = self._repo.cloud.get_remote_odb(command="push")
            except DvcException as error:
                raise not_usable(Path(self._repo.config.files["repo"]), error) from None
        return self._known_remote

    @contextmanager
    def reaching_remote(self) -> Iterator[None]:
        """For blocks that use the remote.

        Raises:
            StoreSilent: it does not answer.
            StoreUnreachable: it refuses, or cannot be used for another reason.
        """
        try:
            yield
        except (DataError, ConfigError):
            raise
        except Exception as error:  # noqa: BLE001 - every kind of remote raises errors of its own
            name = self._repo.config["core"]["remote"]
            url = re.sub(r"//[^/@]*@", "//", str(self._repo.config["remote"][name]["url"]))
            raise (StoreSilent if _silent(error) else StoreUnreachable)(
                f"the DVC remote '{name}' cannot be used: {error}",
                where=url,
                mend="check address, network and credentials (dvc remote list), then try again",
            ) from None


def _silent(error: Exception) -> bool:
    """Whether nobody answered, rather than somebody refused."""
    from botocore import exceptions

    unanswered = (ConnectionError, TimeoutError, exceptions.ConnectionError)
    return isinstance(error, (*unanswered, exceptions.HTTPClientError))


def callback(what: str, progress: Progress) -> Any:
    """What DVC calls while it works, as our progress."""
    from dvc.fs.callbacks import Callback

    def hook(size: int | None, value: int, **_: Any) -> None:
        progress(what, value, size or 0)

    return Callback(hooks={"progress": hook})


def not_usable(config: Path, error: Exception) -> ConfigError:
    """DVC's own complaint about how it is configured."""
    return ConfigError(
        f"DVC cannot be used as it is configured: {error}",
        where=str(config),
        mend="correct it with dvc config or dvc remote modify",
    )
