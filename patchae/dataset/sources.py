"""Where images come from: a folder, an archive, a bucket, or a manifest of Lookout for Vision.

Whatever it is, it becomes a folder in MVTec AD layout outside of `data/`, and from there on there
is one way in: `patchae.dataset.importing`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from patchae.dataset.archive_names import check_encoding
from patchae.dataset.bucket import SCHEME, fetch_prefix, split
from patchae.dataset.importing import Imported, import_folder
from patchae.dataset.incoming import name_like, name_problem
from patchae.dataset.layout import folders
from patchae.dataset.lookout import is_manifest, lay_out
from patchae.dataset.unpacking import SUFFIXES, is_archive, unpack
from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent
from patchae.images import LeftOut
from patchae.project import Project


def import_source(
    project: Project,
    source: str,
    *,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    test: Path | None = None,
    encoding: str | None = None,
    masks: bool = True,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Imported:
    """Bring classes from anywhere into `data/`: whole classes or nothing.

    Args:
        project: where to.
        source: a folder, an archive, `s3://bucket/prefix`, or a manifest.
        classes: some of its classes; by default all.
        name: what to call the class, where the source holds one.
        test: the test manifest that belongs to a training manifest.
        encoding: of names in an archive that do not say that they are UTF-8.
        masks: False leaves all of them out.
        dry_run: check everything, and change nothing in `data/`.
        progress: called after every few files.

    Raises:
        UsageError: a manifest without a name, a name that no class can have, a test manifest
            without a manifest, or an encoding that is none, or without an archive.
        DataError: the source is not usable, with all of its problems; nothing was imported.
        StoreBusy: another process works on `data/` for too long.
        StoreUnreachable: the bucket does not answer, or refuses.
    """
    # It becomes a folder, so it is looked at before there is one.
    if name is not None and (problem := name_problem(name)):
        raise UsageError(problem, mend="give another one with --as")
    if test and not is_manifest(Path(source)):
        raise UsageError("--test belongs to a manifest of Lookout for Vision", where=source)
    if encoding is not None and check_encoding(encoding) and not is_archive(Path(source)):
        raise UsageError("--encoding belongs to an archive", where=source)
    folder_of = _as_folder(project, source, name, progress, test=test, encoding=encoding)
    with folder_of as (folder, others):
        done = import_folder(
            project,
            folder,
            classes=classes,
            name=name,
            masks=masks,
            dry_run=dry_run,
            progress=progress,
        )
    return done.leaving_out(others)


@contextmanager
def _as_folder(
    project: Project,
    source: str,
    name: str | None,
    progress: Progress,
    *,
    test: Path | None,
    encoding: str | None,
) -> Iterator[tuple[Path, list[LeftOut]]]:
    """The source as a folder for the time of the block, and what was left out of it."""
    path = Path(source)
    bucket, manifest = source.startswith(SCHEME), is_manifest(path)
    if path.is_dir() or not (bucket or manifest or is_archive(path)):
        if path.is_file():
            raise DataError(
                "this file is neither an archive nor a manifest",
                where=source,
                mend=f"name a folder, an archive ({' '.join(SUFFIXES)}), s3://bucket/prefix or a"
                " manifest of Lookout for Vision",
            )
        yield path, []
        return
    if manifest and not name:
        raise UsageError(
            "a manifest does not say what the class is called",
            where=source,
            mend="patchae import MANIFEST --as CLASS",
        )
    with project.lock("incoming"):
        staging = project.state / "incoming"
        shutil.rmtree(staging, ignore_errors=True)  # what a killed import has left
        target = staging / (name or _name_of(source))
        target.mkdir(parents=True)
        try:
            others: list[LeftOut] = []
            if bucket:
                others = fetch_prefix(source, target, progress)
            elif manifest:
                lay_out(path, name or "", target, test=test, progress=progress)
            else:
                others = unpack(path, target, progress, encoding=encoding)
            yield _root(target), others
        except DataError as error:
            # The folder is gone when somebody reads this.
            raise error.instead_of(str(target), source) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _name_of(source: str) -> str:
    """What a class would be called whose folders lie in the source itself."""
    last = (split(source)[1] if source.startswith(SCHEME) else source).rstrip("/")
    name = last.rpartition("/")[2]
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name_like(name)


def _root(folder: Path) -> Path:
    """Past folders that hold one folder and nothing else, as archives often begin with."""
    while True:
        inside = folders(folder)
        if len(inside) != 1 or _is_class(folder) or _is_class(inside[0]):
            return folder
        folder = inside[0]


def _is_class(folder: Path) -> bool:
    return any((folder / split_).is_dir() for split_ in ("train", "test"))
