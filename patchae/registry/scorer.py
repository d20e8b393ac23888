"""The model as MLflow serves it: models-from-code, so that nothing is ever unpickled.

MLflow copies this file into the model and runs it when the model is loaded. It needs patchae
installed; weights come from safetensors, facts from JSON.

    model = mlflow.pyfunc.load_model("models:/sample.washer@champion")
    model.predict(["part.png"])                       paths of image files
    model.predict(array)                              (H, W), (H, W, 3) or (B, H, W, 3), 0..255
    model.predict(paths, params={"heat_maps": True})  adds the column `map`
    model.predict(paths, params={"threshold": 0.4})   decides by another threshold than training's

The answer is a DataFrame with one row per image: `score`, `threshold`, `anomalous`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

warnings.filterwarnings("ignore", message=".*Add type hints to the `predict` method")


class Scorer(PythonModel):  # type: ignore[misc]  # mlflow has no types
    """One class's model, loaded once and asked many times."""

    def load_context(self, context: Any) -> None:
        """Load the weights that MLflow put beside this code."""
        from patchae.model.detector import PatchAE
        from patchae.model.training import pick_device
        from patchae.settings import settings

        folder = Path(context.artifacts["model"])
        self.model = PatchAE.load(folder, pick_device(settings().device))

    # No hint on `model_input`: MLflow would take it for a schema, and it is none.
    def predict(  # type: ignore[no-untyped-def]
        self,
        context: Any,
        model_input,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Scores of images given as paths or arrays; see the module's text."""
        images = images_of(model_input)
        for number, image in enumerate(images):
            if isinstance(image, str | Path | bytes):
                name = f"image {number}" if isinstance(image, bytes) else image
                for doubt in self.model.check(Path(image) if isinstance(image, str) else image):
                    warnings.warn(f"{name}: {doubt}", stacklevel=2)
        params = params or {}
        given = params.get("threshold")
        threshold = self.model.threshold if given is None else float(given)
        scored = self.model.score(images)
        table = pd.DataFrame(
            {
                "score": [one.score for one in scored],
                "threshold": [threshold] * len(scored),
                "anomalous": [one.score > threshold for one in scored],
            }
        )
        if params.get("heat_maps"):
            table["map"] = pd.Series([one.map for one in scored], dtype=object)
        return table


def images_of(model_input: Any) -> list[Any]:
    """The single images in whatever a caller passes: a path, an array, or many of either."""
    if isinstance(model_input, pd.DataFrame):
        return list(model_input.iloc[:, 0])
    if isinstance(model_input, str | Path | bytes):
        return [model_input]
    if isinstance(model_input, np.ndarray):
        if model_input.dtype.kind in "OU":
            return list(model_input.ravel())
        model_input = _of_bytes(model_input)
        channels_last = model_input.ndim == 3 and model_input.shape[-1] in (1, 3)
        return [model_input] if model_input.ndim == 2 or channels_last else list(model_input)
    return list(model_input)


def _of_bytes(array: np.ndarray) -> np.ndarray:
    """Pixels that came as JSON are whole numbers of 64 bits: those of 0..255 are bytes."""
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array


mlflow.models.set_model(Scorer())
