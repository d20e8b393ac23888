"""What a person sees while work goes on."""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from patchae.console import logged_to, progress_of, record, say, watch


def _train(subject: str) -> None:
    """The progress of a small training."""
    step = progress_of(subject)
    for done in range(1, 9):
        step("learning", done, 8)
    step("learning", 8, 8)  # some work reports its end twice
    step("calibrating", 1, 1)


def test_plain_lines_show_the_end_of_each_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    with watch():
        say("line sample: 2 classes")
        threads = [threading.Thread(target=_train, args=(name,)) for name in ("bolt", "nut")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    out, err = capsys.readouterr()
    assert out == "", "standard output belongs to results"
    lines = err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d \S+  \S", line) for line in lines), "time with its zone"
    texts = [line.split("  ", 1)[1] for line in lines]
    assert texts[0] == "line sample: 2 classes"
    for name in ("bolt", "nut"):
        own = [text for text in texts if text.startswith(f"{name}: ")]
        assert own.count(f"{name}: learning 8/8") == 1
        assert own[-1] == f"{name}: calibrating", "one step of one has no count"
        assert len(own) <= 3, "at most one sign of life in so short a time"


def test_a_later_run_in_the_same_process_is_shown_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        with watch():
            progress_of("bolt")("judging", 12, 12)
    assert capsys.readouterr().err.count("bolt: judging 12/12") == 2


def test_without_a_watcher_news_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="patchae"):
        _train("bolt")
        say("news")
    assert "bolt: calibrating" in caplog.messages
    assert caplog.messages[-1] == "news"


def test_details_go_to_the_log_alone(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with watch(), logged_to(caplog.handler):
        say("lid: failed", logging.ERROR, details="no light\n  to mend: switch it on")
        record("lid: 41 checks passed")
    assert [line.split("  ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "lid: failed"
    ]
    assert caplog.messages == [
        "lid: failed: no light\n  to mend: switch it on",
        "lid: 41 checks passed",
    ]


def test_what_others_log_is_shown_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with watch():
        try:
            [].pop()
        except IndexError:
            logging.getLogger("patchae.serving").exception("a decision cannot be logged")
    shown = capsys.readouterr().err
    assert "a decision cannot be logged" in shown
    assert "IndexError: pop from empty list" in shown


def test_a_long_step_is_logged_at_every_tenth_at_most(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100_000, 6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    step = progress_of("bolt")
    with caplog.at_level("INFO", logger="patchae"):
        for done in range(1001):
            step("reading", done, 1000)
    said = [int(text.split()[-1].partition("/")[0]) for text in caplog.messages]
    assert said[0] == 0
    assert said[-1] == 1000
    assert len(said) > 10, "a minute is the longest silence"
    assert all(later - before >= 9 for before, later in itertools.pairwise(said))


def test_after_an_error_the_old_watcher_is_back(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RuntimeError, match="stopped"), watch():
        raise RuntimeError("stopped")
    with caplog.at_level("INFO", logger="patchae"):
        say("afterwards")
    assert caplog.messages == ["afterwards"]
    assert "afterwards" not in capsys.readouterr().out


def _all_of(terminal: int) -> str:
    """What is written to the other end until it closes; one read gives only what is there yet."""
    parts = []
    while part := _some_of(terminal):
        parts.append(part)
    return b"".join(parts).decode()


def _some_of(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_gets_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    master, slave = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_all_of, master)
        with os.fdopen(slave, "w") as terminal:
            monkeypatch.setattr("sys.stderr", terminal)
            with watch():
                say("line sample: 1 class")
                _train("bolt")
        shown = reading.result()
    os.close(master)
    assert "line sample: 1 class" in shown
    assert re.search(r"bolt.*calibrating.*1/1", shown)
    assert capsys.readouterr().out == ""
