"""Parquet files: a row per image, the image as Hugging Face `datasets` reads it beside typed metadata.

The column `image` is a struct of `bytes` (the PNG) and `path` (a file name), as datasets encodes an Image
feature, and the schema's metadata names it so. Needs pyarrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from results.export.columns import COLUMNS, Kind, row_of
from results.export.samples import ExportError, Sample
from results.export.shards import Output

if TYPE_CHECKING:
    import pyarrow

IMAGE: Final = "image"
GROUP_ROWS: Final = 256
GROUP_BYTES: Final = 32 * 1024 * 1024
"""A row group is written when it has so many rows or so much in images: that is what is held in memory."""


class ParquetShard:
    """One file.

    Args:
        file: where to; written front to end.
    Raises:
        ExportError: pyarrow is not installed.
    """

    def __init__(self, file: Output) -> None:
        pyarrow, parquet = _libraries()
        self._pyarrow = pyarrow
        self._schema = _schema(pyarrow)
        # A PNG is compressed already.
        names = [column.name for column in COLUMNS]
        compression = {**dict.fromkeys(names, "zstd"), f"{IMAGE}.bytes": "none", f"{IMAGE}.path": "zstd"}
        self._writer = parquet.ParquetWriter(
            file, self._schema, compression=compression, use_dictionary=names
        )
        self._rows: list[dict[str, Any]] = []
        self._held_bytes = 0

    def add(self, sample: Sample) -> None:
        name = sample.name.rpartition("/")[2]
        self._rows.append(
            {IMAGE: {"bytes": sample.png, "path": name}, **row_of(sample.document.stored, sample.entry)}
        )
        self._held_bytes += len(sample.png)
        if len(self._rows) >= GROUP_ROWS or self._held_bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        # Else pyarrow would write the file's end when it is collected, and complain if it cannot.
        self._writer.is_open = False
        self._rows = []

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._pyarrow.Table.from_pylist(self._rows, self._schema))
        self._rows, self._held_bytes = [], 0


def check_pyarrow() -> None:
    """Raise ExportError, saying what to install, unless pyarrow is there."""
    _libraries()


def _libraries() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ExportError(f"parquet needs pyarrow: pip install -e '.[parquet]' ({error})") from error
    return pyarrow, parquet


def _schema(pyarrow: Any) -> pyarrow.Schema:
    types: Mapping[Kind, Any] = {
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "time": pyarrow.timestamp("us", tz="UTC"),
    }
    fields = [pyarrow.field(column.name, types[column.kind]) for column in COLUMNS]
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    features = {IMAGE: {"_type": "Image"}} | {
        field.name: {"dtype": _dtype(field.type), "_type": "Value"} for field in fields
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pyarrow.schema([pyarrow.field(IMAGE, image), *fields], metadata)


def _dtype(kind: Any) -> str:
    """A type's name in Hugging Face's `datasets`, where Arrow's is another."""
    name = str(kind)
    return {"double": "float64"}.get(name, name)
