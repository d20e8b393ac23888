"""The page at /docs: the OpenAPI document for people. It needs no script and no network."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { padding: .75rem; overflow-x: auto; border: 1px solid #8886; border-radius: 4px; }
h2 { margin-top: 2.5rem; } table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid #8884; }
"""
_EXAMPLE = """curl --data-binary @part.png -H "Content-Type: image/png" \\
  -H "Authorization: Bearer $PATCHAE_TOKEN" http://localhost:8000/v1/score/caps.cap-red"""


def help_page(openapi: dict[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    title = escape(f"{openapi['info']['title']} {openapi['info']['version']}")
    calls = "".join(
        _call(method, path, told)
        for path, methods in openapi["paths"].items()
        for method, told in methods.items()
    )
    shapes = "".join(
        _shape(name, told)
        for name, told in openapi["components"]["schemas"].items()
        if not name.startswith(("HTTPValidation", "ValidationError"))
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"<pre>{escape(_EXAMPLE)}</pre>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{calls}{shapes}</main></body></html>"
    )


def _call(method: str, path: str, told: dict[str, Any]) -> str:
    asked = [
        (one["name"], one["in"], one.get("description") or one["schema"].get("type", ""))
        for one in told.get("parameters", [])
    ]
    body = told.get("requestBody", {}).get("content", {})
    asked += [("body", "body", ", ".join(body))] if body else []
    codes = [(code, one["description"], "") for code, one in sorted(told["responses"].items())]
    about = escape(told.get("description", ""))
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{about}</p>"
        f"{_table(('parameter', 'in', ''), asked) if asked else ''}"
        f"{_table(('status', 'means', ''), codes)}"
    )


def _shape(name: str, told: dict[str, Any]) -> str:
    rows = [
        (key, one.get("type", one.get("title", "")), one.get("description", ""))
        for key, one in told.get("properties", {}).items()
    ]
    return (
        f"<h2><code>{escape(name)}</code></h2><p>{escape(told.get('description', ''))}</p>"
        f"{_table(('field', 'type', ''), rows)}"
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    first = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    cells = "".join(
        f"<tr>{''.join(f'<td>{escape(str(one))}</td>' for one in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{first}</tr></thead><tbody>{cells}</tbody></table>"
