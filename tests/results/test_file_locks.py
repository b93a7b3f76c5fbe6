"""File systems without locks, as some network shares: what is safe goes on, what is not says why."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from local.errors import StackError
from local.folder import StackFolder, is_running
from pipeline.models.checkpoint_folder import CheckpointFolder
from results.export.partial import PartialFile
from results.export.samples import ExportError
from results.file_lock import NoFileLocks, try_lock


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, request.param)


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(_file: object, _kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("without_locks")
def test_an_export_goes_on_where_its_file_is_new(tmp_path: Path) -> None:
    with PartialFile(tmp_path / "a.tar", keep=True) as file:
        file.write(b"whole")
        file.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == b"whole"


@pytest.mark.usefixtures("without_locks")
def test_of_two_exports_the_second_is_told_what_to_do(tmp_path: Path) -> None:
    told = r"a\.tar\.partial is there, and its file system has no file locks: remove it .* another disk"
    with PartialFile(tmp_path / "a.tar", keep=False) as first:
        with pytest.raises(ExportError, match=told):
            PartialFile(tmp_path / "a.tar", keep=False)
        first.write(b"whole")
        first.finish()
    assert (tmp_path / "a.tar").read_bytes() == b"whole"


def test_another_trouble_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        PartialFile(tmp_path / "a.tar", keep=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_locks")
def test_a_stack_needs_them_and_says_so(tmp_path: Path) -> None:
    told = r"\.diptych: its file system has no file locks, .*: start the stack in a folder on a local disk"
    with pytest.raises(StackError, match=told):
        StackFolder(tmp_path)
    assert not is_running(tmp_path)


@pytest.mark.usefixtures("without_locks")
def test_fetched_models_do_without(tmp_path: Path) -> None:
    digest = "sha256:" + "0" * 64
    assert CheckpointFolder(tmp_path, 1000).obtain(digest, lambda: b"content").read_bytes() == b"content"


def test_a_held_lock_is_told_from_none(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as first, (tmp_path / "lock").open("w") as second:
        assert try_lock(first.fileno())
        assert not try_lock(second.fileno())


@pytest.mark.usefixtures("without_locks")
def test_the_error_is_one_of_the_system_s(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file, pytest.raises(NoFileLocks):
        try_lock(file.fileno())
