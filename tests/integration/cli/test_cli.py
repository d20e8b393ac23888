"""The commands as people and programs meet them: exit codes, messages, JSON."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchae.errors import DataError
from patchae.lineage import probe as probing
from patchae.lineage.probe import FOLDER
from patchae.registry.loading import WEIGHTS_FOLDER
from tests.integration.cli.conftest import Command, Told
from tests.support import write_class
from tests.support.plant import Works

SCRIPT = Path(sys.executable).with_name("patchae")
HEAVY = {
    *("torch", "mlflow", "prefect", "pandas", "numpy", "great_expectations", "dvc"),
    *("sqlalchemy", "pydantic", "matplotlib", "timm"),
}


def last_json(told: Told) -> dict[str, Any]:
    """The JSON object that ends the output."""
    found: dict[str, Any] = json.loads(told.out.splitlines()[-1])
    return found


class TestReporting:
    """Every command with --json ends with one object whose keys programs may rely on."""

    def test_status(self, run: Command) -> None:
        told = last_json(run("status", "works", "--json"))
        assert (set(told), told["faults"]) == ({"models", "faults"}, [])
        disc, lens = told["models"]
        assert set(disc) == {
            *("line", "model", "champion", "previous", "since", "image_auroc", "judged"),
            *("last_verdict", "reasons", "because", "aliases", "mend"),
            *("threshold", "threshold_moved"),
        }
        assert disc["threshold"] > 0
        assert disc["threshold_moved"] is False
        assert (disc["aliases"], disc["mend"]) == ("aligned", None)
        assert (disc["model"], disc["champion"], disc["previous"]) == ("works.disc", "1", None)
        assert (lens["champion"], lens["previous"], lens["last_verdict"]) == ("2", "1", "promote")

    def test_history(self, run: Command, works: Works) -> None:
        told = last_json(run("history", "works.lens", "--json"))
        assert set(told) == {"name", "since", "moves", "thresholds"}
        assert told["thresholds"] == []
        first, second = told["moves"]
        assert set(first) == {
            *("seq", "time", "model", "from", "to", "why", "reason"),
            *("actor", "host", "flow_run", "verdict"),
        }
        assert [(m["from"], m["to"], m["why"]) for m in (first, second)] == [
            (None, "1", "promoted"),
            ("1", "2", "promoted"),
        ]
        at = last_json(run("history", "works.lens", "--at", first["time"], "--json"))
        assert set(at) == {"name", "at", "champions"}
        assert at["champions"] == [{"model": "works.lens", "champion": "1", "threshold": None}]
        since = last_json(run("history", "works", "--since", second["time"], "--json"))
        assert second in since["moves"]
        assert first not in since["moves"]
        assert {one["model"] for one in since["moves"]} <= {"works.disc", "works.lens"}
        before = last_json(run("history", "works.lens", "--at", "2020-01-01", "--json"))
        assert before["champions"] == [{"model": "works.lens", "champion": None, "threshold": None}]
        assert run("history", "works", "--at", "2020-01-01", "--since", "2020-01-01").code == 2

    def test_threshold(self, run: Command, works: Works) -> None:
        rows = works.plant.ledger.entries()
        told = last_json(run("threshold", "works.lens", "--json"))
        assert set(told) == {"model", "version", "threshold", "trained", "moved", "table"}
        assert (told["version"], told["moved"]) == ("2", None)
        (now,) = [point for point in told["table"] if point["in_force"]]
        assert (now["source"], now["threshold"]) == ("trained", told["trained"])
        assert {point["source"] for point in told["table"]} == {"trained", "test_images"}
        assert [kind["defect"] for kind in now["missed_by_kind"]] == ["hole"]
        assert now["missed"]["count"] + now["missed"]["of"] > 0
        for given, code, words in (
            (("--set", "1"), 2, "needs a reason"),
            (("--set", "1", "--reset", "--reason", "r"), 2, "which threshold is meant"),
            (("--reason", "r"), 2, "nothing to do"),
            (("--set", "nan", "--reason", "r"), 2, "no threshold"),
            (("--false-alarms", "1.5", "--reason", "r"), 2, "is impossible"),
            (("--false-alarms", "0.0001", "--reason", "r"), 2, "cannot promise"),
            (("--reset", "--reason", "r"), 2, "already"),
            (("--set", "1000", "--reason", "r"), 1, "would raise an alarm"),
        ):
            done = run("threshold", "works.lens/2", *given)
            assert (done.code, words in done.err) == (code, True), (given, done.err)
        assert "has no version 9" in run("threshold", "works.lens/9").err
        assert "no model is called 'works.no'" in run("threshold", "works.no").err
        assert works.plant.ledger.entries() == rows

    def test_audit(self, run: Command) -> None:
        done = run("audit", "works.disc", "--json")
        told = last_json(done)
        assert done.code == 0
        assert set(told) == {"model", "version", "state", "not_checkable", "links"}
        assert (told["version"], told["state"], told["not_checkable"]) == ("1", "intact", 0)
        assert set(told["links"][0]) == {"code", "title", "state", "detail"}
        assert {link["state"] for link in told["links"]} == {"intact"}

    def test_gate(self, run: Command, tmp_path: Path) -> None:
        done = run("gate", "works.lens", "--json")
        told = last_json(done)
        assert (done.code, told["outcome"], told["recorded"]) == (0, "promote", "promote")
        assert set(told) == {
            *("model", "version", "outcome", "reasons", "findings", "policy", "seq"),
            *("recorded", "champion", "champion_now", "seeds"),
        }
        assert (told["version"], told["champion"], told["champion_now"]) == ("2", "1", "2")
        assert "compared with champion version 1" in done.out
        file = tmp_path / "strict.yaml"
        file.write_text("min_image_auroc: 0.99\nmin_test_good: 1\n")
        strict = run("gate", "works.lens/1", "--policy", str(file), "--json")
        told = last_json(strict)
        assert (strict.code, told["outcome"], told["champion"]) == (1, "hold", None)
        (open_one,) = [one for one in told["findings"] if one["outcome"] == "hold"]
        assert open_one["more_good"] + open_one["more_defect"] > 0
        assert "would decide" in strict.err
        file.write_text("min_auroc: 0.99\n")
        assert run("gate", "works.lens", "--policy", str(file)).code == 2
        file.write_text("- 1\n")
        assert run("gate", "works.lens", "--policy", str(file)).code == 2
        assert run("gate", "works.lens", "--policy", str(tmp_path / "none.yaml")).code == 2
        assert "has no version 9" in run("gate", "works.lens/9").err

    def test_ledger(self, run: Command, tmp_path: Path) -> None:
        told = last_json(run("ledger", "verify", "--json"))
        assert set(told) == {"file", "rows", "signed", "state", "faults"}
        assert (told["state"], told["faults"]) == ("intact", [])
        noted = run("ledger", "anchor", "--json")
        newest = last_json(noted)
        assert set(newest) == {"seq", "digest", "time"}
        assert newest["seq"] == told["rows"]
        anchor = f"{newest['seq']}:{newest['digest']}"
        assert noted.out.splitlines()[0] == anchor
        file = tmp_path / "ledger.jsonl"
        assert last_json(run("ledger", "export", str(file), "--json")) == {
            "file": str(file),
            "rows": told["rows"],
        }
        whole = run("ledger", "verify", str(file), "--anchor", anchor)
        assert (whole.code, whole.out) == (
            0,
            f"intact: {told['rows']} rows, 0 of them signed, holds the anchor\n",
        )
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:-1]))
        assert run("ledger", "verify", str(file)).code == 0, "no chain shows that by itself"
        cut = run("ledger", "verify", str(file), "--anchor", anchor, "--json")
        assert (cut.code, last_json(cut)["state"]) == (1, "broken")
        assert f"row {newest['seq']}: missing" in cut.err
        file.write_text(lines[0].replace('"seq":1', '"seq": 1'))
        altered = run("ledger", "verify", str(file))
        assert altered.code == 2
        assert "line 1" in altered.err
        assert run("ledger", "verify", str(tmp_path / "none")).code == 2
        assert run("ledger", "verify", "--anchor", "seven").code == 2
        made = last_json(run("ledger", "keygen", str(tmp_path / "key"), "--json"))
        assert set(made) == {"private", "public", "key"}
        unsigned = run("ledger", "verify", "--key", made["public"])
        assert (unsigned.code, "newest row is not signed" in unsigned.out) == (1, True)
        assert run("ledger", "keygen", str(tmp_path / "key")).code == 2, "never written over"
        assert run("ledger", "verify", "--key", made["private"]).code == 2

    @pytest.mark.parametrize(
        ("name", "version"),
        [("works.lens", "2"), ("works.lens/1", "1"), ("works.lens@previous", "1")],
    )
    def test_audit_of_whichever_version(self, run: Command, name: str, version: str) -> None:
        done = run("audit", name, "--json")
        assert (done.code, last_json(done)["version"]) == (0, version)

    def test_validate(self, run: Command) -> None:
        done = run("validate", "works", "--class", "disc", "--json")
        told = last_json(done)
        assert done.code == 0
        assert set(told) == {"line", "data_version", "passed", "absent", "classes", "page"}
        assert "disc" in Path(told["page"]).read_text()
        assert told["passed"] is True
        assert [one["class_name"] for one in told["classes"]] == ["disc"]

    def test_snapshot(self, run: Command) -> None:
        told = last_json(run("snapshot", "--json"))
        assert set(told) == {"data_version", "changed", "files", "bytes", "committed"}
        assert (told["changed"], told["committed"]) == (False, False)

    def test_import(self, run: Command, works: Works) -> None:
        source = write_class(works.plant.project.root.parent / "camera", "lid", seed=77)
        keys = {"classes", "unchanged", "images", "masks", "bytes", "ignored", "copies", "dry_run"}
        keys |= {"left_out"}
        told = last_json(run("import", str(source.parent), "--json"))
        assert set(told) == keys
        assert (told["classes"], told["images"], told["masks"]) == (["lid"], 36, 6)
        again = last_json(run("import", str(source.parent), "--json"))
        assert (again["classes"], again["unchanged"]) == ([], ["lid"])

    def test_report(self, run: Command) -> None:
        told = last_json(run("report", "works", "--json"))
        assert set(told) == {"line", "report", "attention"}
        page = Path(told["report"]).read_text()
        assert "works.lens" in page

    @pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
    def test_the_device_of_a_machine_does_not_change_what_is_exported(
        self, run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        files = {}
        for device in ("cpu", "cuda"):
            monkeypatch.setenv("PATCHAE_DEVICE", device)
            files[device] = tmp_path / f"{device}{suffix}"
            told = run("export", "works.disc", str(files[device]))
            assert told.code == 0, told.err
        assert files["cpu"].stat().st_size == files["cuda"].stat().st_size

    def test_score_writes_heat_maps(self, run: Command, works: Works, tmp_path: Path) -> None:
        good, hole = images(works)
        done = run("score", "works.disc", str(good), str(hole), "--maps", str(tmp_path), "--json")
        told = last_json(done)
        assert set(told) == {"model", "version", "threshold", "scored", "images"}
        assert (told["model"], told["version"]) == ("works.disc", "1")
        assert [set(one) for one in told["images"]] == [
            {"path", "score", "decision", "map", "warnings"}
        ] * 2
        assert told["images"][1]["decision"] == "anomalous"
        assert told["images"][1]["score"] > told["images"][0]["score"]
        for one in told["images"]:
            assert Image.open(one["map"]).size[0] >= 64


@pytest.fixture
def ledger(works: Works) -> Iterator[Path]:
    """The ledger's file, which is put back."""
    path = works.plant.project.ledger
    whole = path.read_bytes()
    yield path
    path.write_bytes(whole)


@pytest.mark.usefixtures("ledger")
def test_rollback_moves_the_alias_and_back_in_history(run: Command, works: Works) -> None:
    told = last_json(run("rollback", "works.lens", "--reason", "false alarms", "--json"))
    assert told == {"model": "works.lens", "champion": "1", "was": "2"}
    assert works.tracking().aliases.get("works.lens") == {"champion": "1"}
    refused = run("rollback", "works.lens", "--reason", "again")
    assert refused.code == 2
    assert "no earlier champion" in refused.err
    back = last_json(run("rollback", "works.lens", "--to", "2", "--reason", "mended", "--json"))
    assert back["champion"] == "2"
    assert works.tracking().aliases.get("works.lens") == {"champion": "2", "previous": "1"}
    assert run("audit", "works.lens").code == 0


@pytest.mark.parametrize("part", ["weights", "image", "scores", "record"])
@pytest.mark.usefixtures("ledger")
def test_a_rollback_to_what_is_no_longer_what_it_was_moves_nothing(
    run: Command, works: Works, part: str
) -> None:
    tracking = works.tracking()
    known = tracking.version("works.lens", "1")
    artifacts = tracking.artifacts(known)
    file = {
        "weights": tracking.model_folder(known) / WEIGHTS_FOLDER / "model.safetensors",
        "image": next((artifacts / FOLDER).iterdir()),
        "scores": artifacts / "scores.csv",
        "record": artifacts / "lineage.json",
    }[part]
    rows, whole = works.plant.ledger.entries(), file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        refused = run("rollback", "works.lens", "--reason", "false alarms")
    finally:
        file.write_bytes(whole)
    assert refused.code == 1
    assert "version 1 of works.lens must not be used" in refused.err
    assert "choose another version" in refused.err
    assert works.plant.ledger.entries() == rows
    assert tracking.aliases.get("works.lens") == {"champion": "2", "previous": "1"}


@pytest.mark.usefixtures("ledger")
def test_a_rollback_to_a_version_that_scores_otherwise_here_moves_nothing(
    run: Command, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("rollback", "works.lens", "--reason", "false alarms")
    assert re.search(r"test/hole/\d+.png scores (\d+\.\d{6}); recorded: \1", done.out)
    monkeypatch.setattr(probing, "TOLERANCE", -1.0)  # as if another library rounded otherwise
    refused = run("rollback", "works.lens", "--to", "2", "--reason", "mended")
    assert refused.code == 1
    assert re.search(r"scores [\d.]+, and [\d.]+ was recorded", refused.err)
    assert works.tracking().aliases.get("works.lens") == {"champion": "1"}
    monkeypatch.undo()
    monkeypatch.chdir(works.plant.project.root)
    assert run("rollback", "works.lens", "--to", "2", "--reason", "mended").code == 0


@pytest.mark.usefixtures("ledger")
def test_a_retired_version_is_never_returned_to(run: Command, works: Works) -> None:
    kept = run("retire", "works.lens/1", "--reason", "old lamp")
    assert (kept.code, "what a rollback leads to" in kept.err) == (2, True)
    assert run("retire", "works.lens", "--reason", "old lamp").code == 2
    works.plant.ledger.append(
        "registered",
        "works.lens",
        {"version": "7", "run_id": "r", "training_key": "k", "lineage_sha256": "d"},
        "tester",
    )
    told = last_json(run("retire", "works.lens/7", "--reason", "old lamp", "--json"))
    row = works.plant.ledger.entries("works.lens")[-1]
    assert told == {"model": "works.lens", "version": "7", "seq": row.seq}
    assert (row.kind, row.body["reason"]) == ("retired", "old lamp")
    assert "is retired" in run("retire", "works.lens/7", "--reason", "again").err


def images(works: Works) -> tuple[Path, Path]:
    """A good image and a defective one of the class `disc`."""
    test = works.plant.project.data / "disc" / "test"
    return test / "good" / "000.png", test / "hole" / "000.png"


class TestMlflow:
    """The champion is an ordinary MLflow model."""

    @pytest.fixture
    def champion(self, works: Works) -> Any:
        import mlflow

        works.tracking()  # tells MLflow where
        return mlflow.pyfunc.load_model("models:/works.disc@champion")

    def test_it_takes_paths_and_arrays_and_scores_as_the_command_does(
        self, champion: Any, run: Command, works: Works
    ) -> None:
        paths = [str(path) for path in images(works)]
        told = last_json(run("score", "works.disc", *paths, "--json"))
        expected = [one["score"] for one in told["images"]]
        table = champion.predict(paths)
        assert list(table.columns) == ["score", "threshold", "anomalous"]
        assert table["score"].tolist() == expected
        assert table["threshold"].tolist() == [told["threshold"]] * 2
        assert table["anomalous"].tolist() == [
            one["decision"] == "anomalous" for one in told["images"]
        ]
        arrays = [np.asarray(Image.open(path)) for path in paths]
        # Alone or among others: the same but for the rounding of another order of sums.
        assert champion.predict(paths[1])["score"].tolist() == pytest.approx(expected[1:])
        assert champion.predict(arrays[1])["score"].tolist() == pytest.approx(expected[1:])
        assert champion.predict(np.stack(arrays))["score"].tolist() == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("kind", "why"),
        [
            ("floats", "mode F"),
            ("pages", "several images"),
            ("16 bits", "an image of 16 bits"),
            ("turned", "EXIF turns"),
        ],
    )
    def test_what_the_command_refuses_the_model_refuses(
        self, champion: Any, run: Command, tmp_path: Path, kind: str, why: str
    ) -> None:
        file = tmp_path / ("photo.jpg" if kind == "turned" else "photo.tiff")
        part = Image.new("RGB", (64, 64), (120, 120, 120))
        exif = Image.Exif()
        exif[0x0112] = 6
        {
            "floats": lambda: Image.new("F", (64, 64), 100_000.0).save(file),
            "pages": lambda: part.save(file, save_all=True, append_images=[part]),
            "16 bits": lambda: Image.fromarray(np.full((64, 64), 4_000, np.uint16)).save(file),
            "turned": lambda: part.save(file, exif=exif),
        }[kind]()
        with pytest.raises(DataError, match=why):
            champion.predict([str(file)])
        with pytest.raises(DataError, match=why):
            champion.unwrap_python_model().predict(None, file.read_bytes())
        told = run("score", "works.disc", str(file))
        assert (told.code, why in told.err, str(file) in told.err) == (2, True, True)

    def test_it_draws_heat_maps_when_asked(self, champion: Any, works: Works) -> None:
        paths = [str(path) for path in images(works)]
        table = champion.predict(paths, params={"heat_maps": True})
        assert len(table["map"]) == 2
        found = np.asarray(table["map"][1])
        assert found.ndim == 2
        row, column = np.unravel_index(found.argmax(), found.shape)
        scale = 64 / found.shape[0]  # the hole lies from 20 to 36 of 64 pixels
        assert 12 <= row * scale < 44
        assert 12 <= column * scale < 44


class TestTampering:
    """What was altered behind patchae's back is found and named; the exit code is 1."""

    @pytest.fixture
    def weights(self, works: Works) -> Iterator[Path]:
        tracking = works.tracking()
        folder = tracking.model_folder(tracking.version("works.disc", "1"))
        path = folder / "artifacts" / "model" / "model.safetensors"
        whole = path.read_bytes()
        yield path
        path.write_bytes(whole)

    def test_one_bit_of_the_weights(self, run: Command, weights: Path) -> None:
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        done = run("audit", "works.disc", "--json")
        assert done.code == 1
        assert "model_files" in done.err
        assert "artifacts/model/model.safetensors" in done.err
        assert "patchae rollback works.disc" in done.err
        told = last_json(done)
        assert [one["code"] for one in told["links"] if one["state"] == "broken"] == ["model_files"]

    def test_weights_that_are_gone(self, run: Command, weights: Path) -> None:
        weights.unlink()
        done = run("audit", "works.disc")
        assert done.code == 1
        assert "model_files" in done.err

    @pytest.mark.parametrize("which", ["artifacts", "model_folder"])
    def test_a_whole_folder_that_is_gone(self, run: Command, works: Works, which: str) -> None:
        tracking = works.tracking()
        folder: Path = getattr(tracking, which)(tracking.version("works.disc", "1"))
        aside = folder.rename(folder.with_name("aside"))
        done = run("audit", "works.disc")
        aside.rename(folder)
        assert done.code == 1
        assert "broken" in done.out

    def test_a_verdict_in_the_ledger(self, run: Command, ledger: Path) -> None:
        with sqlite3.connect(ledger) as connection:
            connection.execute("DROP TRIGGER ledger_no_update")
            connection.execute(
                "UPDATE ledger SET actor = 'somebody' WHERE kind = 'verdict' AND seq ="
                " (SELECT MIN(seq) FROM ledger WHERE kind = 'verdict')"
            )
        done = run("audit", "works.disc")
        assert done.code == 1
        assert "ledger_chain" in done.err

    def test_an_alias_in_mlflow(self, run: Command, works: Works) -> None:
        aliases = works.tracking().aliases
        aliases.set("works.lens", "champion", "1")
        done = run("audit", "works.lens")
        aliases.set("works.lens", "champion", "2")
        assert done.code == 1
        assert "MLflow says version 1, the ledger says version 2" in done.err


class TestWrongUse:
    """One clear message, where, and what mends it; never a traceback."""

    @pytest.mark.parametrize(
        ("words", "code", "expected"),
        [
            (("retrain", "nowhere"), 2, ("no line is called 'nowhere'", "use one of: works")),
            (
                ("retrain", "works", "--class", "wheel"),
                2,
                ("'wheel' is not a class of line 'works'", "use one of: disc, lens"),
            ),
            (("history", "works.wheel"), 2, ("no model 'works.wheel'", "patchae status")),
            (("import", "."), 2, ("to mend:",)),
            (("validate", "works", "--class", "wheel"), 2, ("'wheel'",)),
        ],
    )
    def test_of_the_console_script(
        self, works: Works, words: tuple[str, ...], code: int, expected: tuple[str, ...]
    ) -> None:
        told = script(works.plant.project.root, *words)
        assert told.code == code
        for text in expected:
            assert text in told.err
        assert told.out == ""

    def test_no_project_here(self, tmp_path: Path) -> None:
        told = script(tmp_path, "status")
        assert told.code == 2
        assert "no lines.yaml here or in any folder above" in told.err
        assert str(tmp_path) in told.err

    @pytest.mark.parametrize("command", ["audit", "score"])
    def test_an_unknown_model(self, run: Command, works: Works, command: str) -> None:
        images_of = [str(images(works)[0])] if command == "score" else []
        told = run(command, "works.wheel", *images_of)
        assert told.code == 2
        assert "no model is called 'works.wheel'" in told.err

    def test_an_unknown_version(self, run: Command) -> None:
        told = run("audit", "works.lens/9")
        assert told.code == 2
        assert "use one of: 1, 2" in told.err

    def test_an_image_that_is_none(self, run: Command, works: Works) -> None:
        told = run("score", "works.disc", str(works.plant.project.lines_file))
        assert told.code == 2
        assert "lines.yaml" in told.err

    def test_images_that_do_not_pass(self, run: Command, works: Works) -> None:
        whole = works.plant.spoil("disc")
        told = run("validate", "works", "--json")
        works.plant.first_train("disc").write_bytes(whole)
        assert told.code == 1
        answer = last_json(told)
        assert answer["passed"] is False
        assert [one["class_name"] for one in answer["classes"] if not one["passed"]] == ["disc"]
        assert run("snapshot").code == 0

    @pytest.mark.parametrize("words", [("audit", "works.disc"), ("report", "works")])
    def test_an_mlflow_server_that_is_not_there(
        self, run: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        told = run(*words)
        assert told.code == 3
        assert address in told.err
        assert "MLFLOW_TRACKING_URI" in told.err


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, patchae.cli; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_help_names_every_command() -> None:
    told = script(Path.cwd(), "--help")
    assert told.code == 0
    for command in ("demo", "retrain", "import", "snapshot", "audit", "rollback", "score"):
        assert command in told.out


def script(folder: Path, *words: str) -> Told:
    """Run the installed console script."""
    done = subprocess.run(
        [str(SCRIPT), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    return Told(done.returncode, done.stdout, done.stderr)
