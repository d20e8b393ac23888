"""What an image is in numbers, for looks at drift: light, colour, sharpness, place, content, score.

None of them says whether a part is good. Together they say whether the camera, the light and the
product are still what the champion knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from patchae.files import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from patchae.model.detector import PatchAE

LOOKS = ("brightness", "contrast", "sharpness", "red", "blue")
"""Of `patchae.dataset.looks`."""
PLACE = ("shift_x", "shift_y")
"""Where the image lies beside the mean of the reference, in percent of its side."""
STATISTICS = (*LOOKS, *PLACE, "embedding", "score")
_SIDE = 64
_BATCH = 8


@dataclass(frozen=True)
class Numbers:
    """Of several images, in their order."""

    looks: NDArray[np.float64]
    """(N, 5), the columns of `LOOKS`."""
    small: NDArray[np.float32]
    """(N, 64, 64): the image in grey and small, 0..1."""
    features: NDArray[np.float32]
    """(N, C): the mean over all patches of the features of the champion's own, frozen networks."""
    scores: NDArray[np.float64]
    """(N,): anomaly scores of the champion."""

    def __len__(self) -> int:
        return len(self.scores)

    def taken(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Numbers:
        """Some of them."""
        return Numbers(
            self.looks[which], self.small[which], self.features[which], self.scores[which]
        )


def numbers_of(
    detector: PatchAE, files: Sequence[Path], progress: Progress = silent
) -> tuple[Numbers, list[int], dict[Path, str]]:
    """The numbers of image files, which files they are of, and why they are of no others."""
    import torch

    from patchae.dataset.looks import look
    from patchae.errors import DataError
    from patchae.images.learned import opened
    from patchae.model.images import load

    looks, pixels, whole = [], [], []
    left_out: dict[Path, str] = {}
    for index, file in enumerate(files):
        try:
            detector.check(file)
            tensor = load(file, detector.settings.image_size, detector.white)
            with opened(file) as image:
                seen = look(image)
        except (DataError, OSError) as error:
            left_out[file] = error.what if isinstance(error, DataError) else str(error)
            continue
        looks.append([getattr(seen, name) for name in LOOKS])
        pixels.append(tensor)
        whole.append(index)
    small, features, scores = [], [], []
    for start in range(0, len(pixels), _BATCH):
        batch = torch.stack(pixels[start : start + _BATCH])
        with torch.inference_mode():
            images = batch.to(detector.device).float() / 255
            raw = detector.raw(images)
            peaks, _ = detector(batch.to(detector.device))
            grey = torch.nn.functional.interpolate(
                images.mean(dim=1, keepdim=True), size=(_SIDE, _SIDE), mode="area"
            )
        small.append(grey[:, 0].cpu().numpy())
        features.append(raw.float().mean(dim=(1, 2)).cpu().numpy())
        scores.append(peaks.cpu().numpy())
        progress("looking at images", min(start + _BATCH, len(pixels)), len(pixels))
    width = features[0].shape[1] if features else 1
    return (
        Numbers(
            np.array(looks, np.float64).reshape(-1, len(LOOKS)),
            np.concatenate([np.zeros((0, _SIDE, _SIDE), np.float32), *small]),
            np.concatenate([np.zeros((0, width), np.float32), *features]),
            np.concatenate([np.zeros(0), *scores]).astype(np.float64),
        ),
        whole,
        left_out,
    )
