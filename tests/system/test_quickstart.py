"""The cheap commands of the quick start, run as it says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.project import Project
from tests.support import ROOT
from tests.unit.test_docs import FENCE, check_json, sections

CHEAP = ("git", "sample", "snapshot", "validate", "status")


def test_the_cheap_commands_of_the_quick_start_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("lines.yaml", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    page = sections(ROOT / "docs" / "quickstart.md")["The same by hand"]
    (block,) = (body for _, body in FENCE.findall(page))
    ran: dict[str, str] = {}
    for line in block.splitlines():
        words = shlex.split(line)
        kind = words[0] if words[0] == "git" else words[1]
        if kind not in CHEAP:
            continue
        if kind != "git":
            words.append("--json")
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        ran[kind] = done.stdout
    assert set(ran) == set(CHEAP)
    answers = {kind: json.loads(out.splitlines()[-1]) for kind, out in ran.items() if kind != "git"}
    for kind in ("sample", "snapshot", "validate"):
        check_json(kind, answers[kind])
    assert answers["status"] == {"models": [], "faults": []}
    pinned = Project(tmp_path).data_dvc.read_text()
    assert answers["snapshot"]["data_version"] in pinned
    # The page of concepts shows this version as its example: the sample is the same everywhere.
    assert answers["snapshot"]["data_version"] in (ROOT / "docs" / "concepts.md").read_text()
