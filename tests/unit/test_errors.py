"""The exception tree: what its docstring draws is what there is."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from patchae import errors
from patchae.errors import PatchaeError, StoreBusy

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PatchaeError) and kind.__module__ == errors.__name__
]


def _drawn() -> dict[str, tuple[str, int | None]]:
    """Name -> (name of the parent, exit code) as the docstring draws them."""
    tree: dict[str, tuple[str, int | None]] = {}
    above: list[str] = []  # the path from the root to the row before
    for line in (errors.__doc__ or "").splitlines():
        row = re.match(r"    ([│ ]*(?:[├└]── )?)([A-Z]\w+) +(\d|exit code)", line)
        if row is None:
            continue
        depth = len(row[1]) // 4
        del above[depth:]
        tree[row[2]] = (above[-1] if above else "Exception", None if depth == 0 else int(row[3]))
        above.append(row[2])
    return tree


def test_the_docstring_draws_the_whole_tree_with_its_exit_codes() -> None:
    real = {
        kind.__name__: (
            kind.__bases__[0].__name__,
            None if kind is PatchaeError else kind.exit_code,
        )
        for kind in KINDS
    }
    assert _drawn() == real


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_border_whole(kind: type[PatchaeError]) -> None:
    error = kind("found this", where="here", mend="do that")
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(there) is kind
    assert (there.what, there.where, there.mend) == ("found this", "here", "do that")
    assert str(there) == str(error)


def test_a_message_says_what_was_found_where_and_what_mends_it() -> None:
    assert str(StoreBusy("found", where="here", mend="wait")) == (
        "found\n  where:   here\n  to mend: wait"
    )
    assert str(StoreBusy("found")) == "found"
