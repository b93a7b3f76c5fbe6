"""Rows of a raw file as dataclasses: the fields are the columns, their types say how a cell is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Self, get_args, get_type_hints

Cell = str | int | float | None


class RawRow:
    """Base of a dataclass whose fields are texts, whole numbers and floats. An empty number is None."""

    __slots__ = ()

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(cls._readers())

    def cells(self, columns: Iterable[str] | None = None) -> tuple[Cell, ...]:
        """The values of these columns; None: of all."""
        return tuple(getattr(self, name) for name in columns or self.columns())

    @classmethod
    def read(cls, row: Mapping[str, str], columns: Iterable[str] | None = None) -> Self:
        """Make it of a row of the raw file.

        Args:
            row: cells by column.
            columns: that the row must have; None: all. The other fields keep their defaults.
        Raises:
            KeyError, ValueError: the row is of another kind.
        """
        readers = cls._readers()
        return cls(**{name: readers[name](row[name]) for name in columns or readers})

    @classmethod
    def _readers(cls) -> dict[str, Callable[[str], Cell]]:
        row_type: Any = cls
        return _readers(row_type)


@cache
def _readers(row_type: Any) -> dict[str, Callable[[str], Cell]]:
    hints = get_type_hints(row_type)
    return {field.name: _reader(hints[field.name]) for field in fields(row_type)}


def _reader(hint: Any) -> Callable[[str], Cell]:
    types = {hint, *get_args(hint)}
    if float in types:
        return lambda cell: float(cell) if cell else None
    if int in types:
        return (lambda cell: int(cell) if cell else None) if type(None) in types else int
    return str
