"""Which images there are: layout, manifest, import, version, validation and the sample renderer."""
