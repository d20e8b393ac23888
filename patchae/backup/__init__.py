"""A project in one file: written while it is used, verified before anything of it is restored."""
