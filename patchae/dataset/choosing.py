"""Which folders of a source are classes, and what lies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from patchae.dataset.incoming import is_dead_link, link_problems
from patchae.dataset.layout import folders, image_files
from patchae.errors import DataError
from patchae.images import Images, LeftOut, find_images, left_out, summary
from patchae.images.names import leads_back

_SPLITS = ("train", "test")
_MOVE = "move them into CLASS/train/good, CLASS/test/good or CLASS/test/DEFECT"


@dataclass(frozen=True)
class Choice:
    """The class folders to import, and what no class of them holds."""

    folders: dict[str, Path] = field(default_factory=dict)
    """By class name, sorted."""
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[str, ...] = ()


def choose(source: Path, classes: Sequence[str] | None, name: str | None) -> Choice:
    """Find the classes of a source: `classes` of them, or all; `name` renames the only one.

    What lies beside classes that were named is not looked at.

    Raises:
        DataError: there are none, or not those; or one name for several.
    """
    if any((source / split).is_dir() or is_dead_link(source / split) for split in _SPLITS):
        source = source.resolve()
        there = Choice({source.name: source})
    elif name is not None and image_files(source):
        there = Choice({name: source})
    else:
        there = _beside(source)
    missing = sorted(set(classes or ()) - set(there.folders))
    if missing or not (there.folders or there.problems):
        raise DataError(
            f"no class '{missing[0]}' in the source" if missing else "no classes in the source",
            where=str(source),
            mend="\n".join([_mend(source, there), *summary(there.left_out)]),
        )
    chosen = sorted(classes or there.folders)
    if name is not None and len(chosen) > 1:
        raise DataError(
            f"the source holds {len(chosen)} classes, and one name was given: '{name}'",
            where=str(source),
            mend=f"pick one of them with --class: {', '.join(chosen)}",
        )
    named = {name or class_name: there.folders[class_name] for class_name in chosen}
    return Choice(named) if classes else replace(there, folders=named)


def _beside(source: Path) -> Choice:
    """Every folder with an image is a class; so is one with train or test, whatever is in it."""
    classes: dict[str, Path] = {}
    others: list[LeftOut] = []
    problems: list[str] = []
    for folder in folders(source):
        if folder.is_symlink() and leads_back(folder, source):
            problems += link_problems(source, [LeftOut(folder.name, "link")])
            continue
        inside = find_images(folder, follow_links=True)
        if inside.paths or _is_class(folder, inside):
            classes[folder.name] = folder
        else:  # of documents for example
            others += [replace(item, path=f"{folder.name}/{item.path}") for item in inside.left_out]
    for path in sorted(source.iterdir()):
        if not path.is_dir():
            item = left_out(path.name)
            others.append(item or LeftOut(path.name, "place", "the folder of classes", _MOVE))
            problems += link_problems(source, [item] if item else [LeftOut(path.name, "place")])
    return Choice(classes, tuple(others), tuple(problems))


def _is_class(folder: Path, inside: Images) -> bool:
    """Whether a folder without an image should have some."""
    tops = {item.path.partition("/")[0] for item in inside.left_out if item.kind != "other"}
    dead = any(is_dead_link(folder / item.path) for item in inside.left_out)
    return dead or any(split in tops for split in _SPLITS)


def _mend(source: Path, there: Choice) -> str:
    if there.folders:
        return f"classes there: {', '.join(there.folders)}"
    if image_files(source):
        return "patchae import FOLDER --as CLASS takes its images as good parts"
    return "expected CLASS/train/good, CLASS/test/good and CLASS/test/DEFECT with images"
