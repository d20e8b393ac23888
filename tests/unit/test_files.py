"""Files: canonical JSON, and writes that survive a kill at any moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchae.files import (
    canonical_json,
    canonical_json_each,
    digest_json,
    folder_in_one_step,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
    write_text,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_canonical_json_is_the_one_text_of_a_value(value: object) -> None:
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


PLAIN = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(PLAIN))
def test_many_values_have_the_texts_that_each_has(values: list[str | float | None]) -> None:
    assert canonical_json_each(values) == [canonical_json(value) for value in values]


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_reach_the_digest(value: dict[str, int]) -> None:
    assert digest_json(dict(reversed(value.items()))) == digest_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [-float("inf")]}])
def test_what_json_cannot_say_has_no_text(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_digests_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "abc") == sha256_bytes(b"abc") == known


def test_a_write_makes_its_folder_and_leaves_one_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "facts.json"
    write_json(path, {"b": 1, "a": [2]})
    write_text(path, path.read_text())
    assert json.loads(path.read_text()) == {"a": [2], "b": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["facts.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_the_old_bytes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_block_leaves_no_folder_and_keeps_an_old_one(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def fill_and_fail() -> None:
        with folder_in_one_step(target) as draft:
            (draft / "half").write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fill_and_fail()
    assert list(tmp_path.iterdir()) == []
    with folder_in_one_step(target) as draft:
        (draft / "whole").write_text("whole")
    with pytest.raises(RuntimeError, match="in the middle"):
        fill_and_fail()
    assert list(tmp_path.iterdir()) == [target]
    assert [file.name for file in target.iterdir()] == ["whole"]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("old", "new"):
        with folder_in_one_step(target) as draft:
            (draft / name).write_text(name)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "folder",
        "folder/new",
    ]
