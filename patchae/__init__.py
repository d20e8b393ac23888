"""patchae keeps one visual anomaly model per product class trained, proven and deployed.

The package is the library; `flows/` runs it on Prefect and `patchae.cli` on a command line.
Importing it is free: every heavy library is imported where it is used.
"""

__version__ = "0.1.0"
