"""DVC's objects: what `data/` holds just now, what the cache holds, and what the remote holds.

patchae uses DVC's object stores rather than `dvc add` and `dvc push`, for three promises:
an object is in the remote before `data.dvc` speaks of it; a push asks the remote about every object
instead of trusting DVC's index of what was once there; every copy is hashed before it counts.
What is written is what DVC itself would write: `dvc pull`, `dvc checkout`, `dvc diff` work on it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from patchae.dataset import objects
from patchae.errors import ConfigError, DataError, StoreUnreachable
from patchae.files import Progress, silent
from patchae.types import DataVersion

Side = Literal["cache", "remote"]


@dataclass(frozen=True)
class Content:
    """What `data/` holds at one moment; `tree` is the listing under its own md5."""

    version: DataVersion
    files: Mapping[str, str]  # path relative to data/, POSIX -> md5
    bytes: int
    tree: Any


class Store:
    """An open DVC repository; `dvc_repo.open_store` makes one."""

    def __init__(self, repo: Any, data: Path) -> None:
        self._repo = repo
        self._data = data
        self._cache = repo.cache.local
        self._known_remote: Any = None

    def scan(self, progress: Progress = silent) -> Content:
        """Hash what `data/` holds. DVC remembers hashes by path, size and time of change.

        Raises:
            DataError: a file cannot be read, or is not there any more.
        """
        from dvc_data.hashfile.build import IgnoreInCollectedDirError, build

        try:
            _, meta, tree = build(
                self._cache,
                str(self._data),
                self._repo.fs,
                "md5",
                dry_run=True,
                ignore=self._repo.dvcignore,
                callback=_callback("hashing images", progress),
            )
        except (OSError, IgnoreInCollectedDirError, UnicodeError) as error:
            raise DataError(
                f"data/ cannot be read as it is: {error}",
                where=getattr(error, "filename", None) or str(self._data),
                mend="let whatever changes these files finish, or remove the file, and try again",
            ) from None
        files = {"/".join(key): info.value for key, _, info in tree}
        return Content(DataVersion(tree.oid), files, meta.size, tree)

    def keep(self, content: Content, progress: Progress = silent) -> None:
        """Bring what is new into DVC's cache; each copy is hashed before it counts.

        Raises:
            DataError: files changed between `scan` and now, or the cache cannot be written.
        """
        paths = {md5: path for path, md5 in content.files.items()}
        new = sorted(set(paths) - set(self._cache.oids_exist(list(paths))))
        callback = _callback("copying new images", progress)
        try:
            # With `verify` a copy that has not the md5 of its name is dropped again.
            sources = [str(self._data / paths[md5]) for md5 in new]
            self._cache.add(
                sources, self._repo.fs, new, check_exists=False, verify=True, callback=callback
            )
            self._cache.add(content.tree.path, content.tree.fs, content.version, verify=True)
        except OSError as error:
            raise DataError(
                f"an image cannot be copied into DVC's cache: {error}",
                where=self._cache.path,
                mend="free space or correct permissions, then run the command again",
            ) from None
        changed = set(new) - set(self._cache.oids_exist(new))
        if changed:
            raise DataError(
                f"files of data/ changed while they were being versioned: {len(changed)}",
                where=f"data/{paths[min(changed)]}",
                mend="let whatever changes these files finish, then run the command again",
            )

    def push(self, content: Content, progress: Progress = silent) -> int:
        """Bring what the default remote lacks from the cache to it, the listing last.

        Returns how many objects were missing there.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
            DataError: an object of the cache is damaged; it was removed from the cache.
        """
        remote, cache = self._remote, self._cache
        with self._reaching_remote():
            files = set(content.files.values())
            held = set(remote.oids_exist([*files, content.version]))
            for missing in (sorted(files - held), sorted({content.version} - held)):
                if missing:
                    remote.add(
                        [cache.oid_to_path(oid) for oid in missing],
                        cache.fs,
                        missing,
                        check_exists=False,
                        batch_size=remote.fs.jobs,
                        callback=_callback("pushing new images", progress),
                    )
                    # Where the remote has `verify`, a wrong copy was dropped again without a word.
                    if refused := set(missing) - set(remote.oids_exist(missing)):
                        for oid in refused:
                            cache.delete(oid)
                        raise DataError(
                            f"DVC's cache held damaged objects, which were removed: {len(refused)}",
                            where=cache.path,
                            mend="run the command again; it takes them from data/ anew",
                        )
        return len((files | {content.version}) - held)

    def ignore_data(self) -> None:
        """Have Git ignore `data/` and DVC's own folders; an entry that is there is not repeated.

        Raises:
            DataError: Git tracks files of `data/`.
        """
        data = str(self._data)
        if self._repo.scm.is_tracked(data):
            raise DataError(
                "Git tracks images of data/; they belong to DVC alone",
                where=data,
                mend="git rm -r --cached --quiet data",
            )
        self._repo.scm_context.ignore(data)

    def held(self, names: Iterable[str]) -> set[str]:
        """Those of the objects that the remote holds; the cache, if the remote does not answer."""
        wanted = [name for name in dict.fromkeys(names) if objects.NAME.fullmatch(name)]
        if not wanted:
            return set()
        try:
            with self._reaching_remote():
                return objects.existing(self._remote, wanted)
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
            with self._reaching_remote():
                content = objects.read(self._remote, name)
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
        with self._reaching_remote():
            there = objects.existing(self._remote, lacking)
            found = [name for name in lacking if name in there]
            self._copy(self._remote, self._cache, found, "fetching images", progress)
        after = objects.states(self._cache, found)
        problems: dict[str, objects.State] = dict.fromkeys(set(lacking) - there, "missing")
        for name, state in after.items():
            if state != "whole":
                self._cache.delete(name)
                problems[name] = "damaged"
        return list(after.values()).count("whole"), problems

    def states(
        self, side: Side, names: Sequence[str], progress: Progress = silent
    ) -> dict[str, objects.State]:
        """In which state objects are on one side.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        if side == "cache":
            return objects.states(self._cache, names, progress, "reading the cache")
        with self._reaching_remote():
            return objects.states(self._remote, names, progress, "reading the remote")

    def adopt(self, files: Mapping[str, str]) -> None:
        """Have objects in the cache from files of `data/` (path by md5); each copy is hashed."""
        for name in files:
            self._cache.delete(name)
        sources = [str(self._data / path) for path in files.values()]
        self._cache.add(sources, self._repo.fs, list(files), check_exists=False, verify=True)

    def replace(self, names: Sequence[str], progress: Progress = silent) -> None:
        """Have objects in the remote as the cache holds them, whatever is there now.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        with self._reaching_remote():
            self._copy(self._cache, self._remote, names, "mending the remote", progress)

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
            callback=_callback(what, progress),
        )

    def place(self, name: str, target: Path) -> None:
        """Copy an object of the cache to a file, in one move.

        Raises:
            DataError: the file cannot be written.
        """
        draft = target.with_name(f".{target.name}.draft")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._cache.oid_to_path(name), draft)
            draft.replace(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise DataError(
                f"an image cannot be written: {error.strerror}",
                where=str(target),
                mend="free space or correct permissions, then run the command again",
            ) from None

    @property
    def _remote(self) -> Any:
        from dvc.exceptions import DvcException

        if self._known_remote is None:
            try:
                self._known_remote = self._repo.cloud.get_remote_odb(command="push")
            except DvcException as error:
                raise not_usable(Path(self._repo.config.files["repo"]), error) from None
        return self._known_remote

    @contextmanager
    def _reaching_remote(self) -> Iterator[None]:
        try:
            yield
        except (DataError, ConfigError):
            raise
        except Exception as error:  # noqa: BLE001 - every kind of remote raises errors of its own
            name = self._repo.config["core"]["remote"]
            url = re.sub(r"//[^/@]*@", "//", str(self._repo.config["remote"][name]["url"]))
            raise StoreUnreachable(
                f"the DVC remote '{name}' cannot be used: {error}",
                where=url,
                mend="check address, network and credentials (dvc remote list), then try again",
            ) from None


def _callback(what: str, progress: Progress) -> Any:
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
