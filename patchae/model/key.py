"""What determines a model, as one value: same key, same model."""

from __future__ import annotations

from pathlib import Path

from patchae.config import Training
from patchae.files import digest_json, sha256_file
from patchae.model.backbone import weights_digest
from patchae.types import ClassDigest, Sha256, TrainingKey


def source_digest() -> Sha256:
    """sha256 over the source files of `patchae.model`, by name and content."""
    folder = Path(__file__).parent
    return digest_json({file.name: sha256_file(file) for file in sorted(folder.glob("*.py"))})


def training_key(images: ClassDigest, settings: Training) -> TrainingKey:
    """The key of the model that these images and settings give with this source.

    Raises:
        StoreUnreachable: the backbone's weights have to be downloaded and cannot be.
    """
    return TrainingKey(
        digest_json(
            {
                "images": images,
                "settings": settings.model_dump(mode="json"),
                "weights": weights_digest(settings.backbone),
                "source": source_digest(),
            }
        )
    )
