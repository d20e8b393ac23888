"""Kill snapshots and imports at random moments, and look at what is left.

    python -m tests.support.faults ROUNDS SEED FOLDER [URL]

Prints one line per round; ends with an error at the first round that lost or broke something. The
work is done in forks of this process, which has DVC imported already: starting it anew would take
longer than what is to be killed. URL is the address of the DVC remote, by default a folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from patchae.dataset.importing import import_folder
from patchae.dataset.pin import read_pin
from patchae.dataset.upkeep import examine
from patchae.dataset.version import snapshot
from patchae.files import digests_of
from patchae.project import Project
from tests.support import write_class, write_image

_CLASSES = 3


class Rounds:
    """A project, and how long snapshots and imports in it take."""

    def __init__(self, folder: Path, url: str | None, seed: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.camera, self.project = folder / "camera", Project(folder / "plant")
        self.draw = random.Random(seed)
        self.takes = {"snapshot": 0.1, "import": 0.05}
        root = self.project.root
        root.mkdir(parents=True)
        (root / "lines.yaml").write_text("lines:\n  a:\n    classes: all\n")
        if url:
            (root / ".dvc").mkdir()
            (root / ".dvc" / "config").write_text(
                "[core]\n    no_scm = true\n    remote = far\n"
                f"['remote \"far\"']\n    url = {url}\n"
            )
        for number in range(_CLASSES):
            write_class(self.camera, f"class{number}", train_good=12, seed=number)
        import_folder(self.project, self.camera, classes=["class0"])
        snapshot(self.project)  # imports DVC, once for all forks

    def snapshot(self, number: int) -> str:
        """New, changed and removed images, a killed snapshot, and then a whole one."""
        project, draw = self.project, self.draw
        old = read_pin(project.data_dvc)
        good = project.data / "class0" / "train" / "good"
        for extra in range(12):
            write_image(good / f"{number}-{extra}.png", draw.randrange(1 << 30))
        write_image(good / "000.png", draw.randrange(1 << 30))
        (good / f"{number - 3}-0.png").unlink(missing_ok=True)
        before = digests_of(project.data)
        ended = self._killed("snapshot", lambda: snapshot(project))
        pinned = read_pin(project.data_dvc)
        assert digests_of(project.data) == before, "an image was lost or changed"
        done = self._timed("snapshot", lambda: snapshot(project))
        new = read_pin(project.data_dvc)
        assert pinned in {old, new}, f"data.dvc held {pinned}"
        assert new == done.version
        assert digests_of(project.data) == before, "an image was lost or changed"
        assert examine(project, done.version).flaws == (), "an object is not stored whole"
        return ended

    def import_(self, number: int) -> str:
        """A killed import: its class is there whole or not at all, and the same call ends well."""
        name = f"class{1 + number % (_CLASSES - 1)}"
        target = self.project.data / name
        shutil.rmtree(target, ignore_errors=True)
        before, expected = digests_of(self.project.data), digests_of(self.camera / name)

        def work() -> object:
            return import_folder(self.project, self.camera, classes=[name])

        ended = self._killed("import", work)
        found = digests_of(target) if target.exists() else {}
        assert found in ({}, expected), "half of a class"
        if not found:
            self._timed("import", work)
        import_folder(self.project, self.camera, classes=[name])
        after = digests_of(self.project.data)
        assert after == {**before, **{f"{name}/{path}": sha for path, sha in expected.items()}}
        return ended

    def _timed(self, kind: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        done = work()
        self.takes[kind] = (self.takes[kind] + time.perf_counter() - started) / 2
        return done

    def _killed(self, kind: str, work: Callable[[], object]) -> str:
        after = self.draw.random() * 1.2 * self.takes[kind]
        return f"{kind} killed after {after:.3f} s, {killed(work, after)}"


def killed(work: Callable[[], object], after: float) -> str:
    """Do work in a fork and kill it after so many seconds; whether it had ended by then."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "in the middle"
    assert os.WEXITSTATUS(status) == 0, "the work itself failed"
    return "after its end"


def main(rounds: int, seed: int, folder: Path, url: str | None) -> None:
    """Do so many rounds, one import after two snapshots."""
    plant = Rounds(folder, url, seed)
    for number in range(rounds):
        told = plant.import_(number) if number % 3 == 2 else plant.snapshot(number)
        print(f"{number}: {told}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), (sys.argv[4:] or [None])[0])
