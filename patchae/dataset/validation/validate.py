"""Decide whether the images of one class may be trained on, and keep that decision.

Fails closed: what cannot be checked has not passed. `validate` always returns a record; images
that break a rule, a manifest that is no manifest and a failure inside Great Expectations all give
one that did not pass and says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset.validation.drift import Appearance
from patchae.dataset.validation.evaluate import Outcome, describe, evaluate
from patchae.dataset.validation.record import (
    EVALUATED,
    MAX_PATHS,
    Check,
    Counts,
    ValidationRecord,
)
from patchae.dataset.validation.statement import Statement, Table
from patchae.dataset.validation.suite import severity, statements, suite_digest
from patchae.evidence.auroc import Measured
from patchae.files import digest_json, write_json
from patchae.types import ClassDigest, DataVersion

if TYPE_CHECKING:
    import pandas as pd

    from patchae.config import Validation
    from patchae.project import Project

_PARTS = ("train_good", "test_good", "test_defect")
_LIBRARIES = ("great_expectations", "pillow", "numpy", "pandas")


def validate(
    manifest: pd.DataFrame,
    class_name: str,
    rules: Validation,
    version: DataVersion,
    *,
    strays: Mapping[str, str] | None = None,
    before: ValidationRecord | None = None,
) -> ValidationRecord:
    """Check the manifest of one class against the rules of its line.

    Args:
        manifest: one row per image, as `read_manifest` returns it.
        class_name: the class that every row must belong to.
        rules: `validation:` of the line.
        version: the data version that the manifest was read from; recorded, not looked up.
        strays: what lies beside the images, as `strays` finds it; by default nothing does.
        before: the record of the class in the data version before, to measure drift from.

    Returns:
        A record, always; `record.failed` names the checks that stop the class.
    """
    digest = ClassDigest("")
    outcomes: dict[str, Outcome] = {}
    now: Appearance | None = None
    counts = Counts(0, 0, 0)
    try:
        from patchae.dataset.manifest import class_digest
        from patchae.dataset.validation import drift
        from patchae.dataset.validation import strays as lying_about
        from patchae.dataset.validation.facts import facts

        frame = facts(manifest, class_name, rules.near_copy)
        digest = class_digest(manifest)
        suite = statements(rules)
        now = drift.appearance(frame)
        past = before.appearance if before else None
        tables: dict[Table, pd.DataFrame] = {
            "images": frame,
            "strays": lying_about.table(strays or {}),
            "class": drift.table(f"{class_name}/train/good", now, past),
        }
        outcomes = evaluate(tables, suite)
        counts = Counts(*(int(frame[part].sum()) for part in _PARTS))
        checks = _checks(suite, outcomes, manifest, rules)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, nothing was proven
        now, counts, checks = None, Counts(0, 0, 0), (_evaluated([describe(error)]),)
    return ValidationRecord(
        class_name=class_name,
        data_version=version,
        class_digest=digest,
        compared_with=before.data_version if before else None,
        passed=not any(check.word == "FAILED" for check in checks),
        checks=checks,
        counts=counts,
        appearance=now,
        strays_sha256=digest_json(dict(strays or {})),
        rules=rules.model_dump(mode="json"),
        suite_sha256=suite_digest(rules),
        versions=_versions(),
    )


def reusable(
    record: ValidationRecord,
    class_digest: ClassDigest,
    rules: Validation,
    strays: Mapping[str, str] | None = None,
    before: ValidationRecord | None = None,
) -> bool:
    """Whether checking these images under these rules again would give the same checks.

    False when the images, what lies beside them, the rules, the version before, the suite, its
    source or a library changed, or when a check could not be carried out, which another attempt
    may mend. Great Expectations is not imported to find out.
    """
    return (
        record.class_digest == class_digest
        and record.rules == rules.model_dump(mode="json")
        and record.suite_sha256 == suite_digest(rules)
        and record.versions == _versions()
        and record.compared_with == (before.data_version if before else None)
        and record.strays_sha256 == digest_json(dict(strays or {}))
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


def _versions() -> dict[str, str]:
    return {name: installed_version(name) for name in _LIBRARIES}


def _checks(
    suite: Sequence[Statement],
    outcomes: Mapping[str, Outcome],
    manifest: pd.DataFrame,
    rules: Validation,
) -> tuple[Check, ...]:
    skipped = [
        f"{code}: {outcome.problem}" for code, outcome in outcomes.items() if outcome.problem
    ]
    return (
        _evaluated(skipped),
        *(_check(one, outcomes, manifest, rules) for one in suite),
    )


def _evaluated(problems: Sequence[str]) -> Check:
    reasons = "; ".join(problems[:3])
    return Check(
        code=EVALUATED,
        severity="error",
        title="Every check could be carried out",
        passed=not problems,
        found=len(problems),
        paths=(),
        expected=f"none left out; {reasons}" if problems else "none left out",
        mend="run the command again; if it stays, report a defect of patchae",
    )


def _check(
    statement: Statement,
    outcomes: Mapping[str, Outcome],
    manifest: pd.DataFrame,
    rules: Validation,
) -> Check:
    outcome, expected = outcomes[statement.code], statement.expected
    # A check that is ignored counts nothing.
    good, defective = (
        outcomes[code].found if code in outcomes else 0
        for code in ("enough_test_good", "enough_test_defect")
    )
    if outcome.problem:
        expected = f"{expected}; could not be checked: {outcome.problem}"
    elif statement.code in {"decodable", "masks_decodable"} and not outcome.met:
        expected = f"{expected}; {_reasons(manifest, outcome.paths)}"
    elif statement.code in {"enough_test_good", "enough_test_defect"} and good and defective:
        low, _ = Measured(good, defective, 1.0, 0.0, 0.0).interval()
        expected = f"{expected}; an AUROC of 1 on these would lie above {low:.3f} (95 %)"
    return Check(
        code=statement.code,
        severity=severity(statement.code, rules),
        title=statement.title,
        passed=outcome.met,
        found=outcome.found,
        paths=outcome.paths[:MAX_PATHS],
        expected=expected,
        mend=statement.mend,
    )


def _reasons(manifest: pd.DataFrame, paths: Sequence[str]) -> str:
    """Why the first images cannot be decoded, each reason once."""
    problems = manifest.loc[manifest["path"].isin(paths), "problem"]
    reasons = dict.fromkeys(describe(str(problem)) for problem in problems)
    return "first reasons: " + " | ".join(list(reasons)[:3])
