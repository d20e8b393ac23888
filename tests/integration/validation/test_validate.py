"""What a line owner is told about images that must not be trained on, and why it can be relied on.

The manifests are made by hand, one row per image, so that each story breaks exactly one thing.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from patchae.checks import SEVERITIES
from patchae.config import Validation
from patchae.dataset.picture import EMPTY, TOO_MANY_PIXELS
from patchae.dataset.validation.drift import Appearance, Level
from patchae.dataset.validation.evaluate import evaluate
from patchae.dataset.validation.facts import facts
from patchae.dataset.validation.record import (
    EVALUATED,
    Check,
    Counts,
    ValidationRecord,
    table,
)
from patchae.dataset.validation.statement import Statement
from patchae.dataset.validation.suite import statements, suite_digest
from patchae.dataset.validation.validate import load, reusable, store, validate
from patchae.files import canonical_json
from patchae.project import Project
from patchae.types import ClassDigest, DataVersion, Sha256
from tests.support import ROOT

VERSION = DataVersion("0123456789abcdef" * 2 + ".dir")
RULES = Validation()
MASKS_REQUIRED = Validation(masks="required")

Change = Callable[[pd.DataFrame], None]


def good_class(name: str = "bolt") -> pd.DataFrame:
    """A class with nothing to complain of: 24 train, 6 good and 6 defective with masks."""
    rows = [
        _row(name, split, defect, index)
        for split, defect, count in (
            ("test", "good", 6),
            ("test", "hole", 6),
            ("train", "good", 24),
        )
        for index in range(count)
    ]
    frame = pd.DataFrame(rows)
    for column in ("mask_width", "mask_height"):
        frame[column] = frame[column].astype("Int64")
    for column in ("mask", "mask_sha256", "problem"):
        frame[column] = frame[column].astype(object)
    return frame


def _row(name: str, split: str, defect: str, index: int) -> dict[str, Any]:
    path = f"{name}/{split}/{defect}/{index:03d}.png"
    masked = defect != "good"
    return {
        "class": name,
        "split": split,
        "defect": defect,
        "path": path,
        "sha256": hashlib.sha256(path.encode()).hexdigest(),
        "md5": hashlib.md5(path.encode(), usedforsecurity=False).hexdigest(),
        "bytes": 1000 + index,
        "width": 64,
        "height": 64,
        "mode": "RGB",
        "mask": f"{name}/ground_truth/{defect}/{index:03d}_mask.png" if masked else None,
        "mask_sha256": hashlib.sha256(f"mask {path}".encode()).hexdigest() if masked else None,
        "mask_width": 64 if masked else None,
        "mask_height": 64 if masked else None,
        "mask_coverage": 0.0625 if masked else None,
        "mask_cut": 0.0 if masked else None,
        "problem": None,
        "kind": "PNG",
        "frames": 1,
        "upright": True,
        "brightness": 0.5 + 0.001 * index,
        "contrast": 0.2,
        "highest": 1.0,
        "white": 0.01,
        "sharpness": 1.0 + 0.01 * index,
        "red": 0.001 * index,
        "blue": 0.0,
        "dead": 0.0,
        "perceptual_hash": hashlib.sha256(path.encode()).hexdigest(),
    }


def check(record: ValidationRecord, code: str) -> Check:
    """The one check of that code."""
    (found,) = [check for check in record.checks if check.code == code]
    return found


def put(image: str, **values: Any) -> Change:
    """A change of one image's row."""

    def change(frame: pd.DataFrame) -> None:
        for column, value in values.items():
            frame.loc[frame["path"] == image, column] = value

    return change


def keep(part: str, count: int) -> Change:
    """Only the first images of `part` ("split/defect") stay."""

    def change(frame: pd.DataFrame) -> None:
        rows = frame.index[frame["path"].str.contains(f"/{part}/")]
        frame.drop(rows[count:], inplace=True)
        frame.reset_index(drop=True, inplace=True)

    return change


def same_bytes(path: str, other: str) -> Change:
    """Two images become the same file."""

    def change(frame: pd.DataFrame) -> None:
        content = frame.loc[frame["path"] == other, "sha256"].item()
        frame.loc[frame["path"] == path, "sha256"] = content

    return change


def nearly(path: str, other: str) -> Change:
    """Two images become nearly the same picture."""

    def change(frame: pd.DataFrame) -> None:
        seen = frame.loc[frame["path"] == other, "perceptual_hash"].item()
        near = seen[:-1] + f"{int(seen[-1], 16) ^ 1:x}"
        frame.loc[frame["path"] == path, "perceptual_hash"] = near

    return change


HOLES = [f"bolt/test/hole/{number:03d}.png" for number in range(6)]


def _inverted(frame: pd.DataFrame) -> None:
    frame["mask_coverage"] = 0.9 * frame["mask"].notna()


def _test_defects_without_masks(frame: pd.DataFrame) -> None:
    rows = frame["defect"] == "hole"
    for column in ("mask", "mask_sha256", "mask_width", "mask_height", "mask_coverage"):
        frame.loc[rows, column] = None


HOLE = "bolt/test/hole/002.png"
GOOD = "bolt/test/good/003.png"
TRAIN = "bolt/train/good/004.png"
NO_MASK = {
    "mask": None,
    "mask_sha256": None,
    "mask_width": None,
    "mask_height": None,
    "mask_coverage": None,
}

UNSEEN = {
    "width": 0,
    "height": 0,
    "mode": "",
    "brightness": None,
    "contrast": None,
    "highest": None,
    "white": None,
    "sharpness": None,
    "dead": None,
    "perceptual_hash": None,
}

STORIES = {
    "a third split": (
        "layout",
        [TRAIN],
        1,
        put(TRAIN, split="val"),
        RULES,
    ),
    "a broken file": ("decodable", [GOOD], 1, put(GOOD, problem="truncated", **UNSEEN), RULES),
    "an empty file": ("no_empty_files", [GOOD], 1, put(GOOD, problem=EMPTY, **UNSEEN), RULES),
    "a bomb": (
        "allowed_pixels",
        [GOOD],
        1,
        put(GOOD, problem=f"{TOO_MANY_PIXELS}: 10 x 10", **UNSEEN),
        RULES,
    ),
    "pages": ("one_frame", [GOOD], 1, put(GOOD, frames=2), RULES),
    "a turned photo": ("upright", [GOOD], 1, put(GOOD, upright=False), RULES),
    "another type": ("type_matches_name", [GOOD], 1, put(GOOD, kind="JPEG"), RULES),
    "another mode": ("same_mode", [GOOD], 1, put(GOOD, mode="L"), RULES),
    "another size": ("same_size", [GOOD], 1, put(GOOD, width=65), RULES),
    "nothing to see": ("not_uniform", [GOOD], 1, put(GOOD, contrast=0.009), RULES),
    "no lamp": ("not_too_dark", [GOOD], 1, put(GOOD, brightness=0.019), RULES),
    "too much lamp": ("not_overexposed", [GOOD], 1, put(GOOD, white=0.91), RULES),
    "out of focus": ("in_focus", [GOOD], 1, put(GOOD, sharpness=0.5), RULES),
    "a dead pixel": ("no_dead_pixels", [GOOD], 1, put(GOOD, dead=5), RULES),
    "a copy": (
        "no_copies",
        [TRAIN, "bolt/train/good/005.png"],
        2,
        same_bytes("bolt/train/good/005.png", TRAIN),
        RULES,
    ),
    "nearly a leak": ("no_near_leak", [GOOD, TRAIN], 2, nearly(GOOD, TRAIN), RULES),
    "a broken mask": (
        "masks_decodable",
        [HOLE],
        1,
        put(
            HOLE,
            problem="its mask is truncated",
            mask_width=None,
            mask_height=None,
            mask_coverage=None,
        ),
        RULES,
    ),
    "a scan with palette": ("allowed_mode", [TRAIN], 1, put(TRAIN, mode="P"), RULES),
    "an unknown mode": ("allowed_mode", [TRAIN], 1, put(TRAIN, mode=None), RULES),
    "a thumbnail": ("allowed_size", [TRAIN], 1, put(TRAIN, height=63), RULES),
    "a poster": ("allowed_size", [TRAIN], 1, put(TRAIN, width=8193), RULES),
    "few to learn from": ("enough_train_good", [], 19, keep("train/good", 19), RULES),
    "few good to test with": ("enough_test_good", [], 2, keep("test/good", 2), RULES),
    "few defects to test with": ("enough_test_defect", [], 2, keep("test/hole", 2), RULES),
    "a defect to learn from": (
        "only_good_in_train",
        [TRAIN],
        1,
        put(TRAIN, defect="hole"),
        RULES,
    ),
    "a defect without mask": ("masks_present", [HOLE], 1, put(HOLE, **NO_MASK), MASKS_REQUIRED),
    "a small mask": ("mask_size_matches", [HOLE], 1, put(HOLE, mask_width=32), RULES),
    "a flat mask": ("mask_size_matches", [HOLE], 1, put(HOLE, mask_height=32), RULES),
    "a black mask": ("mask_not_empty", [HOLE], 1, put(HOLE, mask_coverage=0.0), RULES),
    "an unmeasured mask": ("mask_not_empty", [HOLE], 1, put(HOLE, mask_coverage=None), RULES),
    "a white mask": ("mask_not_full", [HOLE], 1, put(HOLE, mask_coverage=1.0), RULES),
    "a mask on a good part": (
        "no_mask_on_good",
        [GOOD],
        1,
        put(GOOD, mask="bolt/x.png", mask_width=64, mask_height=64, mask_coverage=0.1),
        RULES,
    ),
    "masks of the ground": ("masks_not_inverted", HOLES, 6, _inverted, RULES),
    "a soft mask": ("sharp_masks", [HOLE], 1, put(HOLE, mask_cut=0.01), RULES),
    "a mask for two": (
        "mask_of_one_image",
        HOLES[:2],
        2,
        put(HOLES[0], mask="bolt/ground_truth/hole/001_mask.png"),
        RULES,
    ),
    "a mask among images": (
        "no_masks_among_images",
        ["bolt/test/hole/000_GT.png"],
        1,
        put(HOLES[1], path="bolt/test/hole/000_GT.png"),
        RULES,
    ),
    "good parts as a defect": (
        "no_good_among_defects",
        [GOOD],
        1,
        put(GOOD, defect="OK"),
        RULES,
    ),
    "a test image to learn from": ("no_leak", [GOOD, TRAIN], 2, same_bytes(GOOD, TRAIN), RULES),
    "a part both good and bad": (
        "no_conflicting_labels",
        [GOOD, HOLE],
        2,
        same_bytes(GOOD, HOLE),
        RULES,
    ),
    "a part listed twice": (
        "unique_paths",
        [TRAIN],
        1,
        put("bolt/train/good/005.png", path=TRAIN),
        RULES,
    ),
}


ALSO = {"allowed_mode": ["same_mode"], "allowed_size": ["same_size"]}
"""Who has another mode or size than is allowed has another than the rest, too."""


def test_a_good_class_passes_every_check() -> None:
    record = validate(good_class(), "bolt", MASKS_REQUIRED, VERSION)
    assert record.failed == ()
    assert record.passed
    assert record.counts == Counts(train_good=24, test_good=6, test_defect=6)
    assert [row[1] for row in table(record)] == ["ok"] * len(record.checks)


@pytest.mark.parametrize(
    ("code", "paths", "found", "change", "rules"), STORIES.values(), ids=STORIES.keys()
)
def test_one_fault_fails_exactly_its_check_and_names_the_images(
    code: str, paths: list[str], found: int, change: Change, rules: Validation
) -> None:
    manifest = good_class()
    change(manifest)
    record = validate(manifest, "bolt", rules, VERSION)
    not_passed = [check.code for check in record.checks if not check.passed]
    assert not_passed == [code, *ALSO.get(code, [])]
    assert record.passed == (SEVERITIES[code] == "warning")
    assert list(check(record, code).paths) == paths
    assert check(record, code).found == found


def test_a_black_mask_of_a_good_image_says_what_its_folder_says() -> None:
    manifest = good_class()
    put(GOOD, mask="bolt/x.png", mask_width=32, mask_height=32, mask_coverage=0.0)(manifest)
    assert validate(manifest, "bolt", RULES, VERSION).passed
    put(HOLE, mask_coverage=0.0)(manifest)  # of a defective one it is a mistake
    record = validate(manifest, "bolt", RULES, VERSION)
    assert [one.code for one in record.failed] == ["mask_not_empty"]
    assert list(check(record, "mask_not_empty").paths) == [HOLE]


def test_a_kind_whose_masks_are_large_is_no_inverted_one() -> None:
    manifest = good_class()
    manifest["mask_coverage"] = 0.55 * manifest["mask"].notna()
    assert validate(manifest, "bolt", RULES, VERSION).passed
    manifest["mask_coverage"] = 0.7 * manifest["mask"].notna()
    assert not validate(manifest, "bolt", RULES, VERSION).passed
    assert validate(manifest, "bolt", Validation(max_mask=0.8), VERSION).passed


def test_every_check_has_a_story_in_which_it_fails() -> None:
    told = {code for code, *_ in STORIES.values()}
    elsewhere = {"not_empty"} | {
        statement.code for statement in statements(RULES) if statement.table != "images"
    }
    assert {statement.code for statement in statements(RULES)} == told | elsewhere
    assert set(SEVERITIES) == told | elsewhere


def test_a_limit_is_allowed_itself() -> None:
    manifest = good_class()
    keep("train/good", 20)(manifest)
    put(TRAIN, width=8192)(manifest)
    put(HOLE, mask_coverage=0.95)(manifest)
    put(GOOD, contrast=0.01, brightness=0.02, white=0.9, dead=4)(manifest)
    assert validate(manifest, "bolt", RULES, VERSION).passed


def test_missing_masks_are_counted_but_allowed_where_they_are_optional() -> None:
    manifest = good_class()
    _test_defects_without_masks(manifest)
    record = validate(manifest, "bolt", RULES, VERSION)
    assert record.passed
    assert check(record, "masks_present").found == 6
    assert check(record, "masks_present").paths[0] == "bolt/test/hole/000.png"


def test_the_reason_why_an_image_cannot_be_decoded_is_told() -> None:
    manifest = good_class()
    put(GOOD, problem="the file is truncated", **UNSEEN)(manifest)
    record = validate(manifest, "bolt", RULES, VERSION)
    assert "the file is truncated" in check(record, "decodable").expected


def test_at_most_twenty_images_are_listed_and_all_are_counted() -> None:
    manifest = good_class()
    manifest["mode"] = "CMYK"
    record = validate(manifest, "bolt", RULES, VERSION)
    assert check(record, "allowed_mode").found == 36
    assert len(check(record, "allowed_mode").paths) == 20
    details = {row[0]: row[2] for row in table(record)}["Every image has an allowed colour mode"]
    assert details.startswith("36 found; expected: L or RGB; bolt/test/good/000.png")
    assert details.endswith("and 33 more")


# --- fails closed


def test_an_empty_manifest_has_not_passed() -> None:
    record = validate(good_class().iloc[:0], "bolt", RULES, VERSION)
    assert not record.passed
    assert "not_empty" in [check.code for check in record.failed]


@pytest.mark.parametrize(
    "column", ["split", "path", "sha256", "width", "problem", "mask", "mask_coverage"]
)
def test_a_manifest_without_a_column_has_not_passed(column: str) -> None:
    record = validate(good_class().drop(columns=column), "bolt", RULES, VERSION)
    assert [check.code for check in record.failed] == [EVALUATED]
    assert column in check(record, EVALUATED).expected
    assert ValidationRecord.from_dict(record.to_dict()) == record


@pytest.mark.parametrize("column", ["class", "split", "defect", "sha256"])
def test_a_row_without_a_value_is_never_skipped(column: str) -> None:
    manifest = good_class()
    put(TRAIN, **{column: None})(manifest)
    record = validate(manifest, "bolt", RULES, VERSION)
    assert [check.code for check in record.failed] == [EVALUATED]


def test_images_of_another_class_have_not_passed() -> None:
    record = validate(good_class("nut"), "bolt", RULES, VERSION)
    assert [check.code for check in record.failed] == [EVALUATED]


def test_no_table_at_all_has_not_passed() -> None:
    record = validate(None, "bolt", RULES, VERSION)  # type: ignore[arg-type]
    assert not record.passed
    assert record.class_digest == ""


def test_what_great_expectations_cannot_evaluate_has_not_passed() -> None:
    manifest = good_class()
    manifest["mask_coverage"] = manifest["mask_coverage"].astype(object)
    put(HOLE, mask_coverage="0.5")(manifest)
    record = validate(manifest, "bolt", RULES, VERSION)
    codes = [check.code for check in record.failed]
    assert codes == [EVALUATED, "mask_not_empty", "mask_not_full"]
    assert check(record, EVALUATED).found == 2
    assert "could not be checked" in check(record, "mask_not_empty").expected
    assert record == validate(manifest, "bolt", RULES, VERSION)
    assert ValidationRecord.from_dict(record.to_dict()) == record


_BETWEEN = "expect_column_values_to_be_between"


@pytest.mark.parametrize(
    "expectations",
    [
        (),
        ({"type": _BETWEEN, "kwargs": {"column": "nowhere", "min_value": 0}},),
        ({"type": _BETWEEN, "kwargs": {"column": "sometimes", "min_value": 0}},),
        ({"type": "expect_column_max_to_be_between", "kwargs": {"column": "never"}},),
    ],
    ids=["nothing expected", "no such column", "missing values", "nothing to observe"],
)
def test_what_was_not_evaluated_on_every_value_is_not_met(
    expectations: tuple[dict[str, Any], ...],
) -> None:
    frame = pd.DataFrame({"path": ["a", "b"], "sometimes": [1.0, None], "never": [None, None]})
    suite = [Statement("it", "It holds", "this", "mend it", expectations)]
    outcome = evaluate({"images": frame}, suite)["it"]
    assert not outcome.met
    assert outcome.problem


# --- can be relied on


def test_the_same_images_and_rules_give_the_same_record() -> None:
    manifest = good_class()
    put(TRAIN, mode="P")(manifest)
    first, second = (validate(manifest, "bolt", RULES, VERSION) for _ in range(2))
    assert canonical_json(first.to_dict()) == canonical_json(second.to_dict())
    assert first.digest == second.digest
    assert first.digest != validate(good_class(), "bolt", RULES, VERSION).digest


def test_the_manifest_is_left_as_it_was() -> None:
    manifest = good_class()
    validate(manifest, "bolt", RULES, VERSION)
    pd.testing.assert_frame_equal(manifest, good_class())


def test_classes_side_by_side_get_their_own_records() -> None:
    names = ["bolt", "nut", "washer", "spring"]
    manifests = {name: good_class(name) for name in names}
    put("nut/train/good/004.png", mode="P")(manifests["nut"])
    with ThreadPoolExecutor(len(names)) as pool:
        records = dict(
            zip(
                names,
                pool.map(lambda name: validate(manifests[name], name, RULES, VERSION), names),
                strict=True,
            )
        )
    assert [name for name in names if not records[name].passed] == ["nut"]
    assert check(records["nut"], "allowed_mode").paths == ("nut/train/good/004.png",)


def test_nothing_is_printed_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    validate(good_class(), "bolt", RULES, VERSION)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_own_context_of_a_program_stays_current() -> None:
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import project_manager

    own = gx.get_context(mode="ephemeral")
    try:
        validate(good_class(), "bolt", RULES, VERSION)
        assert project_manager.get_current_project() is own
    finally:
        project_manager.set_project(None)


def test_the_suite_is_what_great_expectations_is_given() -> None:
    import great_expectations as gx

    plan = [expectation for s in statements(RULES) for expectation in s.expectations]
    suite = gx.ExpectationSuite("images", expectations=plan)
    shown = [
        {"type": expectation["type"], "kwargs": expectation["kwargs"]}
        for expectation in suite.to_json_dict()["expectations"]
    ]
    for asked, given_ in zip(plan, shown, strict=True):
        assert asked["type"] == given_["type"]
        assert asked["kwargs"].items() <= given_["kwargs"].items()


# --- kept and used again


def test_a_stored_record_is_read_back(project: Project) -> None:
    record = validate(good_class(), "bolt", RULES, VERSION)
    path = store(project, record)
    assert path == project.validations / VERSION / "bolt.json"
    assert load(project, VERSION, "bolt") == record


def test_no_record_no_validation(project: Project) -> None:
    assert load(project, VERSION, "bolt") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"passed": true}', "\udcff"])
def test_a_damaged_record_counts_as_none(project: Project, text: str) -> None:
    path = store(project, _record())
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert load(project, VERSION, "bolt") is None


def test_a_record_in_the_place_of_another_counts_as_none(project: Project) -> None:
    path = store(project, _record())
    path.rename(path.with_name("nut.json"))
    assert load(project, VERSION, "nut") is None


def test_a_record_is_reused_for_the_same_images_and_rules_only() -> None:
    record = validate(good_class(), "bolt", RULES, VERSION)
    assert reusable(record, record.class_digest, RULES)
    assert not reusable(record, ClassDigest("0" * 64), RULES)
    assert not reusable(record, record.class_digest, Validation(min_train_good=21))
    assert not reusable(record, record.class_digest, MASKS_REQUIRED)


def test_a_record_of_other_checks_or_of_none_is_not_reused() -> None:
    digest = ClassDigest("1" * 64)
    assert reusable(_record(class_digest=digest), digest, RULES)
    assert not reusable(_record(class_digest=digest, suite_sha256="2" * 64), digest, RULES)
    assert not reusable(_record(class_digest=digest, versions={"pillow": "1"}), digest, RULES)
    assert not reusable(_record(class_digest=digest), digest, RULES, {"bolt/x.txt": "unknown file"})
    assert not reusable(_record(class_digest=digest), digest, RULES, {}, _record())
    not_carried_out = [{**_check_dict(EVALUATED), "passed": False, "found": 1}]
    assert not reusable(
        _record(class_digest=digest, passed=False, checks=not_carried_out), digest, RULES
    )


def test_reading_and_reusing_a_record_does_not_import_great_expectations(project: Project) -> None:
    store(project, _record())
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from patchae.config import Validation\n"
        "from patchae.dataset.validation.record import table\n"
        "from patchae.dataset.validation.validate import load, reusable\n"
        "from patchae.project import Project\n"
        f"record = load(Project(Path('.')), {VERSION!r}, 'bolt')\n"
        "assert reusable(record, record.class_digest, Validation()) and table(record)\n"
        "print(sorted({'great_expectations', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# --- the record


def _check_dict(code: str = "layout") -> dict[str, Any]:
    return {
        "code": code,
        "severity": "error",
        "title": "A title",
        "passed": True,
        "found": 0,
        "paths": [],
        "expected": "x",
        "mend": "y",
    }


LOOKS = {
    "images": 24,
    **{
        name: {"median": 0.5, "spread": 0.1}
        for name in ("brightness", "red", "blue", "sharpness", "width", "height")
    },
}


def _record(**values: Any) -> ValidationRecord:
    from importlib.metadata import version

    from patchae.files import digest_json

    return ValidationRecord.from_dict(
        {
            "schema": "patchae.validation/2",
            "class_name": "bolt",
            "data_version": VERSION,
            "class_digest": "1" * 64,
            "passed": True,
            "checks": [_check_dict(EVALUATED), _check_dict()],
            "counts": {"train_good": 24, "test_good": 6, "test_defect": 6},
            "strays_sha256": digest_json({}),
            "compared_with": None,
            "appearance": LOOKS,
            "rules": RULES.model_dump(mode="json"),
            "suite_sha256": suite_digest(RULES),
            "versions": {
                name: version(name) for name in ("great_expectations", "pillow", "numpy", "pandas")
            },
            **values,
        }
    )


@pytest.mark.parametrize(
    "values",
    [
        {"schema": "patchae.validation/1"},
        {"passed": 1},
        {"passed": "true"},
        {"passed": False},
        {"checks": []},
        {"checks": [_check_dict()]},
        {"checks": [_check_dict(EVALUATED), _check_dict(EVALUATED)]},
        {"checks": [{**_check_dict(EVALUATED), "passed": False}]},
        {"checks": [{**_check_dict(EVALUATED), "paths": ["a"]}]},
        {"checks": [{**_check_dict(EVALUATED), "found": 21, "paths": ["a"] * 21}]},
        {"checks": [{**_check_dict(EVALUATED), "found": -1}]},
        {"checks": [{**_check_dict(EVALUATED), "extra": 1}]},
        {"checks": {}},
        {"counts": {"train_good": 24, "test_good": 6}},
        {"counts": {"train_good": 24.0, "test_good": 6, "test_defect": True}},
        {"class_digest": ""},
        {"class_digest": "1" * 63},
        {"class_digest": "A" * 64},
        {"class_name": ""},
        {"data_version": "../" * 12},
        {"strays_sha256": None},
        {"compared_with": "yesterday"},
        {"appearance": None},
        {"appearance": {**LOOKS, "width": {"median": 64.0}}},
        {"rules": {"max_drift": float("nan")}},
        {"versions": {"numpy": b"1"}},
        {"time": "2026-01-01T00:00:00Z"},
    ],
    ids=repr,
)
def test_a_malformed_record_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are pydantic's
        _record(**values)


@pytest.mark.parametrize("field", sorted(_record().to_dict()))
def test_a_record_without_one_of_its_keys_is_refused(field: str) -> None:
    value = _record().to_dict()
    del value[field]
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are pydantic's
        ValidationRecord.from_dict(value)


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def _checks(draw: st.DrawFn) -> tuple[Check, ...]:
    codes = draw(st.lists(st.from_regex(r"\A[a-z][a-z_]{0,9}\Z"), unique=True, max_size=4))
    checks = []
    for code in [EVALUATED, *(code for code in codes if code != EVALUATED)]:
        paths = tuple(draw(st.lists(_text, max_size=20)))
        checks.append(
            Check(
                code=code,
                severity=draw(st.sampled_from(["error", "warning"]))
                if code != EVALUATED
                else "error",
                title=draw(_text.filter(bool)),
                passed=draw(st.booleans()),
                found=len(paths) + draw(st.integers(0, 10**9)),
                paths=paths,
                expected=draw(_text),
                mend=draw(_text),
            )
        )
    return tuple(checks)


@given(checks=_checks(), name=_text.filter(bool), digest=_digests, count=st.integers(0, 10**9))
def test_a_record_survives_its_own_json(
    checks: tuple[Check, ...], name: str, digest: str, count: int
) -> None:
    record = ValidationRecord(
        class_name=name,
        data_version=VERSION,
        class_digest=ClassDigest(digest),
        strays_sha256=Sha256(digest),
        compared_with=None,
        passed=all(check.passed or check.severity == "warning" for check in checks),
        checks=checks,
        counts=Counts(count, 0, count),
        appearance=Appearance(count, *[Level(0.5, 0.0)] * 6),
        rules={"count": count},
        suite_sha256=Sha256(digest[::-1]),
        versions={"numpy": "2.4.6"},
    )
    again = ValidationRecord.from_dict(json.loads(canonical_json(record.to_dict())))
    assert again == record
    assert again.digest == record.digest
    assert [row[1] == "ok" for row in table(record)] == [check.passed for check in checks]


# --- the page for users

PAGE = ROOT / "docs" / "validation.md"


def test_the_page_explains_every_check_and_no_other() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (error|warning) \| .+ \| .+ \|$", PAGE.read_text(), re.MULTILINE
    )
    assert dict(rows) == {EVALUATED: "error", **SEVERITIES}
    assert len(rows) == len(SEVERITIES) + 1


def test_the_page_shows_every_limit_with_its_default() -> None:
    block = re.findall(r"```yaml\n(.+?)```", PAGE.read_text(), re.DOTALL)[0]
    shown = yaml.safe_load(block)["lines"]["sample"]["validation"]
    assert set(shown) == set(Validation.model_fields)
    assert Validation(**shown) == Validation()


# --- the facts


def test_facts_leave_no_hole_where_a_check_looks() -> None:
    manifest = good_class()
    _test_defects_without_masks(manifest)
    put(GOOD, problem="broken", **{**UNSEEN, "width": None, "mode": None})(manifest)
    frame = facts(manifest, "bolt")
    spoken_of = {
        value
        for statement in statements(RULES)
        for expectation in statement.expectations
        for key, value in expectation["kwargs"].items()
        if statement.table == "images" and key in {"column", "column_A", "column_B"}
    }
    with_holes = {column for column in spoken_of if frame[column].isna().any()}
    assert with_holes == {"mask"}  # there a hole is the statement itself


def test_copies_are_images_and_not_enough_of_them() -> None:
    manifest = good_class()
    for part in ("train/good", "test/good", "test/hole"):
        rows = manifest["path"].str.contains(f"/{part}/")
        manifest.loc[rows, "sha256"] = hashlib.sha256(part.encode()).hexdigest()
    rules = Validation(severity={"enough_train_good": "ignore"})
    record = validate(manifest, "bolt", rules, VERSION)
    assert record.counts == Counts(24, 6, 6), "as the manifest lists them, whatever is ignored"
    assert [one.code for one in record.failed] == ["enough_test_good"]
    assert "enough_test_defect" in {one.code for one in record.warnings}
    assert check(record, "enough_test_good").found == 1
    alone = check(validate(good_class(), "bolt", RULES, VERSION), "enough_test_good").expected
    assert check(record, "enough_test_good").expected != alone, "of one image little is known"


def test_the_order_of_bytes_of_a_16_bit_image_is_no_other_mode() -> None:
    manifest = good_class()
    manifest["mode"] = ["I;16", "I;16B"] * (len(manifest) // 2)
    record = validate(manifest, "bolt", Validation(modes=("I;16",)), VERSION)
    assert (check(record, "allowed_mode").passed, check(record, "same_mode").passed) == (True, True)
