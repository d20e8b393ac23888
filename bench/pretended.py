"""Model versions that nobody trained: everything that an audit reads, and no weights.

Scores are drawn, so that every version is a little better or worse than its champion; verdicts and
promotions are those of the gates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.pretended_parts import (
    MODEL_FILES,
    counts_of,
    evaluation_of,
    files_of,
    scores_of,
    split_of,
    validation_of,
)
from patchae.config import Gates, Training
from patchae.dataset.manifest import DTYPES, class_digest, to_csv
from patchae.evidence.scores import SCORES_FILE, read_scores
from patchae.files import digest_json, sha256_bytes, write_bytes, write_json, write_text
from patchae.lineage import record as lineage
from patchae.lineage.environment import COMPONENTS_FILE, components
from patchae.lineage.probe import FOLDER as PROBE
from patchae.lineage.probe import probe_of
from patchae.lineage.split_file import SPLIT_FILE
from patchae.project import Project, prepare_environment
from patchae.registry.evidence import evidence_of, rival_of
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.standing import champion_of
from patchae.registry.tracking import TAG, Tracking
from patchae.registry.verdict import rival_scores_file
from patchae.types import ClassDigest, DataVersion

if TYPE_CHECKING:
    from bench.plant import Picture

GATES = Gates(min_image_auroc=0.5, max_drop=0.2, max_false_alarms=1.0, broken_promise="allow")
PACKAGES = {f"package-{number}": f"{number}.0" for number in range(250)}


class Pretended:
    """The registry of a plant."""

    def __init__(self, project: Project, stored: Callable[[str], bytes]) -> None:
        """`stored` gives the content of an image by its md5."""
        prepare_environment(project)
        self._stored = stored
        self.count = 0
        self._now = datetime.min.replace(tzinfo=UTC)
        self._ledger = Ledger(project.ledger, clock=self._clock)
        self._tracking = Tracking.open(project)
        self._aliases = _Aliases()
        self._components = components(PACKAGES)
        self._made: dict[tuple[str, str], tuple[pd.DataFrame, str, ClassDigest]] = {}

    def _clock(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def train(
        self,
        line: str,
        name: str,
        pictures: Sequence[Picture],
        version: DataVersion,
        made: datetime,
    ) -> None:
        """Register, judge and perhaps promote one version of a model."""
        self.count += 1
        self._now = max(self._now, made + timedelta(hours=1))
        model = f"{line}.{name}"
        manifest, text, digest = self._manifest(name, pictures, version)
        key = sha256_bytes(f"{line} {digest}".encode())
        own = {"line": line, "class": name, "data_version": version, "training_key": key}
        run = self._start(line, own)
        entries = self._ledger.entries(model)
        champion = champion_of(entries).current
        client = self._tracking.client
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            record = self._write(
                folder,
                version,
                line=line,
                name=name,
                key=key,
                run=run,
                manifest=manifest,
                manifest_csv=text,
                digest=digest,
            )
            rows = read_scores((folder / SCORES_FILE).read_text())
            probe = probe_of(rows).path
            (md5,) = (one.md5 for one in pictures if one.path == probe)
            write_bytes(folder / PROBE / Path(probe).name, self._stored(md5))
            rival, rival_digest = None, None
            if champion is not None:
                theirs = scores_of(manifest, self.count - 1)
                rival_digest = sha256_bytes(theirs.encode())
                write_text(folder / rival_scores_file(champion, rival_digest), theirs)
                rival = rival_of(champion, rows, read_scores(theirs), then=None, data_recorded=None)
            client.log_artifacts(run, temporary)
        self._finish(run, record)
        if not entries:
            client.create_registered_model(model)
        lineage_sha256 = digest_json(record)
        registered = client.create_model_version(
            model,
            f"{client.get_run(run).info.artifact_uri}/model",
            run,
            tags={
                TAG + tag: value for tag, value in {**own, "lineage_sha256": lineage_sha256}.items()
            },
        )
        number = str(registered.version)
        body = {
            "version": number,
            "run_id": run,
            "training_key": key,
            "lineage_sha256": lineage_sha256,
        }
        self._ledger.append("registered", model, body, "bench")
        evidence = evidence_of(
            rows,
            champion=rival,
            ms_per_image=record["evaluation"]["ms_per_image"],
            validation_passed=True,
            lineage_complete=True,
            data_recorded=None,
            promised=record["training"]["settings"]["false_alarm_rate"],
        )
        verdict = self._ledger.append(
            "verdict",
            model,
            judge(evidence, GATES).to_body(
                number,
                scores_sha256=record["evaluation"]["scores_sha256"],
                champion_scores_sha256=rival_digest,
            ),
            "bench",
        )
        if verdict.body["outcome"] == "promote":
            promote(self._ledger, self._aliases, model, number, verdict=verdict, actor="bench")

    def _start(self, line: str, own: Mapping[str, str]) -> str:
        """A run in MLflow that starts at the moment of the plant."""
        run = self._tracking.client.create_run(
            self._tracking.experiment(line),
            start_time=self._milliseconds(),
            tags={TAG + tag: value for tag, value in own.items()},
        )
        return str(run.info.run_id)

    def _finish(self, run: str, record: Mapping[str, Any]) -> None:
        """What MLflow shows of a training: parameters, metrics, and that it ended."""
        from mlflow.entities import Metric, Param

        params = {**record["training"]["settings"], "device": record["environment"]["device"]}
        metrics = {**record["evaluation"], "training_seconds": record["training"]["seconds"]}
        at = self._milliseconds()
        self._tracking.client.log_batch(
            run,
            params=[Param(key, str(value)) for key, value in params.items()],
            metrics=[
                Metric(key, value, at, 0)
                for key, value in metrics.items()
                if isinstance(value, int | float)
            ],
        )
        self._tracking.client.set_terminated(run, end_time=at)

    def _milliseconds(self) -> int:
        return int(self._now.timestamp() * 1000)

    def set_aliases(self) -> None:
        """Have MLflow show what the ledger says."""
        for model, aliases in self._aliases.models.items():
            for alias, version in aliases.items():
                self._tracking.aliases.set(model, alias, version)

    def _manifest(
        self, name: str, pictures: Sequence[Picture], version: DataVersion
    ) -> tuple[pd.DataFrame, str, ClassDigest]:
        if (name, version) not in self._made:
            rows = []
            for one in sorted(pictures, key=lambda one: one.path):
                _, split, defect, _ = one.path.split("/")
                rows.append(
                    [name, split, defect, one.path, one.sha256, one.md5, one.bytes, 64, 64, "RGB"]
                )
            frame = pd.DataFrame(rows, columns=list(DTYPES)[: len(rows[0])], dtype=object)
            frame = frame.reindex(columns=list(DTYPES))
            frame = frame.astype(object).where(frame.notna(), None).astype(DTYPES)
            self._made = {
                key: value for key, value in self._made.items() if key[1] == version
            }  # the classes of one data version are shared by several lines
            self._made[name, version] = frame, to_csv(frame), class_digest(frame)
        return self._made[name, version]

    def _write(
        self,
        folder: Path,
        version: DataVersion,
        *,
        line: str,
        name: str,
        key: str,
        run: str,
        manifest: pd.DataFrame,
        manifest_csv: str,
        digest: ClassDigest,
    ) -> dict[str, Any]:
        """All artifacts of a run, its model among them; returns the lineage record."""
        counts = counts_of(manifest)
        validation = validation_of(name, version, digest, counts)
        scores = scores_of(manifest, self.count)
        split = split_of(manifest)
        write_text(folder / "manifest.csv", manifest_csv)
        write_json(folder / "validation.json", validation.to_dict())
        write_text(folder / SCORES_FILE, scores)
        write_text(folder / SPLIT_FILE, split)
        write_text(folder / COMPONENTS_FILE, self._components)
        for file, content in MODEL_FILES.items():
            (folder / "model" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "model" / file).write_bytes(content)
        head = self._ledger.head()
        record = lineage.build(
            line=line,
            class_name=name,
            training_key=key,
            data={
                "version": version,
                "class_digest": digest,
                "manifest_sha256": sha256_bytes(manifest_csv.encode()),
                "images": {
                    "train_good": counts.train_good,
                    "test_good": counts.test_good,
                    "test_defect": counts.test_defect,
                },
            },
            validation={
                "sha256": validation.digest,
                "passed": True,
                "checks": len(validation.checks),
                "findings": [],
            },
            source={
                "git_commit": None,
                "git_clean": None,
                "model_source_sha256": "0" * 64,
                "patchae_version": "0",
                "lock_sha256": None,
            },
            environment={
                "python": "3",
                "platform": "none",
                "device": "cpu",
                "device_name": "none",
                "driver": None,
                "threads": 1,
                "packages": PACKAGES,
                "components_sha256": sha256_bytes(self._components.encode()),
            },
            training={
                "settings": Training().model_dump(mode="json"),
                "backbone": Training().backbone,
                "weights_sha256": "0" * 64,
                "seed": 0,
                "torch": "0",
                "seconds": 1.0,
                "learned": split.count(",learned\n"),
                "calibration": split.count(",calibration\n"),
                "split_sha256": sha256_bytes(split.encode()),
            },
            evaluation=evaluation_of(scores),
            policy=GATES.model_dump(mode="json"),
            ledger={"seq": head.seq, "digest": head.digest} if head else None,
            files=files_of(folder / "model"),
            run={
                "mlflow_run_id": run,
                "prefect_flow_run_id": None,
                "prefect_deployment": None,
                "work_pool": None,
                "host": "bench",
                "trigger": "schedule",
                "reason": "",
                "actor": "bench",
                "started": self._now.isoformat(),
                "finished": self._now.isoformat(),
            },
        )
        if absent := lineage.missing(record):
            raise AssertionError(f"the pretended record lacks {', '.join(absent)}")
        write_json(folder / LINEAGE_FILE, record)
        return record


class _Aliases:
    """MLflow's aliases in memory: only where they end is written there."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {}

    def get(self, model: str) -> Mapping[str, str]:
        return dict(self.models.get(model, {}))

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        return True  # nobody deletes a version of a plant that is pretended

    def check_may_move(self, model: str) -> None:
        """Whoever makes a plant may do everything."""

    def set(self, model: str, alias: str, version: str) -> None:
        self.models.setdefault(model, {})[alias] = version

    def delete(self, model: str, alias: str) -> None:
        self.models[model].pop(alias)
