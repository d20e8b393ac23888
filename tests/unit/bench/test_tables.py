"""Tables from results, on numbers made up for the purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import pages
from bench.ablations import of_ablations
from bench.pages import SECTIONS, rendered
from bench.product_pages import of_sizes
from bench.tables import of_methods, significant
from tests.support.bench.fixtures import MARKS

PAGE = "a\n" + MARKS.replace(":begin -->\n", ":begin -->\nwhat was there before\n") + "c"


def run(auroc: float, seconds: float, **more: Any) -> dict[str, Any]:
    """A run as `bench.runs.Run.result` gives it."""
    return {
        "image_auroc": auroc, "pixel_auroc": 0.9, "aupro": 0.8,
        "training_seconds": seconds, "ms_batch1": 50.0, "ms_batch16": 20.0,
        "model_bytes": 12_000_000, "peak_memory_mb": 1500.0, "imports_memory_mb": 600.0,
        "gpu_peak_mb": None, "threads": 2, "device": "x86_64",
        "versions": {"python": "3.11", "torch": "2.14.1"}, "notes": {}, "seed": 0,
        "alone": True, **more,
    }  # fmt: skip


def results(tmp_path: Path, classes: dict[str, dict[str, list[dict[str, Any]]]]) -> Path:
    """A file of results."""
    path = tmp_path / "model.json"
    content = {
        "image_size": 256,
        "methods": ["patchcore", "ours"],
        "titles": {"ours": "Ours", "patchcore": "PatchCore"},
        "classes": {
            name: {"train": 200, "test_good": 20, "test_defective": 60, "methods": found}
            for name, found in classes.items()
        },
    }
    path.write_text(json.dumps(content))
    return path


def section(text: str, title: str) -> dict[str, list[str]]:
    """Rows of the table under a heading, by their first cell."""
    lines = text.split(f"### {title}\n")[1].partition("###")[0].splitlines()
    cells = [[c.strip() for c in line[1:-1].split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[1:] for row in cells if row[0] != "---"}


def test_a_row_is_the_mean_over_seeds_and_classes(tmp_path: Path) -> None:
    path = results(
        tmp_path,
        {
            "nut": {"ours": [run(0.9, 10), run(0.8, 30)], "patchcore": [run(0.7, 200)]},
            "screw": {
                "ours": [run(1.0, 40, pixel_auroc=None, aupro=None)],
                "patchcore": [run(0.5, 100, pixel_auroc=None, aupro=None)],
            },
        },
    )
    text = of_methods(path)
    nut = dict(zip(section(text, "nut")["method"], section(text, "nut")["Ours"], strict=True))
    assert nut["image AUROC"] == "0.8500"
    assert nut["training s"] == "10.0"  # of times the shortest
    assert nut["seeds"] == "2 (0.8000 to 0.9000)"
    assert nut["peak MB (imports)"] == "1500 (600)"
    low, high = (float(limit) for limit in nut["95 % interval"].split(" to "))
    assert 0.7 < low < 0.85 < high < 0.95
    assert "GPU MB" not in nut
    screw = section(text, "screw")
    assert screw["Ours"][2:4] == ["-", "-"]
    assert screw["Ours"][1].endswith("to 1.000")
    whole = section(text, "Mean over nut, screw")
    assert whole["Ours"][:4] == ["0.9250", "-", "0.9000", "0.8000"]
    assert whole["Ours"][4] == "25.0"
    assert whole["Ours"][-1] == "1-2"
    shares = section(text, "Relative to PatchCore")
    assert shares["Ours"][0] == "0.141"  # the geometric mean of 10 / 200 and 40 / 100
    assert shares["PatchCore"] == ["1.00"] * 5
    assert list(shares)[1:] == ["PatchCore", "Ours"]  # in the order of the methods


def test_a_part_that_is_taken_out_is_compared_seed_by_seed() -> None:
    whole = [run(0.90, 1, seed=0), run(0.80, 1, seed=1)]
    content = {
        "titles": {"patch-ae": "Whole", "frozen": "Frozen", "as-is": "As is"},
        "classes": {
            "nut": {"methods": {"patch-ae": whole, "frozen": [run(0.70, 1, seed=1)]}},
            "bolt": {
                "methods": {
                    "patch-ae": whole,
                    "frozen": [run(0.84, 1, seed=0), run(0.82, 1, seed=1)],
                    "as-is": [run(0.95, 1, seed=0)],
                }
            },
        },
    }
    assert of_ablations(content) == (
        ["method", "mean (lowest to highest seed)", "nut", "bolt"],
        [["As is", "-", "-", "+0.0500"], ["Frozen", "-0.0400", "-0.1000", "-0.0200"]],
    )
    content["classes"]["nut"]["methods"]["frozen"] = content["classes"]["bolt"]["methods"]["frozen"]
    _, (_, frozen) = of_ablations(content) or ([], [[], []])
    assert frozen[1] == "-0.0200 (-0.0600 to +0.0200)"
    assert of_ablations({**content, "classes": {"nut": {"methods": {}}}}) is None


def test_a_method_that_lacks_a_class_has_no_mean(tmp_path: Path) -> None:
    path = results(tmp_path, {"nut": {"ours": [run(0.9, 10)]}, "bolt": {"patchcore": [run(1, 9)]}})
    text = of_methods(path)
    assert "Mean over" not in text
    assert "Relative to" in text  # PatchCore to itself
    assert "0.9000" in text


def test_the_gpu_has_a_column_where_there_is_one(tmp_path: Path) -> None:
    path = results(tmp_path, {"nut": {"ours": [run(0.9, 10, gpu_peak_mb=812.3)]}})
    assert "812" in section(of_methods(path), "nut")["Ours"]
    assert "Relative to" not in of_methods(path)


def test_only_what_lies_between_the_marks_changes(tmp_path: Path) -> None:
    path = results(tmp_path, {"nut": {"ours": [run(0.9, 10)]}})
    sources = dict.fromkeys(SECTIONS, tmp_path / "none.json") | {"model": path}
    page = rendered(PAGE, **sources)
    assert page.startswith("a\n<!-- model:begin -->\nMeasured at 256 x 256 px")
    for mark, command in {"growth": "bench-growth DATA=folder", "data": "bench-data"}.items():
        assert f"`make {command}`.\n<!-- {mark}:end -->\n" in page
    assert page.endswith("<!-- drift:end -->\nc")
    assert "before" not in page
    assert rendered(page, **sources) == page


def test_a_missing_file_says_which_command_writes_it(tmp_path: Path) -> None:
    assert "make bench-model" in of_methods(tmp_path / "none.json")
    assert "make bench-growth" in of_sizes(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (1.005, "1.00"), (9.876, "9.88"), (54.321, "54.3"), (4321.9, "4,322"),
     (0, "0.00"), (0.012, "0.0120")],
)  # fmt: skip
def test_three_digits_count(value: float, text: str) -> None:
    assert significant(value) == text


def test_the_places_are_in_the_repository() -> None:
    assert pages.PAGE.is_file()
    assert pages.RESULTS.parent.is_dir()
