"""A model as one graph for other runtimes: ONNX and `torch.export`.

The graph takes uint8 images (B, 3, S, S), with B free, and gives scores (B,) and anomaly maps
(B, H, W) at the stride of a patch: `PatchAE.forward`, nothing less. Reading and resizing files is
left to the caller; `patchae.model.images.load` says how it is done here. The threshold lies in the
ONNX file's metadata under `patchae`, with the rest of what `model.json` holds.
"""

from __future__ import annotations

import torch

from patchae.model.detector import PatchAE

OPSET = 20
"""The first with the grid sampling that turning parts upright needs."""


def traced(model: PatchAE) -> torch.export.ExportedProgram:
    """The graph of a model, with a free number of images."""
    side = model.settings.image_size
    example = torch.zeros((2, 3, side, side), dtype=torch.uint8, device=model.device)
    images = torch.export.Dim("images", min=1, max=1024)
    with torch.no_grad():
        return torch.export.export(
            model.eval(), (example,), dynamic_shapes={"images": {0: images}}, strict=False
        )
