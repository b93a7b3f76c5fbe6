"""What is peculiar to the store in a directory."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from results.errors import ObjectExists, ObjectNotFound, StoreError, StoreVanished
from results.stores.directory import STALE_TEMP_S, DirectoryStore
from results.stores.open import open_store
from tests.support import missing

BINARY = "application/octet-stream"
NOBODY = 65534


def test_opens_what_its_url_names(tmp_path: Path) -> None:
    root = tmp_path / "with space#1"
    store = open_store(root.as_uri() + "/")
    assert isinstance(store, DirectoryStore)
    assert store.root == root
    assert store.url == root.as_uri()
    assert not root.exists()
    assert DirectoryStore.from_url("file://localhost/a/b/../c").url == "file:///a/c"


def test_links_inside_a_store_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "real").mkdir()
    root = tmp_path / "store"
    root.symlink_to(tmp_path / "real")
    store = DirectoryStore(root)
    store.create("jobs/sound/a", b"1", BINARY)
    (root / "jobs" / "loop").symlink_to("loop")
    (root / "jobs" / "away").symlink_to(outside)
    (root / "jobs" / "nowhere").symlink_to("gone")
    (root / "jobs" / "sound" / "b").symlink_to(outside / "secret")
    assert [*store.list_folders("jobs/")] == ["sound"]
    assert [info.name for info in store.list("")] == ["jobs/sound/a"]
    assert store.stat("jobs/sound/b") is None
    with pytest.raises(ObjectNotFound):
        store.read("jobs/sound/b")
    with pytest.raises(ObjectExists):
        store.create("jobs/sound/b", b"2", BINARY)
    for call in (store.read, store.stat, store.delete, lambda name: store.create(name, b"2", BINARY)):
        for name in ("jobs/away/secret", "jobs/loop/x"):
            with pytest.raises(StoreError, match="is a symbolic link: links inside a store are not followed"):
                call(name)
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_folder_that_vanishes_is_not_made_anew(tmp_path: Path) -> None:
    root, away = tmp_path / "store", tmp_path / "away"
    store = DirectoryStore(root)
    store.create("a/b", b"1", BINARY)
    assert store.read("a/b") == b"1"
    root.rename(away)
    calls: tuple[Callable[[], object], ...] = (
        lambda: store.create("a/c", b"2", BINARY),
        lambda: store.read("a/b"),
        lambda: store.stat("a/b"),
        lambda: [*store.list("a/")],
        store.check,
        lambda: DirectoryStore(root, must_exist=True).check(),
    )
    for call in calls:
        with pytest.raises(StoreVanished, match="has vanished: move it back") as caught:
            call()
        assert caught.value.transient
    assert not root.exists()
    away.rename(root)
    store.create("a/c", b"2", BINARY)
    assert store.read("a/b") == b"1"


def test_absolute_paths_are_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert open_store("/a b/c#/../d").url == "file:///a%20b/d"
    assert open_store("~/results").url == "file:///home/me/results"


@pytest.mark.parametrize(
    "url",
    [
        *("file://relative/path", "file:relative", "file://", "file:///a%00b", "file:///a?b", "file:///a#b"),
        *("s3://bucket", "a/path", ""),
    ],
)
def test_refuses_other_urls(url: str) -> None:
    with pytest.raises(StoreError, match="bad store URL") as caught:
        open_store(url)
    assert caught.value.transient is False


def test_leaves_no_temporary_file(directory_store: DirectoryStore) -> None:
    directory_store.create("a/b", b"1", BINARY)
    with pytest.raises(ObjectExists):
        directory_store.create("a/b", b"2", BINARY)
    assert list((directory_store.root / ".tmp").iterdir()) == []


def test_check_clears_what_a_dead_writer_left(directory_store: DirectoryStore) -> None:
    directory_store.check()
    folder = directory_store.root / ".tmp"
    old, young = folder / "1-dead", folder / "2-alive"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    long_ago = time.time() - STALE_TEMP_S - 60
    os.utime(old, (long_ago, long_ago))
    directory_store.check()
    assert list(folder.iterdir()) == [young]


def test_a_reader_never_meets_half_an_object(directory_store: DirectoryStore) -> None:
    data = os.urandom(1 << 20)
    names = [f"x/{number}" for number in range(40)]
    met: list[bytes] = []
    done = threading.Event()

    def read_on() -> None:
        while not done.is_set():
            met.extend(directory_store.read(info.name) for info in directory_store.list("x/"))

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        for name in names:
            directory_store.create(name, data, BINARY)
    finally:
        done.set()
        reader.join()
    assert all(content == data for content in met)


def test_creates_while_another_deletes_the_folder(directory_store: DirectoryStore) -> None:
    def churn(mine: int) -> None:
        for _ in range(100):
            directory_store.create(f"shared/{mine}", b"x", BINARY)
            directory_store.delete(f"shared/{mine}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(churn, range(2)))
    assert list(directory_store.list_folders("")) == []


@pytest.mark.parametrize("moment", ["before mkdir looks", "before the link", "after the link"])
def test_a_folder_that_vanishes_under_a_create_is_made_again(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another process deletes the folder's last object at the worst moment, once."""
    folder = directory_store.root / "shared"
    mkdir, link = os.mkdir, os.link
    done: list[str] = []

    def racing_mkdir(path: Any, mode: int = 0o777) -> None:
        if Path(path) == folder and moment == "before mkdir looks" and not done:
            done.append(moment)
            mkdir(path, mode)
            try:
                mkdir(path, mode)
            finally:
                folder.rmdir()
        else:
            mkdir(path, mode)

    def racing_link(source: Any, target: Any) -> None:
        if moment == "before the link" and not done:
            done.append(moment)
            folder.rmdir()
        link(source, target)
        if moment == "after the link" and not done:
            done.append(moment)
            directory_store.delete("shared/x")

    monkeypatch.setattr(os, "mkdir", racing_mkdir)
    monkeypatch.setattr(os, "link", racing_link)
    assert directory_store.create("shared/x", b"x", BINARY).size_bytes == 1
    assert done == [moment]
    assert (directory_store.stat("shared/x") is None) == (moment == "after the link")


def test_a_folder_that_always_vanishes_is_passing_trouble(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_source: Any, target: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target))

    monkeypatch.setattr(os, "link", gone)
    with pytest.raises(StoreError) as caught:
        directory_store.create("shared/x", b"x", BINARY)
    assert caught.value.transient


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_works_without_hard_links(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert directory_store.create("a/b", b"first", BINARY).size_bytes == 5
    with pytest.raises(ObjectExists):
        directory_store.create("a/b", b"second", BINARY)
    assert directory_store.read("a/b") == b"first"
    assert list((directory_store.root / ".tmp").iterdir()) == []


def test_a_claim_that_cannot_be_filled_is_given_up(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def fill_up(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fill_up)
        with pytest.raises(StoreError, match="disk full"):
            directory_store.create("a/b", b"x", BINARY)
    assert directory_store.stat("a/b") is None
    directory_store.create("a/b", b"x", BINARY)


@pytest.mark.parametrize(
    ("number", "transient", "text"),
    [
        (errno.ENOSPC, False, "disk full: cannot write a/b"),
        (errno.EDQUOT, False, "disk full"),
        (errno.EIO, True, "cannot write a/b"),
        (errno.EMFILE, True, "cannot write a/b"),
        (errno.EROFS, False, "is not writable: Read-only file system"),
        (errno.EACCES, False, "is not writable: Permission denied"),
    ],
)
def test_tells_passing_trouble_from_lasting(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, number: int, transient: bool, text: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match=text) as caught:
            directory_store.create("a/b", b"x", BINARY)
    assert caught.value.transient is transient
    assert "\n" not in str(caught.value)
    assert directory_store.stat("a/b") is None
    directory_store.create("a/b", b"x", BINARY)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip(missing.MOUNT)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", str(tmp_path).encode(), b"tmpfs", 0, b"size=64k"):
        pytest.skip(missing.MOUNT)
    try:
        yield tmp_path
    finally:
        libc.umount2(str(tmp_path).encode(), 2)


def test_a_full_disk_needs_a_person_and_harms_nothing(small_disk: Path) -> None:
    store = DirectoryStore(small_disk / "results")
    store.create("small", b"x" * 1000, BINARY)
    with pytest.raises(StoreError, match="disk full") as caught:
        store.create("big", b"x" * 200_000, BINARY)
    assert caught.value.transient is False
    assert [info.name for info in store.list("")] == ["small"]
    store.create("next", b"x" * 1000, BINARY)


@pytest.fixture
def forbidden_folder() -> Iterator[Path]:
    """A folder that this process may neither write nor, below `secret`, read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "secret").mkdir(mode=0o700)
        (folder / "secret" / "x").touch()
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        else:
            (folder / "secret").chmod(0o000)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o700)
            (folder / "secret").chmod(0o700)


def test_check_passes_while_others_write(
    directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary file that is listed may be gone when it is looked at: its writer has placed it."""
    directory_store.check()
    gone = directory_store.root / ".tmp" / "1-placed"
    monkeypatch.setattr(Path, "iterdir", lambda _: iter([gone]))
    directory_store.check()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda store: store.check(), "is not writable: Permission denied; fix its owner"),
        (lambda store: store.create("a/b", b"x", BINARY), "is not writable"),
        (lambda store: store.read("secret/x"), "is not readable: Permission denied; fix its owner"),
        (lambda store: store.stat("secret/x"), "is not readable"),
        (lambda store: list(store.list("secret/")), "is not readable"),
        (lambda store: store.delete("secret/x"), "is not writable"),
    ],
)
def test_a_forbidden_folder_is_lasting_trouble(
    forbidden_folder: Path, call: Callable[[DirectoryStore], object], text: str
) -> None:
    with pytest.raises(StoreError, match=text) as caught:
        call(DirectoryStore(forbidden_folder))
    assert caught.value.transient is False


def test_an_object_in_the_way_is_lasting_trouble(directory_store: DirectoryStore) -> None:
    directory_store.create("a", b"x", BINARY)
    with pytest.raises(StoreError, match="cannot write a/b") as caught:
        directory_store.create("a/b", b"x", BINARY)
    assert caught.value.transient is False
