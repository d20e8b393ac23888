"""What a retraining needs at its end, tried before anything is trained; `patchae doctor` tries it.

Nothing is left behind but a tag of the line's experiment: the file among MLflow's artifacts is
removed, if this account may, and the row of the ledger is taken back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from patchae.errors import AuditBroken
from patchae.network import shown
from patchae.registry.ledger import Ledger
from patchae.registry.mlflow_answers import absent, translated
from patchae.registry.tracking import TAG, Tracking

if TYPE_CHECKING:
    from patchae.registry.chain import Kind

NOBODY = "patchae-doctor"
"""A name that no model, no alias and no account has."""
REGISTERED: dict[str, Any] = {
    "version": "0",
    "run_id": "",
    "training_key": "",
    "lineage_sha256": "",
}
"""The body of a row that is never kept."""


def require_stores(line: str, tracking: Tracking, ledger: Ledger) -> None:
    """Make sure that versions of a line can be registered.

    Raises:
        UsageError: its experiment was deleted in MLflow.
        AccessRefused: this account may not.
        StoreUnreachable: MLflow, its store of artifacts or the ledger cannot be written.
    """
    tracking.require_writable(line)
    append_nothing(ledger, "registered", REGISTERED)


def require_model(model: str, tracking: Tracking, ledger: Ledger) -> None:
    """Make sure that the next version of a model can be registered.

    MLflow must number it on from what the ledger has. The model has a tag afterwards.

    Raises:
        AccessRefused: this account may not change it.
        AuditBroken: the model was deleted in MLflow, so that numbers would be given twice.
    """
    rows = ledger.entries(model, kinds=["registered"])
    if not rows:
        return
    from mlflow.exceptions import MlflowException

    with translated(tracking.uri):
        try:
            tracking.client.set_registered_model_tag(model, f"{TAG}model", model)
        except MlflowException as error:
            if not absent(error):
                raise
            versions = ", ".join(row.body["version"] for row in rows)
            raise AuditBroken(
                f"the model {model} was deleted in MLflow: the ledger has registered its versions"
                f" {versions}, and MLflow would give these numbers again",
                where=shown(tracking.uri),
                mend="restore MLflow from a backup; without one, give the line another name in"
                " lines.yaml: its models begin anew",
            ) from None


def append_nothing(ledger: Ledger, kind: Kind, body: dict[str, Any]) -> None:
    """Append a row and take it back.

    Raises:
        AccessRefused: this account may not.
        StoreUnreachable: the ledger cannot be written.
    """
    with suppress(_TakenBack), ledger.transaction() as transaction:
        transaction.append(kind, NOBODY, body, NOBODY)
        raise _TakenBack


class _TakenBack(Exception):
    """Ends a transaction so that nothing of it is kept."""
