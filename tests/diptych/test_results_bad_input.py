"""`diptych results` on jobs that were cut short, edited or damaged: told in a line, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results import naming
from results.documents import JSON_TYPE, dump
from results.stores.directory import DirectoryStore
from tests.diptych.conftest import run
from tests.support.builders.pictures import JOB, manifest

RECORD = f"jobs/{JOB}/function/records/000001.json"
MANIFEST = naming.manifest_name(JOB)
IMAGE = naming.image_name(JOB, "container", 1)


def edit(**values: Any) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:90])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (edit(schema="diptych.job/2"), "schema is 'diptych.job/2', not 'diptych.job/1'"),
        (cut, "it is cut off or no JSON"),
        (edit(job_id="another"), "says that it is job another: it has been moved or edited"),
        (edit(job_id="<img src=x onerror=alert(1)>"), "job_id: String should match pattern"),
        (Path.unlink, f"no job '{JOB}' in file://"),
    ],
)
def test_a_damaged_manifest_ends_it(
    store: DirectoryStore, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(store.root / MANIFEST)
    for command in (["compare", JOB], ["report", JOB, "-o", str(tmp_path / "r.html")]):
        result = run(store, *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (edit(schema="diptych.record/2"), "schema is 'diptych.record/2', not 'diptych.record/1'"),
        (cut, "it is cut off or no JSON"),
        (edit(process_s="soon"), "process_s: Input should be a valid number"),
        (edit(task_index=0), "has been moved or edited"),
        (edit(params={"\x1b[31m": []}), "it was damaged or edited"),
    ],
)
def test_a_damaged_record_is_left_out_and_named(
    store: DirectoryStore, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(store.root / RECORD)
    path = tmp_path / "r.html"
    lost = "function: 1 of 3 records left out, since damaged; the first: "
    shown = run(store, "compare", JOB)
    assert (shown.exit_code, shown.stderr) == (0, "")
    text = " ".join(shown.stdout.split())
    assert f"{lost}{RECORD} " in text
    assert told in text
    (function,) = json.loads(run(store, "compare", JOB, "--json").stdout)["targets"][1:]
    assert (function["tasks"], function["unreadable"]) == (2, 1)
    assert told in function["why_unreadable"]
    written = run(store, "report", JOB, "-o", str(path))
    assert (written.exit_code, written.stdout) == (0, f"{path}\n")
    assert written.stderr.startswith(f"{lost}{RECORD} ")
    assert len(written.stderr.splitlines()) == 1
    assert lost in path.read_text()
    assert "\x1b" not in shown.stdout + written.stderr
    assert "function: 1 damaged document: not in the sums." in run(store, "cost", JOB).stdout


def test_a_job_with_nothing_but_damaged_records_is_not_called_empty(
    store: DirectoryStore, tmp_path: Path
) -> None:
    for path in (store.root / f"jobs/{JOB}").glob("*/records/*.json"):
        cut(path)
    told = (
        f"job {JOB} has no record that can be compared; container: 3 of 3 records left out, since damaged;"
        f" the first: jobs/{JOB}/container/records/000000.json cannot be read: it is cut off"
    )
    shown = run(store, "compare", JOB)
    assert (shown.exit_code, shown.stdout.startswith(told)) == (0, True)
    assert "; function: 3 of 3 records left out" in shown.stdout
    written = run(store, "report", JOB, "-o", str(tmp_path / "r.html"))
    assert (written.exit_code, written.stdout) == (1, "")
    assert written.stderr.startswith(f"error: {told}")
    assert not (tmp_path / "r.html").exists()
    assert "container: 3 damaged documents: not in the sums." in run(store, "cost", JOB).stdout


@pytest.mark.parametrize(
    "command",
    [
        *(
            ["ls"],
            ["show"],
            ["compare"],
            ["report", "-o", "r.html"],
            ["verify"],
            ["cost"],
            ["gallery", "-o", "g"],
        ),
        *(["export", "--format", "csv"], ["download", "-o", "d"], ["contact-sheet", "-o", "c.png"]),
    ],
)
@pytest.mark.parametrize("damaged", [True, False])
def test_every_command_tells_of_a_job_that_is_not_there(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], damaged: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if damaged:
        edit(job_id="another")(store.root / MANIFEST)
    else:
        (store.root / MANIFEST).unlink()
    result = run(store, command[0], JOB, *command[1:])
    assert result.exit_code == 1
    assert ("moved or edited" if damaged else f"no job '{JOB}'") in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_job_that_was_only_just_submitted(store: DirectoryStore, tmp_path: Path) -> None:
    store.create(naming.manifest_name("half"), dump(manifest(job_id="half")), JSON_TYPE)
    for command in (["compare", "half"], ["cost", "half"]):
        result = run(store, *command)
        assert (result.exit_code, result.stdout) == (
            0,
            "job half has no records yet: see `diptych status half`\n",
        )
    result = run(store, "report", "half", "-o", str(tmp_path / "r.html"))
    assert (result.exit_code, result.stderr) == (
        1,
        "error: job half has no records yet: see `diptych status half`\n",
    )
    result = run(store, "export", "half", "--both", "--format", "csv", "-o", str(tmp_path / "half.csv"))
    assert result.exit_code == 0
    assert "20 images not in it: see `diptych status half`" in result.stderr


def test_a_missing_png_is_told(store: DirectoryStore, tmp_path: Path) -> None:
    (store.root / IMAGE).unlink()
    told = f"{IMAGE} is missing, though its task's record lists it"
    assert told in run(store, "download", JOB, "-o", str(tmp_path / "d")).stderr
    shown = run(store, "show", JOB, "1").stdout
    assert "container: image 1 is missing, though its task's record lists it\nfunction: image 1\n" in shown
    exported = run(store, "export", JOB, "--both", "--format", "tar", "-o", str(tmp_path / "a.tar"))
    assert (exported.exit_code, told in exported.stderr, "19 images" in exported.stdout) == (3, True, True)
    verified = run(store, "verify", JOB, "--target", "container")
    assert f"BAD  {IMAGE}: missing: it is not there" in verified.stdout
    # The figures need no pictures.
    assert run(store, "compare", JOB).exit_code == 0


def test_a_png_that_was_changed_is_told(store: DirectoryStore, tmp_path: Path) -> None:
    (store.root / IMAGE).write_bytes(store.read(naming.image_name(JOB, "container", 2)))
    told = f"{IMAGE} is not the image that its record lists: it was changed since"
    assert told in run(store, "download", JOB, "-o", str(tmp_path / "d")).stderr
    shown = run(store, "show", JOB, "1").stdout
    assert shown.count("CHANGED: the record has another SHA-256") == 1
    assert shown.count("the same file") == 1
    exported = run(store, "export", JOB, "--format", "tar", "-o", str(tmp_path / "a.tar"))
    assert (exported.exit_code, told in exported.stderr) == (3, True)
    strict = run(store, "export", JOB, "--format", "tar", "-o", str(tmp_path / "b.tar"), "--strict")
    assert (strict.exit_code, told in strict.stderr, (tmp_path / "b.tar").exists()) == (1, True, False)
    verified = run(store, "verify", JOB, "--target", "container")
    assert verified.exit_code == 1
    assert f"BAD  {IMAGE}: changed: its SHA-256 is not the one in its task's record" in verified.stdout


def test_html_in_a_record_or_a_name_does_not_get_into_the_report(
    store: DirectoryStore, tmp_path: Path
) -> None:
    hostile = "</style><script>alert('<b>')</script>"
    edit(cpu_model=hostile, worker_revision=hostile, instance_id=hostile)(store.root / RECORD)
    edit(params={"prompt": hostile})(store.root / MANIFEST)
    path = tmp_path / "r.html"
    assert run(store, "report", JOB, "-o", str(path)).exit_code == 0
    page = path.read_text()
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "&lt;/style&gt;&lt;script&gt;alert(" in page
    result = run(store, "report", "<script>", "-o", str(path))
    assert (result.exit_code, "bad name '<script>'" in result.stderr) == (1, True)
