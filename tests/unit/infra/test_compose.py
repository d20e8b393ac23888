"""The compose file against the Compose Specification, and the Dockerfile against good habits."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from infra.stack import __main__ as command
from infra.stack import worker
from infra.stack.settings import Settings
from patchae.errors import PatchaeError
from tests.support import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SCHEMA = json.loads((Path(__file__).parent / "compose.schema.json").read_text())
DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text()
EXAMPLE = ROOT / "infra" / "stack.env.example"


def filled(value: Any, **given: str) -> str:
    """A value as Compose makes it of `${NAME:-default}`, from the innermost outwards."""
    before, text = None, str(value)
    while before != text:
        before = text
        text = re.sub(
            r"\$\{(\w+):-([^${}]*)\}", lambda found: given.get(found[1]) or found[2], text
        )
    return text


def instructions() -> list[tuple[str, str]]:
    """Instruction and argument, one for each, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, rest in found]


def test_the_file_fits_the_compose_specification() -> None:
    assert list(Draft7Validator(SCHEMA).iter_errors(COMPOSE)) == []
    wrong = {**COMPOSE, "services": {"a": {"imagge": "x:1"}}}
    assert list(Draft7Validator(SCHEMA).iter_errors(wrong))


def test_every_service_waits_for_one_that_is_there() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"


def test_what_stays_is_watched_pinned_and_without_privileges() -> None:
    for name, service in SERVICES.items():
        once = service["restart"] == "no"
        assert once or "healthcheck" in service, name
        image = filled(service["image"])
        assert re.fullmatch(r"[\w/-]+:[\w.-]+", image), name
        assert not image.endswith(":latest"), name
        assert service["cap_drop"] == ["ALL"], name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_postgres_makes_its_files_in_a_folder_of_its_own() -> None:
    """The volume's folder is the image's user's, and initdb must close its own to all others."""
    postgres = SERVICES["postgres"]
    mounts = [volume.split(":")[1] for volume in postgres["volumes"]]
    data = Path(postgres["environment"]["PGDATA"])
    assert str(data.parent) in mounts
    assert str(data) not in mounts


@pytest.mark.parametrize("given", [{}, {"STACK_UID": "1000"}])
def test_one_user_owns_secrets_project_and_database(given: dict[str, str]) -> None:
    uid = given.get("STACK_UID", "10001")
    assert ("ARG", "UID=10001") in instructions()
    assert 'useradd --create-home --uid "$UID"' in DOCKERFILE
    assert filled(SERVICES["postgres"]["user"], **given) == f"{uid}:{uid}"
    for name, service in SERVICES.items():
        if name != "postgres":
            assert filled(service["build"]["args"]["UID"], **given) == uid, name
            assert "user" not in service, name


def test_workers_share_one_machine_whatever_their_containers_are_called() -> None:
    workers = [one for name, one in SERVICES.items() if name.startswith("worker-")]
    assert len(workers) == 3
    assert {filled(one["environment"]["STACK_MACHINE"]) for one in workers} == {"containers"}
    assert not any("hostname" in one for one in workers)


@pytest.mark.parametrize("given", [{}, {"STACK_PREFECT_PORT": "4300"}])
def test_a_browser_finds_prefect_where_the_container_publishes_it(given: dict[str, str]) -> None:
    prefect = SERVICES["prefect"]
    (published,) = prefect["ports"]
    where = filled(published, **given).rpartition(":")[0]
    assert filled(prefect["environment"]["STACK_PREFECT_UI_API_URL"], **given) == (
        f"http://{where}/api"
    )


@pytest.mark.parametrize("given", [{}, {"STACK_MLFLOW_PORT": "5100"}])
def test_a_browser_finds_mlflow_where_the_container_publishes_it(given: dict[str, str]) -> None:
    mlflow = SERVICES["mlflow"]
    (published,) = mlflow["ports"]
    where = filled(published, **given).rpartition(":")[0]
    assert filled(mlflow["environment"]["STACK_MLFLOW_URL"], **given) == f"http://{where}"


def test_workers_alone_have_the_file_of_workers_where_there_is_one() -> None:
    file = [{"path": "worker.env", "required": False}]
    for name, service in SERVICES.items():
        assert service.get("env_file") == (file if name.startswith("worker-") else None), name
    assert (ROOT / "infra" / "compose.yaml").parent / file[0]["path"] == worker.FILE


def test_containers_run_the_commands_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command is one that `python -m infra.stack` understands."""
    ran: list[str] = []

    def note(given: Any, _found: Settings) -> int:
        ran.append(given.command)
        return 0

    monkeypatch.setattr(command, "_do", note)
    for service in SERVICES.values():
        words = [service.get("entrypoint"), service.get("healthcheck", {}).get("test", [])[1:]]
        for line in words:
            if line and line[:3] == ["python", "-m", "infra.stack"]:
                assert command.main(line[3:]) == 0
    assert {"keys", "setup", "run", "ready"} == set(ran)


def test_no_secret_is_in_the_file() -> None:
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert name.endswith("_FILE") or not re.search("PASSWORD|SECRET|AUTH|KEY", name)


def test_the_settings_of_the_example_are_the_defaults_and_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if not line.startswith("#")]
    told = dict(line.split("=", 1) for line in lines if line)
    assert {f"STACK_{name.upper()}" for name in Settings.model_fields} == set(told)
    for name in told:
        monkeypatch.delenv(name, raising=False)
    default = Settings()
    for name, field in Settings.model_fields.items():
        value = getattr(default, name)
        shown = told[f"STACK_{name.upper()}"]
        assert (str(ROOT / shown) if name == "home" else shown) == str(value), field.description


def test_a_wrong_setting_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STACK_PREFECT_PORT", "door")
    assert command.main(["status"]) == PatchaeError.exit_code == 2
    assert "STACK_PREFECT_PORT is not usable" in capsys.readouterr().err


def test_variables_of_the_file_are_settings_of_the_stack() -> None:
    text = (ROOT / "infra" / "compose.yaml").read_text()
    known = {f"STACK_{name.upper()}" for name in Settings.model_fields}
    own = {"STACK_IMAGE", "STACK_PROJECT", "STACK_UID"}
    assert set(re.findall(r"\$\{(\w+)", text)) <= known | own


def test_the_image_is_made_with_good_habits() -> None:
    """What hadolint asks for, as far as this file can break it."""
    steps = instructions()
    assert steps[0][0] == "ARG" or steps[0][0] == "FROM"
    for word, rest in steps:
        assert word.isupper(), word
        if word == "FROM":
            assert re.search(r":[\w.-]+$", rest)
            assert not rest.endswith(":latest")
        if word == "WORKDIR":
            assert rest.startswith("/")
        if word in ("CMD", "ENTRYPOINT"):
            assert json.loads(rest)
        if word == "RUN":
            assert "sudo" not in shlex.split(rest)
            if "apt-get install" in rest:
                assert rest.startswith("apt-get update")
                assert "--no-install-recommends" in rest
                assert "rm -rf /var/lib/apt/lists/*" in rest
            if "pip install" in rest:
                assert "--no-cache" in rest
    words = [word for word, _ in steps]
    assert "ADD" not in words
    users = [rest for word, rest in steps if word == "USER"]
    assert users
    assert users[-1] not in ("root", "0")
    assert words.index("USER") > max(n for n, word in enumerate(words) if word == "RUN")
