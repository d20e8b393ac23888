"""Retention: what is no longer needed is found by a policy, shown, and removed; `patchae tidy`.

Each kind of thing has a file that finds what may go and says why the rest stays. What a row of the
ledger names is never among it. Whatever is found carries its own removal, which looks again under
the lock that its users hold: what was found a minute ago may be in use by now.
"""
