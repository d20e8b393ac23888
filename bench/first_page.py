"""The block of the README, from a run: `make bench-demo` runs the demo twice and writes it anew.

The demo runs in a folder of its own, as on a fresh machine. The second run trains nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.methods import ROOT
from bench.pages import README, between
from patchae.files import write_text

MARK = "demo"
_HEAD = "class   image AUROC"
"""Where the result begins; what stands before is progress."""
_SECOND = re.compile(r"(it took )\d+( s\.)")


@dataclass(frozen=True)
class Shown:
    """What one run of the demo shows, and the progress apart from it."""

    text: str
    progress: str
    seconds: int

    @property
    def block(self) -> str:
        """As it stands between the marks of the README."""
        return f"```\n{self.text}```\n"


def demo(root: Path) -> Shown:
    """Run the demo in a project whose `lines.yaml` is the repository's.

    Raises:
        subprocess.CalledProcessError: it did not end well; its output was printed.
    """
    if not root.exists():
        root.mkdir(parents=True)
        for name in ("lines.yaml", ".gitignore"):
            shutil.copy(ROOT / name, root)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)  # noqa: S607 - as a user does
    run = subprocess.run(
        [sys.executable, "-m", "patchae", "demo"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )
    if run.returncode:
        print(run.stdout, run.stderr, sep="\n")
        run.check_returncode()
    text = _HEAD + run.stdout.partition(_HEAD)[2]
    took = re.findall(r"^took (\d+) s$", text, re.MULTILINE)[0]
    return Shown(text.replace(f"{root}/", ""), run.stderr, int(took))


def block_of(page: str) -> str:
    """What stands between the marks of a page."""
    return page.split(f"<!-- {MARK}:begin -->\n")[1].split(f"<!-- {MARK}:end -->", maxsplit=1)[0]


def main() -> None:
    """Write the block and the duration of the second run into the README."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "plant"
        first, second = demo(root), demo(root)
    page = between(README.read_text(), MARK, first.block)
    write_text(README, _SECOND.sub(rf"\g<1>{second.seconds}\2", page))
    print(f"{first.block}second run: {second.seconds} s")


if __name__ == "__main__":
    main()
