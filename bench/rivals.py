"""Child of `bench.model`: PatchCore and PaDiM as anomalib has them, in an environment of their own.

    PatchCore    Roth et al., CVPR 2022     strides 8 and 16, the paper's layer2 and layer3
    PaDiM        Defard et al., ICPR 2020   strides 4, 8 and 16, the paper's layer1 to layer3

Network, memory, greedy coreset, distances, maps and scores are anomalib's. Only what goes in is
the bench's, so that it is the same for every method: how an image is read, resized and normalized,
and the weights of the backbone, whose features are compared with those of patchae's own.

Options: `model`, `patchcore` or `padim`; `ratio`, the share of patch vectors that PatchCore keeps.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

with warnings.catch_warnings():  # of what anomalib imports, which nobody here can mend
    warnings.simplefilter("ignore")
    from anomalib.models.image.padim.torch_model import PadimModel  # type: ignore
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel  # type: ignore

from bench.child import Job, work
from patchae.model.backbone import Backbone, features_of, load_weights
from patchae.model.images import load_batch

BACKBONE = "tf_efficientnet_lite0"
STRIDES = {"patchcore": (8, 16), "padim": (4, 8, 16)}
NEIGHBOURS = 9
"""anomalib's default for PatchCore: how many vectors weigh the score of an image."""
PADIM_CHANNELS = 100
"""Channels that PaDiM keeps at random, as in its paper for the smallest network there."""
BATCH = 32
"""anomalib's default; no method here learns from it."""


class Rival:
    """A model of anomalib as the bench sees it."""

    def __init__(self, model: PatchcoreModel | PadimModel, own: Backbone, job: Job) -> None:
        self.model, self.own, self.size, self.device = model, own, job.image_size, job.device
        self.notes: dict[str, Any] = {"anomalib": version("anomalib"), **job.options}

    def batch(self, files: Sequence[Path]) -> Tensor:
        """Normalized images (B, 3, S, S), as patchae's backbone normalizes them."""
        pixels = load_batch(files, self.size).to(self.device)
        network = self.own.networks[0]
        return (pixels.float() / 255 - network.mean) / network.std

    @torch.no_grad()
    def score(self, files: Sequence[Path]) -> tuple[list[float], np.ndarray]:
        """anomalib's scores and maps (B, S, S)."""
        found = self.model(self.batch(files))
        maps = found.anomaly_map.cpu().numpy().reshape(len(files), self.size, self.size)
        return found.pred_score.flatten().tolist(), maps

    def save(self, folder: Path) -> None:
        """Everything in the model's state."""
        torch.save(self.model.state_dict(), folder / "model.pt")

    def check_features(self, files: Sequence[Path]) -> None:
        """Compare what the two backbones see.

        Raises:
            RuntimeError: they differ; then nothing measured here would be comparable.
        """
        with torch.no_grad():
            theirs = self.model.feature_extractor(self.batch(files)).values()
            ours = self.own(load_batch(files, self.size).to(self.device).float() / 255)
        for one, other in zip(theirs, ours, strict=True):
            # Folding a normalization into its convolution moves the last bits.
            if one.shape != other.shape or (one - other).abs().max() > 1e-3 * other.std():
                raise RuntimeError("anomalib's backbone does not give the features of patchae's")


def fit(job: Job) -> Rival:
    """Embed train/good, then PatchCore's coreset or PaDiM's Gaussians."""
    name = job.options["model"]
    strides = STRIDES[name]
    weights = load_weights(BACKBONE)
    own = Backbone(BACKBONE, strides, weights).to(job.device)
    network = features_of(BACKBONE, strides, weights.states[0])
    levels = [network.feature_info.reduction().index(stride) for stride in strides]
    indices = [network.feature_info.out_indices[level] for level in levels]
    model = (
        PatchcoreModel(indices, BACKBONE, pre_trained=False, num_neighbors=NEIGHBOURS)
        if name == "patchcore"
        else PadimModel(BACKBONE, indices, pre_trained=False, n_features=PADIM_CHANNELS)
    )
    model.feature_extractor.feature_extractor.load_state_dict(network.state_dict())
    model.to(job.device)
    rival = Rival(model, own, job)
    files = [Path(path) for path in job.train]
    rival.check_features(files[:2])
    # anomalib's own loop, without Lightning: in training mode the model stores what it embeds;
    # its backbone stays in evaluation mode all the same.
    model.train()
    with torch.no_grad():
        for start in range(0, len(files), BATCH):
            model(rival.batch(files[start : start + BATCH]))
        if name == "patchcore":
            vectors = sum(len(part) for part in model.embedding_store)
            model.subsample_embedding(job.options["ratio"])
            rival.notes |= {"vectors": vectors, "memory": len(model.memory_bank)}
        else:
            model.fit()
    model.eval()
    return rival


if __name__ == "__main__":
    work(fit)
