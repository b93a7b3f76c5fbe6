"""A bounded memory of bytes: the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock


class ByteCache:
    """Keeps what was made, up to a size in bytes. Thread-safe; two threads may make the same thing at once.

    Args:
        max_bytes: of all values together; one that is larger by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = Lock()
        self.size_bytes = 0

    def get_or_make(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        """Return what is kept under `key`, or make it; what `make` raises is passed on and nothing kept."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()
        if len(value) <= self._max_bytes:
            with self._lock:
                self._keep(key, value)
        return value

    def _keep(self, key: tuple[object, ...], value: bytes) -> None:
        self.size_bytes += len(value) - len(self._held.pop(key, b""))
        self._held[key] = value
        while self.size_bytes > self._max_bytes:
            _, dropped = self._held.popitem(last=False)
            self.size_bytes -= len(dropped)
