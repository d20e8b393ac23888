"""What the pages of a site share: their environment of templates, times in UTC, words of states."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from patchae.report import templating, text
from patchae.report.page import WORDS

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context
    from markupsafe import Markup

SITE_WORDS: dict[str, str] = {
    **{str(state): word for state, word in WORDS.items()},
    "steady": "No drift",
    "drifted": "Drift",
    "once": "Seen once",
    "unlooked": "Not looked at",
    "unaudited": "Not audited",
    "calm": "All calm",
}
"""The word beside the shape of every state on a page of the site."""


def page(template: str, generated: datetime, **values: Any) -> str:
    """A page of the site: equal values give equal bytes, and every text is escaped.

    Args:
        template: its file name.
        generated: the moment from which ages are counted.
        values: what the template shows.
    """
    return templating.whole(
        _environment().get_template(template).render(**values, generated=generated)
    )


def anchor(class_name: str) -> str:
    """The id of a class on the page of its line."""
    return "class-" + quote(class_name, safe="", errors="replace")


@cache
def _environment() -> Environment:
    """One for all pages, so that each template is compiled once; the moment is in the context."""
    from jinja2 import pass_context

    @pass_context
    def age(context: Context, time: datetime) -> str:
        return text.age(time, context["generated"])

    made = templating.environment(WORDS=SITE_WORDS, count=text.count, span=text.age)
    made.filters.update(
        age=age,
        anchor=anchor,
        chance=text.chance,
        moment=datetime.fromisoformat,
        href=lambda name: quote(name, errors="replace"),
        number=text.number,
        percent=text.percent,
        percent_interval=lambda limits: text.interval(limits, text.percent),
        when=_time,
    )
    return made


def _time(time: datetime) -> Markup:
    """A time in UTC, readable by machines too."""
    from markupsafe import Markup

    return Markup('<time datetime="{}">{}</time>').format(time.isoformat(), text.when(time, UTC))
