"""An anomaly map over its image, in colours that mean the same for every image of a model."""

from __future__ import annotations

import numpy as np


def overlay(image: np.ndarray, anomaly: np.ndarray, threshold: float) -> np.ndarray:
    """The image in grey under the map, uint8 (S, S, 3).

    The middle of the scale is the threshold, so that a warm patch is one that alone would raise an
    alarm. Cold patches stay visible as a dim image; warm ones cover it.

    Args:
        image: what the model saw, uint8 (S, S, 3).
        anomaly: its anomaly map (S, S), in the units of the score.
        threshold: above 0; where the scale has its middle.
    """
    import matplotlib as mpl

    level = np.clip(anomaly / max(2 * threshold, 1e-9), 0, 1)  # 0.5: the threshold
    colour = mpl.colormaps["inferno"](level)[..., :3] * 255
    grey = image.mean(axis=2, keepdims=True)
    cover = np.clip(0.25 + level, 0, 0.8)[..., None]
    shown: np.ndarray = np.rint(grey * 0.8 * (1 - cover) + colour * cover).astype(np.uint8)
    return shown
