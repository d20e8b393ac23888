"""The model card of a version, in Markdown and HTML: pure functions of its lineage record.

The same `lineage.json` gives the same bytes, so anybody who has the record can make the card again
and hold it against one that was handed out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from patchae.report import templating
from patchae.report.card_content import card_of
from patchae.report.card_parts import Card, Code, Section

MARKDOWN_FILE = "model-card.md"
HTML_FILE = "model-card.html"
_SPACE = re.compile(r"\s+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def card_markdown(record: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        record: the JSON of `lineage.json`.

    Raises:
        ValueError: the record is not complete.
    """
    return "\n".join(_markdown(card_of(record)))


def card_html(record: Mapping[str, Any]) -> str:
    """The card as one HTML page that works from a file; otherwise as `card_markdown`."""
    made = templating.environment()
    made.tests["code"] = lambda cell: isinstance(cell, Code)
    made.filters["prose"] = _prose
    page = made.get_template("card.html.j2").render(card=card_of(record))
    return page.encode("utf-8", "replace").decode()


def cards(record: Mapping[str, Any]) -> dict[str, str]:
    """Both cards by the names of their files; none of a record that is not complete."""
    try:
        return {MARKDOWN_FILE: card_markdown(record), HTML_FILE: card_html(record)}
    except ValueError:
        return {}


def _markdown(card: Card) -> Iterator[str]:
    yield f"# {_plain(card.title)}\n"
    yield f"{_plain(card.lead)}\n"
    yield from _table(("what", "value"), card.facts)
    for section in card.sections:
        yield f"## {_plain(section.title)}\n"
        yield from _body(section)


def _body(section: Section) -> Iterator[str]:
    for sentence in section.sentences:
        yield f"{_sentence(sentence)}\n"
    if section.rows:
        yield from _table(section.columns, section.rows)
    if section.items:
        yield "\n".join(f"- {_sentence(item)}" for item in section.items) + "\n"
    if section.commands:
        width = max(len(command) for command, _ in section.commands)
        lines = (f"{command:<{width}}  {answer}" for command, answer in section.commands)
        yield "\n".join(("```", *lines, "```")) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(cell: str) -> str:
    if isinstance(cell, Code) and not _SPECIAL.search(cell.replace("_", "")):
        return f"`{cell}`"
    return _plain(cell)


def _sentence(words: str) -> str:
    """Our own sentence, in which what stands between backticks is code."""
    parts = words.split("`")
    return "".join(f"`{part}`" if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(words: str) -> str:
    """Words that Markdown shows as they are; what a record holds may come from anybody."""
    return _SPECIAL.sub(r"\\\1", _SPACE.sub(" ", words))


def _prose(words: str) -> Any:
    from markupsafe import Markup, escape

    parts = words.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
