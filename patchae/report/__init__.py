"""What people look at: one self-contained page per product line, and the charts in it.

`content` says what a report holds, `text` how its numbers and times are written, `charts` draws,
and `page` renders and writes. Nothing here reads a store: who calls fills `content.LineReport`.
"""
