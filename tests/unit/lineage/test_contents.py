"""Whatever was changed, removed or added among files and images breaks its own link and is named.

Every test takes one intact version, changes one thing, and says exactly which links break.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchae.dataset.manifest import class_digest, from_csv
from patchae.lineage.audit import audit
from tests.support.lineage.answers import broken, detail, edit, not_checkable
from tests.support.lineage.builder import build
from tests.support.lineage.built import Built


@pytest.mark.parametrize("name", ["MLmodel", "artifacts/model.safetensors"])
def test_a_file_of_the_model_was_changed_or_removed(built: Built, name: str) -> None:
    (built.model / name).write_bytes(b"other weights")
    changed = audit(built.material())
    assert broken(changed) == {"model_files": f"{name}: its content is not what was logged"}
    (built.model / name).unlink()
    assert broken(audit(built.material())) == {"model_files": f"{name}: missing from the model"}


def test_a_file_was_smuggled_into_the_model(built: Built) -> None:
    (built.model / "registered_model_meta").write_text("model_name: sample.bolt\n")
    assert audit(built.material()).state == "intact"
    (built.model / "artifacts" / "__pycache__").mkdir()
    (built.model / "artifacts" / "__pycache__" / "scorer.pyc").write_bytes(b"")
    (built.model / "nowhere").symlink_to("not/there")
    assert broken(audit(built.material())) == {
        "model_files": "artifacts/__pycache__/scorer.pyc, nowhere:"
        " not among the files that were logged"
    }


def test_an_image_was_taken_off_the_manifest(built: Built) -> None:
    path = built.artifacts / "manifest.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "test/good/004.png" not in line))
    result = audit(built.material())
    assert broken(result) == {
        "manifest": "manifest.csv: its content is not what was logged",
        "data_version": f"bolt/test/good/004.png: in data version {built.data_version},"
        " not in the manifest",
        "scores": "scores.csv: bolt/test/good/004.png: scored, but no test image",
    }


def test_the_manifest_is_gone(built: Built) -> None:
    (built.artifacts / "manifest.csv").unlink()
    result = audit(built.material())
    assert set(broken(result)) == {"manifest"}
    assert not_checkable(result) == {"data_version", "scores", "split"}


def test_an_image_is_no_longer_stored(built: Built) -> None:
    (built.remote / built.listing["bolt/train/good/007.png"]).unlink()
    assert broken(audit(built.material())) == {
        "data_version": "bolt/train/good/007.png: no longer in the store of the images"
    }


@pytest.mark.parametrize(
    ("path", "md5", "said"),
    [
        ("bolt/test/hole/001.png", "f" * 32, "bolt/test/hole/001.png: data version"),
        ("bolt/test/hole/001.png", None, "bolt/test/hole/001.png: not in data version"),
        ("bolt/ground_truth/hole/001_mask.png", None, "bolt/ground_truth/hole/001_mask.png: not"),
        ("bolt/train/good/999.PNG", "f" * 32, "bolt/train/good/999.PNG: in data version"),
    ],
)
def test_the_data_version_holds_something_else(
    built: Built, path: str, md5: str | None, said: str
) -> None:
    if md5 is None:
        del built.listing[path]
    else:
        built.listing[path] = md5
    result = audit(built.material())
    assert set(broken(result)) == {"data_version"}
    assert detail(result, "data_version").startswith(said)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"found": 0', '"found": 1'),
        ('"expected": "none"', '"expected": "some"'),
        ('"passed": true', '"passed": false'),
        ('"schema"', '"scheme"'),
    ],
)
def test_the_validation_was_changed(built: Built, old: str, new: str) -> None:
    edit(built.artifacts / "validation.json", old, new)
    result = audit(built.material())
    assert set(broken(result)) == {"validation"}
    assert detail(result, "validation").startswith("validation.json: ")


def test_a_model_was_trained_although_validation_failed(tmp_path: Path) -> None:
    result = audit(build(tmp_path, failed_validation=True).material())
    assert broken(result)["validation"] == "validation.json: the images did not pass"
    assert set(broken(result)) == {"validation", "verdict_recomputed"}
    assert detail(result, "verdict_recomputed").endswith("the gate says reject (validation_failed)")


def test_a_score_was_changed(built: Built) -> None:
    edit(built.artifacts / "scores.csv", ",1,0.55,1", ",1,0.95,1")
    result = audit(built.material())
    assert set(broken(result)) == {"scores", "verdict_recomputed", "evaluation", "probe"}
    assert detail(result, "scores") == "scores.csv: its content is not what was logged"


def test_the_scores_are_gone(built: Built) -> None:
    (built.artifacts / "scores.csv").unlink()
    result = audit(built.material())
    assert set(broken(result)) == {"scores"}
    assert not_checkable(result) == {"verdict_recomputed", "evaluation", "probe"}


FORGED_SCORES = {
    "its label is not that of its folder": ("good,0,0.6,1", "good,1,0.6,1"),
    "its decision does not follow its score": ("good,0,0.6,1", "good,0,0.6,0"),
    "scored, but no test image": ("bolt/test/good/005.png", "bolt/train/good/005.png"),
    "scored twice": ("bolt/test/good/005.png", "bolt/test/good/004.png"),
    "not the image in the manifest": (",hole,1,0.55", ",scratch,1,0.55"),
}


@pytest.mark.parametrize("said", FORGED_SCORES)
def test_the_scores_were_forged_before_they_were_logged(tmp_path: Path, said: str) -> None:
    old, new = FORGED_SCORES[said]
    built = build(tmp_path, forge={"scores.csv": lambda text: text.replace(old, new)})
    result = audit(built.material())
    assert set(broken(result)) == {"scores"}
    assert detail(result, "scores").endswith(said)


def test_a_test_image_was_never_scored(tmp_path: Path) -> None:
    def drop(text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join(line for line in lines if "test/good/005.png" not in line)

    result = audit(build(tmp_path, forge={"scores.csv": drop}).material())
    assert broken(result) == {"scores": "scores.csv: bolt/test/good/005.png: not scored"}


def test_the_scores_never_were_a_table(tmp_path: Path) -> None:
    result = audit(build(tmp_path, forge={"scores.csv": lambda _: "all is well"}).material())
    assert detail(result, "scores").startswith("scores.csv: expected the header path,sha256")
    assert set(broken(result)) == {"scores"}
    assert not_checkable(result) == {"verdict_recomputed", "evaluation", "probe"}


def test_the_manifest_was_forged_before_it_was_logged(tmp_path: Path) -> None:
    built = build(tmp_path, forge={"manifest.csv": lambda text: text.replace(",RGB,", ",L,", 1)})
    result = audit(built.material())
    assert broken(result) == {
        "manifest": "manifest.csv: its class digest is not that in lineage.json"
    }


def test_the_manifest_never_was_one(tmp_path: Path) -> None:
    result = audit(build(tmp_path, forge={"manifest.csv": lambda _: "no images"}).material())
    assert detail(result, "manifest").startswith("manifest.csv: a manifest cannot be read")
    assert set(broken(result)) == {"manifest"}


def test_the_manifest_is_of_another_class(tmp_path: Path) -> None:
    texts: list[str] = []

    def to_nut(text: str) -> str:
        texts.append(text.replace("\nbolt,", "\nnut,"))
        return texts[0]

    def digest_of_nut(record: dict[str, Any]) -> None:
        record["data"]["class_digest"] = class_digest(from_csv(texts[0]))

    result = audit(
        build(tmp_path, forge={"manifest.csv": to_nut}, forge_record=digest_of_nut).material()
    )
    assert detail(result, "manifest") == "manifest.csv: it lists images of another class"


ONE_MORE = {"train_good": 25, "test_good": 6, "test_defect": 6}
FORGED_RECORDS: dict[str, tuple[str, str, Any]] = {
    "manifest.csv: 24 images train_good; lineage.json: 25": ("data", "images", ONE_MORE),
    "validation.json: number of checks is 3; lineage.json says 30": ("validation", "checks", 30),
    "validation.json: its digest is not that in lineage.json": ("validation", "sha256", "e" * 64),
}


@pytest.mark.parametrize("said", FORGED_RECORDS)
def test_the_record_was_forged_before_it_was_logged(tmp_path: Path, said: str) -> None:
    part, key, value = FORGED_RECORDS[said]
    result = audit(
        build(tmp_path, forge_record=lambda record: record[part].update({key: value})).material()
    )
    assert list(broken(result).values()) == [said]


def test_a_training_image_was_tested_on(tmp_path: Path) -> None:
    result = audit(build(tmp_path, leak=True).material())
    assert broken(result) == {
        "split": "bolt/train/good/003.png and bolt/test/good/002.png are the same image"
    }
