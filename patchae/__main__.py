"""`python -m patchae` is the command `patchae`."""

from patchae.cli import main

if __name__ == "__main__":
    main()
