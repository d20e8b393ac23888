"""What is damaged in the store is shown without being mended, where that is asked for."""

from __future__ import annotations

import pytest

from patchae.dataset.upkeep import examine
from patchae.dataset.version import snapshot
from patchae.files import digests_of
from patchae.project import Project
from tests.support import write_class

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


def test_a_dry_run_names_what_is_damaged_and_changes_nothing(project: Project) -> None:
    write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    version = snapshot(project).version
    stored = [path for path in project.dvc_remote.rglob("*") if path.is_file()]
    damaged = min(path for path in stored if path.suffix != ".dir")
    damaged.chmod(0o644)
    damaged.write_bytes(b"no object")
    before = digests_of(project.dvc_remote)
    seen = examine(project, version, dry_run=True)
    assert not seen.sound
    assert [(flaw.side, flaw.state, flaw.mended) for flaw in seen.flaws] == [
        ("remote", "damaged", False)
    ]
    assert digests_of(project.dvc_remote) == before
    assert examine(project, version).sound
    assert examine(project, version, dry_run=True).flaws == ()
