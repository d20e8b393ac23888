"""Putting pages where others read them meanwhile.

A web server, a share or a mount may hold `.patchae/reports/` or the folder of a line, so no folder
is ever replaced: pages are made in a hidden folder within, and each takes its place in one step.
Whoever reads meanwhile sees every page whole, the one before or the one after. A `kill -9` leaves
some of each, and the next call makes all of them new. Callers hold the lock of the pages.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from patchae.files import write_bytes

INDEX = "index.html"
_DRAFT = ".draft"
_OURS = (INDEX, "life-", "drift-")
"""How the names of what is made anew begin, in the folder of a line."""
_LEFT = ".images.html."
"""How the name of what a killed `patchae validate` leaves begins; it may hold nothing yet."""
_MADE = b'<meta name="generator" content="patchae'
"""What every page of ours has in its head. Whatever has not is of others and stays."""
_HEAD = 2048


@contextmanager
def renewed(site: Path) -> Iterator[Path]:
    """A folder for new pages, which take their places when the block ends without an error.

    In each folder of a line that has new pages, those that were not made anew are removed.
    """
    draft = site / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
    draft.mkdir(parents=True)
    try:
        yield draft
        _put(draft, site)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def pages_with(site: Path, draft: Path) -> frozenset[str]:
    """The pages of lines that there will be once a draft takes its place, as addresses in links."""
    new = {path.relative_to(draft) for path in draft.glob("*/*.html")}
    made_anew = {page.parent for page in new}
    old = {path.relative_to(site) for path in site.glob("[!.]*/*.html")}
    stay = {page for page in old if page.parent not in made_anew or not page.name.startswith(_OURS)}
    return frozenset(quote(str(page), errors="replace") for page in new | stay)


def remove_others(site: Path, lines: Collection[str]) -> None:
    """Remove the pages of lines that are no more, and their folders if nothing else lies there."""
    for index in site.glob(f"[!.]*/{INDEX}"):
        if (folder := index.parent).name not in lines and _is_ours(index):
            _remove_ours(folder, (), also=("images.html",))
            with suppress(OSError):  # others put something there
                folder.rmdir()


def _put(draft: Path, site: Path) -> None:
    pages = [path.relative_to(draft) for path in draft.rglob("*.html")]
    # Those of a line before those over all lines, each index last: it leads to the others.
    for page in sorted(pages, key=lambda page: (len(page.parts) == 1, page.name == INDEX, page)):
        target = site / page
        target.parent.mkdir(exist_ok=True)
        try:
            (draft / page).replace(target)
        except OSError:  # the folder of a line may be a mount of its own
            write_bytes(target, (draft / page).read_bytes())
    for folder in {page.parent for page in pages if len(page.parts) > 1}:
        _remove_ours(site / folder, {page.name for page in pages if page.parent == folder})


def _remove_ours(folder: Path, kept: Collection[str], also: tuple[str, ...] = ()) -> None:
    ours = [
        path
        for path in folder.iterdir()
        if path.name.startswith(_LEFT) or (path.name.startswith((*_OURS, *also)) and _is_ours(path))
    ]
    # By its index the next call knows a folder that this one did not finish.
    for path in sorted(ours, key=lambda path: path.name == INDEX):
        if path.name not in kept and path.is_file():
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether a file is a page that patchae made."""
    try:
        with path.open("rb") as file:
            return _MADE in file.read(_HEAD)
    except OSError:  # gone, a folder, or not ours to read
        return False
