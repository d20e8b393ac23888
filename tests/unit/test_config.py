"""`lines.yaml`: what is usable, and what the message says when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from patchae.config import PRESETS, Gates, Line, Lines, Retention, Training, Validation
from patchae.errors import ConfigError, UsageError
from patchae.lines_file import load_lines
from tests.support import ROOT

OWN = ROOT / "lines.yaml"
MODELS: dict[str, type[BaseModel]] = {
    "training": Training,
    "validation": Validation,
    "gates": Gates,
}

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)

WRONG = {
    # what is wrong: (the text, the key that is named, what was expected or found there)
    "empty file": ("", "the file", "one key, 'lines'"),
    "not YAML": ("lines: [", "the file", "line 1, column 9"),
    "a second top key": ("lines: {}\nline: {}", "the file", "one key, 'lines'"),
    "no lines": ("lines: {}", "lines", "mapping from line name"),
    "lines as a list": ("lines: [a]", "lines", "mapping from line name"),
    "line of nothing": ("lines: {a: }", "lines.a", "at least 'classes'"),
    "duplicate line": ("lines: {a: {classes: all}, a: {classes: all}}", "the file", "stands twice"),
    "duplicate as number": (
        "lines: {1: {classes: [b]}, '1': {classes: [c]}}", "lines.1", "stands twice",
    ),
    "duplicate key": (
        "lines: {a: {classes: all, gates: {max_drop: 0, max_drop: 1}}}", "the file", "'max_drop'",
    ),
    "line name with a dot": ("lines: {a.b: {classes: all}}", "lines.a.b.name", "no dot"),
    "name inside": ("lines: {a: {classes: all, name: b}}", "lines.a.name", "unknown key"),
    "classes missing": ("lines: {a: {}}", "lines.a.classes", "missing"),
    "classes empty": ("lines: {a: {classes: []}}", "lines.a.classes", "list of folder names"),
    "classes a word": ("lines: {a: {classes: bolt}}", "lines.a.classes", "'all' or a list"),
    "class a path": ("lines: {a: {classes: [../b]}}", "lines.a.classes", "no dot or slash"),
    "class a number": ("lines: {a: {classes: [7]}}", "lines.a.classes", "put it in quotes"),
    "class twice": ("lines: {a: {classes: [b, c, b]}}", "lines.a.classes", "listed twice: b"),
    "unknown key of a line": ("lines: {a: {classes: all, clases: 1}}", "lines.a.clases", "unknown"),
    "five-field cron": (
        "lines: {a: {classes: all, schedule: {cron: daily}}}", "lines.a.schedule.cron", "five cron",
    ),
    "a day that never comes": (
        "lines: {a: {classes: all, schedule: {cron: 0 0 31 2 *}}}",
        "lines.a.schedule.cron", "five cron",
    ),
    "time zone": (
        "lines: {a: {classes: all, schedule: {cron: 0 3 * * 1, timezone: CEST}}}",
        "lines.a.schedule.timezone", "IANA",
    ),
    "schedule without cron": (
        "lines: {a: {classes: all, schedule: {timezone: UTC}}}", "lines.a.schedule.cron", "missing",
    ),
    "sides": (
        "lines: {a: {classes: all, validation: {min_side_px: 100, max_side_px: 50}}}",
        "lines.a.validation", "min_side_px: expected at most max_side_px",
    ),
    "no such preset": (
        "lines: {a: {classes: all, training: {preset: quick}}}",
        "lines.a.training", "preset: expected one of fast, balanced, best",
    ),
    "no retention": (
        "lines: {a: {classes: all}}\nretention: false", "retention", "mapping, '{}' for all",
    ),
    "retention of nothing": (
        "lines: {a: {classes: all}}\nretention: []", "retention", "mapping, '{}' for all",
    ),
    "retention in days": (
        "lines: {a: {classes: all}}\nretention: 0", "retention", "mapping, '{}' for all",
    ),
    "preset of another type": (
        "lines: {a: {classes: all, training: {preset: 3}}}",
        "lines.a.training", "preset: expected one of fast, balanced, best",
    ),
}  # fmt: skip

WRONG_VALUES = [
    ("training", "backbone", "no_such_net", "name of a timm model"),
    ("training", "backbone", 5, "string"),
    ("training", "strides", [], "some of 2, 4, 8, 16, 32"),
    ("training", "strides", [8, 12], "some of 2, 4, 8, 16, 32"),
    ("training", "strides", [8, 8], "listed twice"),
    ("training", "strides", 8, "tuple"),
    ("training", "image_size", 250, "multiple of 32"),
    ("training", "image_size", 2048, "1024"),
    ("training", "epochs", True, "true or false"),
    ("training", "epochs", 1.5, "integer"),
    ("training", "epochs", "many", "integer"),
    ("training", "learning_rate", 0, "greater than 0"),
    ("training", "learning_rate", float("nan"), "nan"),
    ("training", "damaged_images", -1, "greater than or equal to 0"),
    ("training", "false_alarm_rate", 0.5, "less than 0.5"),
    ("training", "seed", -1, "greater than or equal to 0"),
    ("training", "seed", None, "integer"),
    ("validation", "modes", ["F"], "'RGB'"),
    ("validation", "modes", [], "at least 1"),
    ("validation", "modes", ["L", "L"], "listed twice"),
    ("validation", "masks", "sometimes", "'required' or 'optional'"),
    ("validation", "masks", True, "true or false"),
    ("validation", "max_drift", float("inf"), "finite"),
    ("gates", "max_ms_per_image", float("inf"), "finite"),
    ("gates", "min_image_auroc", 90, "less than or equal to 1"),
    ("gates", "min_recall_of", {"crack": False}, "true or false"),
    ("gates", "min_test_good", 0, "greater than or equal to 1"),
]


@pytest.mark.parametrize("text", ["", "retention:", "retention: null"])
def test_without_a_retention_nothing_is_tidied_by_itself(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text(f"lines: {{a: {{classes: all}}}}\n{text}")
    assert load_lines(path).retention is None
    path.write_text("lines: {a: {classes: all}}\nretention: {}")
    assert load_lines(path).retention == Retention()


def _refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_lines(path)
    error = caught.value
    assert error.where == str(path)
    assert "docs/lines.md" in str(error.mend)
    assert "\n" not in error.what
    return error


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_message(tmp_path: Path, case: str) -> None:
    text, key, expected = WRONG[case]
    path = tmp_path / "lines.yaml"
    path.write_text(text)
    error = _refused(path)
    assert error.what.startswith(f"lines.yaml: {key}: ")
    assert expected in error.what


@pytest.mark.parametrize(("part", "key", "value", "expected"), WRONG_VALUES)
def test_a_wrong_value_is_one_message(
    tmp_path: Path, part: str, key: str, value: object, expected: str
) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text(yaml.safe_dump({"lines": {"a": {"classes": "all", part: {key: value}}}}))
    error = _refused(path)
    assert error.what.startswith(f"lines.yaml: lines.a.{part}.{key}")
    assert expected in error.what


@pytest.mark.parametrize("part", [*MODELS, "schedule"])
def test_an_unknown_key_is_named_at_every_level(tmp_path: Path, part: str) -> None:
    path = tmp_path / "lines.yaml"
    body = {"cron": "0 3 * * *"} if part == "schedule" else {}
    path.write_text(
        yaml.safe_dump({"lines": {"a": {"classes": "all", part: {**body, "epoch": 3}}}})
    )
    assert _refused(path).what == f"lines.yaml: lines.a.{part}.epoch: unknown key"


@pytest.mark.parametrize("content", [None, b"lines: \xff"])
def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lines.yaml"
    if content is not None:
        path.write_bytes(content)
    assert "cannot be read" in _refused(path).what


def test_the_own_file_loads_and_writes_the_defaults_out() -> None:
    line = load_lines(OWN).line("mvtec")
    written = yaml.safe_load(OWN.read_text())["lines"]["mvtec"]
    for part, model in MODELS.items():
        assert getattr(line, part) == model(), f"{part} differs from the defaults"
        assert set(written[part]) == set(model.model_fields), f"{part} leaves a key out"


def test_all_means_the_classes_that_no_other_line_names() -> None:
    lines = Lines(
        lines=(
            Line(name="one", classes=("nut", "bolt")),
            Line(name="two", classes="all"),
            Line(name="three", classes=("screw",)),
        )
    )
    present = ["washer", "bolt", "screw", "cable"]
    assert lines.classes(lines.line("two"), present) == ["cable", "washer"]
    # A named class stays named without its folder: that is for the data set to complain about.
    assert lines.classes(lines.line("one"), present) == ["bolt", "nut"]


def test_an_unknown_line_is_answered_with_the_known_ones() -> None:
    lines = Lines(lines=(Line(name="one", classes="all"), Line(name="two", classes="all")))
    with pytest.raises(UsageError, match="'three'") as caught:
        lines.line("three")
    assert "one, two" in str(caught.value.mend)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_no_two_classes_share_a_model_name(one: tuple[str, str], two: tuple[str, str]) -> None:
    def model(line: str, class_name: str) -> str:
        return Line(name=line, classes=(class_name,)).model_name(class_name)

    assert (model(*one) == model(*two)) == (one == two)
    assert tuple(model(*one).split(".")) == one


def test_strides_have_one_order() -> None:
    assert Training(strides=(16, 8)) == Training(strides=(8, 16))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_values_and_keys_beside_it_win(name: str) -> None:
    assert Training(preset=name) == Training(**PRESETS[name])  # type: ignore[call-arg]
    own = Training(preset=name, image_size=128)  # type: ignore[call-arg]
    assert own.image_size == 128
    assert own == Training(preset=name).model_copy(update={"image_size": 128})  # type: ignore[call-arg]
    assert "preset" not in own.model_dump()


def test_the_presets_go_from_cheap_to_good() -> None:
    fast, balanced, best = (Training(preset=name) for name in PRESETS)  # type: ignore[call-arg]
    assert balanced == Training()
    for key in ("epochs", "damaged_images", "memory_size"):
        assert getattr(fast, key) < getattr(balanced, key) < getattr(best, key)
    assert fast.image_size < balanced.image_size == best.image_size
    assert [one.backbone.count("+") for one in (fast, balanced, best)] == [0, 1, 2]
