"""The audit bundle: one zip with everything that is needed to check a version without our servers.

content       which files there are, from the run's artifacts, the ledger and the images
ledger_part   the rows of one model in full, and of all others the digest of their content
images        the images of a version, read from DVC by their content
write         the zip: equal files give equal bytes, everywhere
verify        what lies in the zip and checks it; it runs without patchae
"""
