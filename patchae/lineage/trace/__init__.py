"""The trace: where an image occurred, and which models learned from it or were judged on it.

asked    what a person named: files, digests, paths in data/, a list of them
sources  what one data version or one model version used, verified against the ledger
index    all of that in one small file, which can be made again from the sources at any time
fill     bringing the index up to the ledger and the data versions
answer   the question, answered from the index and the moves of the ledger
"""
