"""A champion in memory: proven before it is loaded, tried before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from patchae.errors import UsageError
from patchae.project import Project
from patchae.registry.fetched import Fetched
from patchae.registry.loading import load_model
from patchae.registry.tracking import Tracking
from patchae.serving.proving import Keys, Named, prove, require_files

if TYPE_CHECKING:
    from torch import Tensor

    from patchae.model.backbone import Backbone
    from patchae.model.detector import PatchAE

Runtime = Literal["torch", "onnx"]
Ask = Callable[["Tensor"], tuple["Tensor", "Tensor"]]
"""From uint8 (B, 3, S, S) to scores (B,) and maps (B, H, W), on the CPU."""
PARITY = 1e-3
"""By how much a score of another runtime may differ from that of torch."""


@dataclass(frozen=True, eq=False)
class Champion:
    """One version, ready to be asked."""

    name: str
    """Registered name."""
    version: str
    data_version: str
    """What it was trained on."""
    detector: PatchAE
    ask: Ask
    moved: float | None = None
    """The threshold by the ledger; None: the one that training set."""

    @property
    def threshold(self) -> float:
        """Scores above it are alarms."""
        return self.detector.threshold if self.moved is None else self.moved

    @property
    def named(self) -> Named:
        """What it is, as the aliases and the ledger name it."""
        return Named(self.version, self.moved)

    def at(self, threshold: float | None) -> Champion:
        """The same at another threshold; this one answers whoever asked it before."""
        return replace(self, moved=threshold)

    @property
    def size(self) -> int:
        """Side of the square that it sees, in pixels."""
        return self.detector.settings.image_size


def load(
    project: Project,
    tracking: Tracking,
    name: str,
    version: str,
    *,
    threshold: float | None = None,
    keys: Keys = None,
    runtime: Runtime = "torch",
    beside: Sequence[Champion] = (),
) -> Champion:
    """Prove a version, load it, and have it score an image, so that no asker waits for the first.

    Args:
        project: whose model it is.
        tracking: its MLflow.
        name: registered name.
        version: registered version.
        threshold: by the ledger; None: the one that training set.
        keys: public keys of which one must have signed the ledger; None: any signature must fit.
        runtime: what computes.
        beside: champions that are loaded already; one with the same networks shares them.

    Raises:
        AuditBroken: a link of its audit is broken, or its files are others; it is not loaded.
        DataError: its files are no model.
        UsageError: the runtime is not installed, or gives other scores.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    with Fetched(tracking) as own:
        record = prove(project, own, name, version, keys)
        folder = own.model_folder(own.version(name, version))
        require_files(folder, record["files"], f"{name}/{version}")
        # ONNX Runtime computes on the CPU what torch gives it: a GPU's graph has 16 bits in it.
        detector = load_model(folder, "cpu" if runtime == "onnx" else None)
    share_backbone(detector, [one.detector for one in beside])
    ask = by_torch(detector) if runtime == "torch" else by_onnx(detector)
    made = Champion(name, version, str(record["data"]["version"]), detector, ask, threshold)
    _warm_up(made)
    return made


def by_torch(detector: PatchAE) -> Ask:
    """Ask the model as it is."""
    import torch

    def ask(images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            scores, maps = detector(images.to(detector.device))
        return scores.cpu(), maps.cpu()

    return ask


def by_onnx(detector: PatchAE) -> Ask:
    """Ask the model through ONNX Runtime.

    Raises:
        UsageError: it is not installed, or its scores differ from torch's.
    """
    from importlib.util import find_spec

    import torch

    from patchae.export import to_onnx

    if find_spec("onnxruntime") is None:
        raise UsageError(
            "--runtime onnx needs the package onnxruntime", mend="pip install 'patchae[onnx]'"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        to_onnx(detector), options, providers=onnxruntime.get_available_providers()
    )

    def ask(images: Tensor) -> tuple[Tensor, Tensor]:
        scores, maps = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(scores), torch.from_numpy(maps)

    plain = _plain(detector.settings.image_size, 1)
    apart = float((ask(plain)[0] - by_torch(detector)(plain)[0]).abs().max())
    if not apart < PARITY:
        raise UsageError(
            f"ONNX Runtime gives a score that is {apart:.1e} from that of torch",
            mend="serve it with --runtime torch, and report the versions of both",
        )
    return ask


def share_backbone(new: PatchAE, others: list[PatchAE]) -> bool:
    """Let a model use the networks of another one that has the very same; whether one has.

    The networks of a backbone are never trained, so models of one preset differ in what lies on
    them alone; held once, they are in memory once.
    """
    for other in others:
        if other is not new and _equal(new.backbone, other.backbone):
            new.backbone = other.backbone
            return True
    return False


def _equal(one: Backbone, other: Backbone) -> bool:
    import torch

    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(
        value.shape == theirs[key].shape and torch.equal(value, theirs[key])
        for key, value in mine.items()
    )


def _warm_up(champion: Champion) -> None:
    for count in (1, 2):
        champion.ask(_plain(champion.size, count))


def _plain(side: int, count: int) -> Tensor:
    import torch

    return torch.full((count, 3, side, side), 128, dtype=torch.uint8)
