"""Counts and lists, as people say them."""

from __future__ import annotations

from producer.text import counted, listed


def test_counts_have_their_plural() -> None:
    assert [counted(n, "task") for n in (0, 1, 2, 1200)] == ["0 tasks", "1 task", "2 tasks", "1,200 tasks"]


def test_lists_end_with_and() -> None:
    assert listed(["a"]) == "a"
    assert listed(("a", "b")) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
