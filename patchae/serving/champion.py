"""A champion in memory: proven before it is loaded, tried before it is asked.

What MLflow's alias names is served only if the ledger says the same, and if nothing of its audit is
broken: among much else that the weights are those which were judged, by their digest. What cannot
be checked, such as a store of images that does not answer, stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from patchae.errors import AliasMoved, AuditBroken, UsageError
from patchae.lineage.gather import Scope, audit_model
from patchae.lineage.naming import lineage_of
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_version
from patchae.registry.standing import CHAMPION, champion_of
from patchae.registry.tracking import Tracking

if TYPE_CHECKING:
    from torch import Tensor

    from patchae.model.backbone import Backbone
    from patchae.model.detector import PatchAE

Runtime = Literal["torch", "onnx"]
Ask = Callable[["Tensor"], tuple["Tensor", "Tensor"]]
"""From uint8 (B, 3, S, S) to scores (B,) and maps (B, H, W), on the CPU."""
PARITY = 1e-3
"""By how much a score of another runtime may differ from that of torch."""
Keys = tuple[str, ...] | None


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

    @property
    def threshold(self) -> float:
        """Scores above it are alarms."""
        return self.detector.threshold

    @property
    def size(self) -> int:
        """Side of the square that it sees, in pixels."""
        return self.detector.settings.image_size


def named(tracking: Tracking, ledger: Ledger, name: str) -> str:
    """The version that is champion by MLflow and by the ledger.

    Raises:
        UsageError: the model has no champion.
        AliasMoved: they say different things, for now or for good.
        StoreUnreachable: one of them does not answer.
    """
    alias = tracking.aliases.get(name).get(CHAMPION)
    told = champion_of(ledger.entries(name)).current
    if alias is None and told is None:
        raise UsageError(
            f"{name} has no champion", mend="`patchae status` lists the models that have one"
        )
    if alias != told:
        raise AliasMoved(
            f"MLflow's alias of {name} names version {alias}, the ledger {told}",
            mend="`patchae audit` says who moved it; a promotion that is under way ends by itself",
        )
    return str(alias)


def prove(project: Project, tracking: Tracking, name: str, version: str, keys: Keys) -> str:
    """Audit a version that is to be served; the data version that it was trained on.

    Raises:
        AuditBroken: a link of its audit is broken.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    found = audit_model(project, tracking, f"{name}/{version}", Scope(keys=keys))
    for link in found.links:
        if link.state != "broken":
            continue
        raise AuditBroken(
            f"{name}/{version} is not served: '{link.title}' does not hold: {link.detail}",
            mend=f"patchae audit {name}/{version}",
        )
    _, _, record = lineage_of(project, tracking, f"{name}/{version}")
    return str(record["data"]["version"])


def load(
    project: Project,
    tracking: Tracking,
    name: str,
    version: str,
    *,
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
        keys: public keys of which one must have signed the ledger; None: any signature must fit.
        runtime: what computes.
        beside: champions that are loaded already; one with the same networks shares them.

    Raises:
        AuditBroken: a link of its audit is broken; it is not loaded.
        DataError: its files are no model.
        UsageError: the runtime is not installed, or gives other scores.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    data_version = prove(project, tracking, name, version, keys)
    detector = load_version(tracking, tracking.version(name, version))
    share_backbone(detector, [one.detector for one in beside])
    ask = by_torch(detector) if runtime == "torch" else by_onnx(detector)
    made = Champion(name, version, data_version, detector, ask)
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
