"""Prefect's settings are read as Prefect reads them, wherever a person has written them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.project import Project

ROOT = Path(__file__).parents[3]
_ASKS = """
from patchae.cli.output import here
project = here()
from flows.connection import api_url
from prefect.settings import get_current_settings
settings = get_current_settings()
print(api_url(), settings.home == project.prefect, settings.server.ephemeral.enabled)
"""
NOBODY = "http://127.0.0.1:9/api"
PLACES = {
    ".env": f"PREFECT_API_URL={NOBODY}\n",
    "prefect.toml": f'[api]\nurl = "{NOBODY}"\n',
    "home/.prefect/profiles.toml": (
        f'active = "ops"\n[profiles.ops]\nPREFECT_API_URL = "{NOBODY}"\n'
    ),
}


def _run(project: Project, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    home = project.root / "home"
    home.mkdir(exist_ok=True)
    bare = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.root,
        env=bare | {"PYTHONPATH": str(ROOT), "HOME": str(home)} | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _write(project: Project, place: str, text: str) -> None:
    file = project.root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _settings(project: Project, **more: str) -> list[str]:
    done = _run(project, "-c", _ASKS, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("place", PLACES)
def test_a_server_is_known_and_named_wherever_it_is_written(project: Project, place: str) -> None:
    _write(project, place, PLACES[place])
    assert _settings(project)[0] == NOBODY
    assert _settings(project, PREFECT_API_URL=f"{NOBODY}/other")[0] == f"{NOBODY}/other"
    done = _run(project, "-m", "patchae", "deploy")
    assert done.returncode == 3, done.stderr
    assert f"where:   {NOBODY}\n" in done.stderr


def test_without_a_server_prefects_own_is_started_in_the_state(project: Project) -> None:
    assert _settings(project) == ["None", "True", "True"]
    profile = 'active = "mine"\n[profiles.mine]\nPREFECT_LOGGING_LEVEL = "DEBUG"\n'
    _write(project, "home/.prefect/profiles.toml", profile)
    assert _settings(project) == ["None", "True", "True"]


def test_a_home_of_ones_own_is_kept(project: Project) -> None:
    _write(project, ".env", f"PREFECT_HOME={project.root}/mine\n")
    assert _settings(project) == ["None", "False", "True"]


@pytest.mark.parametrize(
    ("place", "text"),
    [(".env", "PREFECT_API_REQUEST_TIMEOUT=soon\n"), ("prefect.toml", "[api\n")],
)
def test_settings_that_prefect_cannot_use_are_one_message(
    project: Project, place: str, text: str
) -> None:
    _write(project, place, text)
    done = _run(project, "-m", "patchae", "snapshot")
    assert done.returncode == 2, done.stderr
    assert "Prefect's settings are not usable" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_prefects_server_cannot_use_is_named(project: Project) -> None:
    wrong = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql://ann:s3cret@db.example/p"}
    done = _run(project, "-c", "from flows.engine import reach_prefect; reach_prefect()", **wrong)
    assert "Prefect's server cannot use its database: postgresql\n" in done.stderr
    assert "postgresql+asyncpg://" in done.stderr
    assert "s3cret" not in done.stderr
