"""What one class of a line has otherwise than the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from patchae.config import Gates, Line, Validation
from patchae.errors import ConfigError
from patchae.health import examine
from patchae.lines_file import load_gates
from patchae.project import Project
from patchae.steps.plan import classes_of, open_line


def test_a_class_may_have_gates_of_its_own() -> None:
    line = Line(
        name="one",
        classes=("cap", "nut"),
        gates=Gates(min_image_auroc=0.95, max_drop=0.01),
        per_class={"nut": {"gates": {"max_drop": 0.1}}},
    )
    assert line.gates_of("cap") == Gates(min_image_auroc=0.95, max_drop=0.01)
    assert line.gates_of("nut") == Gates(min_image_auroc=0.95, max_drop=0.1)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"max_drop": 2}, r"per_class.nut.gates.max_drop"),
        ({"max_dorp": 0.1}, r"per_class.nut.gates.max_dorp"),
        ({"max_ms_per_image": float("inf")}, r"per_class.nut.gates.max_ms_per_image"),
        ({"min_recall_of": {"dent": 3}}, r"per_class.nut.gates.min_recall_of.dent"),
    ],
)
def test_wrong_gates_of_a_class_are_named(own: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Line(name="one", classes=("nut",), per_class={"nut": {"gates": own}})


def test_what_the_line_says_of_other_kinds_and_checks_stays(tmp_path: Path) -> None:
    line = Line(
        name="one",
        classes=("nut",),
        gates=Gates(min_recall_of={"crack": 0.9, "dent": 0.5}),
        validation=Validation(severity={"no_near_leak": "error"}),
        per_class={
            "nut": {
                "gates": {"min_recall_of": {"dent": 0.7}},
                "validation": {"severity": {"known_files": "ignore"}},
            }
        },
    )
    assert line.gates_of("nut").min_recall_of == {"crack": 0.9, "dent": 0.7}
    assert line.validation_of("nut").severity == {"no_near_leak": "error", "known_files": "ignore"}
    stricter = tmp_path / "stricter.yaml"
    stricter.write_text("min_recall_of: {hole: 0.8}")
    asked = load_gates(stricter, line.gates_of("nut")).min_recall_of
    assert asked == {"crack": 0.9, "dent": 0.7, "hole": 0.8}


def test_settings_of_a_class_that_is_not_there_are_refused(project: Project) -> None:
    """With `classes: all` only the folders of data/ tell a name from a typo."""
    project.lines_file.write_text(
        "lines: {one: {classes: all, per_class: {washr: {gates: {min_image_auroc: 0.99}}}}}"
    )
    first = next(iter(examine(project, None)))
    assert (first.check, first.state) == ("lines", "ok"), "without data/ no class is known"
    (project.data / "washer").mkdir(parents=True)
    _, line = open_line("one", project.root)
    with pytest.raises(ConfigError, match=r"lines\.one\.per_class\.washr: no class of this line"):
        classes_of(project, line)
    first = next(iter(examine(project, None)))
    assert (first.check, first.state) == ("lines", "fail")
    assert "per_class.washr" in first.detail
    assert "washer" in first.mend
