"""One small class and its model, trained once for all tests; and where the real images are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from patchae.config import Training
from patchae.files import sha256_file
from patchae.model.detector import PatchAE
from patchae.model.evaluation import TestImage
from patchae.model.training import train
from tests.support import ROOT, write_class

SETTINGS = Training(
    backbone="tf_efficientnet_lite0", image_size=64, epochs=1, damaged_images=12, memory_size=200,
    channels=16,
)  # fmt: skip


@dataclass(frozen=True)
class Small:
    """A class of small images, and the model that it gives."""

    data: Path
    images: list[Path]
    digests: list[str]
    model: PatchAE
    saved: Path

    def tests(self, *, masks: bool = True) -> list[TestImage]:
        """Its test images, good ones first."""
        found = []
        for path in sorted((self.data / "bolt" / "test").glob("*/*.png")):
            defect, mask = path.parent.name, f"bolt/ground_truth/hole/{path.stem}_mask.png"
            found.append(
                TestImage(
                    path=path.relative_to(self.data).as_posix(),
                    sha256=sha256_file(path),
                    defect=defect,
                    mask=mask if masks and defect != "good" else None,
                )
            )
        return found


def trained(folder: Path) -> Small:
    """Train the class in a folder."""
    data = folder / "plant" / "data"
    images = sorted((write_class(data, "bolt", train_good=12) / "train" / "good").iterdir())
    digests: list[str] = [sha256_file(path) for path in images]
    model = train(images, digests, SETTINGS)
    model.save(folder / "saved")
    return Small(data, images, digests, model, folder / "saved")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The trained class; nobody may change it."""
    return trained(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real MVTec AD classes, or a skip that says why."""
    default = ROOT.parent / "shared" / "data" / "mvtec_320"
    folder = Path(os.environ.get("PATCHAE_REALDATA", default))
    if not (folder / "bottle" / "train" / "good").is_dir():
        pytest.skip(f"no real images in {folder}; set PATCHAE_REALDATA to a folder of MVTec AD")
    return folder
