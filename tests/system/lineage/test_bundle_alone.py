"""A bundle is verified by Python alone, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.lineage.bundle import verify
from tests.support.lineage.bundles import Forged, Made, run
from tests.support.registry.memory import MODEL

ALWAYS_UNKNOWN = {"data_version", "audit"}


@pytest.mark.parametrize(("model", "images"), [(True, True), (True, False), (False, False)])
def test_a_bundle_is_intact_alone_in_an_empty_folder(
    made: Made, tmp_path: Path, model: bool, images: bool
) -> None:
    made.write(tmp_path / "a bundle.zip", model=model, images=images)
    shutil.copy(verify.__file__, tmp_path)
    done = run(tmp_path, "--anchor", made.anchor, "--key", str(made.key), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    left_out = {"model_files"} - {"model_files" * model} | {"images"} - {"images" * images}
    states = {link["code"]: link["state"] for link in told["links"]}
    assert states == {
        code: "not_checkable" if code in left_out | ALWAYS_UNKNOWN else "intact"
        for code in verify.LINKS
    }
    assert (told["model"], told["version"], told["state"]) == (MODEL, "2", "intact")
    assert told["not_checkable"] == len(left_out | ALWAYS_UNKNOWN)


@pytest.mark.parametrize("option", [(), ("-P",), ("-I",)])
def test_it_runs_no_code_of_the_bundle(made: Made, tmp_path: Path, option: tuple[str, ...]) -> None:
    forged = Forged.read(made.write(tmp_path / "b.zip", model=False, images=False))
    for name in ("csv", "argparse", "base64", "hashlib", "zlib", "struct", "random"):
        forged.files[f"{name}.py"] = b"print('intact'); raise SystemExit(0)\n"
    forged.files["verify.py"] = Path(verify.__file__).read_bytes()
    folder = forged.unpack(tmp_path / "unpacked")
    command = [sys.executable, *option, "verify.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not listed in bundle.json" in done.stdout
