"""`diptych results`: what users and scripts read, and what they are told when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from results import naming
from results.documents import JSON_TYPE, dump
from results.stores.directory import DirectoryStore
from tests.diptych.conftest import run
from tests.support.builders.pictures import DIGEST, JOB, manifest, write_image, write_task


def output(store: DirectoryStore, *arguments: str) -> str:
    result = run(store, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def documents(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_ls_lists_images_in_order(store: DirectoryStore) -> None:
    lines = output(store, "ls", JOB).splitlines()
    assert len(lines) == 20
    assert lines[0].split()[:2] == ["container", "0"]
    assert lines[-1].endswith(f"jobs/{JOB}/function/images/00000009.png")


def test_ls_pages(store: DirectoryStore) -> None:
    found = documents(
        output(store, "ls", JOB, "--after", "3", "--limit", "2", "--json", "--target", "function")
    )
    assert [(one["target"], one["index"]) for one in found] == [("function", 4), ("function", 5)]
    assert found[0]["bytes"] == len(store.read(found[0]["name"]))
    assert found[0]["created_at"].endswith("+00:00")


def test_ls_lists_records(store: DirectoryStore) -> None:
    lines = output(store, "ls", JOB, "--records").splitlines()
    assert len(lines) == 6
    assert "cold" in lines[0]
    assert "warm" in lines[1]
    found = documents(output(store, "ls", JOB, "--records", "--json", "--after", "1"))
    assert [(one["target"], one["task_index"]) for one in found] == [("container", 2), ("function", 2)]
    assert found[0]["latency_s"] == pytest.approx(found[0]["round_trip_s"] - found[0]["process_s"])


def test_a_damaged_record_ends_no_list(store: DirectoryStore) -> None:
    path = store.root / naming.record_name(JOB, "container", 1)
    path.write_bytes(b"{")
    result = run(store, "ls", JOB, "--records", "--json")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    tasks = [(row["target"], row["task_index"]) for row in rows]
    assert tasks == [("container", 0), ("container", 2), ("function", 0), ("function", 1), ("function", 2)]
    assert result.stderr.startswith("left out: ")
    assert "000001.json" in result.stderr


def test_show_tells_of_the_job(store: DirectoryStore) -> None:
    text = output(store, "show", JOB)
    for part in ("succeeded", "faces-64 (16x16)", DIGEST, "3 of 3 tasks, 10 of 10 images", store.url):
        assert part in text
    (found,) = documents(output(store, "show", JOB, "--json"))
    assert found["manifest"] == manifest().model_dump(mode="json")
    assert found["targets"]["function"] == {"tasks": 3, "tasks_done": 3, "images": 10, "images_done": 10}


def test_show_tells_of_an_image(store: DirectoryStore) -> None:
    text = output(store, "show", JOB, "4")
    assert text.count("openvino, fp32, avx2") == 2
    assert "container and function: equal, pixel for pixel" in text
    (found,) = documents(output(store, "show", JOB, "4", "--json"))
    origin = found["targets"]["container"]["provenance"]
    assert (origin["seed"], origin["index"], origin["model_digest"]) == (7, 4, DIGEST)
    assert found["targets"]["container"]["sha256"] == found["targets"]["function"]["sha256"]


def test_show_tells_of_a_task(store: DirectoryStore) -> None:
    text = output(store, "show", JOB, "--task", "1", "--target", "function")
    for part in ("function: task 1", "process time", "2.000 s", "warm, after 1 requests", "300 MiB"):
        assert part in text
    (found,) = documents(output(store, "show", JOB, "--task", "1", "--json"))
    assert found["targets"]["container"]["task_index"] == 1


def test_show_tells_what_is_not_there_yet(store: DirectoryStore) -> None:
    job = manifest(job_id="half")
    store.create(naming.manifest_name("half"), dump(job), JSON_TYPE)
    write_task(store, job, "container", 0)
    assert "function: image 0 is not there" in output(store, "show", "half", "0")
    assert "function: task 0 has no record" in output(store, "show", "half", "--task", "0")
    (image,) = documents(output(store, "show", "half", "0", "--json"))
    (task,) = documents(output(store, "show", "half", "--task", "0", "--json"))
    assert image["targets"]["function"] is None
    assert task["targets"]["function"] is None
    assert "1 of 3 tasks, 4 of 10 images" in output(store, "show", "half")


def test_download_copies_once(store: DirectoryStore, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    assert "20 images; copied 27 files" in output(store, "download", JOB, "-o", str(folder))
    assert (folder / "function/images/00000009.png").read_bytes() == store.read(
        naming.image_name(JOB, "function", 9)
    )
    (found,) = documents(output(store, "download", JOB, "-o", str(folder), "--json"))
    assert (found["images"], found["images_missing"]) == (20, 0)
    assert (found["objects_copied"], found["objects_kept"], found["bytes_copied"]) == (0, 27, 0)


def test_download_says_what_is_missing(store: DirectoryStore, tmp_path: Path) -> None:
    job = manifest(job_id="half")
    store.create(naming.manifest_name("half"), dump(job), JSON_TYPE)
    write_image(store, job, "container", 0)
    text = output(store, "download", "half", "-o", str(tmp_path / "copy"))
    assert "19 images are not in the store yet: see `diptych status half`" in text


def test_download_can_be_interrupted(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DirectoryStore.read

    def read(self: DirectoryStore, name: str) -> bytes:
        if name.endswith("records/000001.json"):
            raise KeyboardInterrupt
        return real(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "read", read)
        result = run(store, "download", JOB, "-o", str(tmp_path / "copy"))
    assert result.exit_code == 130
    assert "of 20 images are in" in result.stderr
    assert "the same command again goes on" in result.stderr
    assert "20 images;" in output(store, "download", JOB, "-o", str(tmp_path / "copy"))


def test_contact_sheet_is_a_png(store: DirectoryStore, tmp_path: Path) -> None:
    path = tmp_path / "new" / "sheet.png"
    assert output(store, "contact-sheet", JOB, "-o", str(path)).strip() == str(path)
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 600


def test_compare_prints_a_table_or_json(store: DirectoryStore) -> None:
    text = output(store, "compare", JOB)
    assert "gunicorn against functions-framework on this machine" in text
    assert "one run: descriptive" in text
    (found,) = documents(output(store, "compare", JOB, "--json"))
    assert [one["warm"]["tasks"] for one in found["targets"]] == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        (["ls", "nothing"], "error: no job 'nothing' in file:", 1),
        (["ls", "../x"], "error: JOB: bad name '../x': use 1 to 63", 1),
        (["ls", JOB, "--target", "celery"], "error: job job-a has no target celery", 1),
        (["ls", JOB, "--limit", "0"], "0 is not in the range", 2),
        (["show", JOB, "10"], "error: job job-a has the images 0 to 9, no 10", 1),
        (["show", JOB, "--task", "3"], "error: job job-a has the tasks 0 to 2, no 3", 1),
        (["show", JOB, "1", "--task", "3"], "give an INDEX or --task, not both", 2),
        (["show", JOB, "-1"], "No such option", 2),
        (["download", JOB], "Missing option '-o'", 2),
        (["download", JOB, "-o", "/dev/null/x"], "error: cannot write to /dev/null/x: Not a directory", 1),
        (["contact-sheet", JOB, "-o", "/dev/null/x.png"], "error: cannot write to /dev/null/x.png", 1),
        (["contact-sheet", JOB, "-o", "x.jpg"], "must end in .png, not 'x.jpg'", 2),
        (["contact-sheet", JOB, "-o", "x.png", "--images", "0"], "0 is not in the range", 2),
        (["compare", "nothing"], "error: no job 'nothing'", 1),
    ],
)
def test_errors_are_one_line_that_helps(
    store: DirectoryStore, arguments: list[str], text: str, code: int
) -> None:
    result = run(store, *arguments)
    assert result.exit_code == code
    assert text in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_damaged_image_is_told(store: DirectoryStore) -> None:
    name = naming.image_name(JOB, "container", 0)
    (store.root / name).write_bytes(b"x")
    result = run(store, "show", JOB, "0")
    assert result.exit_code == 1
    assert result.stderr == f"error: {name}: not a PNG\n"


def test_its_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, click.testing, diptych.cli\n"
        "print(click.testing.CliRunner().invoke(diptych.cli.main, ['results', '--help']).exit_code)\n"
        "heavy = {'numpy', 'PIL', 'pydantic', 'google.cloud.storage', 'rich', 'celery'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0", "[]"]
