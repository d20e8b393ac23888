"""Capture and validation find the same in single images, whatever the images are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from patchae.config import Validation
from patchae.dataset.manifest import read_manifest
from patchae.dataset.validation.evaluate import evaluate
from patchae.dataset.validation.facts import facts
from patchae.dataset.validation.newcomers import of_each_image, offending
from tests.support import write_class


def test_great_expectations_finds_the_same_paths(tmp_path: Path) -> None:
    folder = write_class(tmp_path, "bolt", train_good=3, test_good=2, test_defect=2)
    good = folder / "train" / "good"
    Image.new("RGBA", (64, 64), "red").save(good / "clear.png")
    Image.new("L", (64, 9000), 128).save(good / "long.png")
    Image.new("L", (20, 64), 255).save(good / "white.png")
    Image.fromarray(np.full((64, 64), 900, np.uint16)).save(good / "wide.png")
    page = Image.new("RGB", (64, 64))
    page.save(good / "pages.tif", save_all=True, append_images=[page])
    turned = Image.Exif()
    turned[0x0112] = 8
    page.save(good / "turned.jpg", exif=turned)
    (good / "empty.png").write_bytes(b"")
    (good / "damaged.png").write_bytes((good / "clear.png").read_bytes()[:60])
    frame = facts(read_manifest(tmp_path, "bolt"), "bolt", near_copy=0)
    strict = {"in_focus": "error", "no_dead_pixels": "error", "same_mode": "error"}
    for rules in (Validation(), Validation.model_validate({"severity": strict})):
        suite = of_each_image(rules)
        outcomes = evaluate({"images": frame}, suite)
        assert {it.code: set(outcomes[it.code].paths) for it in suite} == {
            it.code: offending(frame, it) for it in suite
        }
        assert {it.code for it in suite if outcomes[it.code].paths} >= {
            *("upright", "one_frame", "allowed_mode", "allowed_size", "no_empty_files"),
            *("decodable", "not_uniform", "not_too_dark", "not_overexposed"),
        }
