"""What made a version, in the words of other systems: in-toto Statement v1 with SLSA provenance v1.

    statement   the model's files are the subject; the training is the build that made them
    envelope    DSSE 1.0 around it, signed with the key of the ledger (Ed25519)

The statement is made from the lineage record alone. `docs/attestation.md` says what stands where
and what the build type `urn:patchae.training:1` means.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from patchae.files import canonical_json
from patchae.lineage.record import LineageRecord, digest
from patchae.registry.signing import Signer

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:patchae.training:1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(content: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The statement on a version.

    Args:
        content: the JSON of `lineage.json`.
        version: its number, which the record does not hold.

    Raises:
        ValueError: the record is not complete.
    """
    record = LineageRecord.model_validate(content)
    run, training = record.run, record.training
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": f"{record.model}/{version}/{path}", "digest": {"sha256": file.sha256}}
            for path, file in sorted(record.files.items())
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "line": record.line,
                    "class": record.class_name,
                    "settings": training.settings,
                },
                "internalParameters": {
                    "training_key": record.training_key,
                    "device": record.environment.device,
                    "threads": record.environment.threads,
                    "python": record.environment.python,
                    "platform": record.environment.platform,
                },
                "resolvedDependencies": list(_dependencies(record)),
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:patchae.host:{run.host}",
                    "version": {"patchae": record.source.patchae_version},
                },
                "metadata": {
                    "invocationId": run.prefect_flow_run_id or run.mlflow_run_id,
                    "startedOn": _time(run.started),
                    "finishedOn": _time(run.finished),
                },
                "byproducts": [
                    {
                        "name": "lineage.json",
                        "digest": {"sha256": digest(content)},
                        "annotations": {"digest_of": "canonical JSON"},
                    },
                    {
                        "name": "scores.csv",
                        "digest": {"sha256": record.evaluation.scores_sha256},
                    },
                ],
            },
        },
    }


def envelope(told: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """A statement in a signed DSSE envelope; the id of the key is its 64 digits.

    What is signed names its kind and length first, so that no row of the ledger is signed with it.
    """
    payload = canonical_json(told).encode()
    kind = PAYLOAD_TYPE.encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    signature = signer.sign_bytes(message)
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": signer.public, "sig": base64.b64encode(signature).decode()}],
    }


def _dependencies(record: LineageRecord) -> Iterator[dict[str, Any]]:
    data, source = record.data, record.source
    yield {
        "name": "images",
        "uri": f"urn:patchae.data:{data.version}",
        "digest": {"sha256": data.class_digest},
        "annotations": {"data_version": data.version, "digest_of": "sorted rows of manifest.csv"},
    }
    yield {"name": "manifest.csv", "digest": {"sha256": data.manifest_sha256}}
    if source.git_commit:
        yield {
            "name": "project",
            "digest": {"gitCommit": source.git_commit},
            "annotations": {"clean": source.git_clean},
        }
    yield {
        "name": "patchae.model",
        "digest": {"sha256": source.model_source_sha256},
        "annotations": {"digest_of": "name and content of each source file"},
    }
    yield {
        "name": f"weights of {record.training.backbone}",
        "digest": {"sha256": record.training.weights_sha256},
    }
    if source.lock_sha256:
        yield {"name": "requirements.lock", "digest": {"sha256": source.lock_sha256}}
    yield {"name": "components.json", "digest": {"sha256": record.environment.components_sha256}}
    for name, version in sorted(record.environment.packages.items()):
        # The record knows versions of packages and no digests of their files.
        yield {"name": name, "uri": f"pkg:pypi/{name}@{version}"}


def _time(moment: str) -> str:
    """A time as RFC 3339 writes UTC in SLSA: whole seconds and `Z`."""
    return f"{moment[:19]}Z"
