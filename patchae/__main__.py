"""`python -m patchae` is the command `patchae`."""

from patchae.cli import console

if __name__ == "__main__":
    console()
