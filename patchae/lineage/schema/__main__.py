"""Write the schema and the table of `docs/lineage.md` anew."""

from patchae.files import write_text
from patchae.lineage.schema import FILE, PAGE, page_text, schema_text

write_text(FILE, schema_text())
write_text(PAGE, page_text(PAGE.read_text()))
print(f"written: {FILE.name}, {PAGE.name}")
