"""What a training and a validation give, in values that may be compared."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from patchae.model.detector import PatchAE
from tests.integration.validation.gallery import sound
from tests.integration.validation.test_gallery import checked


def weights(model: PatchAE) -> dict[str, Any]:
    """Return shape, mean and spread of each tensor of a model, and its threshold."""
    with tempfile.TemporaryDirectory() as name:
        model.save(Path(name))
        tensors = {
            key: tensor.double()
            for file in sorted(Path(name).rglob("*.safetensors"))
            for key, tensor in load_file(file).items()
        }
    return {
        "threshold": model.threshold,
        "tensors": {
            key: {
                "shape": list(tensor.shape),
                "mean": float(tensor.mean()),
                "spread": float(tensor.std(correction=0)),
            }
            for key, tensor in sorted(tensors.items())
        },
    }


def checks(folder: Path) -> list[dict[str, Any]]:
    """Return every check of a sound class that misses an image: code, severity, result, count."""
    sound(folder / "bolt")
    (folder / "bolt/train/good/000.png").write_bytes(b"no image")
    record = checked(folder / "bolt")
    return [
        {
            "code": check.code,
            "severity": check.severity,
            "passed": check.passed,
            "found": check.found,
            "paths": list(check.paths),
        }
        for check in record.checks
    ]
