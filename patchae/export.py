"""A model as one graph for other runtimes: ONNX and `torch.export`.

The graph takes uint8 images (B, 3, S, S), B free (of a `.pt2` 1 to 1024), and gives scores (B,) and
anomaly maps (B, H, W) at the stride of a patch: `PatchAE.forward`, nothing less. Reading and
resizing files is left to the caller, as `patchae.model.images.load` does it. What else a caller
needs, the threshold above all, lies in the file: as metadata `patchae` of ONNX, as the extra file
`patchae.json` of `torch.export`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import UsageError
from patchae.files import write_bytes

if TYPE_CHECKING:  # a file that cannot be written is refused before torch is imported
    import torch

    from patchae.model.detector import PatchAE

EXTRA = "patchae.json"
_OPSET = 20
"""The first whose grid sampling has the bicubic kernel by the name that torch gives it."""


def export(model: PatchAE, target: Path) -> dict[str, Any]:
    """Write a model for another runtime, in one step; the suffix of `target` decides which.

    Returns:
        What a caller needs beside the graph, as it lies in the file.

    Raises:
        UsageError: another suffix; or what ONNX needs is not installed, or the model has 16 bits.
    """
    write_bytes(target, writer_for(target)(model))
    return about(model)


def writer_for(target: Path) -> Callable[[PatchAE], bytes]:
    """What makes the content of a file of this name.

    Raises:
        UsageError: no format has its suffix, what it needs is not installed, or it is a folder.
    """
    if target.suffix not in WRITERS:
        raise UsageError(
            f"no format has the suffix '{target.suffix}'",
            where=str(target),
            mend=f"end the name with one of {', '.join(WRITERS)}",
        )
    if target.suffix == ".onnx":
        _require_onnx()
    if target.is_dir():
        raise UsageError("that is a folder", where=str(target), mend="name a file in it")
    return WRITERS[target.suffix]


def about(model: PatchAE) -> dict[str, Any]:
    """What a caller of the graph needs to know of a model."""
    from patchae.model.detector import FORMAT

    return {
        "format": FORMAT,
        "image_size": model.settings.image_size,
        "threshold": model.threshold,
        "white": model.white,
        "facts": model.facts,
    }


def traced(model: PatchAE) -> torch.export.ExportedProgram:
    """The graph of a model, with a free number of images."""
    import torch

    side = model.settings.image_size
    example = torch.zeros((2, 3, side, side), dtype=torch.uint8, device=model.device)
    # Without an end torch refuses: with so many images its numbers of elements might not do.
    images = torch.export.Dim("images", min=1, max=1024)
    with torch.no_grad(), _quiet():
        return torch.export.export(
            model.eval(), (example,), dynamic_shapes={"images": {0: images}}, strict=False
        )


def to_pt2(model: PatchAE) -> bytes:
    """The archive that `torch.export.load` reads."""
    import torch

    content = io.BytesIO()
    with _quiet():
        torch.export.save(
            traced(model), content, extra_files={EXTRA: json.dumps(about(model), sort_keys=True)}
        )
    return content.getvalue()


def to_onnx(model: PatchAE) -> bytes:
    """An ONNX file with inputs `images` and outputs `scores` and `maps`.

    Raises:
        UsageError: onnx or onnxscript is not installed, or the model computes with 16 bits.
    """
    if model.settings.precision == "mixed":
        raise UsageError(
            "a model of `precision: mixed` cannot be written as ONNX: on the CPU it computes with"
            " bfloat16, which ONNX Runtime does not have",
            mend="train the class with `precision: auto` or `full`, or export it as .pt2",
        )
    _require_onnx()
    import torch

    with _quiet():
        program = torch.onnx.export(
            traced(model),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["images"],
            output_names=["scores", "maps"],
            verbose=False,
        )
    if program is None:
        raise AssertionError("torch.onnx.export gave no program")
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = "patchae", json.dumps(about(model), sort_keys=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _require_onnx() -> None:
    """Refuse to write ONNX without the packages for it."""
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"writing ONNX needs the package {missing[0]}", mend="pip install 'patchae[onnx]'"
        )


WRITERS: dict[str, Callable[[PatchAE], bytes]] = {".onnx": to_onnx, ".pt2": to_pt2}
"""By the suffix of the file."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch tells whoever exports much that only its authors can act on."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
