"""Links that hold between files: model, manifest, images, validation and scores.

Everything is digested and counted again from the content itself. Each check returns what it found
intact, or raises `Broken` or `NotCheckable`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from patchae.evidence.scores import read_scores
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage.environment import COMPONENTS_FILE
from patchae.lineage.material import Broken, Facts, NotCheckable, Unreachable, reachable, some
from patchae.lineage.record import load
from patchae.lineage.split_file import SPLIT_FILE, read_split
from patchae.registry.registration import WRITTEN_ON_DOWNLOAD
from patchae.registry.standing import former_champions, let_go


def model_files(facts: Facts) -> str:
    """The model's files are those that were logged, to the last byte, and no others."""
    folder = reachable(facts.material.model_folder, "the model's files")
    expected = facts.record.files
    gone = []
    for name, file in sorted(expected.items()):
        if not (folder / name).is_file():
            gone.append(_let_go(facts, name, file.sha256))
            continue
        if sha256_file(folder / name) != file.sha256:
            raise Broken(f"{name}: its content is not what was logged")
    unlisted = _files(folder) - set(expected) - WRITTEN_ON_DOWNLOAD
    if unlisted:
        raise Broken(f"{some(sorted(unlisted))}: not among the files that were logged")
    if gone:
        raise NotCheckable(
            f"{some(gone)}; the other {len(expected) - len(gone)} files are what was logged"
        )
    return f"{len(expected)} files"


def _let_go(facts: Facts, name: str, sha256: str) -> str:
    """Where the ledger says that a file that is gone may be.

    Raises:
        Broken: it does not: no row lets this very content go, or the version was in use.
    """
    broken = Broken(f"{name}: missing from the model")
    if isinstance(facts.material.entries, Unreachable):
        raise broken
    row = let_go(facts.entries).get(facts.version)
    if row is None or row.body["files"].get(name, {}).get("sha256") != sha256:
        raise broken
    if facts.version in former_champions(facts.entries):
        raise Broken(f"{name}: row {row.seq} lets it go, but this version was champion")
    return f"{name}: let go by the retention policy at {row.time}, row {row.seq} of the ledger"


def manifest(facts: Facts) -> str:
    """The list of images is the one that the model was trained and judged on."""
    from patchae.dataset.manifest import class_digest, from_csv
    from patchae.errors import DataError

    text, data = facts.artifact("manifest.csv"), facts.record.data
    if sha256_bytes(text) != data.manifest_sha256:
        raise Broken("manifest.csv: its content is not what was logged")
    try:
        rows = from_csv(text.decode())
    except (ValueError, DataError) as error:
        raise Broken(f"manifest.csv: {error}") from None
    if class_digest(rows) != data.class_digest:
        raise Broken("manifest.csv: its class digest is not that in lineage.json")
    if set(rows["class"]) != {facts.record.class_name}:
        raise Broken("manifest.csv: it lists images of another class")
    good = rows["defect"] == "good"
    for name, chosen in (
        ("train_good", (rows["split"] == "train") & good),
        ("test_good", (rows["split"] == "test") & good),
        ("test_defect", (rows["split"] == "test") & ~good),
    ):
        told = getattr(data.images, name)
        if int(chosen.sum()) != told:
            raise Broken(f"manifest.csv: {int(chosen.sum())} images {name}; lineage.json: {told}")
    return f"{len(rows)} images, class digest {data.class_digest[:12]}"


def validation(facts: Facts) -> str:
    """The images passed validation, and the record of it is on these images."""
    from patchae.dataset.validation.record import ValidationRecord

    record = facts.record
    try:
        found = ValidationRecord.from_dict(load(facts.artifact("validation.json").decode()))
    except ValueError as error:
        raise Broken(f"validation.json: {str(error).partition(chr(10))[0]}") from None
    if found.digest != record.validation.sha256:
        raise Broken("validation.json: its digest is not that in lineage.json")
    for what, seen, told in (
        ("class", found.class_name, record.class_name),
        ("class digest", found.class_digest, record.data.class_digest),
        ("data version", found.data_version, record.data.version),
        ("number of checks", len(found.checks), record.validation.checks),
        ("passed", found.passed, record.validation.passed),
    ):
        if seen != told:
            raise Broken(f"validation.json: {what} is {seen}; lineage.json says {told}")
    if not found.passed:
        raise Broken("validation.json: the images did not pass")
    return f"{len(found.checks)} checks passed"


def scores(facts: Facts) -> str:
    """Every test image was scored once, by its content, under its own label, and no other was."""
    text, evaluation = facts.artifact("scores.csv"), facts.record.evaluation
    if sha256_bytes(text) != evaluation.scores_sha256:
        raise Broken("scores.csv: its content is not what was logged")
    try:
        scored = read_scores(text.decode())
    except ValueError as error:
        raise Broken(f"scores.csv: {error}") from None
    rows = facts.manifest[facts.manifest["split"] == "test"]
    expected = {
        path: (sha256, defect)
        for path, sha256, defect in zip(rows["path"], rows["sha256"], rows["defect"], strict=True)
    }
    seen: set[str] = set()
    for item in scored:
        if item.path in seen or item.path not in expected:
            what = "scored twice" if item.path in seen else "scored, but no test image"
            raise Broken(f"scores.csv: {item.path}: {what}")
        seen.add(item.path)
        if (item.sha256, item.defect) != expected[item.path]:
            raise Broken(f"scores.csv: {item.path}: not the image in the manifest")
        if item.label != int(item.defect != "good"):
            raise Broken(f"scores.csv: {item.path}: its label is not that of its folder")
        if item.decision != int(item.score > evaluation.threshold):
            raise Broken(f"scores.csv: {item.path}: its decision does not follow its score")
    unscored = sorted(set(expected) - seen)
    if unscored:
        raise Broken(f"scores.csv: {some(unscored)}: not scored")
    return f"{len(scored)} test images"


def split(facts: Facts) -> str:
    """Every image of train/good was used once, none of test/, and no image stands in both."""
    text, training, rows = facts.artifact(SPLIT_FILE), facts.record.training, facts.manifest
    if sha256_bytes(text) != training.split_sha256:
        raise Broken(f"{SPLIT_FILE}: its content is not what was logged")
    try:
        used = read_split(text.decode())
    except ValueError as error:
        raise Broken(f"{SPLIT_FILE}: {error}") from None
    good = rows[(rows["split"] == "train") & (rows["defect"] == "good")]
    expected = sorted(zip(good["path"], good["sha256"], strict=True))
    if sorted((one.path, one.sha256) for one in used) != expected:
        raise Broken(f"{SPLIT_FILE}: it does not hold exactly the images of train/good")
    for use, told in (("learned", training.learned), ("calibration", training.calibration)):
        found = sum(one.use == use for one in used)
        if found != told:
            raise Broken(f"{SPLIT_FILE}: {found} images {use}; lineage.json: {told}")
    paths: dict[str, dict[str, str]] = defaultdict(dict)
    for part, sha256, path in zip(rows["split"], rows["sha256"], rows["path"], strict=True):
        paths[sha256].setdefault(part, path)
    for where in paths.values():
        if {"train", "test"} <= set(where):
            raise Broken(f"{where['train']} and {where['test']} are the same image")
    return f"{training.learned} learned, {training.calibration} calibrated, none of them in test"


def environment(facts: Facts) -> str:
    """The list of components is the one that was logged, and names the packages of the record."""
    text, told = facts.artifact(COMPONENTS_FILE), facts.record.environment
    if sha256_bytes(text) != told.components_sha256:
        raise Broken(f"{COMPONENTS_FILE}: its content is not what was logged")
    listed = {one["name"]: one["version"] for one in load(text.decode())["components"]}
    if listed != told.packages:
        raise Broken(f"{COMPONENTS_FILE}: it does not name the packages in lineage.json")
    return f"{len(listed)} packages, Python {told.python}, {told.device_name}"


def _files(folder: Path) -> set[str]:
    # Whatever is not a folder counts, so that a link to nowhere is seen as well.
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
