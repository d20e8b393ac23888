"""From what `data/` holds just now to DVC's objects in the cache and in the remote.

patchae uses DVC's object stores rather than `dvc add` and `dvc push`, for three promises:
an object is in the remote before `data.dvc` speaks of it; a push asks the remote about every object
instead of trusting DVC's index of what was once there; every copy is hashed before it counts.
What is written is what DVC itself would write: `dvc pull`, `dvc checkout`, `dvc diff` work on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchae.dataset.dvc_sides import Sides, callback
from patchae.dataset.layout import require_utf8
from patchae.errors import DataError, StoreSilent
from patchae.files import Progress, silent
from patchae.images import is_image_name, walked
from patchae.types import DataVersion

AGAIN_AFTER_S = (1, 4, 15)
"""How long a push waits for a remote that is silent, beyond what its client waits by itself."""


@dataclass(frozen=True)
class Content:
    """What `data/` holds at one moment; `tree` is the listing under its own md5."""

    version: DataVersion
    files: Mapping[str, str]  # path relative to data/, POSIX -> md5
    bytes: int
    tree: Any


class Store(Sides):
    """An open DVC repository with its `data/`; `dvc_repo.open_store` makes one."""

    def __init__(self, repo: Any, data: Path) -> None:
        super().__init__(repo)
        self._data = data

    def scan(self, progress: Progress = silent) -> Content:
        """Hash what `data/` holds. DVC remembers hashes by path, size and time of change.

        Raises:
            DataError: a file or a folder cannot be read, or is not there any more; a folder is a
                link; a name is not UTF-8; or DVC ignores an image.
        """
        from dvc_data.hashfile.build import IgnoreInCollectedDirError, build

        there = set(_files(self._data))
        try:
            _, meta, tree = build(
                self._cache,
                str(self._data),
                self._repo.fs,
                "md5",
                dry_run=True,
                ignore=self._repo.dvcignore,
                callback=callback("hashing images", progress),
            )
        except (OSError, IgnoreInCollectedDirError, UnicodeError) as error:
            raise DataError(
                f"data/ cannot be read as it is: {error}",
                where=getattr(error, "filename", None) or str(self._data),
                mend="let whatever changes these files finish, or remove the file, and try again",
            ) from None
        files = {"/".join(key): info.value for key, _, info in tree}
        if hidden := sorted(path for path in there - files.keys() if is_image_name(path)):
            raise self._hidden(hidden)
        return Content(DataVersion(tree.oid), files, meta.size, tree)

    def _hidden(self, paths: Sequence[str]) -> DataError:
        """The error of images that DVC leaves out, with the rule that makes it do so."""
        first = self._data / paths[0]
        rules = [
            matched.pattern_infos[-1].file_info
            for place in (first, *first.parents)
            if (matched := self._repo.dvcignore.check_ignore(str(place))).match
        ]
        count = f"{len(paths):,} image{'s' * (len(paths) > 1)}"
        return DataError(
            f"DVC is told to ignore {count} of data/, which would be in no version",
            where=f"data/{paths[0]}" + (f", by {rules[-1]}" if rules else ""),
            mend="take the rule out of .dvcignore, or move the images out of data/",
        )

    def keep(self, content: Content, progress: Progress = silent) -> None:
        """Bring what is new into DVC's cache; each copy is hashed before it counts.

        Raises:
            DataError: files changed between `scan` and now, or the cache cannot be written.
        """
        paths = {md5: path for path, md5 in content.files.items()}
        new = sorted(set(paths) - set(self._cache.oids_exist(list(paths))))
        copying = callback("copying new images", progress)
        try:
            # With `verify` a copy that has not the md5 of its name is dropped again.
            sources = [str(self._data / paths[md5]) for md5 in new]
            with self._noted_together(new):
                self._cache.add(
                    sources, self._repo.fs, new, check_exists=False, verify=True, callback=copying
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

    @contextmanager
    def _noted_together(self, names: Sequence[str]) -> Iterator[None]:
        """Have DVC's database learn of new copies once they are all there.

        Noting each by itself, as hashing it does, takes longer than hashing it.
        """
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.state import StateNoop

        cache = self._cache
        database, cache.state = cache.state, StateNoop()
        try:
            yield
        finally:
            cache.state = database
        copies = ((cache.oid_to_path(name), HashInfo("md5", name), None) for name in names)
        # What was not protected may be a copy that was dropped as wrong, or not be whole.
        database.save_many((copy for copy in copies if cache.is_protected(copy[0])), cache.fs)

    def push(self, content: Content, progress: Progress = silent) -> int:
        """Bring what the default remote lacks from the cache to it, the listing last.

        A remote that does not answer is asked again after a while, and gets what it still lacks.

        Returns how many objects were missing there.

        Raises:
            StoreUnreachable: the remote still does not answer, or refuses.
            DataError: an object of the cache is damaged; it was removed from the cache.
        """
        for number, seconds in enumerate(AGAIN_AFTER_S):
            try:
                return self._push(content, progress)
            except StoreSilent:
                progress("the remote does not answer: trying again", number, len(AGAIN_AFTER_S))
                time.sleep(seconds)
        return self._push(content, progress)

    def _push(self, content: Content, progress: Progress) -> int:
        remote, cache = self.remote, self._cache
        with self.reaching_remote():
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
                        callback=callback("pushing new images", progress),
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

    def adopt(self, files: Mapping[str, str]) -> None:
        """Have objects in the cache from files of `data/` (path by md5); each copy is hashed."""
        for name in files:
            self._cache.delete(name)
        sources = [str(self._data / path) for path in files.values()]
        self._cache.add(sources, self._repo.fs, list(files), check_exists=False, verify=True)


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder, POSIX and relative to it.

    DVC does not look into folders that are links, while whoever reads images by their class does;
    it leaves out a folder that it cannot read; and it does not say which name is not UTF-8.
    """
    for parent, names, files in walked(folder):
        within = Path(parent).relative_to(folder)
        for name in sorted((*names, *files)):
            path = Path(parent, name)
            if name in names and path.is_symlink():
                raise DataError(
                    "a folder of data/ is a link, and what lies behind it would be in no version",
                    where=str(path),
                    mend="put the folder itself there; only data/ as a whole may be a link",
                )
            require_utf8(path)
        yield from ((within / name).as_posix() for name in files)
