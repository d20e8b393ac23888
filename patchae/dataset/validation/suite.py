"""The suite: every check under the limits of a line, in the order in which people read it.

Because it is plain data, its digest is known without importing Great Expectations, which takes
seconds.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.checks import SEVERITIES, Severity
from patchae.dataset.validation import about_class, about_images
from patchae.dataset.validation.statement import Statement
from patchae.files import digest_json, sha256_file
from patchae.types import Sha256

if TYPE_CHECKING:
    from patchae.config import Validation

_SOURCES = (
    *("facts.py", "likeness.py", "strays.py", "drift.py", "evaluate.py", "validate.py"),
    *("../looks.py", "../picture.py", "../misfits.py"),
)
"""Files that decide, besides the suite itself, what a check finds: they judge, and measure."""


def statements(rules: Validation) -> tuple[Statement, ...]:
    """All checks that are not ignored."""
    every = (
        *about_class.about_layout(),
        *about_images.about_files(rules),
        *about_images.about_form(rules),
        *about_images.about_looks(rules),
        *about_class.about_counts(rules),
        *about_class.about_masks(rules),
        *about_class.about_fairness(rules),
        *about_class.about_strays(),
        *about_class.about_drift(rules),
    )
    return tuple(one for one in every if rules.severity.get(one.code) != "ignore")


def severity(code: str, rules: Validation) -> Severity:
    """How bad it is when a check does not pass: what the line says, or the default."""
    chosen = rules.severity.get(code, SEVERITIES[code])
    return "warning" if chosen == "warning" else "error"


def suite_digest(rules: Validation) -> Sha256:
    """sha256 over the suite under these rules and over the source that evaluates it.

    Two records with the same digest were made by the same checks.
    """
    here = Path(__file__).parent
    return digest_json(
        {
            "statements": [asdict(statement) for statement in statements(rules)],
            "source": {name: sha256_file(here / name) for name in _SOURCES},
        }
    )
