"""Tracing images: where they occurred, who used them, and an index that may be lost at any time."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchae.dataset import version_log
from patchae.dataset.pin import read_pin
from patchae.errors import DataError, StoreBusy
from patchae.files import sha256_file
from patchae.lineage.trace.answer import Answer, Traced
from patchae.lineage.trace.asked import asked, read_list
from patchae.lineage.trace.file import LOCK
from patchae.lineage.trace.fill import add
from patchae.lineage.trace.runs import Runs
from patchae.predictions import parts
from patchae.project import Project
from tests.conftest import LINES
from tests.support import git_init, patchae
from tests.support.lineage.builder import Built
from tests.support.lineage.works import Works
from tests.unit.predictions.test_log import decision

BAD = "bolt/train/good/bad.png"


@pytest.fixture
def works(project: Project, honest: Built) -> Works:
    """An empty project."""
    return Works(project, honest)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, honest: Built) -> Works:
    """Version 1 without the bad image, 2 with it, 3 without it again; 1, 2 and 3 were champion."""
    root = tmp_path_factory.mktemp("once") / "plant"
    root.mkdir()
    (root / "lines.yaml").write_text(LINES)
    (root / ".gitignore").write_text("/data\n/.patchae\n")
    git_init(root)
    works = Works(Project(root), honest)
    works.write_class("bolt")
    works.register("sample.bolt")
    works.move("sample.bolt", "1")
    works.image(BAD)
    works.register("sample.bolt")
    works.move("sample.bolt", "2")
    shutil.move(root / "data" / BAD, root / "bad.png")
    works.register("sample.bolt")
    works.move("sample.bolt", "3")
    return works


@pytest.fixture
def told(once: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Works:
    """A copy of it, which is also the current folder."""
    works = once.copy(tmp_path / "plant")
    monkeypatch.chdir(works.project.root)
    return works


def only(found: Answer) -> Traced:
    """The one image of an answer."""
    (image,) = found.images
    return image


def used(image: Traced) -> list[tuple[str, str]]:
    """Version and use of each use."""
    return [(one.version, one.use) for one in image.uses]


def without_run(found: Answer) -> tuple[object, ...]:
    """What an answer says, to be compared with another."""
    return found.images, found.affected, found.data_versions, found.model_versions, found.unread


class TestOneImage:
    def test_is_found_in_the_versions_that_had_it_and_no_others(self, told: Works) -> None:
        versions = [entry.version for entry in version_log.entries(told.project)]
        image = only(told.trace("bad.png"))
        (stay,) = image.stays
        assert (stay.path, stay.parts) == (BAD, ("bolt", "train", "good"))
        assert (stay.first, stay.last, stay.current) == (versions[1], versions[1], False)
        assert used(image) == [("2", "learned")]

    def test_tells_when_the_version_that_learned_from_it_was_live(self, told: Works) -> None:
        moves = [row for row in told.ledger.entries() if row.kind == "move"]
        (one,) = told.trace("bad.png").affected
        assert (one.version.version, one.counts["learned"], one.live) == ("2", 1, False)
        (period,) = one.periods
        assert (period.since, period.until) == (moves[1].time, moves[2].time)

    def test_a_version_that_came_back_by_a_rollback_is_live_now(self, told: Works) -> None:
        told.move("sample.bolt", "2", "rolled_back")
        (one,) = told.trace("bad.png").affected
        assert one.live
        assert len(one.periods) == 2
        assert one.periods[-1].until is None

    def test_every_use_is_told_apart(self, told: Works) -> None:
        for path, use in (
            ("bolt/train/good/000.png", "calibration"),
            ("bolt/train/good/005.png", "learned"),
            ("bolt/test/good/000.png", "judged"),
            ("bolt/test/hole/001.png", "judged"),
        ):
            image = only(told.trace(told.project.data / path))
            assert used(image) == [(version, use) for version in ("1", "2", "3")], path
            (stay,) = image.stays
            assert (stay.path, stay.current) == (path, True)

    @pytest.mark.parametrize("kind", ["sha256", "md5", "path", "data path", "absolute path"])
    def test_is_known_by_digest_and_by_the_path_that_it_had(self, told: Works, kind: str) -> None:
        file = told.project.root / "bad.png"
        words = {
            "sha256": sha256_file(file).upper(),
            "md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(),
            "path": BAD,
            "data path": f"data/{BAD}",
            "absolute path": str(told.project.data / BAD),
        }
        image = only(told.trace(words[kind]))
        assert used(image) == [("2", "learned")]
        assert image.sha256 == sha256_file(file)

    def test_under_a_path_are_all_images_that_ever_stood_there(self, told: Works) -> None:
        told.image(BAD)
        told.register("sample.bolt")
        (told.project.data / BAD).unlink()
        found = told.trace(BAD)
        assert [used(image) for image in found.images] == [[("2", "learned")], [("4", "learned")]]

    def test_that_came_back_has_two_stays(self, told: Works) -> None:
        shutil.copy(told.project.root / "bad.png", told.project.data / BAD)
        told.snapshot()
        image = only(told.trace("bad.png"))
        assert [stay.current for stay in image.stays] == [False, True]

    def test_a_data_version_that_came_back_is_there_twice(self, told: Works) -> None:
        first = told.project.data / "bolt/train/good/003.png"
        kept = first.read_bytes()
        told.image("bolt/train/good/003.png")
        told.snapshot()
        first.write_bytes(kept)
        before = read_pin(told.project.data_dvc)
        assert told.snapshot() != before
        image = only(told.trace(first))
        assert [stay.current for stay in image.stays] == [False, True]

    def test_under_several_paths_and_of_several_models_is_all_of_them(self, works: Works) -> None:
        works.write_class("bolt")
        works.write_class("nut")
        copy = works.project.data / "nut/test/good/same.png"
        shutil.copy(works.project.data / "bolt/train/good/004.png", copy)
        works.register("sample.bolt")
        works.register("sample.nut")
        image = only(works.trace(copy))
        assert {(one.model, one.use) for one in image.uses} == {
            ("sample.bolt", "learned"),
            ("sample.nut", "judged"),
        }
        assert len(image.stays) == 2

    def test_in_no_model_is_found_by_its_file_in_the_data_versions(self, works: Works) -> None:
        works.write_class("bolt")
        works.snapshot()
        file = works.project.data / "bolt/train/good/000.png"
        image = only(works.trace(file))
        assert (len(image.stays), image.uses) == (1, ())
        assert not only(works.trace(sha256_file(file))).found  # DVC knows md5 alone

    def test_that_never_occurred_is_not_found(self, told: Works) -> None:
        found = told.trace("0" * 64)
        assert not only(found).found
        assert (found.affected, found.data_versions, found.model_versions) == ((), 2, 3)


class TestTheIndex:
    def test_that_is_up_to_date_asks_no_store(self, told: Works) -> None:
        before = told.trace("bad.png")
        told.fetched.clear()
        shutil.rmtree(told.project.root / ".dvc")
        shutil.rmtree(told.project.dvc_remote)
        assert without_run(told.trace("bad.png")) == without_run(before)
        assert told.fetched == []

    def test_adds_only_what_is_new(self, told: Works) -> None:
        told.trace("bad.png")
        told.fetched.clear()
        told.register("sample.bolt")
        told.trace("bad.png")
        assert told.fetched == ["sample.bolt-4"]

    def test_a_registration_adds_itself(self, told: Works) -> None:
        told.trace("bad.png")
        row = told.register("sample.bolt")
        assert add(told.project, told.artifacts, row)
        told.fetched.clear()
        image = only(told.trace(told.project.data / "bolt/train/good/000.png"))
        assert ("4", "calibration") in used(image)
        assert told.fetched == []

    def test_a_registration_does_not_fail_for_it(self, told: Works) -> None:
        row = told.register("sample.bolt")
        told.project.trace.mkdir(parents=True)
        assert not add(told.project, told.artifacts, row)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda file: file.write_bytes(b"no database"),
            lambda file: file.write_bytes(file.read_bytes()[:5000]),
            lambda file: file.write_bytes(
                file.read_bytes()[:4096] + b"\xff" * (file.stat().st_size - 4096)
            ),
            lambda file: _sql(file, "DROP TABLE used"),
            lambda file: _sql(file, "PRAGMA user_version = 99"),
            lambda file: file.unlink(),
        ],
        ids=["garbage", "cut", "scribbled", "a table less", "another format", "gone"],
    )
    def test_is_made_anew_when_it_is_damaged(
        self, told: Works, damage: Callable[[Path], object]
    ) -> None:
        before = told.trace("bad.png", BAD, "0" * 64)
        damage(told.project.trace)
        assert without_run(told.trace("bad.png", BAD, "0" * 64)) == without_run(before)

    def test_rebuilt_says_the_same(self, told: Works) -> None:
        before = told.trace("bad.png", BAD)
        told.fetched.clear()
        assert without_run(told.trace("bad.png", BAD, rebuild=True)) == without_run(before)
        assert len(told.fetched) == 3

    def test_of_another_ledger_is_filled_anew(self, told: Works, tmp_path: Path) -> None:
        told.trace("bad.png")
        backup = tmp_path / "ledger.db"
        rows = told.ledger.entries()
        told.project.ledger.rename(backup)
        for row in rows[:-2]:  # the same moves, at other times: other digests
            told.ledger.append(row.kind, row.model, row.body, "somebody else")
        found = told.trace("bad.png")
        assert found.model_versions == 2
        assert used(only(found)) == [("2", "learned")]

    def test_killed_after_any_version_goes_on_where_it_was(self, told: Works) -> None:
        whole = without_run(told.trace("bad.png", BAD))

        class Killed(BaseException):
            """Nobody catches this."""

        for steps in range(1, 6):  # three versions of the model, two of the data
            told.project.trace.unlink()
            done = 0

            def die(what: str, number: int, total: int, steps: int = steps) -> None:
                nonlocal done
                done += 1
                if done == steps:
                    raise Killed

            with pytest.raises(Killed):
                told.trace("bad.png", progress=die)
            told.fetched.clear()
            assert without_run(told.trace("bad.png", BAD)) == whole
            assert len(told.fetched) == max(0, 3 - steps)

    def test_two_at_once_say_the_same(self, told: Works) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: without_run(told.trace("bad.png")), range(4)))
        assert all(one == found[0] for one in found)

    def test_that_another_process_holds_is_waited_for(
        self, told: Works, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
        with told.project.lock(LOCK), pytest.raises(StoreBusy):
            told.trace("bad.png")


class TestWhatCannotBeBelieved:
    @pytest.mark.parametrize("name", ["lineage.json", "manifest.csv", "split.csv", "scores.csv"])
    @pytest.mark.parametrize("how", ["changed", "gone"])
    def test_is_said_and_not_counted(self, told: Works, name: str, how: str) -> None:
        file = told.runs / "sample.bolt-2" / name
        kept = file.read_text()
        if how == "gone":
            file.unlink()
        else:
            file.write_text(kept.replace("bolt", "nut", 1))
        found = told.trace("bad.png")
        ((what, why),) = found.unread
        assert what == "sample.bolt/2"
        assert name in why
        assert (only(found).uses, found.model_versions) == ((), 2)
        assert only(found).stays, "the data versions still say where it was"

        file.write_text(kept)
        assert used(only(told.trace("bad.png", rebuild=True))) == [("2", "learned")]

    def test_is_tried_again_the_next_time(self, told: Works) -> None:
        aside = told.runs / "aside"
        (told.runs / "sample.bolt-2").rename(aside)
        assert told.trace("bad.png").unread
        aside.rename(told.runs / "sample.bolt-2")
        found = told.trace("bad.png")
        assert (found.unread, used(only(found))) == ((), [("2", "learned")])

    def test_a_data_version_without_its_listing_is_said(self, told: Works) -> None:
        version = version_log.entries(told.project)[1].version
        kept: dict[Path, bytes] = {}
        for folder in (told.project.dvc_remote, told.project.root / ".dvc" / "cache"):
            for file in folder.rglob(f"{version[2:]}"):
                kept[file] = file.read_bytes()
                file.chmod(0o644)
                file.unlink()
        found = told.trace("bad.png")
        assert [what for what, _ in found.unread] == [f"data version {version}"]
        assert used(only(found)) == [("2", "learned")], "the model's manifest still says it"
        for file, content in kept.items():
            file.write_bytes(content)
        assert told.trace("bad.png").unread == ()


class TestAsking:
    def test_a_list_is_read_by_its_header_or_by_its_first_column(self, tmp_path: Path) -> None:
        file = tmp_path / "list.csv"
        for text, words in (
            ("path\na.png\nb.png\n", ["a.png", "b.png"]),
            ("\ufeffSHA256,Path\naa,a.png\n,b.png\n", ["aa", "b.png"]),
            ("who;File\nme;a.png\n", ["a.png"]),
            ("a.png,scratch\n\nb.png,dent\n", ["a.png", "b.png"]),
            ('"x,y.png"\n', ["x,y.png"]),
        ):
            file.write_text(text, encoding="utf-8")
            assert read_list(file) == words, text

    @pytest.mark.parametrize("content", [b"", b"path\n", b"\n\n", b"\xff\xfe\x00", b'"a\n'])
    def test_a_list_of_nothing_is_an_error(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "list.csv"
        file.write_bytes(content)
        with pytest.raises(DataError, match="list"):
            read_list(file)

    def test_a_list_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot be read"):
            read_list(tmp_path / "none.csv")

    def test_what_is_no_image_is_an_error(self, project: Project) -> None:
        with pytest.raises(DataError, match="no file, no digest"):
            asked(project, ["nothing.png"])

    def test_an_image_that_is_asked_for_twice_counts_once(self, told: Works) -> None:
        found = told.trace("bad.png", BAD, sha256_file(told.project.root / "bad.png"))
        assert len(found.images) == 3
        assert [one.counts for one in found.affected] == [
            {"learned": 1, "calibration": 0, "judged": 0}
        ]


class TestTheCommand:
    def test_a_list_gives_the_affected_models(
        self,
        told: Works,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        told.move("sample.bolt", "2", "rolled_back")
        told.trace("bad.png")
        listed, uses = tmp_path / "bad.csv", tmp_path / "uses.csv"
        listed.write_text(f"path\n{BAD}\nbolt/train/good/000.png\nbolt/test/good/none.png\n")
        code, out, _ = patchae(
            capsys, monkeypatch, "trace", "--from-list", str(listed), "--csv", str(uses), "--json"
        )
        assert code == 0
        assert "2 of 3 images occurred" in out
        assert "never occurred: bolt/test/good/none.png" in out
        found = json.loads(out.splitlines()[-1])
        assert [(one["version"], one["learned"], one["live"]) for one in found["models"]] == [
            ("2", 1, True),
            ("1", 0, False),
            ("3", 0, False),
        ]
        lines = uses.read_text().splitlines()
        assert lines[0] == "image,sha256,md5,path,model,version,use,live,since,until"
        assert len(lines) == 1 + 1 + 3 + 1

    def test_one_image_tells_its_whole_life(
        self,
        told: Works,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        told.trace("bad.png")
        code, out, _ = patchae(capsys, monkeypatch, "trace", "bad.png")
        assert code == 0
        assert BAD in out
        assert "sample.bolt/2" in out
        assert "looked through 2 data versions and 3 model versions" in out

    def test_an_image_that_never_occurred_ends_with_1(
        self,
        told: Works,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        told.trace("bad.png")
        code, out, err = patchae(capsys, monkeypatch, "trace", "0" * 64, "--json")
        assert code == 1
        assert "in no version" in err
        assert json.loads(out.splitlines()[-1])["images"][0]["found"] is False

    def test_of_images_that_nobody_knows_asks_the_log_of_decisions_for_none(
        self, told: Works, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts.write(told.project.predictions, "some", [decision(1)])
        code, out, err = patchae(capsys, monkeypatch, "trace", "--rebuild")
        assert (code, "looked through" in out) == (0, True), err
        code, _, err = patchae(capsys, monkeypatch, "trace", "0" * 32)
        assert (code, "occurred in no version" in err) == (1, True), err

    def test_no_image_is_wrong_use(
        self,
        project: Project,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        code, _, err = patchae(capsys, monkeypatch, "trace")
        assert code == 2
        assert "no image is named" in err


@given(st.lists(st.sets(st.integers(0, 6)), max_size=8))
def test_runs_cover_exactly_the_sets_that_a_member_is_in(sets: list[set[int]]) -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE t (member INTEGER, who INTEGER, first INTEGER, last INTEGER)")
    for number, members in enumerate(sets, start=1):
        # A new object each time, as another process has, and another sequence in the same table.
        for who in (1, 2):
            own = members if who == 1 else {6 - one for one in members}
            runs = Runs(database, "t", ("member",), ("who", who))
            runs.add(number, {(one,) for one in own})
    for member in range(7):
        covered = {
            number
            for first, last in database.execute(
                "SELECT first, COALESCE(last, ?) FROM t WHERE member = ? AND who = 1",
                (len(sets), member),
            )
            for number in range(first, last + 1)
        }
        assert covered == {n for n, members in enumerate(sets, start=1) if member in members}


def _sql(file: Path, statement: str) -> None:
    database = sqlite3.connect(file)
    database.execute(statement)
    database.commit()
    database.close()
