"""Pages take their places one by one: each whole at every moment, and all by the next call."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.files import write_text
from patchae.report.publish import remove_others, renewed

MADE = '<meta name="generator" content="patchae">'
PAGES = ("hall/life-a.html", "hall/index.html", "ledger.html", "index.html")
WRITE = """
import os, signal, sys
from pathlib import Path
from patchae.files import write_text
from patchae.report.publish import renewed

site, last = Path(sys.argv[1]), int(sys.argv[2])
moved, move = 0, Path.replace

def counting(path, target):
    global moved
    if ".draft" in Path(target).parts:
        return move(path, target)  # a page is made
    if moved == last:
        os.kill(os.getpid(), signal.SIGKILL)
    moved += 1
    return move(path, target)

Path.replace = counting
with renewed(site) as draft:
    for page in sys.argv[3:]:
        write_text(draft / page, "new")
os.kill(os.getpid(), signal.SIGKILL)
"""


def written(site: Path) -> dict[str, str]:
    """Every page and its text, also what is hidden."""
    return {
        path.relative_to(site).as_posix(): path.read_text().removeprefix(MADE)
        for path in site.rglob("*")
        if path.is_file() and ".draft" not in path.parts
    }


def write(site: Path, text: str, *pages: str) -> None:
    """A site with some pages."""
    with renewed(site) as draft:
        for page in pages:
            write_text(draft / page, MADE + text)


@pytest.mark.parametrize("last", range(len(PAGES) + 1))
def test_a_killed_report_leaves_whole_pages_and_the_next_one_mends_it(
    tmp_path: Path, last: int
) -> None:
    write(tmp_path, "old", *PAGES, "hall/life-gone.html")
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path), str(last), *PAGES], check=False
    )
    assert done.returncode == -signal.SIGKILL
    left = written(tmp_path)
    assert set(left) >= set(PAGES)
    assert [left[page] for page in PAGES] == ["new"] * last + ["old"] * (len(PAGES) - last)
    write(tmp_path, "newer", *PAGES)
    assert written(tmp_path) == dict.fromkeys(PAGES, "newer")
    assert not (tmp_path / ".draft").exists()


def test_pages_that_cannot_be_made_leave_those_before(tmp_path: Path) -> None:
    write(tmp_path, "old", *PAGES)
    with pytest.raises(FileExistsError):
        write(tmp_path, "new", "index.html", "index.html/none.html")
    assert written(tmp_path) == dict.fromkeys(PAGES, "old")


def test_a_line_that_is_no_more_goes_and_what_others_put_there_stays(tmp_path: Path) -> None:
    write(tmp_path, "old", *PAGES, "yard/index.html", "yard/life-b.html", "gone/index.html")
    others = (
        "hall/images.html",
        "hall/life-of-others.html",
        "grafana/index.html",
        "grafana/images.html",
        "hall/.htaccess",
        "yard/notes.txt",
        "logo.svg",
        "css/site.css",
    )
    for name in others:
        write_text(tmp_path / name, "old")
    for name in ("yard/images.html", "hall/.images.html.x1y2"):
        write_text(tmp_path / name, MADE)
    write(tmp_path, "new", *PAGES)
    remove_others(tmp_path, {"hall"})
    assert written(tmp_path) == dict.fromkeys(PAGES, "new") | dict.fromkeys(others, "old")
    assert not (tmp_path / "gone").exists()
