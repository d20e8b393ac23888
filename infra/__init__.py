"""What runs patchae's servers; not part of the wheel."""
