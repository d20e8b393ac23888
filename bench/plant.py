"""A plant of years in a few minutes: many data versions and many model versions, none trained.

Written through the code that writes them in life where that is quick: rows of the ledger with
verdicts and promotions, MLflow's store with runs, artifacts and registered versions, listings and
objects as DVC has them, the log of data versions. The images are a few bytes each; nothing that is
measured on this plant decodes one.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.pretended import Pretended
from patchae.dataset import version_log
from patchae.dataset.dvc_repo import initialise
from patchae.dataset.pin import write_pin
from patchae.files import canonical_json, write_bytes
from patchae.project import Project
from patchae.types import DataVersion

START = datetime(2024, 1, 1, 6, tzinfo=UTC)
BETWEEN = timedelta(hours=36)
"""From one data version to the next."""
LINES, CLASSES_OF_A_LINE = 10, 5


@dataclass(frozen=True)
class Size:
    """How large a plant is. Two classes change with each data version, one after the other."""

    classes: int = 20
    images: int = 2_500
    """Of each class."""
    data_versions: int = 200
    changed: int = 50
    """Images of a class that are exchanged when it changes."""

    @property
    def stages(self) -> int:
        """How often each class changes; each model is trained after each."""
        return self.data_versions * 2 // self.classes

    @property
    def model_versions(self) -> int:
        """Of all models."""
        return LINES * CLASSES_OF_A_LINE * self.stages


SMALL = Size(images=200, data_versions=20, changed=20)


@dataclass(frozen=True)
class Picture:
    """One image."""

    path: str
    md5: str
    sha256: str
    bytes: int


class Images:
    """The classes as they are now; `change` makes the next data version."""

    def __init__(self, project: Project, size: Size) -> None:
        self._project, self._size, self._made = project, size, 0
        self.classes: dict[str, list[Picture]] = {
            f"class{number:02d}": [] for number in range(size.classes)
        }
        for name, pictures in self.classes.items():
            pictures += [self._new(name, number) for number in range(size.images)]

    def change(self, number: int) -> None:
        """Exchange some images of two classes: the oldest go, new ones come."""
        names = list(self.classes)
        for offset in (0, 1):
            name = names[(2 * number + offset) % len(names)]
            pictures, changed = self.classes[name], self._size.changed
            # Every tenth is a test image, so that all parts of a class move on.
            step = len(pictures) // changed
            for place in range(changed):
                at = (place * step + number) % len(pictures)
                pictures[at] = self._new(name, at)

    def _new(self, name: str, at: int) -> Picture:
        """An image for a place in a class: eight of ten are train/good, one is defective."""
        self._made += 1
        content = f"image {self._made}\n".encode()
        folder = ("test/good", "test/hole")[at % 10] if at % 10 < 2 else "train/good"
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        write_object(self._project, md5, content)
        return Picture(
            f"{name}/{folder}/{self._made:08d}.png",
            md5,
            hashlib.sha256(content).hexdigest(),
            len(content),
        )


def write_object(project: Project, name: str, content: bytes) -> None:
    """An object in the embedded remote, as DVC keeps it."""
    file = object_file(project, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def object_file(project: Project, name: str) -> Path:
    """Where the embedded remote keeps an object."""
    return project.dvc_remote / "files" / "md5" / name[:2] / name[2:]


def write_version(project: Project, images: Images, made: datetime) -> DataVersion:
    """The listing of all images, in the remote, the log and the pin."""
    files = sorted((one for every in images.classes.values() for one in every), key=_path)
    listing = json.dumps([{"md5": one.md5, "relpath": one.path} for one in files]).encode()
    version = DataVersion(hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir")
    write_object(project, version, listing)
    size = sum(one.bytes for one in files)
    entry = version_log.Entry(version, made.isoformat(timespec="seconds"), len(files), size)
    with project.versions.open("a") as log:
        log.write(canonical_json(asdict(entry)) + "\n")
    write_pin(project.data_dvc, version, files=len(files), size=size)
    return version


def _path(one: Picture) -> str:
    return one.path


def build(root: Path, size: Size, tell: Callable[[str], None] = print) -> Project:
    """Make the whole plant in an empty folder."""
    project = Project(root)
    classes = [f"class{number:02d}" for number in range(size.classes)]
    lines = {
        f"line{line:02d}": [
            classes[(CLASSES_OF_A_LINE * line + place) % len(classes)]
            for place in range(CLASSES_OF_A_LINE)
        ]
        for line in range(LINES)
    }
    text = "lines:\n" + "".join(
        f"  {line}:\n    classes: [{', '.join(own)}]\n" for line, own in lines.items()
    )
    write_bytes(project.lines_file, text.encode())
    write_bytes(root / ".gitignore", b"/data\n/.patchae\n")
    project.state.mkdir(parents=True, exist_ok=True)
    _git(root, "init", "-q")
    initialise(project)
    images = Images(project, size)
    pretended = Pretended(project, lambda md5: object_file(project, md5).read_bytes())
    stage = size.classes // 2
    for number in range(size.data_versions):
        made = START + number * BETWEEN
        if number:
            images.change(number)
        version = write_version(project, images, made)
        if number % stage == stage - 1:
            for line, own in lines.items():
                for name in own:
                    pretended.train(line, name, images.classes[name], version, made)
            tell(f"{number + 1} data versions, {pretended.count} model versions")
    pretended.set_aliases()
    _git(root, "add", ".")
    _git(root, "-c", "user.name=bench", "-c", "user.email=bench@example.org",
         "commit", "-q", "-m", "start")  # fmt: skip
    return project


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)  # noqa: S603, S607
