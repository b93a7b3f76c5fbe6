"""One test class for every store: a directory, and Google Cloud Storage as fake-gcs-server plays it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from results.errors import ObjectExists, ObjectNotFound, StoreError
from results.stores.base import Store
from results.stores.object_names import MAX_NAME_BYTES

BINARY = "application/octet-stream"
TREE = [
    "a-b",
    "a.png",
    "a/b/c",
    "a/x",
    "a/é",
    "a0",
    "b/000001.json",
    "b/000002.json",
    "b/000010.json",
    "c/d/e/f",
]

BAD_NAMES = [
    *("", "/", "/etc/passwd", "a//b", "a/", "..", "../x", "a/../b", "a/..", "./a", ".tmp/x"),
    *("a\\b", "a\0b", "a\nb", "a\x7f", "\udc80"),
    *("x" * 256, "é" * 128, "/".join(["x" * 99] * (MAX_NAME_BYTES // 99 + 1))),
]


def fill(store: Store, names: list[str]) -> None:
    for name in random.Random(7).sample(names, len(names)):
        store.create(name, name.encode(), BINARY)


class TestStore:
    def test_reads_what_was_created(self, store: Store) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        info = store.create("jobs/a/job.json", b"{}\n", "application/json")
        assert (info.name, info.size_bytes) == ("jobs/a/job.json", 3)
        assert before < info.created_at < datetime.now(UTC) + timedelta(seconds=1)
        assert info.created_at.tzinfo is not None
        assert store.read("jobs/a/job.json") == b"{}\n"
        assert store.stat("jobs/a/job.json") == info

    @pytest.mark.parametrize("size", [0, 1, 65537, 9 * 1024 * 1024])
    def test_takes_empty_and_big_objects(self, store: Store, size: int) -> None:
        data = random.Random(size).randbytes(size)
        assert store.create("models/x", data, BINARY).size_bytes == size
        assert store.read("models/x") == data
        with pytest.raises(ObjectExists):
            store.create("models/x", data + b"!", BINARY)
        assert store.read("models/x") == data

    def test_tells_the_progress_of_a_big_object(self, store: Store) -> None:
        data = random.Random(1).randbytes(20 * 1024 * 1024)
        told: list[int] = []
        store.create("models/x", data, BINARY, told.append)
        assert store.read("models/x") == data
        assert told == sorted(told)
        assert told[-1] == len(data)
        # In parts, of which none is the whole: else nothing would move for minutes.
        assert len({sent for sent in told if 0 < sent < len(data)}) >= 2

    def test_leaves_an_object_as_it_is(self, store: Store) -> None:
        first = store.create("a/b", b"first", BINARY)
        with pytest.raises(ObjectExists) as caught:
            store.create("a/b", b"second", BINARY)
        assert caught.value.name == "a/b"
        assert caught.value.transient is False
        assert store.read("a/b") == b"first"
        assert store.stat("a/b") == first

    def test_lets_one_of_many_writers_win(self, store: Store) -> None:
        def write(writer: int) -> int | None:
            try:
                store.create("race/x", f"writer {writer}".encode(), BINARY)
            except ObjectExists:
                return None
            return writer

        with ThreadPoolExecutor(32) as pool:
            winners = [writer for writer in pool.map(write, range(32)) if writer is not None]
        assert len(winners) == 1
        assert store.read("race/x") == f"writer {winners[0]}".encode()

    def test_says_what_is_missing(self, store: Store) -> None:
        assert store.stat("no/such") is None
        with pytest.raises(ObjectNotFound, match="no/such") as caught:
            store.read("no/such")
        assert caught.value.transient is False
        assert list(store.list("no/")) == []
        assert list(store.list_folders("no/")) == []

    def test_a_folder_is_no_object(self, store: Store) -> None:
        store.create("a/b/c", b"", BINARY)
        assert store.stat("a/b") is None
        with pytest.raises(ObjectNotFound):
            store.read("a/b")

    def test_finds_those_that_exist(self, store: Store) -> None:
        fill(store, TREE)
        wanted = ["b/000001.json", "b/000003.json", "b/000010.json", "a/b/c", "a/zz", "none/x", "none/y"]
        found = store.find(wanted)
        assert set(found) == {"b/000001.json", "b/000010.json", "a/b/c"}
        assert found["a/b/c"] == store.stat("a/b/c")
        assert store.find([]) == {}

    def test_lists_in_order_of_full_names(self, store: Store) -> None:
        fill(store, TREE)
        assert [info.name for info in store.list("")] == sorted(TREE)
        assert [info.name for info in store.list("a/")] == ["a/b/c", "a/x", "a/é"]
        assert [info.size_bytes for info in store.list("b/")] == [13, 13, 13]

    @pytest.mark.parametrize(
        "after", ["a", "a/", "a/b", "a/b/c", "a/c", "b/000001.json", "b/000005", "c/d/e/f", "z"]
    )
    def test_lists_on_from_a_name(self, store: Store, after: str) -> None:
        fill(store, TREE)
        assert [info.name for info in store.list("", after=after)] == [
            name for name in sorted(TREE) if name > after
        ]

    def test_lists_on_within_a_prefix(self, store: Store) -> None:
        fill(store, TREE)
        assert [info.name for info in store.list("b/", after="b/000001.json")] == [
            "b/000002.json",
            "b/000010.json",
        ]
        assert [info.name for info in store.list("b/", after="a0")] == [f"b/{n:06d}.json" for n in (1, 2, 10)]
        assert list(store.list("b/", after="b/000010.json")) == []

    def test_lists_more_than_a_page(self, store: Store) -> None:
        names = [f"p/{number:04d}" for number in range(1003)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.create(name, b"", BINARY), names))
        assert [info.name for info in store.list("p/")] == names
        assert len(store.find(names)) == len(names)

    def test_lists_folders(self, store: Store) -> None:
        fill(store, TREE)
        assert list(store.list_folders("")) == ["a", "b", "c"]
        assert list(store.list_folders("a/")) == ["b"]
        assert list(store.list_folders("c/d/e/")) == []

    def test_deletes(self, store: Store) -> None:
        fill(store, ["a/b/c", "a/d"])
        store.delete("a/b/c")
        store.delete("a/b/c")
        assert [info.name for info in store.list("")] == ["a/d"]
        assert list(store.list_folders("a/")) == []
        store.create("a/b/c", b"again", BINARY)
        assert store.read("a/b/c") == b"again"

    def test_checks_without_leaving_a_trace(self, store: Store) -> None:
        store.check()
        assert list(store.list("")) == []
        assert list(store.list_folders("")) == []

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_refuses_names_that_leave_the_layout(self, store: Store, name: str) -> None:
        for call in (
            lambda: store.create(name, b"", BINARY),
            lambda: store.read(name),
            lambda: store.stat(name),
            lambda: store.find([name]),
            lambda: store.delete(name),
        ):
            with pytest.raises(StoreError, match="bad object name") as caught:
                call()
            assert caught.value.transient is False

    @pytest.mark.parametrize("prefix", ["/", "a", "../", "a/../", ".tmp/", "a//", "a\0/"])
    def test_refuses_bad_prefixes(self, store: Store, prefix: str) -> None:
        with pytest.raises(StoreError, match="bad object name"):
            store.list(prefix)
        with pytest.raises(StoreError, match="bad object name"):
            store.list_folders(prefix)
