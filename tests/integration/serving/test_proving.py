"""What is served is what was judged, whatever MLflow gives when it is asked again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow.artifacts
import pytest
import torch
from mlflow.exceptions import MlflowException

from patchae.errors import AuditBroken, StoreUnreachable
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_model
from patchae.registry.standing import champion_of
from patchae.registry.tracking import Tracking
from patchae.serving.champion import Champion, load
from tests.integration.serving.conftest import LENS
from tests.support.plant import Works

Happen = Callable[[int, Path], None]


def far(works: Works) -> Tracking:
    """The project's MLflow as one of a server: every folder that is asked for is a download."""
    near = works.tracking()
    return Tracking(near.uri, near.client, None)


def loaded(works: Works, tracking: Tracking, **more: Any) -> Champion:
    """The champion, loaded."""
    version = champion_of(works.plant.ledger.entries(LENS)).current
    assert version
    return load(works.plant.project, tracking, LENS, version, **more)


def original(works: Works) -> Path:
    """The weights of the champion as they were logged."""
    near = works.tracking()
    version = champion_of(works.plant.ledger.entries(LENS)).current
    assert version
    return near.model_folder(near.version(LENS, version))


def damage(folder: Path) -> None:
    """Other weights of the same shape."""
    (file,) = folder.rglob("model.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def same(champion: Champion, weights: dict[str, torch.Tensor]) -> bool:
    """Whether a champion has these weights."""
    own = champion.detector.state_dict()
    return own.keys() == weights.keys() and all(
        torch.equal(value, weights[name]) for name, value in own.items()
    )


@pytest.fixture
def weights(works: Works) -> dict[str, torch.Tensor]:
    """Those that were judged."""
    return dict(load_model(original(works)).state_dict())


@pytest.fixture
def whole(works: Works) -> Iterator[None]:
    """The files of the champion are put back after the test."""
    (file,) = original(works).rglob("model.safetensors")
    content = file.read_bytes()
    yield
    file.write_bytes(content)


@pytest.fixture
def happens(monkeypatch: pytest.MonkeyPatch) -> Callable[[Happen], None]:
    """Let something happen to every download of a model, which are counted from 1."""
    real = mlflow.artifacts.download_artifacts

    def begin(happen: Happen) -> None:
        count = 0

        def download(**what: Any) -> str:
            nonlocal count
            path = str(real(**what))
            if "artifact_uri" in what:
                count += 1
                happen(count, Path(path))
            return path

        monkeypatch.setattr(mlflow.artifacts, "download_artifacts", download)

    return begin


def test_the_weights_that_were_checked_are_those_that_answer(
    works: Works, weights: dict[str, torch.Tensor], happens: Callable[[Happen], None]
) -> None:
    def later(number: int, folder: Path) -> None:
        if number > 1:
            damage(folder)

    happens(later)
    assert same(loaded(works, far(works)), weights)


def test_nobody_changes_them_between_the_check_and_the_load(
    works: Works,
    weights: dict[str, torch.Tensor],
    happens: Callable[[Happen], None],
    whole: None,
) -> None:
    home = original(works)
    happens(lambda number, folder: damage(home))
    assert same(loaded(works, works.tracking()), weights)


def test_what_the_audit_could_not_fetch_is_checked_nevertheless(
    works: Works, happens: Callable[[Happen], None]
) -> None:
    def first_nothing_then_others(number: int, folder: Path) -> None:
        if number == 1:
            raise MlflowException("the connection ended")
        damage(folder)

    happens(first_nothing_then_others)
    with pytest.raises(AuditBroken, match=r"model\.safetensors: what MLflow gave"):
        loaded(works, far(works))


def test_a_ledger_that_could_not_be_verified_is_not_believed(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a moment without a database would let a ledger pass that no trusted key signed."""
    tracking = works.tracking()
    real, asked = Ledger.signed_rows, []

    def away_at_first(self: Ledger) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise StoreUnreachable("the ledger does not answer")
        return real(self)

    monkeypatch.setattr(Ledger, "signed_rows", away_at_first)
    keys = ("0" * 64,)
    with pytest.raises(StoreUnreachable, match="The ledger is unaltered"):
        loaded(works, tracking, keys=keys)
    with pytest.raises(AuditBroken, match="The ledger is unaltered"):
        loaded(works, tracking, keys=keys)


def test_a_try_to_serve_leaves_no_download(
    works: Works,
    happens: Callable[[Happen], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = far(works)
    seen: list[Path] = []
    happens(lambda number, folder: seen.append(folder))
    loaded(works, server)
    happens(lambda number, folder: damage(folder))
    with pytest.raises(AuditBroken):
        loaded(works, server)
    assert all(folder.is_relative_to(tmp_path) for folder in seen)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_onnx_runtime_gets_the_graph_of_the_cpu_whatever_torch_computes_on(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_DEVICE", "cuda")
    assert loaded(works, works.tracking(), runtime="onnx").detector.device.type == "cpu"
