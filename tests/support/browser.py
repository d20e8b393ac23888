"""A headless Chromium for tests of how pages look; a test is skipped where there is none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--virtual-time-budget=5000",
)
_PROBE = """<!doctype html><body style="margin:0">
<iframe src="{page}" style="border:0;width:{width}px;height:{height}px"></iframe>
<pre id="found"></pre>
<script>
onload = () => {{
  const inner = document.querySelector("iframe").contentDocument;
  const wide = inner.documentElement.scrollWidth;
  const scrolls = (e) => e.closest(".drawing, .hidden, .skip, .digest, thead");
  const out = [...inner.querySelectorAll("main *, header *, footer *")]
    .filter((e) => !scrolls(e) && e.getBoundingClientRect().right > {width} + 1)
    .map((e) => e.tagName + "." + (e.getAttribute("class") || "") + ": "
      + (e.textContent || "").trim().slice(0, 60));
  const small = [...inner.querySelectorAll("main *, header *, footer *")]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
      && !e.closest("svg") && parseFloat(inner.defaultView.getComputedStyle(e).fontSize) < 11)
    .map((e) => e.tagName);
  const loaded = [...inner.images].every((i) => i.naturalWidth > 0);
  document.querySelector("#found").textContent =
    JSON.stringify({{wide, out: out.slice(0, 5), small, loaded}});
}};
</script>"""


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder

    def look(self, page: Path, width: int, height: int = 1400) -> dict[str, Any]:
        """What a page is in a window so wide: its whole width, and what stands out of it."""
        probe = self._folder / "probe.html"
        probe.write_text(_PROBE.format(page=page.as_uri(), width=width, height=height))
        text = self._run(f"--window-size={width},{height}", "--dump-dom", probe.as_uri())
        found = re.search(r'<pre id="found">(.*?)</pre>', text, re.DOTALL)
        assert found, text[-400:]
        assert found.group(1), "the page was not loaded"
        value: dict[str, Any] = json.loads(unescape(found.group(1)))
        return value

    def picture(self, page: Path, width: int, height: int) -> Path:
        """A screenshot."""
        target = self._folder / "page.png"
        self._run(f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri())
        return target

    def printed(self, page: Path) -> bytes:
        """The page as a PDF."""
        target = self._folder / "page.pdf"
        self._run("--no-pdf-header-footer", f"--print-to-pdf={target}", page.as_uri())
        return target.read_bytes()

    def _run(self, *arguments: str) -> str:
        profile = f"--user-data-dir={self._folder / 'profile'}"
        command = [self._program, *_FLAGS, profile, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-400:]
        return done.stdout


def chromium(folder: Path) -> Browser:
    """The browser of this machine; skips the test where there is none."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is installed")
    folder.mkdir(parents=True, exist_ok=True)
    return Browser(program, folder)
