"""Which classes a command is about, and how many are trained side by side."""

from __future__ import annotations

import shlex
import threading

import pytest

from patchae.errors import ConfigError, DataError, UsageError
from patchae.project import Project
from patchae.steps import plan
from tests.support import patchae, write_class

LINES = """\
lines:
  named: {classes: [nut, bolt]}
  rest: {classes: all}
"""


@pytest.fixture
def lines(project: Project) -> Project:
    """A line with named classes and one that takes what is left; data/ has nothing yet."""
    project.lines_file.write_text(LINES)
    return project


def test_named_classes_need_no_folder(lines: Project) -> None:
    project, line = plan.open_line("named", lines.root)
    assert plan.classes_of(project, line) == ["bolt", "nut"]
    assert plan.classes_of(project, line, ["nut", "nut"]) == ["nut"]


def test_all_takes_what_no_other_line_names(lines: Project) -> None:
    for name in ("nut", "gear", ".hidden"):
        (lines.data / name).mkdir(parents=True)
    project, line = plan.open_line("rest", lines.root)
    assert plan.classes_of(project, line) == ["gear"]


@pytest.mark.parametrize(
    ("folder", "like"),
    [("Bottle v2.1 ä", "Bottle-v2-1-a"), ("o'ring", "o-ring"), ("検査", "class"), ("-x", "x")],
)
def test_a_folder_that_no_list_may_name_is_refused_with_the_way_to_rename_it(
    lines: Project, folder: str, like: str
) -> None:
    for name in (folder, "gear"):
        (lines.data / name).mkdir(parents=True)
    project, line = plan.open_line("rest", lines.root)
    with pytest.raises(ConfigError) as refused:
        plan.classes_of(project, line)
    assert repr(folder) in refused.value.what
    old, new = shlex.split(str(refused.value.mend).partition(";")[0])[1:]
    assert (old, new) == (f"data/{folder}", f"data/{like}")
    assert plan.classes_of(project, line, ["gear"]) == ["gear"]  # the others are no worse for it
    with pytest.raises(ConfigError):
        plan.classes_of(project, line, [folder])
    (lines.root / old).rename(lines.root / new)
    assert plan.classes_of(project, line) == sorted([like, "gear"])


def test_what_is_no_class_does_not_hinder_a_line_that_names_its_own(lines: Project) -> None:
    (lines.data / "o'ring").mkdir(parents=True)
    project, line = plan.open_line("named", lines.root)
    assert plan.classes_of(project, line) == ["bolt", "nut"]


def test_the_proposed_name_is_free(lines: Project) -> None:
    for name in ("o'ring", "o-ring"):
        (lines.data / name).mkdir(parents=True)
    project, line = plan.open_line("rest", lines.root)
    with pytest.raises(ConfigError, match="data/o-ring-2"):
        plan.classes_of(project, line)


def test_a_line_without_any_class_says_how_to_bring_images(lines: Project) -> None:
    project, line = plan.open_line("rest", lines.root)
    with pytest.raises(DataError, match="patchae import"):
        plan.classes_of(project, line)


def test_a_class_of_another_line_is_refused(lines: Project) -> None:
    project, line = plan.open_line("named", lines.root)
    with pytest.raises(UsageError, match="use one of: bolt, nut"):
        plan.classes_of(project, line, ["bolt", "gear"])


def test_a_project_is_found_from_a_folder_inside_it(lines: Project) -> None:
    inside = lines.data / "nut" / "train"
    inside.mkdir(parents=True)
    project, _ = plan.open_line("named", inside)
    assert project.root == lines.root.resolve()
    with pytest.raises(ConfigError):
        plan.open_line("named", lines.root.parent)


@pytest.mark.parametrize("wanted", [1, 3])
def test_no_more_classes_are_trained_at_once_than_there_are_slots(
    monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    monkeypatch.setenv("PATCHAE_SLOTS", str(wanted))
    monkeypatch.setattr(plan, "_slots", None)
    together = threading.Barrier(wanted)
    lock, inside, most = threading.Lock(), 0, 0

    def train() -> None:
        nonlocal inside, most
        with plan.training_slot():
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait(30)  # leaves only when all places are taken
            with lock:
                inside -= 1

    threads = [threading.Thread(target=train) for _ in range(2 * wanted)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == wanted


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_one_class_at_a_time_is_trained_on_whatever_there_is(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setenv("PATCHAE_DEVICE", device)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)  # each training is on the first
    assert plan.slots() == 1


@pytest.mark.parametrize("folder", ["Bottle v2.1 ä", "o'ring"])
def test_status_and_doctor_name_a_folder_that_no_command_takes(
    lines: Project, folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_class(lines.data, folder, train_good=1, test_good=1, test_defect=0)
    for command in ("status", "doctor"):
        _, out, err = patchae(capsys, monkeypatch, command)
        assert folder in out + err, command
        assert "Traceback" not in out + err
