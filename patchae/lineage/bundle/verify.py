"""Verify an audit bundle of patchae with nothing but Python 3.11 or newer.

    python -I verify.py BUNDLE.zip            a bundle, or the folder that it was unpacked to
    python -I verify.py                       the one that lies here
        --anchor SEQ:DIGEST                   a row of the ledger that was noted elsewhere
        --key FILE.pub                        a public key that you trust; may be repeated
        --json                                one JSON object instead of the tree

Every digest, count, interval and verdict is computed anew from the files, by code that shares
nothing with patchae; no claim of a file is believed that another one can show. It prints one line
per link: intact, BROKEN, or not checkable and why. Exit code 0: no link is broken; 1: one is;
2: wrong use. It changes nothing and needs no network.

A bundle cannot vouch for itself: take this file from where you trust it, leave it outside of what
was unpacked, and take the anchor and the key from whoever kept them apart from the ledger. It
reads from the top: the links, what they read, then the mathematics of intervals and gates, JSON
Schema, and Ed25519 signatures.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python looks for modules beside the script first: a csv.py in a bundle would be run as ours.
    del sys.path[0]

import argparse
import base64
import csv
import hashlib
import io
import json
import math
import re
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from statistics import NormalDist
from typing import IO, Any, TypeVar

BUNDLE = "patchae.bundle/1"
INDEX = "bundle.json"
SCHEMA_FILE = "lineage-2.schema.json"
SCHEMA_SHA256 = "4615c5e10b4e3bd8404942f9a09a12279404664032faf7e06144f329fae91b52"
"""Of the schema that records are held against: a laxer one must not take its place."""
ALWAYS = ("audit.json", "index.html", "ledger.jsonl", "verify.py")
"""Files of every bundle that no other link asks for."""
TOLERANCE = 1e-9
"""Two ways to compute the same number may differ by this much in floating point."""
GENESIS = "0" * 64
Json = dict[str, Any]
T = TypeVar("T")


SHAPELESS = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading a document of another shape than ours may raise."""


class Broken(Exception):
    """The link does not hold; the message says why."""


class NotCheckable(Exception):
    """Nothing can be said about the link; the message says why."""


@dataclass(frozen=True)
class Link:
    """One link and what was found of it."""

    code: str
    title: str
    state: str
    detail: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description="Verify an audit bundle of patchae.")
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="the zip, or its folder")
    parser.add_argument("--anchor", metavar="SEQ:DIGEST", help="what `patchae ledger anchor` gave")
    parser.add_argument("--key", metavar="FILE.pub", action="append", help="a trusted public key")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    try:
        bundle = Bundle(Path(given.bundle) if given.bundle else _lying_here())
        anchor = _anchor(given.anchor) if given.anchor else None
        trusted = {_public_key(Path(name).read_text()) for name in given.key or ()}
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        parser.error(str(error))
    facts = Facts(bundle, anchor, trusted)
    links = verify(facts)
    broken = [link for link in links if link.state == "broken"]
    unknown = [link for link in links if link.state == "not_checkable"]
    state = "broken" if broken else "intact"
    if given.json:
        told = [vars(link) for link in links]
        answer = {"model": facts.model, "version": facts.version, "state": state}
        print(json.dumps({**answer, "not_checkable": len(unknown), "links": told}))
        return 1 if broken else 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not know every letter
    print(_printable(f"{facts.model}/{facts.version}"))
    for number, link in enumerate(links, 1):
        word = {"broken": "BROKEN", "not_checkable": "not checkable"}.get(link.state, link.state)
        branch = "└─" if number == len(links) else "├─"
        print(_printable(f"{branch} {word:<13}  {link.title}: {link.detail}"))
    print(f"{state}: {len(links)} links" + (f", {len(unknown)} not checkable" if unknown else ""))
    return 1 if broken else 0


def _printable(text: str) -> str:
    # A name in a forged bundle must not draw lines of its own on the terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def verify(facts: Facts) -> list[Link]:
    """Check every link of a bundle. Never raises for what it finds."""
    return [_link(code, title, check, facts) for code, (title, check) in LINKS.items()]


def _link(code: str, title: str, check: Callable[[Facts], str], facts: Facts) -> Link:
    state = "broken"
    try:
        state, detail = "intact", check(facts)
    except NotCheckable as reason:
        state, detail = "not_checkable", str(reason)
    except Broken as reason:
        detail = str(reason)
    except (*SHAPELESS, ArithmeticError) as error:
        # A document of another shape was put in place of one that patchae wrote.
        detail = f"cannot be read: {type(error).__name__}: {error}"
    return Link(code, title, state, detail)


def _lying_here() -> Path:
    here = Path(__file__).resolve().parent
    if (here / INDEX).is_file():
        return here
    found = sorted({*Path().glob("*.zip"), *here.glob("*.zip")}, key=str)
    found = list({path.resolve(): path for path in found}.values())
    if len(found) != 1:
        raise ValueError(f"name the bundle: there are {len(found)} zip files here")
    return found[0]


def _anchor(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([1-9][0-9]*):([0-9a-f]{64})", text.strip())
    if not found:
        raise ValueError(f"no anchor: {text!r}; expected a number, a colon and 64 digits")
    return int(found[1]), found[2]


# The links ---------------------------------------------------------------------------------------

Check = Callable[["Facts"], str]
LINKS: dict[str, tuple[str, Check]] = {}
"""Every link in order: its code, its title and its check. `docs/bundle.md` explains each."""


def link(title: str) -> Callable[[Check], Check]:
    """Add a check to the links, under its own name: what holds when it is intact."""

    def added(check: Check) -> Check:
        LINKS[check.__name__] = (title, check)
        return check

    return added


@link("Every file is the one that was written")
def bundle_files(facts: Facts) -> str:
    index, names = facts.read_index(), facts.bundle.names
    if len(set(names)) != len(names):
        raise Broken("the zip holds two files of the same name")
    told = index["files"]
    for name in ALWAYS:
        if name not in told:
            raise Broken(f"{name}: not among the files that {INDEX} lists")
    for name, file in sorted(told.items()):
        sha256, _, size = facts.bundle.digests(name)
        if (sha256, size) != (file["sha256"], file["bytes"]):
            raise Broken(f"{name}: its content is not what {INDEX} says")
    if unlisted := sorted(set(names) - set(told) - {INDEX}):
        raise Broken(f"{_some(unlisted)}: not listed in {INDEX}")
    return f"{len(told)} files"


@link("The audit that made it found nothing broken")
def audit(facts: Facts) -> str:
    """What the sender says of it, who is believed only where he speaks against it."""
    told = facts.read_json("audit.json")
    if (told["model"], told["version"]) != (facts.model, facts.version):
        raise Broken(f"audit.json: it is on {told['model']}/{told['version']}")
    broken = [one["title"] for one in told["links"] if one["state"] == "broken"]
    if broken or told["state"] != "intact":
        raise Broken(f"audit.json: {told['state']}: {_some(broken) or 'it names no link'}")
    raise NotCheckable("it found nothing broken; that is the word of whoever made the bundle")


@link("The ledger is unaltered")
def ledger_chain(facts: Facts) -> str:
    previous, last_time, shown = GENESIS, "", 0
    for number, row in enumerate(facts.read_rows(), 1):
        if type(row["seq"]) is not int or row["seq"] != number:
            raise Broken(f"row {row['seq']} stands where row {number} must be")
        if "previous" in row:
            shown += 1
            if row["previous"] != previous:
                raise Broken(f"row {number}: it does not follow the row before")
            if row["digest"] != facts.digests[number]:
                raise Broken(f"row {number}: its digest is not that of what it says")
            if row["model"] != facts.model:
                raise Broken(f"row {number}: it is on {row['model']}")
            if row["time"] < last_time:
                raise Broken(f"row {number}: its time is earlier than that of a row before")
            last_time = row["time"]
        previous = facts.digests[number]
    count = len(facts.rows)
    head = {"seq": count, "digest": previous} if count else None
    if facts.index["ledger"] != head:
        raise Broken(f"the newest row is {count}:{previous}, and not the one in {INDEX}")
    return f"{count} rows, {shown} of them in full; the newest is {count}:{previous}"


@link("The ledger holds what was noted elsewhere")
def anchor(facts: Facts) -> str:
    if facts.anchor is None:
        raise NotCheckable("no anchor was given (--anchor); the end could be missing, or all anew")
    seq, digest = facts.anchor
    if seq not in facts.digests:
        raise Broken(f"row {seq}: missing; the ledger here ends at {len(facts.digests)}")
    if facts.digests[seq] != digest:
        raise Broken(f"row {seq}: not the one that the anchor names; it was written anew")
    return f"row {seq} of {len(facts.digests)} is the one that was noted"


@link("The signatures are those of their rows")
def signatures(facts: Facts) -> str:
    """Every signature is one of its row, by the key that it names; the keys lie in keys/."""
    signed = facts.signed
    if not signed:
        raise NotCheckable("no row is signed")
    for seq, (key, value) in sorted(signed.items()):
        if not signature_holds(key, value, facts.digests[seq].encode()):
            raise Broken(f"row {seq}: its signature is not one of this row")
    there = {name for name in facts.bundle.names if name.startswith("keys/")}
    for key in {key for key, _ in signed.values()}:
        name = f"keys/{key}.pub"
        if _public_key(facts.bundle.read(name).decode()) != key:
            raise Broken(f"{name}: another key than the name says")
        there.discard(name)
    if there:
        raise Broken(f"{_some(sorted(there))}: no row is signed with it")
    return f"{len(signed)} of {len(facts.digests)} rows are signed"


@link("The ledger is signed with a trusted key")
def keys(facts: Facts) -> str:
    if not facts.trusted:
        raise NotCheckable("no trusted key was given (--key)")
    for seq, (key, _) in sorted(facts.signed.items()):
        if key not in facts.trusted:
            raise Broken(f"row {seq}: signed with another key, {key[:16]}...")
    newest = len(facts.digests)
    if newest not in facts.signed:
        raise Broken(f"row {newest}: the newest row is not signed")
    first = min(facts.signed)
    for number in range(first, newest):  # whose writer a later signature would cover up
        if number not in facts.signed:
            raise Broken(f"row {number}: not signed, and row {first} before it is")
    if not signature_holds(*facts.signed[newest], facts.digests[newest].encode()):
        raise Broken(f"row {newest}: its signature is not one of this row")
    return f"signed from row {first} on, up to row {newest}"


@link("The ledger recorded this version")
def registered(facts: Facts) -> str:
    record, rows = facts.record, facts.of_version("registered")
    if not rows:
        raise Broken(f"the ledger has no row on the registration of version {facts.version}")
    expected = {
        "lineage_sha256": digest_json(record),
        "run_id": record["run"]["mlflow_run_id"],
        "training_key": record["training_key"],
    }
    for row in rows:
        for key, value in expected.items():
            if row["body"][key] != value:
                raise Broken(f"lineage.json: {key} is {value}; row {row['seq']} says otherwise")
    seq, told = rows[0]["seq"], record["ledger"]
    if told and (told["seq"] >= seq or facts.digests.get(told["seq"]) != told["digest"]):
        raise Broken(f"lineage.json: it was written after row {told['seq']} of another ledger")
    return f"row {seq}, by {rows[0]['actor']} at {rows[0]['time']}"


@link("The version was judged before it was used")
def verdict(facts: Facts) -> str:
    """Every move to this version rests on a verdict on it, or returns to a former champion."""
    if not facts.of_version("verdict"):
        raise Broken(f"the ledger has no verdict on version {facts.version}")
    moved = 0
    for position, row in enumerate(facts.own_rows):
        if row["kind"] == "move" and row["body"]["to"] == facts.version:
            _check_move(facts, row, facts.own_rows[:position])
            moved += 1
    where = {version: name for name, version in standing(facts.own_rows).items()}
    now = where.get(facts.version, "not in use")
    return f"{moved} moves to this version; as of the newest row it is {now}"


def _check_move(facts: Facts, move: Json, before: Sequence[Json]) -> None:
    seq, body, current = move["seq"], move["body"], standing(before).get("champion")
    if body["from"] != current:
        raise Broken(f"row {seq}: moved from version {body['from']}, the champion was {current}")
    if any(row["body"]["version"] == facts.version for row in _of(before, "retired")):
        raise Broken(f"row {seq}: moved to a version that is retired")
    if any(row["body"]["version"] == facts.version for row in _of(before, "tidied")):
        raise Broken(f"row {seq}: moved to a version whose weights were let go")
    if body["why"] == "rolled_back":
        if facts.version not in {row["body"]["to"] for row in _of(before, "move")}:
            raise Broken(f"row {seq}: rolled back to a version that never was champion")
        return
    allowed = {"promoted": ["promote"], "overridden": ["hold"], "adopted": ["promote", "hold"]}
    given = [row for row in _of(before, "verdict") if row["body"]["version"] == facts.version]
    if body["verdict"] not in [row["seq"] for row in given]:
        raise Broken(f"row {seq}: {body['why']} without a verdict on {facts.version} before it")
    row = given[-1]
    if row["seq"] != body["verdict"]:
        raise Broken(f"row {seq}: {body['why']} although row {row['seq']} judged it again")
    if row["body"]["outcome"] not in allowed.get(body["why"], ()):
        raise Broken(f"row {seq}: {body['why']} although row {row['seq']} says otherwise")
    if body["why"] == "adopted":  # a person's word, whatever it was compared with, or used for
        return
    if row["body"]["champion"] != current:
        raise Broken(f"row {seq}: {body['why']} on a comparison with another champion")
    for one in _of(before, "move"):
        if one["body"]["verdict"] == row["seq"]:
            raise Broken(f"row {seq}: {body['why']} on a verdict that row {one['seq']} used")


def standing(rows: Sequence[Json]) -> dict[str, str]:
    """Which versions are champion and previous after all moves: a pile, from which a rollback
    takes off what lies above its target, and a retirement the version itself: where it parted
    one version from itself, that one stays once."""
    pile: list[str] = []
    for row in rows:
        body = row["body"]
        if row["kind"] == "retired":
            left = [version for version in pile if version != body["version"]]
            pairs = zip(left, [None, *left], strict=False)
            pile = [version for version, below in pairs if version != below]
        elif row["kind"] == "move" and body["why"] == "rolled_back" and body["to"] in pile:
            del pile[len(pile) - pile[::-1].index(body["to"]) :]
        elif row["kind"] == "move":
            pile.append(body["to"])
    return dict(zip(("champion", "previous"), reversed(pile), strict=False))


@link("The verdict follows from the scores")
def verdict_recomputed(facts: Facts) -> str:
    rows = facts.of_version("verdict")
    if not rows:
        raise NotCheckable(f"the ledger has no verdict on version {facts.version}")
    for row in rows:
        _recompute(facts, row)
    if facts.read_json("verdicts.json") != {"verdicts": rows}:
        raise Broken("verdicts.json: not the rows of the ledger")
    if facts.read_json("policy.json") != rows[-1]["body"]["policy"]:
        raise Broken(f"policy.json: not the policy of row {rows[-1]['seq']}")
    last = rows[-1]["body"]
    other = "" if last["policy"] == facts.record["policy"] else "; not the policy of the record"
    return f"row {rows[-1]['seq']}: {last['outcome']} ({', '.join(last['reasons'])}){other}"


def _recompute(facts: Facts, row: Json) -> None:
    body, record, seq = row["body"], facts.record, row["seq"]
    told = body["evidence"]
    if body["scores_sha256"] != sha256_of(facts.bundle.read("scores.csv")):
        raise Broken(f"row {seq}: it was decided on other scores than scores.csv")
    champion = told["champion"]
    if body["champion"] != (champion["version"] if champion else None):
        raise Broken(f"row {seq}: its evidence is on another champion")
    found = {
        **evidence_of(facts.scores),
        "ms_per_image": record["evaluation"]["ms_per_image"],
        "validation_passed": record["validation"]["passed"],
        "lineage_complete": not any(schema_problems(record, facts.schema, facts.schema)),
        "champion": champion and {**champion, "paired": _paired(facts, row, champion)},
        # When data versions were made, and what other seeds gave, no file of the bundle says.
        "data_recorded": told["data_recorded"],
        "seeds": told["seeds"],
    }
    if "promised" in told or "broken_promise" in body["policy"]:  # not in rows of older patchae
        found["promised"] = record["training"]["settings"]["false_alarm_rate"]
        found["operating"] = operating(facts, told["operating"])
    if wrong := [key for key in sorted({*found, *told}) if not close(found.get(key), told[key])]:
        raise Broken(f"row {seq}: its evidence is not what the records show: {', '.join(wrong)}")
    outcome, reasons, findings = judge(told, body["policy"])
    if (outcome, reasons) != (body["outcome"], body["reasons"]):
        raise Broken(
            f"row {seq} says {body['outcome']} ({', '.join(body['reasons'])});"
            f" its policy gives {outcome} ({', '.join(reasons)})"
        )
    # How many more images would decide is advice, which no outcome rests on.
    said = [{key: one[key] for key in one if key[:5] != "more_"} for one in body["findings"]]
    if not close(findings, said):
        raise Broken(f"row {seq}: its findings are not what its policy gives on its evidence")


def operating(facts: Facts, told: Sequence[Json]) -> list[Json]:
    """The operating table, counted again; a threshold of it must be from where it says."""
    for point in told:
        source = facts.record["evaluation"]["threshold"]
        if point["source"] == "calibration" and facts.calibration:
            source = conformal(facts.calibration, point["promised"])
        elif point["source"] != "trained":
            continue
        if not close(point["threshold"], source):
            raise Broken(f"operating table: {point['threshold']} is not of {point['source']}")
    return [
        _operating(facts, *(point[k] for k in ("threshold", "source", "promised")))
        for point in told
    ]


def _operating(facts: Facts, threshold: float, source: str, promised: float | None) -> Json:
    above = {row["defect"]: 0 for row in facts.scores if row["label"]}
    for row in facts.scores:
        if row["label"]:
            above[row["defect"]] += row["score"] > threshold
    false = sum(row["score"] > threshold for row in facts.scores if not row["label"])
    where = {"threshold": threshold, "source": source, "promised": promised}
    return {**where, "false_alarms": false, "detected": above}


def conformal(calibration: Sequence[float], rate: float) -> float:
    """The threshold that promises a rate of false alarms: split conformal prediction."""
    count = len(calibration)
    return sorted(calibration)[min(math.ceil((count + 1) * (1 - rate)), count) - 1]


def _paired(facts: Facts, row: Json, champion: Json) -> Json | None:
    """Both models on the same images, from the scores of both."""
    digest, seq = row["body"]["champion_scores_sha256"], row["seq"]
    if champion["problem"]:
        if digest is not None:
            raise Broken(f"row {seq}: the champion has scores although it could not be scored")
        return None
    name = f"champion-{champion['version']}/scores-{digest[:12]}.csv"
    if sha256_of(facts.bundle.read(name)) != digest:
        raise Broken(f"{name}: row {seq} was decided on other scores")
    rows = facts.read_scores(name)
    _require_test_images(name, rows, facts.manifest)
    own = {item["path"]: item["score"] for item in rows}
    return paired(facts.scores, [own[item["path"]] for item in facts.scores])


@link("The threshold in use is the one in the ledger")
def threshold(facts: Facts) -> str:
    """Every move of the threshold follows the one before, and is what it says it is."""
    trained = current = facts.record["evaluation"]["threshold"]
    rows = facts.of_version("threshold")
    for row in rows:
        seq, body = row["seq"], row["body"]
        if not close(body["from"], current):
            raise Broken(f"row {seq}: moved the threshold from {body['from']}, it was {current}")
        current = body["to"]
        if type(current) not in (int, float) or not math.isfinite(current):
            raise Broken(f"row {seq}: {current} is no threshold")
        if body["why"] not in ("set", "false_alarms", "reset"):
            raise Broken(f"row {seq}: moved the threshold for no known cause")
        if body["why"] == "reset" and not close(current, trained):
            raise Broken(f"row {seq}: reset to {current}, training set {trained}")
        if body["why"] == "false_alarms" and facts.calibration:
            promised = conformal(facts.calibration, body["rate"])
            if not close(current, promised):
                raise Broken(f"row {seq}: {promised} promises {body['rate']}, not {current}")
    if not rows:
        return f"{trained}, as training set it"
    return f"{current}, since row {rows[-1]['seq']}; training set {trained}"


@link("The lineage record is complete")
def lineage_record(facts: Facts) -> str:
    facts.read_schema()
    record = facts.read_json("lineage.json")
    for problem in schema_problems(record, facts.schema, facts.schema):
        raise Broken(f"lineage.json: {problem}")
    if record["model"] != f"{record['line']}.{record['class']}" or record["model"] != facts.model:
        raise Broken(f"lineage.json: it is on {record['model']}")
    for name in record["files"]:
        _require_inside(name)
    return f"complete; sha256 {digest_json(record)}"


@link("The model's files are unaltered")
def model_files(facts: Facts) -> str:
    there = {name for name in facts.bundle.names if name.startswith("model/")}
    if not there and not facts.index["holds"]["model"]:
        raise NotCheckable("the bundle was written without the model (--with-model)")
    gone = []
    for name, file in sorted(facts.record["files"].items()):
        if f"model/{name}" not in there:
            gone.append(_let_go(facts, name, file["sha256"]))
            continue
        sha256, _, size = facts.bundle.digests(f"model/{name}")
        if (sha256, size) != (file["sha256"], file["bytes"]):
            raise Broken(f"model/{name}: its content is not what was logged")
        there.discard(f"model/{name}")
    if there:
        raise Broken(f"{_some(sorted(there))}: not among the files that were logged")
    if gone:
        raise NotCheckable(f"{_some(gone)}; the other files are what was logged")
    return f"{len(facts.record['files'])} files"


def _let_go(facts: Facts, name: str, sha256: str) -> str:
    """Where the ledger says that a file may be gone: by this very content, of no champion."""
    try:
        rows = facts.of_version("tidied")
    except NotCheckable:
        rows = []
    for row in rows:
        if row["body"]["files"].get(name, {}).get("sha256") == sha256:
            if any(move["body"]["to"] == facts.version for move in _of(facts.own_rows, "move")):
                raise Broken(f"model/{name}: row {row['seq']} lets it go; it was of a champion")
            return f"{name}: let go by the retention policy, row {row['seq']}"
    raise Broken(f"model/{name}: missing")


@link("The image to try the model with is one of its tests")
def probe(facts: Facts) -> str:
    """The image kept for trying the model is the test image that the rule chooses."""
    there = [name for name in facts.bundle.names if name.startswith("probe/")]
    if not there:
        raise NotCheckable("the bundle holds no image to try the model with")
    found = [row for row in facts.scores if row["label"] and row["decision"]]
    row = min(found, key=lambda one: (one["score"], one["path"])) if found else facts.scores[0]
    name = f"probe/{PurePosixPath(row['path']).name}"
    if there != [name] or facts.bundle.digests(name)[0] != row["sha256"]:
        raise Broken(f"{_some(there)}: not the test image {row['path']}")
    return f"{row['path']}, score {row['score']:.6g}"


@link("The list of images is unaltered")
def manifest(facts: Facts) -> str:
    data = facts.record["data"]
    _require_logged(facts, "manifest.csv", data["manifest_sha256"])
    rows = facts.read_manifest()
    texts = sorted(canonical_json(row) for row in rows)
    if sha256_of("\n".join(texts).encode()) != data["class_digest"]:
        raise Broken("manifest.csv: its class digest is not that in lineage.json")
    if {row["class"] for row in rows} != {facts.record["class"]}:
        raise Broken("manifest.csv: it lists images of another class")
    if len({row["path"] for row in rows}) != len(rows):
        raise Broken("manifest.csv: it lists an image twice")
    found = {"train_good": 0, "test_good": 0, "test_defect": 0}
    for row in rows:
        part = f"{row['split']}_{'good' if row['defect'] == 'good' else 'defect'}"
        found[part] = found.get(part, 0) + 1
    for part, count in data["images"].items():
        if found[part] != count:
            raise Broken(f"manifest.csv: {found[part]} images {part}; lineage.json: {count}")
    return f"{len(rows)} images, class digest {data['class_digest']}"


@link("The images are those of the list")
def images(facts: Facts) -> str:
    """The images in the bundle are those of the list, masks included, and all of them."""
    there = {name for name in facts.bundle.names if name.startswith("images/")}
    if not there and not facts.index["holds"]["images"]:
        raise NotCheckable("the bundle was written without images (--with-images)")
    rows = facts.manifest
    for row in rows:
        sha256, md5, size = facts.bundle.digests(f"images/{row['path']}")
        if (sha256, md5, size) != (row["sha256"], row["md5"], row["bytes"]):
            raise Broken(f"images/{row['path']}: not the image in manifest.csv")
        there.discard(f"images/{row['path']}")
        if row["mask"] is not None:
            if facts.bundle.digests(f"images/{row['mask']}")[0] != row["mask_sha256"]:
                raise Broken(f"images/{row['mask']}: not the mask in manifest.csv")
            there.discard(f"images/{row['mask']}")
    if there:
        raise Broken(f"{_some(sorted(there))}: not in manifest.csv")
    masks = sum(row["mask"] is not None for row in rows)
    return f"{len(rows)} images and {masks} masks"


@link("The images are in their data version")
def data_version(facts: Facts) -> str:
    """Nothing in a bundle can show this: the list of a data version names other classes, too."""
    version = facts.record["data"]["version"]
    raise NotCheckable(f"that DVC holds these images as {version} is seen where it is: ask for it")


@link("The images passed validation")
def validation(facts: Facts) -> str:
    record, found = facts.record, facts.read_json("validation.json")
    if digest_json(found) != record["validation"]["sha256"]:
        raise Broken("validation.json: its digest is not that in lineage.json")
    checks = found["checks"]
    not_passed = [
        {key: check[key] for key in ("code", "severity", "found")}
        for check in checks
        if not check["passed"]
    ]
    for what, seen, told in (
        ("class", found["class_name"], record["class"]),
        ("class digest", found["class_digest"], record["data"]["class_digest"]),
        ("data version", found["data_version"], record["data"]["version"]),
        ("counts", found["counts"], record["data"]["images"]),
        ("number of checks", len(checks), record["validation"]["checks"]),
        ("passed", found["passed"], record["validation"]["passed"]),
        ("findings", not_passed, record["validation"]["findings"]),
    ):
        if seen != told:
            raise Broken(f"validation.json: {what} is {seen}; lineage.json says {told}")
    if not found["passed"] or any(one["severity"] == "error" for one in not_passed):
        raise Broken("validation.json: the images did not pass")
    return f"{len(checks)} checks, {len(not_passed)} with warnings"


@link("No image is in both training and test")
def split(facts: Facts) -> str:
    training = facts.record["training"]
    _require_logged(facts, "split.csv", training["split_sha256"])
    rows = _table(facts.bundle.read("split.csv"), ("path", "sha256", "use"))
    good = [row for row in facts.manifest if row["split"] == "train" and row["defect"] == "good"]
    expected = sorted((row["path"], row["sha256"]) for row in good)
    if sorted((row["path"], row["sha256"]) for row in rows) != expected:
        raise Broken("split.csv: it does not hold exactly the images of train/good")
    if not {row["use"] for row in rows} <= {"learned", "calibration"}:
        raise Broken("split.csv: an image was neither learned nor used for calibration")
    for use in ("learned", "calibration"):
        found = sum(row["use"] == use for row in rows)
        if found != training[use]:
            raise Broken(f"split.csv: {found} images {use}; lineage.json: {training[use]}")
    train, test = (
        {row["sha256"]: row["path"] for row in facts.manifest if row["split"] == part}
        for part in ("train", "test")
    )
    for sha256 in train.keys() & test.keys():
        raise Broken(f"split.csv: {train[sha256]} and {test[sha256]} are the same image")
    return f"{training['learned']} learned, {training['calibration']} calibrated, none is in test"


@link("Exactly the test images were scored")
def scores(facts: Facts) -> str:
    evaluation = facts.record["evaluation"]
    _require_logged(facts, "scores.csv", evaluation["scores_sha256"])
    rows = facts.read_scores()
    _require_test_images("scores.csv", rows, facts.manifest)
    for row in rows:
        if row["decision"] != int(row["score"] > evaluation["threshold"]):
            raise Broken(f"scores.csv: {row['path']}: its decision does not follow its score")
    return f"{len(rows)} test images"


@link("The record's results follow from the scores")
def evaluation(facts: Facts) -> str:
    told, rows = facts.record["evaluation"], facts.scores
    found = evidence_of(rows)
    share = {}
    for name, interval, alarms in (
        ("recall", "recall_interval", _alarms([row for row in rows if row["label"]])),
        ("false_alarm_rate", "false_alarm_rate_interval", found["false_alarms"]),
    ):
        n = alarms["n"]
        share[name] = alarms["found"] / n if n else None
        share[interval] = list(share_interval(alarms, 0.95)) if n else None
    auroc = found["image_auroc"]
    both = found["n_good"] and found["n_defect"]  # an image of a kind gives a number, no interval
    expected = {
        "n_good": found["n_good"],
        "n_defect": found["n_defect"],
        "recall_by_defect": found["recall"],
        "image_auroc": auroc["auroc"] if auroc else told["image_auroc"] if both else None,
        "image_auroc_interval": list(auroc_interval(auroc, 0.95)) if auroc else None,
        **share,
    }
    for name, value in expected.items():
        if not close(told[name], value):
            raise Broken(f"lineage.json: {name} is {told[name]}; scores.csv gives {value}")
    said = expected["image_auroc"]
    shown = "no image AUROC" if said is None else f"image AUROC {said:.6f}"
    return f"{shown}; pixel numbers need the maps"


@link("The list of components is unaltered")
def environment(facts: Facts) -> str:
    told = facts.record["environment"]
    _require_logged(facts, "components.json", told["components_sha256"])
    components = facts.read_json("components.json")["components"]
    listed = {one["name"]: one["version"] for one in components}
    if listed != told["packages"]:
        raise Broken("components.json: it does not name the packages in lineage.json")
    return f"{len(listed)} packages, Python {told['python']}"


# What the links read -----------------------------------------------------------------------------


class Bundle:
    """The files of a bundle, from a zip or from the folder that it was unpacked to."""

    def __init__(self, path: Path) -> None:
        self._folder = path if path.is_dir() else None
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        if self._folder:
            files = (one for one in self._folder.rglob("*") if not one.is_dir())
            self.names = sorted(one.relative_to(self._folder).as_posix() for one in files)
        elif self._zip:
            self.names = self._zip.namelist()
        self._there = set(self.names)

    def read(self, name: str) -> bytes:
        """The content of a file; a file that is gone breaks the link that asks."""
        return self._with(name, lambda file: file.read())

    def digests(self, name: str) -> tuple[str, str, int]:
        """sha256, md5 and size of a file, however large it is."""
        return self._with(name, _digests)

    def _with(self, name: str, use: Callable[[IO[bytes]], T]) -> T:
        if name not in self._there:
            raise Broken(f"{name}: missing")
        _require_inside(name)
        try:
            with self._zip.open(name) if self._zip else self._path(name).open("rb") as file:
                return use(file)
        except Exception as error:  # noqa: BLE001 - each way to compress has errors of its own
            raise Broken(f"{name}: cannot be read ({error})") from None

    def _path(self, name: str) -> Path:
        return (self._folder or Path()) / name


def _digests(file: IO[bytes]) -> tuple[str, str, int]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while block := file.read(1 << 20):
        sha256.update(block)
        md5.update(block)
        size += len(block)
    return sha256.hexdigest(), md5.hexdigest(), size


def _require_inside(name: str) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or str(parts) != name:
        raise Broken(f"{name!r}: not the name of a file inside the bundle")


class Facts:
    """A bundle as the links see it: each file read once, and `NotCheckable` where it is unusable.

    A file that is missing or unreadable breaks the link that owns it, which reads it itself; all
    other links that need it are not checkable.
    """

    def __init__(
        self,
        bundle: Bundle,
        anchor: tuple[int, str] | None = None,
        trusted: Collection[str] = (),
    ) -> None:
        self.bundle = bundle
        self.anchor = anchor
        self.trusted = trusted

    def read_json(self, name: str) -> Json:
        """A JSON object in the bundle."""
        return _loads(self.bundle.read(name), name)

    def read_index(self) -> Json:
        """bundle.json, which has one text only and says nothing that is not compared."""
        index = self.read_json(INDEX)
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        if text.encode() != self.bundle.read(INDEX):
            raise Broken(f"{INDEX}: not as patchae writes it")
        if set(index) != {"schema", "model", "version", "holds", "ledger", "files"}:
            raise Broken(f"{INDEX}: other keys than those of {BUNDLE}")
        if index["schema"] != BUNDLE:
            raise Broken(f"{INDEX}: its schema is not {BUNDLE}")
        held = {part: any(n.startswith(f"{part}/") for n in index["files"]) for part in HELD}
        if set(index["holds"]) != set(HELD) or any(held[p] > index["holds"][p] for p in HELD):
            raise Broken(f"{INDEX}: it says that it holds {index['holds']}, and lists otherwise")
        if any(set(file) != {"sha256", "bytes"} for file in index["files"].values()):
            raise Broken(f"{INDEX}: a file has other keys than sha256 and bytes")
        return index

    def read_schema(self) -> Json:
        """The schema of a record, if it is the published one; no other is asked anything."""
        if sha256_of(self.bundle.read(SCHEMA_FILE)) != SCHEMA_SHA256:
            raise Broken(f"{SCHEMA_FILE}: not the schema that patchae publishes")
        return self.read_json(SCHEMA_FILE)

    def read_manifest(self) -> list[Json]:
        """The rows of manifest.csv, absent cells as None."""

        def value(name: str, cell: str) -> Any:
            if not cell and name in _EMPTY:
                return None
            return int(cell) if name in _WHOLE else float(cell) if name == "mask_coverage" else cell

        rows = _table(self.bundle.read("manifest.csv"), MANIFEST)
        return [{name: value(name, cell) for name, cell in row.items()} for row in rows]

    def read_scores(self, name: str = "scores.csv") -> list[Json]:
        """The rows of a table of scores."""
        rows = _table(self.bundle.read(name), SCORES)
        for row in rows:
            row["score"] = float(row["score"])
            row["label"], row["decision"] = (
                ("0", "1").index(row[key]) for key in ("label", "decision")
            )
            if not math.isfinite(row["score"]):
                raise ValueError(f"{name}: a score is not a finite number")
        return rows

    def read_rows(self) -> list[Json]:
        """The rows of ledger.jsonl, each in full or as the digest of its content."""
        lines = self.bundle.read("ledger.jsonl").decode().splitlines(keepends=True)
        rows = [_loads(line.encode(), "ledger.jsonl") for line in lines]
        for number, (row, line) in enumerate(zip(rows, lines, strict=True), 1):
            if set(row) - {"signature"} not in (ROW, {"seq", "content"}):
                raise Broken(f"ledger.jsonl, line {number}: not a row of the ledger")
            if canonical_json(row) + "\n" != line:
                raise Broken(f"ledger.jsonl, line {number}: not as patchae writes it")
        return rows

    index = cached_property(lambda self: _needed(INDEX, self.read_index))
    rows = cached_property(lambda self: _needed("ledger.jsonl", self.read_rows))
    record = cached_property(lambda self: _needed("lineage.json", self.read_json, "lineage.json"))
    schema = cached_property(lambda self: _needed(SCHEMA_FILE, self.read_schema))
    manifest = cached_property(lambda self: _needed("manifest.csv", self.read_manifest))
    scores = cached_property(lambda self: _needed("scores.csv", self.read_scores))
    model = cached_property(lambda self: self._named("model"))
    version = cached_property(lambda self: self._named("version"))

    @cached_property
    def calibration(self) -> list[float]:
        """The scores that set the threshold, from the model's files; empty without those."""
        if MODEL_FACTS not in self.bundle.names:
            return []
        return [float(score) for score in self.read_json(MODEL_FACTS).get("calibration_scores", ())]

    def _named(self, key: str) -> str:
        try:
            return str(self.read_json(INDEX)[key])
        except (Broken, LookupError):
            return "unknown"

    @cached_property
    def own_rows(self) -> list[Json]:
        """The rows that are there in full: those on this model."""
        return [row for row in self.rows if "previous" in row]

    def of_version(self, kind: str) -> list[Json]:
        """The rows of a kind on this version."""
        return [row for row in _of(self.own_rows, kind) if row["body"]["version"] == self.version]

    @cached_property
    def digests(self) -> dict[int, str]:
        """The digest of every row by its number, computed from the first row on."""
        found: dict[int, str] = {}
        for number, row in enumerate(self.rows, 1):
            said = {key: row[key] for key in row if key not in ("previous", "digest", "signature")}
            content = row["content"] if "content" in row else digest_json(said)
            before = found.get(number - 1, GENESIS)
            found[number] = digest_json({"content": content, "previous": before})
        return found

    @cached_property
    def signed(self) -> dict[int, tuple[str, str]]:
        """Key and signature of every row that has one, by the row's number."""
        ones = {number: row.get("signature") for number, row in enumerate(self.rows, 1)}
        return {number: (one["key"], one["value"]) for number, one in ones.items() if one}


MODEL_FACTS = "model/artifacts/model/model.json"
HELD = ("images", "model")
"""Folders that a bundle has on demand."""
ROW = {"seq", "time", "kind", "model", "actor", "host", "flow_run", "body", "previous", "digest"}


def _needed(name: str, read: Callable[..., Any], *of: str) -> Any:
    try:
        return read(*of)
    except (Broken, *SHAPELESS) as error:
        raise NotCheckable(f"{name} is missing or cannot be used: {error}") from None


def _of(rows: Sequence[Json], kind: str) -> list[Json]:
    return [row for row in rows if row["kind"] == kind]


def _loads(content: bytes, name: str) -> Json:
    def unique(pairs: list[tuple[str, Any]]) -> Json:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def constant(text: str) -> Any:
        raise ValueError(f"{text} is not JSON")

    try:
        found = json.loads(content, object_pairs_hook=unique, parse_constant=constant)
        if not isinstance(found, dict):
            raise Broken(f"{name}: expected a JSON object")
    except (ValueError, RecursionError) as error:
        raise Broken(f"{name}: {error}") from None
    return found


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_json(value: Any) -> str:
    """sha256 over the canonical JSON of a value."""
    return sha256_of(canonical_json(value).encode())


def sha256_of(content: bytes) -> str:
    """sha256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


MANIFEST = (
    *("class", "split", "defect", "path", "sha256", "md5", "bytes", "width", "height", "mode"),
    *("mask", "mask_sha256", "mask_width", "mask_height", "mask_coverage", "problem"),
)
SCORES = ("path", "sha256", "defect", "label", "score", "decision")
_EMPTY = set(MANIFEST[10:])  # columns in which nothing stands for absent
_WHOLE = {"bytes", "width", "height", "mask_width", "mask_height"}


def _table(content: bytes, columns: Sequence[str]) -> list[Json]:
    try:
        lines = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not lines or tuple(lines[0]) != tuple(columns):
        raise ValueError(f"expected the columns {', '.join(columns)}")
    return [dict(zip(columns, line, strict=True)) for line in lines[1:]]


def _require_logged(facts: Facts, name: str, digest: str) -> None:
    if sha256_of(facts.bundle.read(name)) != digest:
        raise Broken(f"{name}: its content is not what was logged")


def _require_test_images(name: str, rows: Sequence[Json], listed: Sequence[Json]) -> None:
    tests = [row for row in listed if row["split"] == "test"]
    expected = {row["path"]: (row["sha256"], row["defect"]) for row in tests}
    seen: set[str] = set()
    for row in rows:
        path = row["path"]
        if path in seen or path not in expected:
            raise Broken(f"{name}: {path}: scored twice, or no test image")
        seen.add(path)
        if (row["sha256"], row["defect"]) != expected[path]:
            raise Broken(f"{name}: {path}: not the image in manifest.csv")
        if row["label"] != int(row["defect"] != "good"):
            raise Broken(f"{name}: {path}: its label is not that of its folder")
    if unscored := sorted(set(expected) - seen):
        raise Broken(f"{name}: {_some(unscored)}: not scored")


def close(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, numbers up to `TOLERANCE`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if type(one) in (int, float) and type(other) in (int, float):
        return bool(abs(one - other) <= TOLERANCE)
    return type(one) is type(other) and bool(one == other)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# Evidence: counts and scatter of the scores ------------------------------------------------------


def evidence_of(rows: Sequence[Json]) -> Json:
    """What the scores alone show."""
    labels = [row["label"] for row in rows]
    kinds = sorted({row["defect"] for row in rows if row["label"]})
    by_kind = {kind: [r for r in rows if r["label"] and r["defect"] == kind] for kind in kinds}
    return {
        "n_good": labels.count(0),
        "n_defect": labels.count(1),
        "image_auroc": measured(components(labels, [row["score"] for row in rows])),
        "false_alarms": _alarms([row for row in rows if not row["label"]]),
        "recall": {kind: _alarms(of_kind) for kind, of_kind in by_kind.items()},
    }


def _alarms(rows: Sequence[Json]) -> Json:
    return {"found": sum(row["decision"] for row in rows), "n": len(rows)}


Components = tuple[list[float], list[float]]


def components(labels: Sequence[int], scores: Sequence[float]) -> Components | None:
    """Of each good image the share of defective ones above it, of each defective one the share of
    good ones below it, ties counting half (DeLong 1988). None with fewer than 2 of a kind."""
    pairs = list(zip(labels, scores, strict=True))
    good, bad = ([score for label, score in pairs if label == kind] for kind in (0, 1))
    if min(len(good), len(bad)) < 2:
        return None

    def below(values: list[float], score: float) -> float:
        return (bisect_left(values, score) + bisect_right(values, score)) / 2 / len(values)

    in_order, bad_in_order = sorted(good), sorted(bad)
    return [1 - below(bad_in_order, one) for one in good], [below(in_order, one) for one in bad]


def measured(found: Components | None) -> Json | None:
    """AUROC (Mann and Whitney's rank statistic over all pairs) and the scatter of its parts."""
    if found is None:
        return None
    good, bad = found
    return {
        "n_good": len(good),
        "n_defect": len(bad),
        "auroc": math.fsum(bad) / len(bad),
        "good_variance": _covariance(good, good),
        "defect_variance": _covariance(bad, bad),
    }


def paired(rows: Sequence[Json], champion: Sequence[float]) -> Json | None:
    """Both models on the same images: each measured, and how far their errors go together."""
    labels = [row["label"] for row in rows]
    one, two = components(labels, [row["score"] for row in rows]), components(labels, champion)
    if one is None or two is None:
        return None
    return {
        "challenger": measured(one),
        "champion": measured(two),
        "good_covariance": _covariance(one[0], two[0]),
        "defect_covariance": _covariance(one[1], two[1]),
        "alike": _ranks([row["score"] for row in rows]) == _ranks(champion),
    }


def _ranks(scores: Sequence[float]) -> list[int]:
    """Twice the rank of each score, equal ones sharing the mean of theirs."""
    in_order = sorted(scores)
    return [bisect_left(in_order, one) + bisect_right(in_order, one) for one in scores]


def _covariance(one: Sequence[float], two: Sequence[float]) -> float:
    a, b = math.fsum(one) / len(one), math.fsum(two) / len(two)
    return math.fsum((x - a) * (y - b) for x, y in zip(one, two, strict=True)) / (len(one) - 1)


# Intervals ---------------------------------------------------------------------------------------

Interval = tuple[float, float]


def auroc_interval(found: Json, confidence: float) -> Interval:
    """Of an AUROC: DeLong's variance on the logit, a twentieth of it Hanley and McNeil's; where
    the ranks show no scatter Newcombe's, at 1 or 0 no wider than with one pair the other way round.
    """
    a, n, m = found["auroc"], found["n_good"], found["n_defect"]
    variance = found["good_variance"] / n + found["defect_variance"] / m
    if variance <= 1e-15 or not 0 < a < 1:
        low, high = newcombe(a, n, m, confidence)
        if 0 < a < 1 or n * m < 2:
            return low, high
        step = 1 / (n * m)
        parts = {"good_variance": step / m, "defect_variance": step / n}
        near = auroc_interval({**found, **parts, "auroc": abs(a - step)}, confidence)
        return (max(low, near[0]), high) if a else (low, min(high, near[1]))
    expected = _hanley_mcneil(a, n, m)
    deviation = math.sqrt(0.95 * variance + 0.05 * expected)
    reach = _z(confidence) * deviation / (a * (1 - a))
    logit = math.log(a / (1 - a))
    return _logistic(logit - reach), _logistic(logit + reach)


def newcombe(a: float, n: int, m: int, confidence: float) -> Interval:
    """All t with |t - a| <= z s(t), by bisection (Newcombe 2006, method 5)."""

    def outside(t: float) -> bool:
        return abs(t - a) > _z(confidence) * math.sqrt(max(0.0, _hanley_mcneil(t, n, m)))

    def limit(end: float) -> float:
        return end if a == end else _border(min(max(a, 1e-12), 1 - 1e-12), end, outside)

    return limit(0.0), limit(1.0)


def _hanley_mcneil(t: float, n: int, m: int) -> float:
    """Variance of an AUROC t on n good and m defective images, for exponential scores (1982)."""
    return t * (1 - t) * (1 + ((n + m) / 2 - 1) * ((1 - t) / (2 - t) + t / (1 + t))) / (n * m)


def paired_interval(found: Json, confidence: float) -> Interval:
    """Of the difference of two AUROC: their intervals joined with their correlation (MOVER), the
    shorter of two ways."""
    one, two = found["challenger"], found["champion"]
    (low_a, high_a), (low_b, high_b) = (auroc_interval(x, confidence) for x in (one, two))
    a, b, n, m = one["auroc"], two["auroc"], one["n_good"], one["n_defect"]
    variances = [x["good_variance"] / n + x["defect_variance"] / m for x in (one, two)]
    together = math.sqrt(variances[0] * variances[1])
    covariance = found["good_covariance"] / n + found["defect_covariance"] / m
    r = min(0.99, max(0.0, covariance / together)) if together > 1e-15 else 0.0
    r = 1.0 if found["alike"] and together > 1e-15 else r

    def joined(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x + y * y - 2 * r * x * y))

    down, up = (a - low_a, b - low_b), (high_a - a, high_b - b)
    alike = max(joined(*down), joined(*up))
    low, high = min(alike, joined(down[0], up[1])), min(alike, joined(up[0], down[1]))
    return a - b - low, a - b + high


def share_interval(alarms: Json, confidence: float) -> Interval:
    """Of a share: Clopper and Pearson's exact interval, by bisection; 0..1 without images."""
    k, n, tail = alarms["found"], alarms["n"], (1 - confidence) / 2
    if not n:
        return 0.0, 1.0
    low = _border(1.0, 0.0, lambda p: binomial_tail(k, n, p) < tail) if k else 0.0
    high = _border(0.0, 1.0, lambda p: binomial_tail(k + 1, n, p) > 1 - tail) if k < n else 1.0
    return low, high


def binomial_tail(k: int, n: int, p: float) -> float:
    """Chance of k or more of n, each of chance p; 0 < k <= n."""
    if p <= 0 or p >= 1:
        return float(p >= 1)
    yes, no, ways = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    terms = (
        math.exp(ways - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * yes + (n - i) * no)
        for i in range(k, n + 1)
    )
    return min(1.0, math.fsum(terms))


def _border(inside: float, outside: float, is_outside: Callable[[float], bool]) -> float:
    """Where the inside ends on the way to the outside, by bisection to the last bit."""
    while (middle := (inside + outside) / 2) not in (inside, outside):
        inside, outside = (inside, middle) if is_outside(middle) else (middle, outside)
    return inside


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _logistic(value: float) -> float:
    small = math.exp(-abs(value))
    return 1 / (1 + small) if value >= 0 else small / (1 + small)


# The gate ----------------------------------------------------------------------------------------


def judge(evidence: Json, policy: Json) -> tuple[str, list[str], list[Json]]:
    """Outcome, reasons and findings that a policy gives: what forbids, then whether there are
    enough images, then what was measured, where a broken limit comes before an uncertain one."""
    forbidden = list(_forbidding(evidence, policy))
    thin = list(_too_few(evidence, policy))
    numbers = list(_measured(evidence, policy))
    broken, open_ = ([one for one in numbers if one["outcome"] == w] for w in ("reject", "hold"))
    decisive = forbidden or thin or broken or open_ or numbers
    reasons = list(dict.fromkeys(one["reason"] for one in decisive))
    return decisive[0]["outcome"], reasons, [*forbidden, *thin, *numbers]


NUMBERS = ("limit", "value", "low", "high", "n_good", "n_defect", "about")


def _finding(reason: str, outcome: str, **told: Any) -> Json:
    return {"reason": reason, "outcome": outcome, **dict.fromkeys(NUMBERS), **told}


def _forbidding(evidence: Json, policy: Json) -> Iterator[Json]:
    if not evidence["validation_passed"]:
        yield _finding("validation_failed", "reject")
    if not evidence["lineage_complete"]:
        yield _finding("lineage_incomplete", "reject")
    champion, made = evidence["champion"], evidence["data_recorded"]
    then = champion and champion["data_recorded"]
    if policy["older_data"] == "reject" and made is not None and then is not None and made < then:
        yield _finding("older_data", "reject", about=champion["version"])


def _too_few(evidence: Json, policy: Json) -> Iterator[Json]:
    counts = {key: evidence[key] for key in ("n_good", "n_defect")}
    if any(count < policy[f"min_test_{key[2:]}"] for key, count in counts.items()):
        yield _finding("too_few_test_images", "hold", **counts)


def _measured(evidence: Json, policy: Json) -> Iterator[Json]:
    confidence, champion = policy["confidence"], evidence["champion"]
    counts = {key: evidence[key] for key in ("n_good", "n_defect")}
    words = ("auroc_reaches_minimum", "auroc_uncertain", "auroc_below_minimum")
    limit, found = policy["min_image_auroc"], evidence["image_auroc"]
    if found is None:
        yield _finding(words[1], "hold", limit=limit, **counts)
    else:
        interval = auroc_interval(found, confidence)
        yield _held(interval, limit, words, value=found["auroc"], **counts)
    words = ("not_worse_than_champion", "comparison_uncertain", "worse_than_champion")
    if champion is None:
        yield _finding("first_champion", "promote")
    elif champion["paired"] is None:
        word = "champion_not_comparable" if champion["problem"] else words[1]
        told = {**counts, "about": champion["version"], "limit": -policy["max_drop"]}
        yield _finding(word, "hold", **told)
    else:
        both = champion["paired"]
        value = both["challenger"]["auroc"] - both["champion"]["auroc"]
        told = {**counts, "about": champion["version"], "value": value}
        yield _held(paired_interval(both, confidence), -policy["max_drop"], words, **told)
    words = ("recall_reaches_minimum", "recall_uncertain", "recall_below_minimum")
    for kind in sorted({*evidence["recall"], *policy["min_recall_of"]}):
        limit = policy["min_recall_of"].get(kind, policy["min_recall"])
        if limit > 0:
            found = evidence["recall"].get(kind, {"found": 0, "n": 0})
            told = {"value": _share(found), "n_defect": found["n"], "about": kind}
            yield _held(share_interval(found, confidence), limit, words, **told)
    words = ("few_false_alarms", "false_alarms_uncertain", "too_many_false_alarms")
    limit, found = policy["max_false_alarms"], evidence["false_alarms"]
    if limit < 1:
        low, high = share_interval(found, confidence)
        told = {"value": _share(found), "n_good": found["n"]}
        held = _held((-high, -low), -limit, words, **told)
        yield {**held, "limit": limit, "low": low, "high": high}
    limit, found = evidence.get("promised"), evidence["false_alarms"]
    says = policy.get("broken_promise", "hold")
    if limit is not None and says != "allow" and found["n"]:
        low, high = share_interval(found, confidence)
        told = {"limit": limit, "value": _share(found), "n_good": found["n"]}
        code, outcome = ("agrees_with_promise", "promote")
        if low > limit + 1e-9:
            code, outcome = ("promise_not_kept", says)
        yield _finding(code, outcome, **told, low=low, high=high)
    limit, took = policy["max_ms_per_image"], evidence["ms_per_image"]
    if limit is not None:
        fast = took is not None and took <= limit
        word, outcome = ("fast_enough", "promote") if fast else ("too_slow", "reject")
        yield _finding(word, outcome, limit=limit, value=took)


def _share(found: Json) -> float | None:
    return found["found"] / found["n"] if found["n"] else None


def _held(interval: Interval, limit: float, words: Sequence[str], **told: Any) -> Json:
    """What an interval says of a limit that it must not lie below."""
    low, high = interval
    ends = {"limit": limit, "low": low, "high": high}
    if low >= limit - 1e-9:
        return _finding(words[0], "promote", **ends, **told)
    if high < limit - 1e-9:
        return _finding(words[2], "reject", **ends, **told)
    return _finding(words[1], "hold", **ends, **told)


# JSON Schema: the part of draft 2020-12 that the schema of a record uses -------------------------

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": int | float,
    "null": type(None),
}
_SIZED = {"minProperties": dict, "minItems": list, "maxItems": list, "minLength": str}


def schema_problems(  # noqa: PLR0912 - one branch for each rule
    value: Any, schema: Any, root: Json, path: str = ""
) -> Iterator[str]:
    """Where a JSON value is not what a schema asks for: dotted paths, and the rule that is not
    kept. A rule that is not known here counts as not kept."""
    for rule, told in schema.items() if isinstance(schema, dict) else [("never", schema)]:
        holds, below = True, list[tuple[Any, Any, str]]()
        match rule:
            case "$schema" | "$id" | "$defs" | "title" | "description" | "default":
                pass
            case "never":
                holds = told
            case "type":
                boolean = isinstance(value, bool)
                holds = isinstance(value, _TYPES[told]) and boolean == (told == "boolean")
            case "const":
                holds = value == told and isinstance(value, bool) == isinstance(told, bool)
            case "enum":
                holds = value in told
            case "anyOf":
                holds = any(not list(schema_problems(value, one, root, path)) for one in told)
            case "$ref":
                below = [(value, root["$defs"][told.removeprefix("#/$defs/")], path)]
            case "required":
                holds = not isinstance(value, dict) or set(told) <= set(value)
            case "properties" if isinstance(value, dict):
                below = [(value[n], told[n], f"{path}.{n}") for n in sorted(told) if n in value]
            case "additionalProperties" if isinstance(value, dict):
                others = sorted(value.keys() - schema.get("properties", {}).keys())
                below = [(value[name], told, f"{path}.{name}") for name in others]
            case "propertyNames" if isinstance(value, dict):
                below = [(name, told, f"{path}.{name}") for name in value]
            case "items" if isinstance(value, list):
                below = [(item, told, f"{path}.{number}") for number, item in enumerate(value)]
            case "minProperties" | "minItems" | "maxItems" | "minLength":
                size = len(value) if isinstance(value, _SIZED[rule]) else told
                holds = size <= told if rule == "maxItems" else size >= told
            case "minimum" | "maximum":
                number = value if type(value) in (int, float) else told
                holds = number <= told if rule == "maximum" else number >= told
            case "pattern":  # whose $ is the very end, which Python's is not
                exact = told.replace("$", r"\Z")
                holds = not isinstance(value, str) or bool(re.search(exact, value, re.ASCII))
            case "properties" | "additionalProperties" | "propertyNames" | "items":
                pass  # of a value that is no object or no list
            case _:
                holds = False
        if not holds:
            yield f"{path.lstrip('.') or 'the record'}: {rule} {told}"
        for inner, of, where in below:
            yield from schema_problems(inner, of, root, where)


# Ed25519 signatures (RFC 8032, section 5.1) ------------------------------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # of -1
_BASE = (4 * pow(5, -1, _P) % _P).to_bytes(32, "little")
Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z and x y = T/Z."""


def signature_holds(key: str, signature: str, message: bytes) -> bool:
    """Whether the holder of a public key signed a message; key and signature in hexadecimal."""
    try:
        public, signed = bytes.fromhex(key), bytes.fromhex(signature)
    except (TypeError, ValueError):
        return False
    s = int.from_bytes(signed[32:], "little")
    multiples = _multiples(public) if len(public) == 32 else None
    if multiples is None or len(signed) != 64 or s >= _ORDER:
        return False
    digest = hashlib.sha512(signed[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % _ORDER
    x, y, z, t = _times(k, multiples)
    base = _multiples(_BASE)
    # R = s B - k A, where B is the base point and A the key.
    return base is not None and signed[:32] == _encoded(_added(_times(s, base), (-x, y, z, -t)))


def _added(one: Point, two: Point) -> Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c, d = 2 * one[3] * two[3] * _D % _P, 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


@lru_cache(maxsize=16)
def _multiples(encoded: bytes) -> list[list[Point]] | None:
    """Of a point, 16**i times 0 to 15 in line i: one key signs many rows. None for no point."""
    point, lines = _decoded(encoded), list[list[Point]]()
    while point and len(lines) < 64:
        line: list[Point] = [(0, 1, 1, 0)]
        for _ in range(15):
            line.append(_added(line[-1], point))
        lines.append(line)
        point = _added(line[-1], point)
    return lines or None


def _times(number: int, multiples: list[list[Point]]) -> Point:
    total = multiples[0][0]
    for line in multiples:
        total = _added(total, line[number & 15])
        number >>= 4
    return total


def _decoded(content: bytes) -> Point | None:
    y = int.from_bytes(content, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _encoded(point: Point) -> bytes:
    z = pow(point[2], -1, _P)
    x, y = point[0] * z % _P, point[1] * z % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_HEAD = bytes.fromhex("302a300506032b6570032100")  # of an Ed25519 key in DER


def _public_key(text: str) -> str:
    """The 32 bytes of a public key in PEM, hexadecimal."""
    found = re.fullmatch(
        r"-+BEGIN PUBLIC KEY-+\s+([\w+/=\s]+?)\s+-+END PUBLIC KEY-+\s*", text, re.A
    )
    content = base64.b64decode("".join(found[1].split())) if found else b""
    if content[:12] != _HEAD or len(content) != 44:
        raise ValueError("no public Ed25519 key in PEM, as `patchae ledger keygen` writes it")
    return content[12:].hex()


if __name__ == "__main__":
    sys.exit(main())
