"""Rules for object names that hold in every store, checked before any of them is touched."""

from __future__ import annotations

from typing import Final

from results.errors import StoreError

MAX_NAME_BYTES: Final = 900
"""Google Cloud Storage takes 1024 bytes; the rest is left to the URL's prefix."""
MAX_PART_BYTES: Final = 255
"""The longest file name that common file systems take."""
HIDDEN_FOLDER: Final = ".tmp"
"""First part of the names that stores keep to themselves: temporary files and probes."""


def check_object_name(name: str) -> str:
    """Return `name` if it may name an object.

    Raises:
        StoreError: it is empty, absolute, hidden, too long, or could leave the store's root.
    """
    _check_parts(name, name.split("/"))
    return name


def check_prefix(prefix: str) -> str:
    """Return `prefix` if it is "" (everything) or a folder's name with "/" at its end.

    Raises:
        StoreError: it is neither.
    """
    if prefix and not prefix.endswith("/"):
        raise _bad(prefix, "a prefix ends with '/'")
    if prefix:
        _check_parts(prefix, prefix[:-1].split("/"))
    return prefix


def _check_parts(name: str, parts: list[str]) -> None:
    if any(part in ("", ".", "..") for part in parts):
        raise _bad(name, "no part of it may be empty, '.' or '..'")
    if parts[0] == HIDDEN_FOLDER:
        raise _bad(name, f"{HIDDEN_FOLDER}/ belongs to the store itself")
    if "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise _bad(name, "no backslash, NUL or other control character is allowed")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError as error:
        raise _bad(name, "it is not valid Unicode") from error
    if max(sizes) > MAX_PART_BYTES or sum(sizes) + len(sizes) > MAX_NAME_BYTES:
        raise _bad(name, f"at most {MAX_PART_BYTES} bytes a part and {MAX_NAME_BYTES} in all")


def _bad(name: str, why: str) -> StoreError:
    return StoreError(f"bad object name {name[:120]!r}: {why}", transient=False)
