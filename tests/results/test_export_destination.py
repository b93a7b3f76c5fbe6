"""Where exports go: files, links, pipes, devices; and which target's images are in them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pyarrow import parquet

from results import naming
from results.documents import JSON_TYPE
from results.export.run import Form
from results.stores.directory import DirectoryStore
from tests.diptych.conftest import run
from tests.support.builders.pictures import JOB, write_job


@pytest.fixture
def job(directory_store: DirectoryStore) -> DirectoryStore:
    write_job(directory_store)
    return directory_store


def test_a_pipe_is_written_to(job: DirectoryStore, tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run(job, "export", JOB, "--format", "tar", "-o", str(pipe)).exit_code == 0
    reader.join()
    run(job, "export", JOB, "--format", "tar", "-o", str(tmp_path / "file.tar"))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read == [(tmp_path / "file.tar").read_bytes()]


def test_a_full_device_is_said_and_stays_a_device(job: DirectoryStore) -> None:
    result = run(job, "export", JOB, "--format", "zip", "-o", "/dev/full")
    assert result.exit_code == 1
    assert "disk is full" in result.stderr
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.parametrize("form", ["zip", "csv", "parquet"])
def test_a_link_is_followed(job: DirectoryStore, tmp_path: Path, form: Form) -> None:
    (tmp_path / "far").mkdir()
    link, there = tmp_path / "link", tmp_path / "far" / "there"
    link.symlink_to(there)
    assert run(job, "export", JOB, "--format", form, "-o", str(link)).exit_code == 0
    assert link.is_symlink()
    assert there.exists()


def test_standard_output_by_its_device_name(job: DirectoryStore, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "diptych", "results", "export", JOB, "--store", job.url]
    with (tmp_path / "out.csv").open("wb") as out:
        out.write(b"before\n")
        out.flush()
        subprocess.run([*command, "--format", "csv", "-o", "/dev/fd/1"], stdout=out, check=True)
    assert (tmp_path / "out.csv").stat().st_nlink == 1
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_socket_is_refused(job: DirectoryStore, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        result = run(job, "export", JOB, "--format", "tar", "-o", str(tmp_path / "socket"))
    assert (result.exit_code, "it is a socket or a block device" in result.stderr) == (1, True)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_each_image_once_unless_asked_for_both(job: DirectoryStore, tmp_path: Path) -> None:
    for flags, rows in (([], 10), (["--both"], 20), (["--target", "function"], 10)):
        out = tmp_path / f"{rows}{len(flags)}.csv"
        run(job, "export", JOB, "--format", "csv", *flags, "-o", str(out))
        assert len(out.read_text().splitlines()) == 1 + rows
    refused = run(job, "export", JOB, "--format", "csv", "--both", "--target", "function")
    assert refused.exit_code == 2


def test_the_fullest_target_is_taken(job: DirectoryStore, tmp_path: Path) -> None:
    job.delete(naming.record_name(JOB, "container", 2))
    run(job, "export", JOB, "--format", "csv", "-o", str(tmp_path / "a.csv"))
    assert all(",function," in line.replace('"', "") for line in (tmp_path / "a.csv").read_text().split()[1:])


def test_images_that_differ_between_targets_are_counted(job: DirectoryStore, tmp_path: Path) -> None:
    name = naming.record_name(JOB, "function", 0)
    document = json.loads(job.read(name))
    document["images"][0]["sha256"] = "0" * 64
    job.delete(name)
    job.create(name, json.dumps(document).encode(), JSON_TYPE)
    result = run(job, "export", JOB, "--format", "csv", "-o", str(tmp_path / "a.csv"))
    assert "function generated 1 image with other bytes than container" in result.stderr


def test_a_parquet_folder_holds_nothing_but_parquet(job: DirectoryStore, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert run(job, "export", JOB, "--format", "parquet", "-o", str(folder)).exit_code == 0
    assert {path.suffix for path in folder.iterdir()} == {".parquet"}
    assert (tmp_path / f"data.{JOB}.parquet.json").exists()


def test_the_ledger_of_an_earlier_version_is_taken_over(job: DirectoryStore, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run(job, "export", JOB, "--format", "parquet", "-o", str(folder))
    (tmp_path / f"data.{JOB}.parquet.json").rename(folder / f"_{JOB}.parquet.json")
    again = run(job, "export", JOB, "--format", "parquet", "-o", str(folder))
    assert "10 of them from an earlier run" in again.stdout
    assert {path.suffix for path in folder.iterdir()} == {".parquet"}


def test_parquet_names_its_images_for_hugging_face(job: DirectoryStore, tmp_path: Path) -> None:
    run(job, "export", JOB, "--format", "parquet", "-o", str(tmp_path / "data"))
    metadata = parquet.read_schema(next((tmp_path / "data").iterdir())).metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["task_process_s"] == {"dtype": "float64", "_type": "Value"}
    assert features["task_recorded_at"] == {"dtype": "timestamp[us, tz=UTC]", "_type": "Value"}
