"""Write the schema anew, the table of `docs/lineage.md`, and the digest that verify.py holds."""

import re
from pathlib import Path

from patchae.files import sha256_bytes, write_text
from patchae.lineage.schema import FILE, PAGE, page_text, schema_text

VERIFIER = Path(__file__).parents[1] / "bundle" / "verify.py"
DIGEST = re.compile(r'(?<=^SCHEMA_SHA256 = ")\w{64}', re.MULTILINE)

schema = schema_text()
write_text(FILE, schema)
write_text(PAGE, page_text(PAGE.read_text()))
write_text(VERIFIER, DIGEST.sub(sha256_bytes(schema.encode()), VERIFIER.read_text()))
print(f"written: {FILE.name}, {PAGE.name}, {VERIFIER.name}")
