"""Child of `bench.model`: patchae's own model, as `patchae.model.training.train` makes it.

Options are overrides of `Training`. Where they set another image size, maps are brought to the
bench's own, at which masks are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bench.child import Job, work
from patchae.config import Training
from patchae.model.detector import PatchAE
from patchae.model.training import train


class Ours:
    """A `PatchAE` as the bench sees it."""

    def __init__(self, model: PatchAE, size: int) -> None:
        self.model, self.size = model, size
        memory = sum(len(member.memory) for member, _ in model.each())
        self.notes: dict[str, Any] = {"memory": memory, "upright": bool(model.pose)}

    def score(self, files: Sequence[Path]) -> tuple[list[float], np.ndarray]:
        """Scores and maps (B, S, S)."""
        scored = self.model.score(files, batch_size=len(files))
        maps = torch.from_numpy(np.stack([one.map for one in scored]))[:, None]
        same = F.interpolate(maps, (self.size, self.size), mode="bilinear", align_corners=False)
        return [one.score for one in scored], same[:, 0].numpy()

    def save(self, folder: Path) -> None:
        """The two files of a model."""
        self.model.save(folder)


def fit(job: Job) -> Ours:
    """Train with the defaults, save for the job's options."""
    given = {"image_size": job.image_size, "seed": job.seed, **job.options}
    images = [Path(path) for path in job.train]
    model = train(images, job.digests, Training(**given), device=job.device)
    return Ours(model, job.image_size)


if __name__ == "__main__":
    work(fit)
