"""Metadata alone, as CSV or as JSON lines: a row per image (docs/export.md lists the columns)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from results.export.columns import COLUMNS, Row, plain, row_of
from results.export.encoder import NothingToSave
from results.export.samples import Sample, TaskDocument

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class CsvEncoder(NothingToSave):
    """RFC 4180, UTF-8, all text quoted. Text that a spreadsheet takes for a formula gets a ' in front."""

    with_images = False

    def begin(self, manifest: bytes) -> bytes:  # noqa: ARG002 (the Protocol's)
        return _csv_line([column.name for column in COLUMNS])

    def document(self, document: TaskDocument) -> bytes:  # noqa: ARG002 (the Protocol's)
        return b""

    def sample(self, sample: Sample) -> bytes:
        row = row_of(sample.document.stored, sample.entry)
        return _csv_line([_cell(plain(row[column.name])) for column in COLUMNS])

    def end(self) -> Iterator[bytes]:
        yield from ()


class JsonLinesEncoder(NothingToSave):
    """One JSON object per line, UTF-8."""

    with_images = False

    def begin(self, manifest: bytes) -> bytes:  # noqa: ARG002 (the Protocol's)
        return b""

    def document(self, document: TaskDocument) -> bytes:  # noqa: ARG002 (the Protocol's)
        return b""

    def sample(self, sample: Sample) -> bytes:
        return as_json(sample) + b"\n"

    def end(self) -> Iterator[bytes]:
        yield from ()


def as_json(sample: Sample) -> bytes:
    """An image's metadata as one JSON object on one line; `params` is an object, or null where it is empty.

    An empty object would be read as a struct without fields, which Arrow cannot write to Parquet.
    """
    row: Row = row_of(sample.document.stored, sample.entry)
    document: dict[str, Any] = {name: plain(value) for name, value in row.items()}
    document["params"] = sample.document.stored.record.params or None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _cell(value: str | int | float | bool | None) -> str | int | float:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return "" if value is None else value


def _csv_line(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()
