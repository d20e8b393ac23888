"""How every page is made from its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(**named: object) -> Environment:
    """Templates of this package: escaped, strict about names, with `named` at hand in all."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("patchae.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(named)
    return made


def whole(text: str) -> str:
    """Text that UTF-8 can hold: undecodable bytes in a file's name are shown as "?"."""
    return text.encode("utf-8", "replace").decode()
