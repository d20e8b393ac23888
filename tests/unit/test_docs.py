"""The documents against the product: links, commands, settings, JSON keys, and the quick start."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from flows.deploying import AUTOMATION
from flows.deployments import MONITOR, RETRAIN, TIDY, TRAIN_CLASS
from patchae import config
from patchae.cli import app
from patchae.demo import Demo
from patchae.lineage.material import Audit, Link
from patchae.lines_file import load_lines
from patchae.settings import Settings
from patchae.steps.outcome import ClassOutcome, LineOutcome
from patchae.types import DataVersion
from tests.support import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS = dict(_commands(typer.main.get_command(app)))
"""Every command by its words: `audit`, `ledger verify`."""
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    """Fenced blocks of a page in one of the languages; "" is a fence that names none."""
    return [body for language, body in FENCE.findall(page.read_text()) if language in languages]


def anchors(page: Path) -> set[str]:
    """The anchors that a renderer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def sections(page: Path) -> dict[str, str]:
    """The text under each second-level heading."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(text: str) -> list[list[str]]:
    """The rows of the first table of a text, without its head; cells without backticks."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "no table"
    rows = lines.group().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row[1:-1].split("|")] for row in rows]


def command_lines() -> Iterator[tuple[str, str]]:
    """Every `patchae ...` line of a block, with its page; a gloss after two spaces is cut off."""
    for page in PAGES:
        for block in blocks(page, "sh", ""):
            for line in block.splitlines():
                words = re.sub(r"^(?:\w+=\S+ )*(?:\.venv/bin/)?", "", line)
                if words.startswith("patchae "):
                    yield page.name, re.split(r"\s{2,}|\s\|", words)[0]


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", page.read_text())):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


@each_page
def test_a_link_that_is_called_by_a_page_leads_to_that_page(page: Path) -> None:
    for called, target in re.findall(r"\[(\w+\.md)\]\(([^)#]+)", FENCE.sub("", page.read_text())):
        assert Path(target).name == called, f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_every_command_line_is_one_that_patchae_understands(page: str, line: str) -> None:
    _, name, *arguments = shlex.split(line)
    if name in {"--help", "COMMAND"}:
        return
    if name in GROUPS:
        name = f"{name} {arguments.pop(0)}"
    assert name in COMMANDS, f"{page}: {line}"
    COMMANDS[name].make_context(name, arguments)  # raises for what it does not know


@each_page
def test_every_command_and_target_in_the_text_exists(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`patchae ([a-z]\w*(?: [a-z]\w*)?)", text):
        known = name if name.split()[0] in GROUPS else name.split()[0]
        assert known in COMMANDS, f"{page.name}: patchae {name}"
    makefile = (ROOT / "Makefile").read_text()
    wanted = re.findall(r"`make ([a-z][\w-]*)", text)
    wanted += [n for block in blocks(page, "sh") for n in re.findall(r"(?m)^make ([\w-]+)", block)]
    for name in wanted:
        assert re.search(rf"(?m)^{name}:", makefile), f"{page.name}: make {name}"


def test_python_in_the_text_compiles_and_imports_what_exists() -> None:
    found = [body for page in PAGES for body in blocks(page, "python")]
    assert found
    for body in found:
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("patchae"):
                source = ROOT.joinpath(*str(node.module).split(".")).with_suffix(".py").read_text()
                for alias in node.names:
                    assert re.search(rf"(?m)^(?:class|def) {alias.name}\b", source), alias.name


def test_yaml_in_the_text_is_usable(tmp_path: Path) -> None:
    found = [body for page in PAGES for body in blocks(page, "yaml")]
    assert found
    for body in found:
        (tmp_path / "lines.yaml").write_text(body)
        assert load_lines(tmp_path / "lines.yaml").lines


@each_page
def test_no_page_names_a_package_host_or_a_folder_of_somebodys_machine(page: Path) -> None:
    text = page.read_text()
    host = r"pypi\.|pythonhosted|anaconda\.|artifactory|index-url|\b\d+\.\d+\.\d+\.\d+\b"
    folder = r"(?<![\w.\-/:])/(?:work|home|root|tmp|Users|mnt|opt|var)/|[A-Z]:\\"
    assert not re.search(f"{host}|{folder}", text)


# Settings


def default_of(model: type[BaseModel], field: str) -> Any:
    """The default as it would stand in YAML."""
    value = model.model_fields[field].default
    if value is PydanticUndefined:
        return "needed"
    if isinstance(value, BaseModel):
        return {}
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The line", config.Line),
        ("schedule", config.Schedule),
        ("training", config.Training),
        ("validation", config.Validation),
        ("gates", config.Gates),
        ("drift", config.DriftPolicy),
        ("retention", config.Retention),
    ],
)
def test_lines_md_has_every_key_with_its_default_and_limits(
    heading: str, model: type[BaseModel]
) -> None:
    rows = {row[0]: row for row in table(sections(ROOT / "docs" / "lines.md")[heading])}
    assert list(rows) == [name for name in model.model_fields if name != "name"]
    for name, (_, _, default, limits, _) in rows.items():
        assert yaml.safe_load(default) == default_of(model, name), name
        numbers = re.findall(r"\d+(?:\.\d+)?", limits)
        for rule in model.model_fields[name].metadata:
            for kind in ("ge", "gt", "le", "lt", "multiple_of"):
                bound = getattr(rule, kind, None)
                assert bound is None or f"{bound:g}" in numbers or str(bound) in numbers, name


def test_lines_md_has_every_setting_of_the_environment() -> None:
    rows = {row[0]: row for row in table(sections(ROOT / "docs" / "lines.md")["Environment"])}
    fields = Settings.model_fields
    assert list(rows) == [f"PATCHAE_{name.upper()}" for name in fields]
    for (_, _, default, _), field in zip(rows.values(), fields.values(), strict=True):
        told = yaml.safe_load(default)
        assert told == (str(field.default) if isinstance(field.default, Path) else field.default)


# JSON

TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def documented(command: str) -> dict[str, str]:
    """Key and type of everything that a command prints with `--json`."""
    rows = table(sections(ROOT / "docs" / "json.md")[f"patchae {command}"])
    return {row[0]: row[1] for row in rows}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of a JSON object with its path; an empty list as one None."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from flat(inner, f"{path}[]")
    else:
        yield path, value


def check_json(command: str, value: dict[str, Any]) -> None:
    """What a command printed is what the page says it prints."""
    told = documented(command)
    found = list(flat(value))
    may_be_empty = {key for key in told if key.endswith("[]")}
    assert {path for path, _ in found} | may_be_empty == set(told)
    for path, one in found:
        kind, _, nullable = told[path].partition(" or ")
        if one is None:
            assert nullable == "null", path
        else:
            assert isinstance(one, TYPES[kind]), path
            assert isinstance(one, bool) == (kind == "boolean"), path


def line_outcome() -> LineOutcome:
    judged = ClassOutcome(
        "a", "l.a", "1", True, 0.9, 0.8, 1.5, "reject", ("auroc_below_minimum",), "because"
    )
    failed = ClassOutcome("b", "l.b", failed="no images")
    return LineOutcome("l", DataVersion("0" * 32 + ".dir"), (judged, failed), "index.html", 12.34)


def test_json_of_retrain_demo_and_audit_is_as_documented() -> None:
    audit = Audit("l.a", "1", (Link("split", "title", "intact", "detail"),))
    check_json("retrain", line_outcome().to_dict())
    check_json("demo", Demo(line_outcome(), (audit,), 20.0).to_dict())
    check_json("audit", audit.to_dict())


def test_json_of_deploy_names_every_kind() -> None:
    rows = {row[0]: row for row in table(sections(ROOT / "docs" / "json.md")["patchae deploy"])}
    kinds = set(re.findall(r"`([\w-]+)`", "`" + "`".join(rows["deployments[].kind"][2:]) + "`"))
    assert kinds == {RETRAIN, TRAIN_CLASS, MONITOR, TIDY, AUTOMATION}
    assert {RETRAIN, TRAIN_CLASS, MONITOR, TIDY} <= set(
        re.findall(r"`([\w-]+)`", rows["deployments[].name"][2])
    )


def test_every_command_that_prints_json_is_documented_and_no_other() -> None:
    told = {name.removeprefix("patchae ") for name in sections(ROOT / "docs" / "json.md")}
    prints = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert told == prints


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_keys_in_a_commands_source_are_documented(name: str) -> None:
    text = sections(ROOT / "docs" / "json.md").get(f"patchae {name}", "")
    told = set(re.findall(r"^\| `(\w+)", text, re.MULTILINE))
    tree = ast.parse(inspect.getsource(inspect.unwrap(COMMANDS[name].callback)))
    printed = {
        str(key.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "as_json"
        for argument in call.args
        if isinstance(argument, ast.Dict)
        for key in argument.keys
        if isinstance(key, ast.Constant)
    }
    assert printed <= told
    assert not printed or printed == told


# The quick start, for real
