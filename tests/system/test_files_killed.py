"""Files and folders after a kill at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DYING

# A process that kills itself at its n-th touch of the disk, for every n until the work is done.
# It prints what each death left behind, then what the next call made of it.
_KILLED = (
    DYING
    + """
import itertools, json
from pathlib import Path
from patchae.files import folder_in_one_step, write_text

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}

def folder(target, text):
    with folder_in_one_step(target) as draft:
        for name in "abc":
            (draft / name).write_text(text)

def state(target):
    if target.is_dir():
        return {file.name: file.read_text() for file in target.iterdir()}
    return target.read_text() if target.exists() else None

work = {"folder": folder, "file": write_text}[sys.argv[2]]
for n in itertools.count():
    target = Path(sys.argv[1]) / f"target{n}"
    if sys.argv[3] == "replace":
        work(target, "old")
    child = os.fork()
    if child == 0:
        die_at(n, TOUCHES, lambda: work(target, "new"))
    _, status = os.waitpid(child, 0)
    left = state(target)
    work(target, "next")
    hidden = [p.name for p in target.parent.iterdir() if p.name.startswith(f".target{n}.")]
    print(json.dumps([os.WTERMSIG(status), left, state(target), hidden]))
    if not os.WIFSIGNALED(status):
        break
"""
)


@pytest.mark.parametrize("before", ["create", "replace"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_at_any_touch_of_the_disk_leaves_the_old_or_the_new(
    tmp_path: Path, kind: str, before: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), kind, before],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    deaths = [json.loads(line) for line in done.stdout.splitlines()]

    def whole(text: str) -> object:
        return dict.fromkeys("abc", text) if kind == "folder" else text

    assert [signum for signum, *_ in deaths] == [signal.SIGKILL] * (len(deaths) - 1) + [0]
    assert len(deaths) > 3, "the work touches the disk several times"
    allowed = [whole("new"), whole("old") if before == "replace" else None]
    if kind == "folder":
        allowed.append(None)  # between its two moves there is neither, never a part
    for _, left, after, hidden in deaths:
        assert left in allowed
        assert after == whole("next"), "the next call for the same target finishes the work"
        assert kind == "file" or hidden == [], "and clears what the dead one left"
    assert deaths[-1][1] == whole("new")
