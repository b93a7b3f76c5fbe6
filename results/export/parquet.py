"""Parquet files: a row per image, the PNG's bytes beside typed metadata. Needs pyarrow."""

from __future__ import annotations

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
        compression = {name: "none" if name == IMAGE else "zstd" for name in self._schema.names}
        self._writer = parquet.ParquetWriter(
            file, self._schema, compression=compression, use_dictionary=[*compression.keys() - {IMAGE}]
        )
        self._rows: list[dict[str, Any]] = []
        self._held_bytes = 0

    def add(self, sample: Sample) -> None:
        self._rows.append({IMAGE: sample.png, **row_of(sample.document.stored, sample.entry)})
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
    return pyarrow.schema([pyarrow.field(IMAGE, pyarrow.binary()), *fields])
