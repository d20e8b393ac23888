"""The manifest: what its rows say, and the laws of its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow.parquet import ParquetFile

from patchae.dataset import manifest as manifest_module
from patchae.dataset.looks import look
from patchae.dataset.manifest import (
    COLUMNS,
    DTYPES,
    MEASURED,
    class_digest,
    from_csv,
    read_manifest,
    to_csv,
)
from patchae.dataset.picture import read_picture
from patchae.errors import DataError
from patchae.files import canonical_json, sha256_bytes
from tests.support import examples, write_class, write_image

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
WHOLE = st.integers(0, 2**53)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.one_of(TEXT, st.just("")),
    "object": st.none() | TEXT,
    "int64": WHOLE,
    "Int64": st.none() | WHOLE,
    "float64": st.none() | st.floats(0, 1),
}


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype(DTYPES)


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    one = st.fixed_dictionaries({name: STRATEGIES[DTYPES[name]] for name in COLUMNS})
    return draw(st.lists(one, min_size=1, max_size=4))


@given(rows())
@settings(deadline=None, max_examples=examples(60))
def test_the_text_form_gives_back_the_same_table(content: list[dict[str, Any]]) -> None:
    manifest = table(content)
    again = from_csv(to_csv(manifest))
    pd.testing.assert_frame_equal(again, manifest, check_exact=True)
    assert class_digest(again) == class_digest(manifest)
    assert to_csv(again) == to_csv(manifest)


@given(rows())
@settings(deadline=None, max_examples=examples(60))
def test_the_digest_is_of_the_rows_as_canonical_json(content: list[dict[str, Any]]) -> None:
    lines = sorted(canonical_json(row) for row in content)
    assert class_digest(table(content)) == sha256_bytes("\n".join(lines).encode())


@given(rows(), st.randoms())
@settings(deadline=None, max_examples=examples(60))
def test_the_order_of_rows_does_not_matter(content: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(content)
    random.shuffle(shuffled)
    assert class_digest(table(shuffled)) == class_digest(table(content))


@given(st.data(), rows(), st.sampled_from(COLUMNS))
@settings(deadline=None, max_examples=examples(60))
def test_any_other_cell_gives_another_digest(
    data: st.DataObject, content: list[dict[str, Any]], name: str
) -> None:
    index = data.draw(st.integers(0, len(content) - 1))
    old = content[index][name]
    new = data.draw(STRATEGIES[DTYPES[name]].filter(lambda value: value != old))
    changed = [{**row, name: new} if n == index else row for n, row in enumerate(content)]
    assert class_digest(table(changed)) != class_digest(table(content))


def test_a_row_says_what_the_file_holds(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=3, test_good=2, test_defect=2)
    manifest = read_manifest(tmp_path, "bolt")
    assert list(manifest.columns) == [*COLUMNS, *MEASURED]
    assert list(manifest.index) == list(range(7))
    assert list(manifest["path"]) == sorted(manifest["path"])
    content = (tmp_path / "bolt/test/hole/001.png").read_bytes()
    row = manifest.set_index("path").loc["bolt/test/hole/001.png"]
    assert (row["class"], row["split"], row["defect"]) == ("bolt", "test", "hole")
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert row["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (row["bytes"], row["width"], row["height"], row["mode"]) == (len(content), 64, 64, "RGB")
    assert row["mask"] == "bolt/ground_truth/hole/001_mask.png"
    assert (row["mask_width"], row["mask_height"]) == (64, 64)
    assert row["mask_coverage"] == 16 * 16 / 64**2
    assert row["problem"] is None
    assert (row["kind"], row["frames"], row["upright"]) == ("PNG", 1, True)
    looks = look(Image.open(tmp_path / "bolt/test/hole/001.png"))
    assert all(row[name] == value for name, value in looks._asdict().items())


def test_parquet_gives_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_class(tmp_path, "bolt", train_good=3, test_good=2, test_defect=2)
    (folder / "train" / "good" / "damaged.png").write_bytes(b"x")
    (folder / "ground_truth" / "hole" / "000_mask.png").unlink()
    monkeypatch.setattr(manifest_module, "_ROW_GROUP", 3)  # the first has no mask at all
    file = tmp_path / "state" / "bolt.parquet"
    manifest = read_manifest(tmp_path, "bolt", parquet=file)
    pd.testing.assert_frame_equal(manifest, read_manifest(tmp_path, "bolt"))
    assert ParquetFile(file).num_row_groups == 3
    again = pd.read_parquet(file)
    assert list(again.columns) == list(manifest.columns)
    assert class_digest(again) == class_digest(manifest)
    pd.testing.assert_frame_equal(again[["brightness", "dead"]], manifest[["brightness", "dead"]])


def test_an_image_without_a_mask_has_none(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=1, test_good=1, test_defect=1, masks=False)
    manifest = read_manifest(tmp_path, "bolt")
    assert list(manifest["mask"]) == [None, None, None]
    assert manifest[["mask_sha256", "mask_width", "mask_coverage", "problem"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (lambda whole: whole[: len(whole) // 2], "truncated or damaged"),
        (lambda whole: whole[:-30], "truncated or damaged"),
        (lambda _: b"", "an empty file"),
        (lambda _: b"a text, not an image", "not an image"),
    ],
)
def test_an_unreadable_image_is_a_row_with_its_problem(
    tmp_path: Path, broken: Any, problem: str
) -> None:
    write_class(tmp_path, "bolt", train_good=3, test_good=1, test_defect=0, masks=False)
    victim = tmp_path / "bolt/train/good/001.png"
    victim.write_bytes(broken(victim.read_bytes()))
    manifest = read_manifest(tmp_path, "bolt")
    assert len(manifest) == 4
    row = manifest.set_index("path").loc["bolt/train/good/001.png"]
    assert problem in row["problem"]
    assert (row["width"], row["height"], row["mode"]) == (0, 0, "")
    assert manifest["problem"].notna().sum() == 1
    assert class_digest(read_manifest(tmp_path, "bolt")) == class_digest(manifest)


def test_an_unreadable_mask_is_named_in_the_problem(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=1, test_good=1, test_defect=2)
    mask = tmp_path / "bolt/ground_truth/hole/000_mask.png"
    mask.write_bytes(mask.read_bytes()[:40])
    row = read_manifest(tmp_path, "bolt").set_index("path").loc["bolt/test/hole/000.png"]
    assert "bolt/ground_truth/hole/000_mask.png" in row["problem"]
    assert (row["width"], row["height"]) == (64, 64)
    assert row["mask_sha256"] is not None
    assert pd.isna(row["mask_width"])


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "RGB", "RGBA"])
def test_coverage_counts_marked_pixels_in_every_mode(tmp_path: Path, mode: str) -> None:
    write_image(tmp_path / "bolt/test/hole/000.png", 1)
    marked = np.zeros((64, 64), np.uint8)
    marked[:16] = 1 if mode == "I;16" else 255
    mask = Image.fromarray(marked.astype(np.uint16)) if mode == "I;16" else Image.fromarray(marked)
    path = tmp_path / "bolt/ground_truth/hole/000_mask.png"
    path.parent.mkdir(parents=True)
    (mask if mask.mode == mode else mask.convert(mode)).save(path)
    assert list(read_manifest(tmp_path, "bolt")["mask_coverage"]) == [0.25]


def test_names_with_umlauts_and_spaces_stay_as_they_are(tmp_path: Path) -> None:
    composed, decomposed = "Stück 1.png", "Stu\u0308ck 2.png"
    for seed, name in enumerate((composed, decomposed)):
        write_image(tmp_path / "bolt/train/good" / name, seed)
    manifest = read_manifest(tmp_path, "bolt")
    assert {Path(path).name for path in manifest["path"]} == {composed, decomposed}
    assert class_digest(from_csv(to_csv(manifest))) == class_digest(manifest)


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=2, test_good=1, test_defect=1)
    seen: list[tuple[str, int, int]] = []
    read_manifest(tmp_path, "bolt", lambda *report: seen.append(report))
    assert seen[-1] == ("reading", 5, 5)


def test_an_image_that_disappears_meanwhile_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="disappeared while it was being read") as error:
        read_picture(tmp_path / "gone.png")
    assert "gone.png" in str(error.value)


def test_a_text_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=1, test_good=1, test_defect=0, masks=False)
    text = to_csv(read_manifest(tmp_path, "bolt"))
    header, first, _ = text.split("\n", 2)
    for wrong in (
        "",
        "path,label\n",
        text.replace("sha256", "sha512"),
        f"{header}\n{first},more\n",
    ):
        with pytest.raises(DataError, match="manifest cannot be read"):
            from_csv(wrong)
