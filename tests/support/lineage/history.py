"""The ledger of a version that `builder` makes: registered, judged and promoted in May 2026."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from patchae.config import Gates
from patchae.evidence.scores import Scored, read_scores
from patchae.files import sha256_bytes, write_text
from patchae.lineage.record import digest
from patchae.registry.chain import Entry
from patchae.registry.evidence import evidence_of, rival_of
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.operating import table
from patchae.registry.promotion import promote
from patchae.registry.verdict import rival_scores_file
from tests.support.registry.memory import MODEL, MemoryAliases, judged

LAX = Gates(min_image_auroc=0.5, max_false_alarms=1, max_drop=1)
RUN = "4d1f0c6e9a5b4a3f8f5f2f3e6f7a8b9c"


class History:
    """Writes the rows: those before the training, and those after it."""

    def __init__(self, file: Path) -> None:
        self._now = datetime(2026, 5, 1, 9, tzinfo=UTC)
        self.ledger = Ledger(file, clock=self._clock)
        self.aliases = MemoryAliases()
        self.version = "1"
        self._rows: dict[str, Entry] = {}

    def _clock(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now

    def begin(self, *, champion: bool) -> None:
        """A row of another model, and with `champion` a version 1 that is in use."""
        keys = ("outcome", "reasons", "evidence", "policy", "champion")
        other = dict.fromkeys((*keys, "scores_sha256", "champion_scores_sha256"))
        self.ledger.append("verdict", "other.model", {**other, "version": "1"}, "tester")
        if champion:
            body = {"run_id": "1" * 32, "training_key": "1" * 64, "lineage_sha256": "1" * 64}
            self.ledger.append("registered", MODEL, {**body, "version": "1"}, "tester")
            row = judged(self.ledger, "1")
            promote(self.ledger, self.aliases, MODEL, "1", verdict=row, actor="tester")
            self.version = "2"

    def newest(self) -> dict[str, Any] | None:
        """What a record says of the ledger."""
        head = self.ledger.head()
        return {"seq": head.seq, "digest": head.digest} if head else None

    def decide(
        self, record: dict[str, Any], rows: list[Scored], own: str | None, *, ignored_gate: bool
    ) -> None:
        """Register, judge and promote, whatever the gate says; `ignored_gate` asks for too much.

        `own` are the champion's scores, as CSV.
        """
        self._now = datetime(2026, 5, 1, 10, 1, tzinfo=UTC)
        body = {
            "version": self.version,
            "run_id": record["run"]["mlflow_run_id"],
            "training_key": record["training_key"],
            "lineage_sha256": digest(record),
        }
        self._rows["registered"] = self.ledger.append("registered", MODEL, body, "tester")
        beside = (
            rival_of("1", rows, read_scores(own), then=None, data_recorded=None) if own else None
        )
        evidence = evidence_of(
            rows,
            champion=beside,
            ms_per_image=record["evaluation"]["ms_per_image"],
            validation_passed=record["validation"]["passed"],
            lineage_complete=True,
            data_recorded=None,
            promised=(rate := record["training"]["settings"]["false_alarm_rate"]),
            operating=table(rows, record["evaluation"]["threshold"], rate, ()),
        )
        verdict = judge(evidence, Gates(min_image_auroc=0.995) if ignored_gate else LAX)
        if verdict.outcome != "promote":
            honest = judge(evidence.model_copy(update={"validation_passed": True}), LAX)
            verdict = replace(verdict, outcome="promote", reasons=honest.reasons)
        body = verdict.to_body(
            self.version,
            scores_sha256=record["evaluation"]["scores_sha256"],
            champion_scores_sha256=sha256_bytes(own.encode()) if own else None,
        )
        row = self._rows["verdict"] = self.ledger.append("verdict", MODEL, body, "tester")
        promote(self.ledger, self.aliases, MODEL, self.version, verdict=row, actor="tester")

    def links(self) -> Mapping[str, str]:
        """The tags of the version in MLflow that lead to its rows."""
        return {
            f"patchae.ledger_{name}": f"{row.seq}:{row.digest}" for name, row in self._rows.items()
        }


def champion_scores(artifacts: Path, scores: str) -> str:
    """Scores of champion 1 on the same images, other than `scores`, kept as artifact; as CSV."""
    own = scores.replace(",0.1,", ",0.15,").replace(",0.65,", ",0.55,")
    assert own != scores
    write_text(artifacts / rival_scores_file("1", sha256_bytes(own.encode())), own)
    return own
