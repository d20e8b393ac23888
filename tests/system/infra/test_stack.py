"""The stack, really started: a scheduled run on its workers, its accounts, and what is kept."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.stack import postgres, process, s3, whole
from tests.support import write_class
from tests.support.plant import GATES, TINY
from tests.support.prefect_server import worker
from tests.support.stacked import WORKERS_SECRET, Stack, processes, running, settings_in

pytestmark = [
    pytest.mark.skipif(
        postgres.binaries() is None, reason="no PostgreSQL: initdb and postgres were not found"
    ),
]


class Watching:
    """The command lines of all processes, looked at again and again."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for one in psutil.process_iter():
                with suppress(psutil.Error, OSError):
                    self.lines.add(" ".join(one.cmdline()))

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with two workers."""
    with running() as started:
        yield started


def test_a_scheduled_run_on_the_stack_ends_with_a_champion_and_a_whole_audit(stack: Stack) -> None:
    done = stack.run("promoter", "deploy")
    assert done.returncode == 0, done.stderr
    champion = _until(lambda: [row for row in stack.rows("caps.cap") if row.kind == "confirmed"])
    assert champion[0].actor == "promoter"
    done = stack.run("promoter", "audit", "caps.cap", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "intact"
    assert stack.ledger().verify() == []
    # Nothing of it lies in an embedded store.
    assert not stack.plant.project.ledger.exists()
    assert not stack.plant.project.mlflow.exists()
    assert stack.count("ledger", "ledger") >= 4
    assert stack.count("mlflow", "model_versions") == 1
    assert stack.count("prefect", "flow_run") >= 1
    assert stack.objects("dvc") > 30
    assert stack.objects("mlflow") > 3
    # From here on nothing is due, so that nothing else runs beside what is looked at.
    del stack.plant.lines["caps"]["schedule"]
    stack.plant.write_lines()
    assert stack.run("promoter", "deploy").returncode == 0


def test_a_trainer_registers_and_a_promoter_promotes(stack: Stack) -> None:
    # A line that is not deployed: else the run of the other one had it trained, with its images.
    stack.plant.lines["nuts"] = {"classes": ["nut"], "training": TINY, "gates": GATES}
    stack.plant.write_lines()
    done = stack.run("trainer", "retrain", "nuts", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (model,) = json.loads(done.stdout.splitlines()[-1])["models"]
    assert model["verdict"] == "promote"
    told = done.stdout + done.stderr
    assert "a promoter runs `patchae promote nuts.nut/1 --reason TEXT`" in told
    # Nothing is half moved: no row says it, and no alias does.
    assert {row.kind for row in stack.rows("nuts.nut")} == {"registered", "verdict"}
    done = stack.run("trainer", "promote", "nuts.nut/1", "--reason", "it is good")
    assert done.returncode == 2
    assert "MLflow does not let the account 'trainer' do that" in done.stderr
    assert {row.kind for row in stack.rows("nuts.nut")} == {"registered", "verdict"}
    done = stack.run("promoter", "promote", "nuts.nut/1", "--reason", "it is good")
    assert done.returncode == 0, done.stderr
    assert [row.kind for row in stack.rows("nuts.nut")][-2:] == ["move", "confirmed"]
    for account, version in (("trainer", "1"), ("viewer", "1")):
        refused = _alias(stack, account, "nuts.nut", version)
        assert refused == 403
    assert stack.run("promoter", "audit", "nuts.nut").returncode == 0


def test_the_database_itself_takes_no_move_from_a_trainer(stack: Stack) -> None:
    from patchae.errors import AccessRefused

    body = {"to": "9", "from": None, "why": "promoted", "reason": "", "verdict": None}
    before = len(stack.ledger().entries())
    for account in ("trainer", "viewer"):
        with pytest.raises(AccessRefused):
            stack.ledger(account).append("move", "nuts.nut", body, account)
    assert len(stack.ledger().entries()) == before


def test_workers_without_the_projects_folder_fetch_the_classes_that_they_train(
    stack: Stack, tmp_path: Path
) -> None:
    """Two machines share a pool, each with room for one run; a third has the images."""
    names = ("disc", "ring")
    stack.plant.lines["discs"] = {
        "classes": list(names),
        "training": TINY,
        "gates": GATES,
        "work_pool": "floor",
        "data_pool": "home",
    }
    stack.plant.write_lines()
    for number, name in enumerate(names, 7):
        write_class(stack.plant.project.data, name, seed=number)
    assert stack.run("promoter", "deploy").returncode == 0
    own = stack.environment("promoter")
    api = own["PREFECT_API_URL"]
    with ExitStack() as started:
        started.enter_context(worker(api, tmp_path / "home", "home", **own))
        for number in range(2):
            # Of one machine, as it is here, they would have one place together.
            place = {
                "PATCHAE_WORKPLACES": str(tmp_path / f"w{number}" / "projects"),
                "CUDA_VISIBLE_DEVICES": str(number),
                "PATCHAE_DEVICE": "cpu",
            }
            started.enter_context(
                worker(api, tmp_path / f"w{number}", "floor", limit=1, **own, **place)
            )
        asked = [sys.executable, "-m", "prefect", "deployment", "run", "retrain/discs"]
        subprocess.run(asked, env=own, check=True, capture_output=True)
        for name in names:
            _until(lambda: [row for row in stack.rows(f"discs.{name}") if row.kind == "confirmed"])  # noqa: B023
    found = [[path.name for path in tmp_path.glob(f"w{n}/projects/*/data/*")] for n in range(2)]
    assert sorted(found[0] + found[1]) == sorted(names)
    assert all(found), "both took one"
    assert stack.run("promoter", "audit", "--all").returncode == 0
    del stack.plant.lines["discs"]
    stack.plant.write_lines()
    assert stack.run("promoter", "deploy", "--prune").returncode == 0


def test_only_a_promoter_tidies_and_files_go_through_the_server(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchae.errors import AccessRefused
    from tests.support.retention.shop import Shop

    for name, value in stack.environment("promoter").items():
        if name.startswith(("AWS_", "MLFLOW_", "PATCHAE_")):
            monkeypatch.setenv(name, value)
    shop = Shop(tmp_path / "shop")
    first, rejected, second = shop.champion(), shop.rejected(), shop.champion()
    failed = shop.cut_off("create_model_version")
    before = stack.objects("mlflow")
    for name, value in stack.environment("trainer").items():
        if name.startswith("MLFLOW_") or name == "PATCHAE_LEDGER_URL":
            monkeypatch.setenv(name, value)
    look = Shop(tmp_path / "shop").look()
    due = {item.kind: item for item in look.plan.items}
    for kind in ("weights", "run"):
        with pytest.raises(AccessRefused):
            due[kind].remove()
    assert shop.gone == set()
    assert stack.objects("mlflow") == before
    for name, value in stack.environment("promoter").items():
        if name.startswith("MLFLOW_") or name == "PATCHAE_LEDGER_URL":
            monkeypatch.setenv(name, value)
    removed = {one.item.kind: one for one in shop.tidy()}
    assert {kind: one.stays for kind, one in removed.items()} == dict.fromkeys(removed)
    assert removed["run"].item.what.endswith(failed)
    assert removed["run"].bytes > 50_000
    keys = [key for key, _ in stack.contents("mlflow")]
    assert not [key for key in keys if failed in key]
    weights = "artifacts/model/model.safetensors"
    assert weights not in shop.files(rejected)
    assert weights in shop.files(first) & shop.files(second)
    shop.require_what_the_ledger_names()
    assert shop.tidy() == []


def test_a_viewer_reads_and_cannot_write(stack: Stack) -> None:
    assert "nuts.nut" in stack.run("viewer", "status").stdout
    assert _asked(stack, ("viewer", stack.keys["mlflow_viewer"]), "experiments/create") == 403
    assert _asked(stack, ("viewer", stack.keys["mlflow_viewer"]), "registered-models/create") == 403
    client = s3.client(stack.settings, "viewer", stack.keys["s3_viewer"])
    assert client.list_objects_v2(Bucket="dvc")["KeyCount"] > 0
    with pytest.raises(client.exceptions.ClientError):
        client.put_object(Bucket="dvc", Key="new", Body=b"")
    with pytest.raises(client.exceptions.ClientError):
        client.list_objects_v2(Bucket="mlflow")


def test_without_an_account_there_is_no_access(stack: Stack) -> None:
    import requests

    done = stack.run("", "status")
    assert done.returncode == 2
    assert "MLflow asks for an account, and none is given" in done.stderr
    assert _asked(stack, None, "experiments/create") == 401
    assert _asked(stack, ("trainer", "guess"), "experiments/create") == 401
    api = f"{stack.settings.url('prefect')}/api/flows/filter"
    assert requests.post(api, json={}, timeout=60).status_code == 401
    answer = requests.get(f"{stack.settings.url('s3')}/dvc", timeout=60)
    assert answer.status_code == 403


def test_secrets_are_nowhere_but_in_their_files(stack: Stack) -> None:
    """Not in the list of processes while commands run, fail or are refused; in nothing kept."""
    home, root = stack.settings.home, stack.plant.project.root
    secrets = [path.read_text() for path in (home / "secrets").iterdir()]
    planted = "planted-6c1d0f2e"
    secrets += [planted, WORKERS_SECRET]
    commands: list[tuple[str, list[str], dict[str, str]]] = [
        ("promoter", ["deploy"], {}),
        ("promoter", ["retrain", "nuts"], {}),
        ("viewer", ["retrain", "nuts"], {}),  # who may not write is refused at once
        ("trainer", ["retrain", "nuts"], {"AWS_SECRET_ACCESS_KEY": planted}),
        ("trainer", ["retrain", "nuts"], {"MLFLOW_TRACKING_PASSWORD": planted}),
        ("trainer", ["deploy"], {"PREFECT_API_AUTH_STRING": f"a:{planted}"}),
        ("trainer", ["doctor"], {"AWS_SECRET_ACCESS_KEY": planted}),
        (
            "viewer",
            ["status"],
            {"PATCHAE_LEDGER_URL": f"postgresql+psycopg://a:{planted}@127.0.0.1:1/c"},
        ),
    ]
    given = {
        name: one.environ().get("PATCHAE_TOKEN")
        for name in ("mlflow", "prefect", "worker-1", "worker-2")
        if (one := process.alive(home, name))
    }
    assert given == {
        "mlflow": None, "prefect": None, "worker-1": WORKERS_SECRET, "worker-2": WORKERS_SECRET,
    }  # fmt: skip
    with Watching() as watching:
        told = [stack.run(account, *words, **more) for account, words, more in commands]
    succeeded = [cmd for cmd, one in zip(commands, told, strict=True) if not one.returncode]
    assert succeeded == commands[:2]
    assert len(watching.lines) > 10
    texts = {
        f"output of {command}": one.stdout + one.stderr
        for command, one in zip(commands, told, strict=True)
    }
    texts["the list of processes"] = "\n".join(watching.lines)
    for database in ("ledger", "mlflow", "prefect"):
        texts[f"database {database}"] = stack.dump(database)
    for folder in (home / "logs", root):
        for path in folder.rglob("*"):
            if path.is_file():
                texts[str(path)] = path.read_bytes().decode("latin-1")
    for key, body in stack.contents("mlflow"):
        texts[f"object {key}"] = body.decode("latin-1")
    assert len(texts) > 50
    found = [place for place, text in texts.items() if any(secret in text for secret in secrets)]
    assert found == []
    for path in (*(home / "secrets").iterdir(), *(home / "env").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_the_doctor_says_who_one_is_what_one_may_and_leaves_nothing(stack: Stack) -> None:
    rows, objects = stack.ledger().entries(), stack.objects("dvc")
    may = {"viewer": "read", "trainer": "read, register"}
    may["promoter"] = "read, register, move aliases"
    seen = {account: _examined(stack, account) for account in may}
    for account, found in seen.items():
        assert {one["state"] for one in found.values()} == {"ok"}
        assert found["mlflow"]["detail"].endswith(f"account {account}, may {may[account]}")
        assert ("prefect" in found) == (account != "viewer")
        assert "clock" in found
    assert seen["promoter"]["workers"]["detail"] == "patchae: 2 live"
    assert "written, read and deleted" in seen["trainer"]["data"]["detail"]
    assert "may not write" in seen["viewer"]["data"]["detail"]
    assert (stack.ledger().entries(), stack.objects("dvc")) == (rows, objects)


@pytest.mark.parametrize(
    ("check", "variable", "value", "mend"),
    [
        ("mlflow", "MLFLOW_TRACKING_PASSWORD", "guess", "MLFLOW_TRACKING_PASSWORD"),
        ("mlflow", "MLFLOW_TRACKING_URI", "http://127.0.0.1:1", "MLFLOW_TRACKING_URI"),
        ("ledger", "PATCHAE_LEDGER_URL", "postgresql+psycopg://a:b@127.0.0.1:1/c", "password"),
        ("data", "AWS_SECRET_ACCESS_KEY", "guess", "credentials"),
        ("prefect", "PREFECT_API_AUTH_STRING", "a:b", "PREFECT_API_AUTH_STRING"),
    ],
)
def test_what_is_wrong_with_a_server_is_told_with_its_mend(
    stack: Stack, check: str, variable: str, value: str, mend: str
) -> None:
    found = _examined(stack, "trainer", **{variable: value})[check]
    assert found["state"] == "fail"
    assert mend in found["mend"] + found["detail"]


def test_what_was_made_is_there_after_a_restart(stack: Stack) -> None:
    rows, objects = stack.ledger().entries(), stack.objects("dvc")
    ports = dict(stack.settings.ports)
    whole.down(stack.settings)
    assert processes(stack.settings.home) == []
    # Some secrets are replaced meanwhile, as docs/stack.md says.
    secrets = stack.settings.home / "secrets"
    replaced = ("mlflow_promoter", "ledger_promoter", "postgres_mlflow", "s3_owner", "prefect")
    old = {name: (secrets / name).read_text() for name in replaced}
    for name in replaced:
        (secrets / name).unlink()
    again = settings_in(stack.settings.home)
    whole.up(again)
    assert again.ports == ports
    assert stack.ledger().entries()[: len(rows)] == rows
    assert stack.objects("dvc") >= objects
    assert stack.run("promoter", "audit", "caps.cap").returncode == 0
    assert {name for name in replaced if (secrets / name).read_text() != old[name]} == {*replaced}
    former = {"MLFLOW_TRACKING_PASSWORD": old["mlflow_promoter"]}
    assert stack.run("promoter", "audit", "caps.cap", **former).returncode == 2


@pytest.mark.parametrize("name", ["postgres", "s3", "mlflow", "prefect", "worker-1"])
def test_what_was_killed_is_started_again_alone(stack: Stack, name: str) -> None:
    home = stack.settings.home
    victim = process.alive(home, name)
    assert victim is not None
    others = {part.name for part in whole.status(stack.settings) if part.running} - {name}
    before = {other: process.alive(home, other).pid for other in others}  # type: ignore[union-attr]
    family = [victim, *victim.children(recursive=True)]
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=10)
    told = {part.name: part.running for part in whole.status(stack.settings)}
    assert not told[name]
    whole.up(stack.settings)
    assert all(part.running for part in whole.status(stack.settings))
    after = {other: process.alive(home, other).pid for other in others}  # type: ignore[union-attr]
    assert after == before
    assert stack.ledger().verify() == []


def _examined(stack: Stack, account: str, **more: str) -> dict[str, dict[str, str]]:
    """What the doctor says, by check."""
    told = stack.run(account, "doctor", "--json", **more)
    assert "Traceback" not in told.stderr
    return {one["check"]: one for one in json.loads(told.stdout.splitlines()[-1])["checks"]}


def _alias(stack: Stack, account: str, model: str, version: str) -> int:
    """The answer of MLflow to somebody who goes past patchae."""
    import requests

    answer = requests.post(
        f"{stack.settings.url('mlflow')}/api/2.0/mlflow/registered-models/alias",
        json={"name": model, "alias": "champion", "version": version},
        auth=(account, stack.keys[f"mlflow_{account}"]),
        timeout=30,
    )
    return answer.status_code


def _asked(stack: Stack, who: tuple[str, str] | None, path: str) -> int:
    import requests

    url = f"{stack.settings.url('mlflow')}/api/2.0/mlflow/{path}"
    return requests.post(url, json={"name": "new"}, auth=who, timeout=30).status_code


def _until(ask: Any, patience: float = 400) -> Any:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if found := ask():
            return found
        time.sleep(1)
    raise AssertionError("nothing was promoted")
