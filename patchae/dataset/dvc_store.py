"""DVC's objects: what `data/` holds just now, what the cache holds, and what the remote holds.

patchae uses DVC's object stores rather than `dvc add` and `dvc push`, for three promises:
an object is in the remote before `data.dvc` speaks of it; a push asks the remote about every object
instead of trusting DVC's index of what was once there; every copy is hashed before it counts.
What is written is what DVC itself would write: `dvc pull`, `dvc checkout`, `dvc diff` work on it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchae.errors import ConfigError, DataError, StoreUnreachable
from patchae.files import Progress, silent
from patchae.types import DataVersion

_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


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
        wanted = [name for name in dict.fromkeys(names) if _OBJECT.fullmatch(name)]
        if not wanted:
            return set()
        try:
            with self._reaching_remote():
                return _existing(self._remote, wanted)
        except StoreUnreachable:
            return _existing(self._cache, wanted)

    def read(self, name: str) -> bytes | None:
        """One object from the remote, else from the cache; None if neither holds it unaltered.

        Raises:
            StoreUnreachable: the remote does not answer and the cache does not hold it.
        """
        if not _OBJECT.fullmatch(name):
            return None
        unreachable: StoreUnreachable | None = None
        content: bytes | None = None
        try:
            with self._reaching_remote():
                content = _read(self._remote, name)
        except StoreUnreachable as error:
            unreachable = error
        content = content if content is not None else _read(self._cache, name)
        if content is None and unreachable is not None:
            raise unreachable
        return content

    def fetch(
        self, names: Sequence[str], progress: Progress = silent
    ) -> tuple[int, dict[str, str]]:
        """Bring objects from the remote into the cache, and hash every one of them there.

        An object of the cache that is damaged is removed and fetched again.

        Returns:
            How many were fetched, and by name why one could not be had.

        Raises:
            StoreUnreachable: the remote does not answer, or refuses.
        """
        cache = self._cache
        lacking = [name for name in names if not self._whole(name)]
        if not lacking:
            return 0, {}
        with self._reaching_remote():
            remote = self._remote
            there = _existing(remote, lacking)
            found = [name for name in lacking if name in there]
            cache.add(
                [remote.oid_to_path(name) for name in found],
                remote.fs,
                found,
                check_exists=False,
                verify=False,  # DVC drops a wrong copy without a word; it is hashed below
                batch_size=remote.fs.jobs,
                callback=_callback("fetching images", progress),
            )
        problems = dict.fromkeys(set(lacking) - there, "missing in the remote and in the cache")
        for name in found:
            if not self._whole(name):
                problems[name] = "damaged in the remote"
        return len(found), problems

    def _whole(self, name: str) -> bool:
        """Whether the cache holds an object unaltered, by reading it; a damaged one is removed.

        DVC itself trusts what it once made read-only.
        """
        path = Path(self._cache.oid_to_path(name))
        try:
            with path.open("rb") as file:
                md5 = hashlib.file_digest(
                    file, lambda: hashlib.md5(usedforsecurity=False)
                ).hexdigest()
        except FileNotFoundError:
            return False
        if md5 != name.removesuffix(".dir"):
            self._cache.delete(name)
            return False
        return True

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


def _existing(objects: Any, names: list[str]) -> set[str]:
    # A local store's `oids_exist` removes what it finds damaged; a question must change nothing.
    local = objects.fs.protocol == "local"
    return set(objects.list_oids_exists(names) if local else objects.oids_exist(names))


def _read(objects: Any, name: str) -> bytes | None:
    try:
        with objects.fs.open(objects.oid_to_path(name), "rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return None
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return content if md5 == name.removesuffix(".dir") else None


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
