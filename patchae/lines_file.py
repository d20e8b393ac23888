"""Reading `lines.yaml`.

Either gives a `Lines` in which every value is usable, or raises one `ConfigError` that names the
file, the key and what was expected there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError

from patchae.config import Gates, Line, Lines, Retention, Validation, joined
from patchae.config.lines import ALL
from patchae.errors import ConfigError


def load_lines(path: Path) -> Lines:
    """Read `lines.yaml`.

    Raises:
        ConfigError: the file is missing, is not YAML, or a key or value in it is not usable.
    """
    return _parse(path, _read(path))


def most_pixels(path: Path, class_name: str) -> int:
    """Return how many pixels an image of a class may have, by the most generous line that may
    take the class; by the default where none may, or where there is no file.

    Raises:
        ConfigError: the file is not usable.
    """
    if not path.is_file():
        return Validation().max_pixels
    return max(
        (
            line.validation_of(class_name).max_pixels
            for line in load_lines(path).lines
            if line.classes == ALL or class_name in line.classes
        ),
        default=Validation().max_pixels,
    )


def load_gates(path: Path, own: Gates) -> Gates:
    """The gates that a file of its own asks for; what it leaves out is as in `own`.

    Raises:
        ConfigError: the file is missing, is not YAML, or a key or value in it is not usable.
    """
    content = _read(path)
    if not isinstance(content, dict):
        _not_usable(path, "the file", "expected keys of `gates`, for example 'max_drop: 0.01'")
    try:
        return Gates.model_validate(joined(own.model_dump(), content))
    except ValidationError as error:
        problem = error.errors()[0]
        _not_usable(path, ".".join(map(str, problem["loc"])), _expected(problem))


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name} cannot be read: {error}",
            where=str(path),
            mend="see docs/lines.md for the format",
        ) from None
    try:
        return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        _not_usable(path, "the file", f"expected YAML; {_first_line(error)}")


def _parse(path: Path, content: Any) -> Lines:
    if not isinstance(content, dict) or not {"lines"} <= set(content) <= {"lines", "retention"}:
        _not_usable(
            path,
            "the file",
            "expected one key, 'lines', with the product lines under it, or 'retention' beside it",
        )
    lines = content["lines"]
    if not isinstance(lines, dict) or not lines:
        _not_usable(path, "lines", "expected a mapping from line name to its settings")
    parsed: list[Line] = []
    for name, body in lines.items():
        if str(name) in {line.name for line in parsed}:
            _not_usable(path, f"lines.{name}", "stands twice, as a number and as text")
        if not isinstance(body, dict):
            _not_usable(path, f"lines.{name}", "expected a mapping with at least 'classes'")
        if "name" in body:
            _not_usable(path, f"lines.{name}.name", "unknown key; the name is the key itself")
        try:
            parsed.append(Line.model_validate({**body, "name": str(name)}))
        except ValidationError as error:
            problem = error.errors()[0]
            _not_usable(path, _key(str(name), problem["loc"]), _expected(problem))
    return Lines(lines=tuple(parsed), retention=_retention(path, content))


def _retention(path: Path, content: dict[str, Any]) -> Retention | None:
    wanted = content.get("retention")
    if wanted is None:
        return None
    if not isinstance(wanted, dict):  # `false` must not turn on what removes things
        _not_usable(
            path,
            "retention",
            f"expected a mapping, '{{}}' for all defaults, or no such key; found {wanted!r}",
        )
    try:
        return Retention.model_validate(wanted)
    except ValidationError as error:
        problem = error.errors()[0]
        _not_usable(path, ".".join(["retention", *map(str, problem["loc"])]), _expected(problem))


def _key(line: str, location: tuple[int | str, ...]) -> str:
    parts = [
        str(part)
        for part in location
        # pydantic also names the member of a union that failed, which is no key
        if not (isinstance(part, str) and "[" in part)
    ]
    return ".".join(["lines", line, *parts])


def _expected(problem: Any) -> str:
    found = problem.get("input")
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    if problem["type"] == "missing":
        return "missing; this key is needed"
    return f"{message[:1].lower()}{message[1:]}; found {found!r}"


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not readable"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


def _not_usable(path: Path, key: str, expected: str) -> NoReturn:
    raise ConfigError(
        f"{path.name}: {key}: {expected}",
        where=str(path),
        mend="correct the key; docs/lines.md documents every one",
    )


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error instead of silently winning."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool | None):
            raise yaml.constructor.ConstructorError(
                problem="a key must be plain text", problem_mark=key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                problem=f"'{key}' stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
