"""Whatever is changed in a bundle is found, and the link that does not hold any more is named.

The careless forger changes a file. The thorough one also digests everything anew in `bundle.json`.
The one with access to the ledger also changes the record, its registration, the verdict and every
digest after it: only an anchor or a key that was kept elsewhere shows that, or that the numbers do
not follow from each other.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from patchae.files import sha256_bytes
from patchae.lineage.bundle import verify
from patchae.registry.signing import Signer, generate
from patchae.registry.verdict import rival_scores_file
from tests.support import examples
from tests.support.lineage.bundles import Forged, Made, answer, in_state, run

Forge = Callable[[Forged], object]
PROBED = "bolt/test/hole/000.png"


def rival_file(forged: Forged) -> str:
    (name,) = (name for name in forged.files if name.startswith("champion-"))
    return name


def other_byte(name: str) -> Forge:
    def forge(forged: Forged) -> None:
        content = forged.files[name]
        forged.files[name] = content[:-1] + bytes([content[-1] ^ 1])

    return forge


def removed(name: str) -> Forge:
    return lambda forged: forged.files.pop(name)


def added(name: str) -> Forge:
    return lambda forged: forged.files.update({name: b"new"})


def replaced(name: str, old: str, new: str) -> Forge:
    return lambda forged: forged.replace(name, old, new)


def in_json(name: str, change: Callable[[Any], object]) -> Forge:
    def forge(forged: Forged) -> None:
        content = forged.json(name)
        change(content)
        forged.put(name, content)

    return forge


CARELESS: dict[str, tuple[Forge, set[str]]] = {
    "a byte of the weights": (other_byte("model/artifacts/model.safetensors"), {"model_files"}),
    "a byte of an image": (other_byte("images/bolt/train/good/000.png"), {"images"}),
    "a byte of a mask": (other_byte("images/bolt/ground_truth/hole/000_mask.png"), {"images"}),
    "a score": (
        replaced("scores.csv", ",0.55,1", ",0.56,1"),
        {"scores", "verdict_recomputed"},
    ),
    "the page for people": (replaced("index.html", "tester", "auditor"), set()),
    "what the audit found": (replaced("audit.json", "intact", "broken"), {"audit"}),
    "the verifier": (replaced("verify.py", "TOLERANCE = 1e-9", "TOLERANCE = 1e99"), set()),
    "a file that was added": (added("readme.txt"), set()),
    "the split is gone": (removed("split.csv"), {"split"}),
    "the page is gone": (removed("index.html"), set()),
}
"""Each is found by `bundle_files`, and by the links named here as well."""


@pytest.mark.parametrize("name", CARELESS)
def test_a_changed_file_is_found(
    made: Made, honest_files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    forge, codes = CARELESS[name]
    assert broken_after(made, honest_files, tmp_path, forge) == codes | {"bundle_files"}


def swapped_use(forged: Forged) -> None:
    """One image that calibrated is said to have been learned, and the other way round."""
    text = forged.files["split.csv"].decode()
    text = text.replace(",calibration\n", ",?\n", 1).replace(",learned\n", ",calibration\n", 1)
    forged.files["split.csv"] = text.replace(",?\n", ",learned\n").encode()


THOROUGH: dict[str, tuple[Forge, set[str]]] = {
    "the weights": (other_byte("model/artifacts/model.safetensors"), {"model_files"}),
    "a file of the model is gone": (removed("model/MLmodel"), {"model_files"}),
    "a file of the model was added": (added("model/code.py"), {"model_files"}),
    "an image": (other_byte("images/bolt/test/hole/003.png"), {"images"}),
    "an image is gone": (removed("images/bolt/train/good/003.png"), {"images"}),
    "a mask is gone": (removed("images/bolt/ground_truth/hole/001_mask.png"), {"images"}),
    "an image was added": (added("images/bolt/train/good/999.png"), {"images"}),
    "an image is of another size": (
        replaced("manifest.csv", ",64,64,RGB", ",64,65,RGB"),
        {"manifest"},
    ),
    "an image was taken off the list": (
        lambda forged: forged.files.update(
            {"manifest.csv": b"\n".join(forged.files["manifest.csv"].split(b"\n")[:-2]) + b"\n"}
        ),
        {"manifest", "images", "split"},
    ),
    "two images changed their use": (swapped_use, {"split"}),
    "a score": (replaced("scores.csv", ",0.55,1", ",0.56,1"), {"scores", "verdict_recomputed"}),
    "a score that decides": (
        replaced("scores.csv", ",0.65,1", ",0.06,0"),
        {"scores", "evaluation", "verdict_recomputed"},
    ),
    "a test image was not scored": (
        lambda forged: forged.files.update(
            {"scores.csv": b"\n".join(forged.files["scores.csv"].split(b"\n")[:-2]) + b"\n"}
        ),
        {"scores", "evaluation", "verdict_recomputed"},
    ),
    "a score of the champion": (
        lambda forged: forged.replace(rival_file(forged), ",0.1,0", ",0.11,0"),
        {"verdict_recomputed"},
    ),
    "the champion's scores are gone": (
        lambda forged: forged.files.pop(rival_file(forged)),
        {"verdict_recomputed"},
    ),
    "a check of the validation": (
        in_json("validation.json", lambda content: content["checks"].pop()),
        {"validation"},
    ),
    "a package": (
        lambda forged: forged.files.update(
            {"components.json": forged.files["components.json"].replace(b"2.3.1", b"2.3.0")}
        ),
        {"environment"},
    ),
    "the image to try the model with": (
        lambda forged: forged.files.update(
            {f"probe/{Path(PROBED).name}": forged.files["images/bolt/test/hole/001.png"]}
        ),
        {"probe"},
    ),
    "a laxer schema": (
        in_json("lineage-2.schema.json", lambda content: content["required"].clear()),
        {"lineage_record"},
    ),
    "the record": (
        in_json("lineage.json", lambda content: content["training"].update(seed=1)),
        {"registered"},
    ),
    "the record lacks a field": (
        in_json("lineage.json", lambda content: content["environment"].pop("threads")),
        {"lineage_record", "registered", "verdict_recomputed"},
    ),
    "the record has a field too many": (
        in_json("lineage.json", lambda content: content.update(note="")),
        {"lineage_record", "registered", "verdict_recomputed"},
    ),
    "a result in the record": (
        in_json("lineage.json", lambda content: content["evaluation"].update(image_auroc=0.99)),
        {"registered", "evaluation"},
    ),
    "an interval in the record": (
        in_json(
            "lineage.json",
            lambda content: content["evaluation"].update(recall_interval=[0.9, 1.0]),
        ),
        {"registered", "evaluation"},
    ),
    "the copy of the policy": (
        in_json("policy.json", lambda content: content.update(min_image_auroc=0.1)),
        {"verdict_recomputed"},
    ),
    "the copy of the verdicts": (
        in_json("verdicts.json", lambda content: content["verdicts"].clear()),
        {"verdict_recomputed"},
    ),
    "another version": (
        in_json("bundle.json", lambda content: content.update(version="3")),
        {"audit", "registered", "verdict"},
    ),
    "another model": (
        in_json("bundle.json", lambda content: content.update(model="sample.nut")),
        {"audit", "lineage_record", "ledger_chain"},
    ),
    "a key": (
        lambda forged: forged.files.update(
            {name: other_key() for name in forged.files if name.startswith("keys/")}
        ),
        {"signatures"},
    ),
    "a key that signed nothing": (added("keys/" + "0" * 64 + ".pub"), {"signatures"}),
}
"""With every digest in `bundle.json` made anew, so that `bundle_files` finds nothing."""


def other_key() -> bytes:
    """A public key that nobody uses."""
    from patchae.lineage.bundle.ledger_part import public_keys
    from patchae.registry.signing import Signature

    return public_keys({1: Signature("7" * 64, "")})[f"keys/{'7' * 64}.pub"]


@pytest.mark.parametrize("name", THOROUGH)
def test_a_changed_file_is_found_although_everything_was_digested_anew(
    made: Made, honest_files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    forge, codes = THOROUGH[name]
    assert broken_after(made, honest_files, tmp_path, forge, Forged.digest) == codes


def of_row(kind: str, change: Callable[[Any], object]) -> Forge:
    """Change the body of a row on version 2, and chain all rows anew."""

    def forge(forged: Forged) -> None:
        rows = forged.rows
        change(forged.row(rows, kind)["body"])
        forged.chain(rows)

    return forge


def of_rows(change: Callable[[list[Any]], object], *, chained: bool = False) -> Forge:
    def forge(forged: Forged) -> None:
        rows = forged.rows
        change(rows)
        if chained:
            forged.chain(rows)
        else:
            forged.put_rows(rows)

    return forge


def swap(rows: list[Any]) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def cut(forged: Forged) -> None:
    """The newest rows are gone, and `bundle.json` ends at the one before."""
    rows = forged.rows[:-2]
    forged.put_rows(rows)
    index = forged.json("bundle.json")
    index["ledger"] = {"seq": len(rows), "digest": rows[-1]["digest"]}
    forged.put("bundle.json", index)


def weaker_policy(body: dict[str, Any]) -> None:
    """Other gates, with what they would have found."""
    body["policy"]["min_image_auroc"] = 0.1
    outcome, reasons, findings = verify.judge(body["evidence"], body["policy"])
    body.update(outcome=outcome, reasons=reasons, findings=findings)


def better_scores(forged: Forged) -> None:
    """One score was raised, and everything that follows from it was made anew, but the verdict."""
    forged.replace("scores.csv", ",0.55,1", ",0.62,1")
    digest = sha256_bytes(forged.files["scores.csv"])
    interval = [0.0, 1.0]
    record = forged.record(
        evaluation={"scores_sha256": digest, "image_auroc": 1.0, "image_auroc_interval": interval}
    )
    rows = forged.rows
    for version in "12":
        forged.row(rows, "registered", version)["body"]["lineage_sha256"] = record
        forged.row(rows, "verdict", version)["body"]["scores_sha256"] = digest
    forged.chain(rows)


def everything_anew(forged: Forged) -> None:
    """One score was raised, and everything that follows from it was made anew."""
    better_scores(forged)
    facts = verify.Facts(verify.Bundle(forged.write(Path("forged.zip"))))
    shown = verify.evidence_of(facts.scores)
    interval = list(verify.auroc_interval(shown["image_auroc"], 0.95))
    record = forged.record(evaluation={"image_auroc_interval": interval})
    name = rival_file(forged)
    rows = forged.rows
    for version in "12":
        forged.row(rows, "registered", version)["body"]["lineage_sha256"] = record
        body = forged.row(rows, "verdict", version)["body"]
        body["evidence"] |= shown
        if version == "2":
            own = {row["path"]: row["score"] for row in facts.read_scores(name)}
            order = [own[row["path"]] for row in facts.scores]
            body["evidence"]["champion"]["paired"] = verify.paired(facts.scores, order)
        outcome, reasons, findings = verify.judge(body["evidence"], body["policy"])
        body.update(outcome=outcome, reasons=reasons, findings=findings)
    forged.chain(rows)


def other_rival(forged: Forged) -> None:
    """The champion was made to look worse, with its digest in the verdict."""
    name, rows = rival_file(forged), forged.rows
    content = forged.files.pop(name).replace(b",0.1,0", b",0.9,0", 1)
    digest = sha256_bytes(content)
    forged.files[rival_scores_file("1", digest)] = content
    forged.row(rows, "verdict")["body"]["champion_scores_sha256"] = digest
    forged.chain(rows)


def record_anew(forged: Forged, **parts: dict[str, Any]) -> None:
    """Change the record, its registrations, and the chain."""
    digest, rows = forged.record(**parts), forged.rows
    for version in "12":
        forged.row(rows, "registered", version)["body"]["lineage_sha256"] = digest
    forged.chain(rows)


def third_use(forged: Forged) -> None:
    """An image of train/good was neither learned nor used for calibration, so the record says."""
    forged.replace("split.csv", ",learned", ",looked at")
    digest = sha256_bytes(forged.files["split.csv"])
    learned = forged.json("lineage.json")["training"]["learned"] - 1
    record_anew(forged, training={"split_sha256": digest, "learned": learned})


def listed_twice(forged: Forged) -> None:
    """The last image stands in the list twice, and is counted so."""
    text = forged.files["manifest.csv"]
    forged.files["manifest.csv"] = text + text.splitlines(keepends=True)[-1]
    rows = verify.Facts(verify.Bundle(forged.write(Path("forged.zip")))).read_manifest()
    lines = sorted(verify.canonical_json(row) for row in rows)
    data = forged.json("lineage.json")["data"]
    images = {**data["images"], "train_good": data["images"]["train_good"] + 1}
    record_anew(
        forged,
        data={
            "images": images,
            "manifest_sha256": sha256_bytes(forged.files["manifest.csv"]),
            "class_digest": sha256_bytes("\n".join(lines).encode()),
        },
    )


def clock_set_back(rows: list[Any]) -> None:
    next(row for row in rows if row.get("kind") == "move")["time"] = "2020-01-01T00:00:00.000000Z"


def judged_again(forged: Forged) -> None:
    """Other gates rejected version 2 before it was moved to, on the verdict from before."""
    rows = forged.rows
    again = deepcopy(forged.row(rows, "verdict"))
    body = again["body"]
    body["policy"]["max_ms_per_image"] = 0.001
    outcome, reasons, findings = verify.judge(body["evidence"], body["policy"])
    body.update(outcome=outcome, reasons=reasons, findings=findings)
    assert outcome == "reject"
    rows.insert(rows.index(forged.row(rows, "move")), again)
    forged.chain(rows)


def used_twice(forged: Forged) -> None:
    """After a rollback version 2 became champion again, on the verdict that was used up."""
    rows = forged.rows
    move, last = forged.row(rows, "move"), forged.rows[-2]
    for body in (
        {"from": "2", "to": "1", "why": "rolled_back", "verdict": None},
        {"from": "1", "to": "2", "why": "promoted"},
    ):
        rows.append({**deepcopy(move), "time": last["time"], "body": {**move["body"], **body}})
    forged.chain(rows)


ANEW = {"anchor", "signatures", "keys"}
"""What shows that the chain was made anew after it was noted and signed."""
WITH_THE_LEDGER: dict[str, tuple[Forge, set[str]]] = {
    "a row of another model is gone": (
        of_rows(lambda rows: rows.pop(0)),
        {"ledger_chain", "registered", *ANEW},
    ),
    "an own row is gone": (
        of_rows(lambda rows: rows.pop(3)),
        {"ledger_chain", "verdict", *ANEW},
    ),
    "two rows were exchanged": (of_rows(swap), {"ledger_chain", *ANEW}),
    "a row says another actor": (
        of_rows(lambda rows: rows[-2].update(actor="eve")),
        {"ledger_chain", *ANEW},
    ),
    "a row of another model says something else": (
        of_rows(lambda rows: rows[0].update(content="0" * 64)),
        {"ledger_chain", "registered", *ANEW},
    ),
    "a row says another actor, and all were chained anew": (
        of_rows(lambda rows: rows[1].update(actor="eve"), chained=True),
        ANEW,
    ),
    "a clock was set back": (of_rows(clock_set_back, chained=True), {"ledger_chain", *ANEW}),
    "the end was cut off": (cut, {"anchor"}),
    "a verdict was turned": (
        of_row("verdict", lambda body: body.update(outcome="hold")),
        {"verdict_recomputed", "verdict", *ANEW},
    ),
    "a reason was left out": (
        of_row("verdict", lambda body: body["reasons"].pop()),
        {"verdict_recomputed", *ANEW},
    ),
    "a limit in a finding": (
        of_row("verdict", lambda body: body["findings"][0].update(low=0.99)),
        {"verdict_recomputed", *ANEW},
    ),
    "a count in the evidence": (
        of_row("verdict", lambda body: body["evidence"]["recall"]["hole"].update(n=60)),
        {"verdict_recomputed", *ANEW},
    ),
    "how far the errors go together": (
        of_row(
            "verdict",
            lambda body: body["evidence"]["champion"]["paired"].update(defect_covariance=0.0),
        ),
        {"verdict_recomputed", *ANEW},
    ),
    "a laxer policy": (
        of_row("verdict", lambda body: body["policy"].update(min_image_auroc=0.1)),
        {"verdict_recomputed", *ANEW},
    ),
    "a laxer policy with all that follows": (of_row("verdict", weaker_policy), ANEW),
    "worse scores of the champion": (other_rival, {"verdict_recomputed", *ANEW}),
    "better scores": (better_scores, {"evaluation", "verdict_recomputed", *ANEW}),
    "better scores with all that follows": (everything_anew, ANEW),
    "the move names a verdict on another version": (
        of_row("move", lambda body: body.update(verdict=3)),
        {"verdict", *ANEW},
    ),
    "the move leaves another champion": (
        of_row("move", lambda body: body.update({"from": "9"})),
        {"verdict", *ANEW},
    ),
    "the move calls itself a rollback": (
        of_row("move", lambda body: body.update(why="rolled_back")),
        {"verdict", *ANEW},
    ),
    "a version was judged again before the move": (
        judged_again,
        {"verdict", *ANEW},
    ),
    "a verdict is used a second time": (used_twice, {"verdict", "signatures", "keys"}),
    "the registration names another run": (
        of_row("registered", lambda body: body.update(run_id="another")),
        {"registered", *ANEW},
    ),
    "the verdict was decided on other scores": (
        of_row("verdict", lambda body: body.update(scores_sha256="0" * 64)),
        {"verdict_recomputed", *ANEW},
    ),
    "an image with another use": (third_use, {"split", *ANEW}),
    "an image that is listed twice": (listed_twice, {"manifest", "split", "validation", *ANEW}),
    "a setting of the training": (
        lambda forged: record_anew(forged, training={"seed": 7}),
        ANEW,
    ),
    "a signature of another row": (
        of_rows(lambda rows: rows[3].update(signature=rows[2]["signature"])),
        {"signatures"},
    ),
    "a signature is gone": (of_rows(lambda rows: rows[-1].pop("signature")), {"keys"}),
    "a signature in between is gone": (of_rows(lambda rows: rows[4].pop("signature")), {"keys"}),
}
"""By somebody who can write the ledger and every file; all digests in `bundle.json` fit."""


@pytest.mark.parametrize("name", WITH_THE_LEDGER)
def test_a_changed_ledger_is_found(
    made: Made,
    honest_files: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    forge, codes = WITH_THE_LEDGER[name]
    assert broken_after(made, honest_files, tmp_path, forge, Forged.digest) == codes


def broken_after(made: Made, files: dict[str, bytes], folder: Path, *forges: Forge) -> set[str]:
    """The links that verify.py finds broken after a forgery, given the anchor and the key."""
    forged = Forged(files)
    for forge in forges:
        forge(forged)
    found = answer(forged.write(folder / "forged.zip"), made.anchor, (made.key,))
    assert found == answer(forged.unpack(folder / "unpacked"), made.anchor, (made.key,))
    return in_state(found, "broken")


def test_a_ledger_signed_anew_with_another_key(
    made: Made, honest_files: dict[str, bytes], tmp_path: Path
) -> None:
    public, _ = generate(tmp_path / "eve")
    eve = Signer.read(tmp_path / "eve")
    forged = Forged(honest_files)
    rows = forged.rows
    rows[1]["actor"] = "eve"
    forged.chain(rows, eve)
    forged.files = {name: forged.files[name] for name in forged.files if name[:5] != "keys/"}
    forged.files[f"keys/{eve.public}.pub"] = public.read_bytes()
    forged.digest()
    bundle = forged.write(tmp_path / "forged.zip")
    assert in_state(answer(bundle), "broken") == set()
    assert in_state(answer(bundle, keys=(public,)), "broken") == set()
    assert in_state(answer(bundle, keys=(made.key,)), "broken") == {"keys"}
    assert in_state(answer(bundle, made.anchor), "broken") == {"anchor"}


def test_the_sender_s_audit_is_believed_where_it_says_broken(
    made: Made, honest_files: dict[str, bytes], tmp_path: Path
) -> None:
    """Weights that were changed in MLflow, in a bundle that was written without them."""
    given = (made.anchor, (made.key,))
    for change in ({"state": "broken"}, {"model": "a.b"}, {"version": "1"}, {"state": None}):
        forged = Forged(honest_files)
        in_json("audit.json", lambda content, change=change: content.update(change))(forged)
        forged.digest()
        found = answer(forged.write(tmp_path / "b.zip"), *given)
        assert in_state(found, "broken") == {"audit"}
    built = made.built.copy(tmp_path / "version")
    (built.model / "artifacts" / "model.safetensors").write_bytes(b"other weights")
    bundle = Made(built, made.images, made.key).write(tmp_path / "b.zip", model=False)
    found = answer(bundle, *given)
    assert in_state(found, "broken") == {"audit"}
    assert "The model's files are unaltered" in found["audit"][1]


def test_a_schema_that_is_no_schema_is_not_asked(
    made: Made, honest_files: dict[str, bytes], tmp_path: Path
) -> None:
    forged = Forged(honest_files)
    forged.replace(verify.SCHEMA_FILE, '"pattern": "', '"pattern": "(')
    forged.digest()
    found = answer(forged.write(tmp_path / "b.zip"), made.anchor, (made.key,))
    assert in_state(found, "broken") == {"lineage_record"}
    assert "not the schema that patchae publishes" in found["verdict_recomputed"][1]


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_unpacked_breaks_the_links_that_need_it(
    honest_files: dict[str, bytes], tmp_path: Path, way: int
) -> None:
    bundle = tmp_path / "b.zip"
    with zipfile.ZipFile(bundle, "w") as opened:
        for name, content in honest_files.items():
            packed = way if name == "manifest.csv" else zipfile.ZIP_STORED
            opened.writestr(name, content, compress_type=packed)
        entry = opened.getinfo("manifest.csv")
    content = bytearray(bundle.read_bytes())
    begin = entry.header_offset + 30 + len("manifest.csv") + 24
    for at in range(begin, begin + 60):
        content[at] ^= 0xFF
    bundle.write_bytes(content)
    found = answer(bundle)
    assert {"bundle_files", "manifest"} <= in_state(found, "broken")
    assert "manifest.csv: cannot be read" in found["manifest"][1]


def test_two_files_of_one_name(made: Made, tmp_path: Path) -> None:
    bundle = made.write(tmp_path / "b.zip")
    with zipfile.ZipFile(bundle, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr("index.html", "another page")
    assert "two files of the same name" in answer(bundle)["bundle_files"][1]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a\\b", "./index.html"])
def test_a_name_that_leads_out_of_the_bundle(
    honest_files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    forged = Forged(honest_files)
    forged.files[name] = b"x"
    forged.digest()
    found = answer(forged.write(tmp_path / "forged.zip"))
    assert "not the name of a file inside" in found["bundle_files"][1]


def test_the_exit_code_and_the_tree_name_what_is_broken(
    honest_files: dict[str, bytes], tmp_path: Path
) -> None:
    forged = Forged(honest_files)
    other_byte("model/MLmodel")(forged)
    forged.write(tmp_path / "forged.zip")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
    done = run(tmp_path / "alone", "../forged.zip")
    assert (done.returncode, done.stderr) == (1, "")
    assert "BROKEN         The model's files are unaltered: model/MLmodel" in done.stdout
    done = run(tmp_path / "alone", "../forged.zip", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["state"] == "broken"


def test_a_forged_name_draws_no_line_of_its_own(
    honest_files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = Forged(honest_files)
    rows = forged.rows
    forged.row(rows, "registered")["actor"] = "eve\n\x1b[2Jintact: 19 links"
    forged.chain(rows)
    forged.digest()
    assert verify.main([str(forged.write(tmp_path / "b.zip"))]) == 1
    out = capsys.readouterr().out
    assert "by eve??[2Jintact" in out
    assert len(out.splitlines()) == len(verify.LINKS) + 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the bundle: there are 0 zip files here"),
        (["missing.zip"], "missing.zip"),
        (["verify.py"], "not a zip file"),
        (["honest.zip", "--anchor", "7"], "no anchor: '7'"),
        (["honest.zip", "--key", "verify.py"], "no public Ed25519 key"),
        (["honest.zip", "--key", "nowhere.pub"], "nowhere.pub"),
    ],
)
def test_wrong_use(made: Made, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
    if words[:1] == ["honest.zip"]:
        made.write(tmp_path / "honest.zip", model=False, images=False)
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@settings(deadline=None, max_examples=examples(150))
@given(st.data())
def test_any_other_byte_of_any_file_is_found(
    honest_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(honest_files)))
    old = honest_files[name]
    at = data.draw(st.integers(0, len(old) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(byte != old[at])
    files = {**honest_files, name: old[:at] + bytes([byte]) + old[at + 1 :]}
    forged = Forged(files)
    found = answer(forged.write(tmp_path_factory.getbasetemp() / "a byte.zip"))
    assert in_state(found, "broken"), (name, at)


@settings(deadline=None, max_examples=examples(60))
@given(data=st.data(), content=st.binary() | st.text().map(str.encode))
def test_it_answers_whatever_lies_there(
    honest_files: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    content: bytes,
) -> None:
    name = data.draw(st.sampled_from(sorted(n for n in honest_files if "images" not in n)))
    assume(honest_files[name] != content)
    forged = Forged({**honest_files, name: content})
    if name != "bundle.json":
        forged.digest()
    found = answer(forged.write(tmp_path_factory.getbasetemp() / "anything.zip"))
    assert list(found) == list(verify.LINKS)
    if name not in ("index.html", "verify.py"):
        assert in_state(found, "broken"), name


@settings(deadline=None, max_examples=examples(60))
@given(st.data())
def test_any_other_byte_of_the_zip_itself(
    honest_zip: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """It is found, or no file of the bundle is another one."""
    at = data.draw(st.integers(0, len(honest_zip) - 1))
    byte = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "zip.zip"
    path.write_bytes(honest_zip[:at] + bytes([byte]) + honest_zip[at + 1 :])
    try:
        found = answer(path)
    except (zipfile.BadZipFile, NotImplementedError):
        return
    if not in_state(found, "broken"):
        with zipfile.ZipFile(path) as opened:
            assert all(opened.read(n) == c for n, c in Forged.read(path).files.items())


@pytest.fixture(scope="module")
def honest_zip(made: Made, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An honest bundle."""
    return made.write(tmp_path_factory.mktemp("honest") / "b.zip").read_bytes()


@pytest.fixture(scope="module")
def honest_files(honest_zip: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an honest bundle."""
    path = tmp_path_factory.mktemp("files") / "b.zip"
    path.write_bytes(honest_zip)
    return Forged.read(path).files
