"""The aliases of models in memory, and rows as the flows write them."""

from __future__ import annotations

from typing import Any

from patchae.config import Gates
from patchae.errors import StoreUnreachable
from patchae.evidence.auroc import Measured
from patchae.evidence.paired import Paired
from patchae.registry.aliases import Aliases
from patchae.registry.evidence import Alarms, Evidence, Rival
from patchae.registry.gates import judge
from patchae.registry.ledger import Entry, Ledger
from patchae.registry.promotion import promote
from patchae.registry.standing import champion_of

MODEL = "sample.bolt"


class MemoryAliases:
    """What MLflow keeps of aliases. `calls` counts changes, `gone` are deleted versions, `runs`
    the runs of versions of which a test says that."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {}
        self.calls = 0
        self.gone: set[str] = set()
        self.runs: dict[str, str] = {}
        self.tags: dict[tuple[str, str], dict[str, str]] = {}

    def get(self, model: str) -> dict[str, str]:
        return dict(self.models.get(model, {}))

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        return version not in self.gone and (run is None or self.runs.get(version, run) == run)

    def check_may_move(self, model: str) -> None:
        """Everybody may."""

    def set(self, model: str, alias: str, version: str) -> None:
        if version in self.gone:
            raise StoreUnreachable(f"MLflow cannot be used: version {version} not found")
        self.calls += 1
        self.models.setdefault(model, {})[alias] = version

    def tag(self, model: str, version: str, name: str, value: str | None) -> None:
        self.calls += 1
        tags = self.tags.setdefault((model, version), {})
        tags.pop(name, None)
        if value is not None:
            tags[name] = value

    def delete(self, model: str, alias: str) -> None:
        self.calls += 1
        del self.models[model][alias]

    def lose(self, version: str) -> None:
        """Delete a version: its aliases go with it."""
        self.gone.add(version)
        for model, known in self.models.items():
            self.models[model] = {alias: at for alias, at in known.items() if at != version}


def measured(auroc: float, n: int = 40, m: int = 60) -> Measured:
    """An AUROC as so many images show it, with a scatter that is usual for it."""
    scatter = 0.15 * auroc * (1 - auroc)
    return Measured(n, m, auroc, scatter, scatter)


def rival(
    auroc: float | None, champion_auroc: float | None, version: str = "2", **changes: Any
) -> Rival:
    """A champion beside a challenger whose scores go together with its own."""
    counts = {key: changes.pop(key) for key in ("n", "m") if key in changes}
    paired = None
    if auroc is not None and champion_auroc is not None:
        one, two = measured(auroc, **counts), measured(champion_auroc, **counts)
        together = 0.8 * min(one.good_variance, two.good_variance)
        paired = Paired(one, two, together, together, alike=False)
    values: dict[str, Any] = {
        "version": version,
        "paired": paired,
        "image_auroc_then": None,
        "same_images": None,
        "data_recorded": None,
        "problem": "",
    }
    return Rival(**{**values, **changes})


def evidence(auroc: float | None = 0.97, **changes: Any) -> Evidence:
    """Evidence that promotes, unless changed; `champion_auroc` puts champion 2 beside it."""
    n, m = changes.pop("n_good", 40), changes.pop("n_defect", 60)
    known = auroc is not None and min(n, m) > 1
    champion_auroc = changes.pop("champion_auroc", None)
    version = changes.pop("champion_version", "2")
    values: dict[str, Any] = {
        "n_good": n,
        "n_defect": m,
        "image_auroc": measured(auroc, n, m) if known and auroc is not None else None,
        "false_alarms": Alarms(0, n),
        "recall": {"hole": Alarms(m, m)},
        "ms_per_image": 31.0,
        "validation_passed": True,
        "lineage_complete": True,
        "data_recorded": None,
        "seeds": {},
        "champion": None
        if champion_auroc is None
        else rival(auroc if known else None, champion_auroc, version, n=n, m=m),
    }
    return Evidence(**{**values, **changes})


def move(to: str, **changes: Any) -> dict[str, Any]:
    """The body of a promotion to a version, unless changed."""
    body = {"to": to, "from": None, "why": "promoted", "reason": "", "verdict": None}
    return {**body, **changes}


def judged(ledger: Ledger, version: str, auroc: float = 0.97, **changes: Any) -> Entry:
    """Judge a version against the champion of the moment and write the verdict."""
    champion = champion_of(ledger.entries(MODEL)).current
    beside = {"champion_auroc": 0.97, "champion_version": champion} if champion else {}
    verdict = judge(evidence(auroc, **{**beside, **changes}), Gates())
    body = verdict.to_body(
        version, scores_sha256="a" * 64, champion_scores_sha256="b" * 64 if champion else None
    )
    return ledger.append("verdict", MODEL, body, "tester")


def promoted(ledger: Ledger, aliases: Aliases, *versions: str) -> Entry:
    """Judge and promote versions, one after the other."""
    for version in versions:
        move = promote(
            ledger, aliases, MODEL, version, verdict=judged(ledger, version), actor="ann"
        )
    return move
