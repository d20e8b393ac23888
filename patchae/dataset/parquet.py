"""A Parquet file that grows while rows arrive and appears once it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.files import file_in_one_step

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"int64": "int64", "Int64": "int64", "float64": "float64", "bool": "bool"}
"""Of Arrow, by the dtype of pandas; all others are text, which may be absent."""


@contextmanager
def parquet_writer(
    file: Path, dtypes: Mapping[str, str]
) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write frames one after the other, each a row group of its own.

    Args:
        file: appears when the block ends without an error; until then it is what it was.
        dtypes: pandas' dtype by column, of every frame. Parquet wants to know before the first row.

    Yields:
        A function that takes the next frame.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, _TYPES.get(dtype, "string")) for name, dtype in dtypes.items()])
    with file_in_one_step(file) as draft, parquet.ParquetWriter(draft, schema) as writer:
        yield lambda frame: writer.write_table(
            pa.Table.from_pandas(frame, schema, preserve_index=False)
        )
