"""The audit: whether everything behind a model version still holds, recomputed link by link.

Nothing is trusted that can be computed again. An audit always answers: what contradicts breaks its
link, what could not be reached makes it not checkable, and neither stops the other links.
"""

from __future__ import annotations

from collections.abc import Callable

from patchae.errors import PatchaeError, StoreUnreachable
from patchae.lineage import contents, decisions, recomputed, thresholds
from patchae.lineage.material import (
    Audit,
    Broken,
    Facts,
    Link,
    Material,
    NotCheckable,
    State,
    Unreachable,
)
from patchae.lineage.mlflow_side import mlflow
from patchae.lineage.stored_images import data_version
from patchae.lineage.times import times

__all__ = ["LINKS", "Audit", "Link", "Material", "Unreachable", "audit"]

LINKS: dict[str, tuple[str, Callable[[Facts], str]]] = {
    "ledger_chain": ("The ledger is unaltered", decisions.ledger_chain),
    "registered": ("The ledger recorded this version", decisions.registered),
    "champion": ("MLflow's aliases follow the ledger", decisions.champion),
    "verdict": ("The version was judged before it was used", decisions.verdict),
    "verdict_recomputed": ("The verdict follows from the scores", recomputed.verdict_recomputed),
    "threshold": ("The threshold in use is the one in the ledger", thresholds.threshold),
    "lineage_record": ("The lineage record is complete and unaltered", decisions.lineage_record),
    "mlflow": ("MLflow shows what the record says", mlflow),
    "times": ("Everything happened in its order", times),
    "model_files": ("The model's files are unaltered", contents.model_files),
    "probe": ("The image to try the model with is one of its tests", recomputed.probe),
    "manifest": ("The list of images is unaltered", contents.manifest),
    "data_version": ("The images are in their data version and stored", data_version),
    "validation": ("The images passed validation", contents.validation),
    "scores": ("Exactly the test images were scored", contents.scores),
    "evaluation": ("The record's results follow from the scores", recomputed.evaluation),
    "split": ("No image is in both training and test", contents.split),
    "environment": ("The list of components is unaltered", contents.environment),
}
"""Every link in order: its code, its title and its check. `docs/audit.md` explains each."""


def audit(material: Material) -> Audit:
    """Check every link of one version. Never raises for what it finds."""
    facts = Facts(material)
    links = (_link(code, title, check, facts) for code, (title, check) in LINKS.items())
    return Audit(material.model, material.version, tuple(links))


def _link(code: str, title: str, check: Callable[[Facts], str], facts: Facts) -> Link:
    state: State = "broken"
    try:
        state, detail = "intact", check(facts)
    except NotCheckable as reason:
        state, detail = "not_checkable", str(reason)
    except Broken as reason:
        detail = str(reason)
    except StoreUnreachable as error:
        state, detail = "not_checkable", error.what
    except PatchaeError as error:
        detail = error.what
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        # A document of another shape than ours was put in place of one that we wrote.
        detail = f"cannot be read: {type(error).__name__}: {error}"
    return Link(code, title, state, detail)
