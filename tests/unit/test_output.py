"""Tables on a terminal and elsewhere."""

from __future__ import annotations

import sys

import pytest

from patchae.cli.output import table


@pytest.mark.parametrize("terminal", [True, False])
def test_what_people_wrote_is_shown_as_they_wrote_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    texts = ["see [/srv/data]", "part[b].png", "a [red]lamp[/red]", ":warning:", "C:\\x\\[1]"]
    table(("reason", "by"), [(text, "me") for text in texts], title="hall [b]")
    shown = capsys.readouterr().out
    for text in (*texts, "hall [b]"):
        assert text in shown
