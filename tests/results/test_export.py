"""Exports: read with the programs' own readers, whole, the same bytes every time, from both stores."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.export.columns import COLUMNS
from results.export.run import FORMS, Form, export_to_path, export_to_stream
from results.export.samples import ExportError, Source
from results.export.single import ExportCounts
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.pictures import JOB, manifest, record, write_image, write_job, write_task
from tests.support.missing import need

pyarrow = need("pyarrow", extra="parquet")
parquet = need("pyarrow.parquet", extra="parquet")

SHARD = 4


def a_source(
    store: Store, job: Manifest, form: Form, targets: tuple[Target, ...] | None = None, strict: bool = False
) -> tuple[Source, list[str]]:
    told: list[str] = []
    with_images = form not in ("csv", "jsonl")
    return Source(store, job, targets or job.targets, with_images, strict, told.append), told


def export(
    store: Store, job: Manifest, form: Form, path: Path, **options: Any
) -> tuple[ExportCounts, list[str]]:
    source, told = a_source(store, job, form, **options)
    with export_to_path(source, form, path, SHARD) as running:
        assert sum(running.steps) == running.counts.images
    return running.counts, told


def files(path: Path) -> dict[str, bytes]:
    """Every file of an export, by its name in it."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def stored(store: Store) -> dict[str, bytes]:
    """What an archive of the job is to hold."""
    return {
        info.name.removeprefix("jobs/"): store.read(info.name) for info in store.list(naming.job_prefix(JOB))
    }


def test_zip_and_tar_hold_the_job_as_it_is_stored(store: Store, tmp_path: Path) -> None:
    job = write_job(store)
    export(store, job, "zip", tmp_path / "a.zip")
    export(store, job, "tar", tmp_path / "a.tar")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == stored(store)
        assert {
            (one.compress_type, one.date_time, one.external_attr >> 16) for one in archive.infolist()
        } == {(zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o100644)}
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
        assert {one.name: tar.extractfile(one).read() for one in members} == stored(store)  # type: ignore[union-attr]
        assert {(one.mtime, one.uid, one.mode, one.isreg()) for one in members} == {(0, 0, 0o644, True)}
    for command in (["unzip", "-tq", "a.zip"], ["tar", "tf", "a.tar"]):
        if shutil.which(command[0]):
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_webdataset_shards_are_samples_in_order(store: Store, tmp_path: Path) -> None:
    job = write_job(store)
    export(store, job, "webdataset", tmp_path / "wds")
    names = sorted(path.name for path in (tmp_path / "wds").glob("*.tar"))
    assert names == [f"{JOB}-{t}-{k:06d}.tar" for t in ("container", "function") for k in range(3)]
    members = []
    for name in names[:3]:
        with tarfile.open(tmp_path / "wds" / name) as tar:
            members += [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
    # The files of one key, whose name has a single dot, follow each other.
    assert [name for name, _ in members] == [
        f"{JOB}-container-{index:08d}.{kind}" for index in range(10) for kind in ("png", "txt", "json")
    ]
    for index in range(10):
        assert members[3 * index][1] == store.read(naming.image_name(JOB, "container", index))
        assert members[3 * index + 1][1] == b""
        assert json.loads(members[3 * index + 2][1])["index"] == index


def test_parquet_is_typed_and_its_row_groups_are_bounded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.export.parquet.GROUP_ROWS", 3)
    job = write_job(store)
    export(store, job, "parquet", tmp_path / "data")
    table = parquet.read_table(tmp_path / "data")
    assert table.num_rows == 20
    assert table.schema.field("image").type == pyarrow.struct(
        [("bytes", pyarrow.binary()), ("path", pyarrow.string())]
    )
    assert table.schema.field("image_seed").type == pyarrow.int64()
    assert table.schema.field("task_recorded_at").type == pyarrow.timestamp("us", tz="UTC")
    assert [*table.column_names] == ["image", *(column.name for column in COLUMNS)]
    for row in table.to_pylist():
        assert row["image"]["bytes"] == store.read(naming.image_name(JOB, row["target"], row["index"]))
        assert row["image"]["path"] == f"{row['index']:08d}.png"
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (16, 16)
    groups = parquet.ParquetFile(tmp_path / "data" / f"{JOB}-container-000000.parquet").metadata
    assert [groups.row_group(k).num_rows for k in range(groups.num_row_groups)] == [3, 1]


def test_csv_and_json_lines_tell_the_same(store: Store, tmp_path: Path) -> None:
    job = write_job(store)
    export(store, job, "csv", tmp_path / "a.csv")
    export(store, job, "jsonl", tmp_path / "a.jsonl")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(row["target"], int(row["index"])) for row in rows] == [
        (target, index) for target in ("container", "function") for index in range(10)
    ]
    assert len(lines) == 20
    for row, line in zip(rows, lines, strict=True):
        assert row.keys() == line.keys()
        assert (row["sha256"], int(row["image_seed"])) == (line["sha256"], line["image_seed"])
        assert float(row["task_process_s"]) == line["task_process_s"] == 2.0
        assert (json.loads(row["params"]), line["params"]) == ({}, None)


def hostile(store: Store, **changes: Any) -> Manifest:
    """A job whose record carries what a spreadsheet or a page might run."""
    job = manifest(targets=("container",), count=4)
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    entries = tuple(write_image(store, job, "container", index) for index in range(4))
    done = record(0, "container", entries, **changes)
    store.create(naming.record_name(JOB, "container", 0), dump(done), JSON_TYPE)
    return job


def test_text_that_would_run_stays_text(directory_store: DirectoryStore, tmp_path: Path) -> None:
    prompt = "</script><b>\"=cmd|' /C calc'!A0\n;=1+1"
    job = hostile(
        directory_store,
        params={"prompt": prompt},
        worker_revision="=HYPERLINK(0)",
        instance_id="@SUM(1)",
        engine_version="-1+1",
    )
    for form in FORMS:
        path = tmp_path / form
        export(directory_store, job, form, path)
    with (tmp_path / "csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert json.loads(row["params"])["prompt"] == prompt
    assert (row["task_worker_revision"], row["task_instance_id"]) == ("'=HYPERLINK(0)", "'@SUM(1)")
    assert row["engine_version"] == "'-1+1"
    for line in (tmp_path / "csv").read_bytes().split(b"\r\n")[1:-1]:
        assert not any(cell.startswith((b"=", b"@")) for cell in line.split(b'","'))
    assert json.loads((tmp_path / "jsonl").read_text().splitlines()[0])["params"]["prompt"] == prompt
    found = parquet.read_table(tmp_path / "parquet").to_pylist()[0]
    assert (json.loads(found["params"])["prompt"], found["task_instance_id"]) == (prompt, "@SUM(1)")


@pytest.mark.parametrize("form", FORMS)
def test_equal_jobs_give_equal_bytes_to_files_and_streams(
    directory_store: DirectoryStore, tmp_path: Path, form: Form
) -> None:
    job = write_job(directory_store)
    export(directory_store, job, form, tmp_path / "first")
    export(directory_store, job, form, tmp_path / "second")
    first = files(tmp_path / "first")
    assert [*first.values()] == [*files(tmp_path / "second").values()]
    assert not [name for name in first if "partial" in name]
    out = io.BytesIO()
    source, _ = a_source(directory_store, job, form)
    with export_to_stream(source, form, out) as running:
        assert sum(running.steps) == running.counts.images == 20
    if form == "webdataset":
        with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
            assert len(tar.getmembers()) == 60
    elif form == "parquet":
        assert parquet.read_table(io.BytesIO(out.getvalue())).num_rows == 20
    else:
        assert out.getvalue() == (tmp_path / "first").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_missing_or_damaged_is_left_out_and_told(store: Store, tmp_path: Path, form: Form) -> None:
    job = write_job(store)
    changed, gone = (naming.image_name(JOB, "container", index) for index in (1, 9))
    store.delete(gone)
    store.delete(changed)
    store.create(changed, b"other", "image/png")
    damaged = naming.record_name(JOB, "function", 1)
    store.delete(damaged)
    store.create(damaged, b"{", JSON_TYPE)
    # A record of another task, in the place of the one it should be.
    stray = naming.record_name(JOB, "function", 2)
    store.delete(stray)
    store.create(stray, dump(record(0, "function")), JSON_TYPE)
    counts, told = export(store, job, form, tmp_path / "out")
    if form in ("csv", "jsonl"):
        assert (counts.images, counts.left_out) == (14, 2)
    else:
        assert (counts.images, counts.left_out) == (12, 4)
        assert f"{changed} is not the image that its record lists" in told[0]
        assert f"{gone} is missing" in told[1]
    assert f"{damaged} cannot be read" in told[-2]
    assert f"{stray} does not belong here" in told[-1]
    with pytest.raises(ExportError, match="without --strict"):
        export(store, job, form, tmp_path / "strict", strict=True)
    assert not [name for name in files(tmp_path) if name.startswith("strict") and "partial" not in name]


def test_only_finished_tasks_and_chosen_targets(directory_store: DirectoryStore, tmp_path: Path) -> None:
    job = manifest()
    directory_store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    write_task(directory_store, job, "function", 1)
    write_image(directory_store, job, "container", 0)
    counts, _ = export(directory_store, job, "zip", tmp_path / "a.zip", targets=("function",))
    assert counts.images == 4
    assert all("/function/" in name or name.endswith("job.json") for name in
               zipfile.ZipFile(tmp_path / "a.zip").namelist())  # fmt: skip


def test_a_zip_beyond_the_classic_limits(tmp_path: Path) -> None:
    """Above 65,535 members the 64-bit end records are needed; the offsets' are forced by a high start."""
    from results.export.zip_form import ZipEncoder

    with (tmp_path / "directory").open("w+b") as directory, (tmp_path / "big.zip").open("wb") as out:
        encoder = ZipEncoder(JOB, directory)
        out.write(encoder.begin(b"{}"))
        for number in range(66_000):
            out.write(encoder._member(f"{number}", b"x"))
        # A hole of 5 GiB, as if that much had been stored: members behind it lie beyond 32 bits.
        hole = 5 * 2**30
        encoder._offset += hole
        out.seek(hole, 1)
        out.write(encoder._member("far", b"beyond"))
        for piece in encoder.end():
            out.write(piece)
    with zipfile.ZipFile(tmp_path / "big.zip") as archive:
        assert len(archive.namelist()) == 66_002
        assert archive.read("far") == b"beyond"
        assert archive.getinfo("far").header_offset > 2**32
        assert archive.read("65999") == b"x"


def test_parquet_says_which_extra_is_missing(directory_store: DirectoryStore, tmp_path: Path) -> None:
    write_job(directory_store)
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from diptych.cli import main\n"
        f"main(['results', 'export', '{JOB}', '--format', 'parquet', '--store', '{directory_store.url}'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert "pip install -e '.[parquet]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / f"{JOB}-parquet").exists()
