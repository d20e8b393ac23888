"""Killed at any step of a tidying: the next one ends in the same state."""

from __future__ import annotations

import subprocess
import sys

from patchae.retention.work import GOING
from tests.support import ROOT
from tests.support.dying import DEAD
from tests.support.registry.memory import MODEL
from tests.support.retention.deaths import MOMENTS
from tests.support.retention.shop import Shop

WEIGHTS = "artifacts/model/model.safetensors"


def test_killed_at_every_step(shop: Shop) -> None:
    """One version, one run and one folder for each death, which leaves it half done."""
    rejected = [shop.rejected() for _ in MOMENTS]
    failed = [shop.cut_off("create_model_version") for _ in MOMENTS]
    champion = shop.champion()
    before = shop.entries
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.retention.deaths", shop.project.root],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    died = dict(line.split() for line in done.stdout.splitlines())
    assert died == dict.fromkeys(MOMENTS, str(DEAD))
    assert shop.ledger.verify() == []
    assert shop.entries[: len(before)] == before
    shop.tidy()
    assert shop.gone == set(rejected)
    for version in rejected:
        assert WEIGHTS not in shop.files(version)
        known = shop.tracking.version(MODEL, version)
        seq, _, digest = known.tags["patchae.ledger_tidied"].partition(":")
        assert (int(seq), digest) in {(row.seq, row.digest) for row in shop.entries}
    assert len([row for row in shop.entries if row.kind == "tidied"]) == len(rejected), "once each"
    for run in failed:
        assert shop.tracking.client.get_run(run).info.lifecycle_stage == "deleted"
        assert shop.artifacts(run) == set()
    left = [path for path in shop.project.work.rglob("*") if path.name.startswith(GOING)]
    assert left == []
    assert WEIGHTS in shop.files(champion)
    shop.require_what_the_ledger_names()
    assert shop.tidy() == []
