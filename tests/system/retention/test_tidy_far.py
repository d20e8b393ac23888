"""Tidying where the stores are servers."""

from __future__ import annotations

from patchae.steps.tidy import Removed
from tests.support.registry.memory import MODEL
from tests.support.retention.shop import Shop
from tests.support.s3 import Server

WEIGHTS = "artifacts/model/model.safetensors"


def went(removed: list[Removed], kind: str) -> list[str]:
    """What is gone of a kind."""
    assert all(one.stays is None for one in removed)
    return [one.item.what for one in removed if one.item.kind == kind]


def test_on_postgresql_and_s3(far: Shop, s3: Server) -> None:
    first, rejected, second = far.champion(), far.rejected(), far.champion()
    failed = far.cut_off("create_model_version")
    assert "scores.csv" in far.artifacts(failed)
    removed = far.tidy()
    assert went(removed, "weights") == [f"{MODEL}/{rejected}"]
    assert went(removed, "run") == [f"{MODEL} {failed}"]
    assert next(one.bytes for one in removed if one.item.kind == "run") > 50_000
    # SeaweedFS goes on listing folders that hold nothing any more; what counts are objects.
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket="mlflow")
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    assert keys
    assert not [key for key in keys if failed in key]
    assert WEIGHTS not in far.files(rejected)
    assert WEIGHTS in far.files(first) & far.files(second)
    far.require_what_the_ledger_names()
    assert far.tidy() == []
