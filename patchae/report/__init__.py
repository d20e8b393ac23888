"""What people look at: a site over all lines, its pages, and the charts in them.

`content` and `now` say what a page holds, `text` how numbers and times are written, `charts`,
`timeline` and `sparkline` draw, and each page has a pure function that renders it. `collect` and
`morning` fill the values from the stores; `site` writes the pages where people find them.
"""

from __future__ import annotations

LOCK = "report"
"""Held while pages are written below `Project.reports`."""
