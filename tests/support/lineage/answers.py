"""Reading the answer of an audit, and changing a file behind its back."""

from __future__ import annotations

from pathlib import Path

from patchae.lineage.audit import Audit

OF_THE_RECORD = {
    *("registered", "verdict_recomputed", "mlflow", "times", "model_files", "manifest"),
    *("data_version", "validation", "scores", "evaluation", "split", "environment"),
    "threshold",
}
"""Links that read the lineage record and can say nothing without it."""
OF_THE_LEDGER = {
    *("ledger_chain", "registered", "champion", "verdict", "verdict_recomputed", "mlflow"),
    *("times", "threshold"),
}
"""Links that can say nothing without the ledger."""


def broken(result: Audit) -> dict[str, str]:
    """The broken links, each with its detail."""
    return {link.code: link.detail for link in result.broken}


def not_checkable(result: Audit) -> set[str]:
    """The links about which nothing could be said."""
    return {link.code for link in result.not_checkable}


def detail(result: Audit, code: str) -> str:
    """What the audit says on one link."""
    return next(link.detail for link in result.links if link.code == code)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is there, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
