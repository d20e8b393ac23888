"""Decide whether the images of one class may be trained on, and keep that decision.

Fails closed: what cannot be checked has not passed. `validate` always returns a record; images
that break a rule, a manifest that is no manifest and a failure inside Great Expectations all give
one that did not pass and says why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset.evaluate import Outcome, describe, evaluate
from patchae.dataset.expectations import Statement, statements, suite_digest
from patchae.dataset.facts import facts
from patchae.dataset.validation_record import (
    EVALUATED,
    MAX_PATHS,
    SCHEMA,
    Check,
    Counts,
    ValidationRecord,
    table,
)
from patchae.files import digest_json, write_json
from patchae.types import ClassDigest, DataVersion, Sha256

if TYPE_CHECKING:
    import pandas as pd

    from patchae.config import Validation
    from patchae.project import Project

__all__ = [
    "EVALUATED",
    "MAX_PATHS",
    "SCHEMA",
    "Check",
    "Counts",
    "ValidationRecord",
    "load",
    "reusable",
    "store",
    "table",
    "validate",
]


def validate(
    manifest: pd.DataFrame, class_name: str, rules: Validation, version: DataVersion
) -> ValidationRecord:
    """Check the manifest of one class against the rules of its line.

    Args:
        manifest: one row per image, as `read_manifest` returns it.
        class_name: the class that every row must belong to.
        rules: `validation:` of the line.
        version: the data version that the manifest was read from; recorded, not looked up.

    Returns:
        A record, always; `record.failed` names the checks that did not pass.
    """
    digest = ClassDigest("")
    outcomes: dict[str, Outcome] = {}
    try:
        from patchae.dataset.manifest import class_digest

        frame = facts(manifest, class_name)
        digest = class_digest(manifest)
        suite = statements(rules)
        outcomes = evaluate(frame, suite)
        checks = _checks(suite, outcomes, manifest)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, nothing was proven
        checks = (_evaluated([describe(error)]),)
    return ValidationRecord(
        class_name=class_name,
        data_version=version,
        class_digest=digest,
        passed=all(check.passed for check in checks),
        checks=checks,
        counts=Counts(
            *(
                outcomes[f"enough_{part}"].found if outcomes else 0
                for part in ("train_good", "test_good", "test_defect")
            )
        ),
        rules_sha256=_rules_digest(rules),
        suite_sha256=suite_digest(rules),
        great_expectations=_great_expectations(),
    )


def reusable(record: ValidationRecord, class_digest: ClassDigest, rules: Validation) -> bool:
    """Whether checking these images under these rules again would give the same checks.

    False when the images, the rules, the suite, its source or Great Expectations changed, or when
    a check could not be carried out, which another attempt may mend. Great Expectations is not
    imported to find out.
    """
    return (
        record.class_digest == class_digest
        and record.rules_sha256 == _rules_digest(rules)
        and record.suite_sha256 == suite_digest(rules)
        and record.great_expectations == _great_expectations()
        and all(check.passed for check in record.checks if check.code == EVALUATED)
    )


def store(project: Project, record: ValidationRecord) -> Path:
    """Write the record where `load` finds it, in one step; an older one is replaced."""
    path = _path(project, record.data_version, record.class_name)
    write_json(path, record.to_dict())
    return path


def load(project: Project, version: DataVersion, class_name: str) -> ValidationRecord | None:
    """The stored record of a class of a data version.

    None if there is none, and also if the file holds anything else than that very record: then
    the images count as not validated.
    """
    try:
        text = _path(project, version, class_name).read_text(encoding="utf-8")
        record = ValidationRecord.from_dict(json.loads(text))
    except (FileNotFoundError, ValueError):
        return None
    same = (record.data_version, record.class_name) == (version, class_name)
    return record if same else None


def _path(project: Project, version: DataVersion, class_name: str) -> Path:
    return project.validations / version / f"{class_name}.json"


def _rules_digest(rules: Validation) -> Sha256:
    return digest_json(rules.model_dump(mode="json"))


def _great_expectations() -> str:
    return installed_version("great_expectations")


def _checks(
    suite: Sequence[Statement], outcomes: dict[str, Outcome], manifest: pd.DataFrame
) -> tuple[Check, ...]:
    skipped = [
        f"{code}: {outcome.problem}" for code, outcome in outcomes.items() if outcome.problem
    ]
    return (
        _evaluated(skipped),
        *(_check(statement, outcomes[statement.code], manifest) for statement in suite),
    )


def _evaluated(problems: Sequence[str]) -> Check:
    reasons = "; ".join(problems[:3])
    return Check(
        code=EVALUATED,
        title="Every check could be carried out",
        passed=not problems,
        found=len(problems),
        paths=(),
        expected=f"none left out; {reasons}" if problems else "none left out",
    )


def _check(statement: Statement, outcome: Outcome, manifest: pd.DataFrame) -> Check:
    expected = statement.expected
    if outcome.problem:
        expected = f"{expected}; could not be checked: {outcome.problem}"
    elif statement.code == "decodable" and not outcome.met:
        expected = f"{expected}; {_why_not_decodable(manifest)}"
    return Check(
        code=statement.code,
        title=statement.title,
        passed=outcome.met,
        found=outcome.found,
        paths=outcome.paths[:MAX_PATHS],
        expected=expected,
    )


def _why_not_decodable(manifest: pd.DataFrame) -> str:
    """The reasons of the first images that cannot be decoded, each once."""
    reasons = dict.fromkeys(describe(str(problem)) for problem in manifest["problem"].dropna())
    return "first reasons: " + " | ".join(list(reasons)[:3])
