"""Where a training keeps what it has drawn, so that after a kill it goes on from there.

What lies there was drawn from the files as they were then, and nothing in it says which bytes those
were. So the folder is named by everything that decides what is drawn, the files among it: after a
change of any, even one that was undone since, a training begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from patchae.files import digest_json

_PACKAGES = ("numpy", "pillow", "timm", "torch", "torchvision")
"""Those that decode an image or compute features of it."""


def kept_for(folder: Path, device: str, images: Sequence[Path]) -> Path:
    """The folder for what is drawn from images, as they, the device and the packages are now.

    Folders of this device that were kept for anything else are removed.

    Args:
        folder: that of the work on one training key.
        device: `cpu` or `cuda`.
        images: the files to learn from.
    """
    import torch

    drawn_by = {
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "packages": {name: version(name) for name in _PACKAGES},
        "images": [_stamp(path) for path in images],
    }
    kept = folder / f"samples-{device}-{digest_json(drawn_by)[:16]}"
    for other in folder.glob(f"samples-{device}*"):
        if other != kept:
            shutil.rmtree(other, ignore_errors=True)
    return kept


def _stamp(path: Path) -> list[int] | None:
    """Changes whenever a file's content does, and by no way back; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    # Of the two times the second cannot be set: it tells of a file that was put back as it was.
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
