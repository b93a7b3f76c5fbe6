"""A folder of rendered faces: resumable, the same whatever the split; its command."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

if not os.environ.get("CI"):  # what is missing skips on a laptop and fails in CI
    pytest.importorskip("numba", reason="numba: pip install -e '.[faces]'")
    pytest.importorskip("scipy", reason="scipy: pip install -e '.[faces]'")

from diptych.commands.model.dataset import dataset
from model.dataset import manifest, writer
from model.dataset.errors import FacesError
from model.dataset.manifest import FacesConfig, open_folder
from model.dataset.writer import Written, picture_path, render_face, write_faces
from tests.support.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.usefixtures("face_assets")
SIZE = 32


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.png"))}


def group_lives(group: int) -> bool:
    """Whether a process of that group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def ignore(_: int) -> None:
    """A progress that nobody looks at."""


def write(folder: Path, count: int, seed: int = 5, jobs: int = 1) -> Written:
    return write_faces(folder, FacesConfig(count, SIZE, seed), jobs, ignore)


class TestFolder:
    def test_the_split_does_not_matter(self, tmp_path: Path) -> None:
        assert write(tmp_path / "serial", 20) == Written(rendered=20, found=0)
        assert write(tmp_path / "parallel", 20, jobs=2) == Written(rendered=20, found=0)
        assert digests(tmp_path / "serial") == digests(tmp_path / "parallel")
        assert len(set(digests(tmp_path / "serial").values())) == 20

    def test_goes_on_where_it_was(self, tmp_path: Path) -> None:
        write(tmp_path, 6)
        before = digests(tmp_path)
        picture_path(tmp_path, 2).unlink()
        picture_path(tmp_path, 4).write_bytes(b"")
        assert write(tmp_path, 6) == Written(rendered=2, found=4)
        assert digests(tmp_path) == before

    def test_a_larger_count_adds_and_a_smaller_takes_nothing(self, tmp_path: Path) -> None:
        write(tmp_path, 2)
        before = digests(tmp_path)
        assert write(tmp_path, 4) == Written(rendered=2, found=2)
        assert write(tmp_path, 1) == Written(rendered=0, found=4)
        after = digests(tmp_path)
        assert len(after) == 4
        assert before.items() <= after.items()
        assert json.loads((tmp_path / "manifest.json").read_text())["count"] == 4

    def test_progress_counts_from_what_is_there_to_the_end(self, tmp_path: Path) -> None:
        write(tmp_path, 3)
        told: list[int] = []
        write_faces(tmp_path, FacesConfig(12, SIZE, 5), 1, told.append)
        assert told[0] == 3
        assert told[-1] == 12
        assert told == sorted(told)

    def test_the_manifest_says_what_it_is(self, tmp_path: Path) -> None:
        write(tmp_path, 1)
        said = json.loads((tmp_path / "manifest.json").read_text())
        assert said["licence"] == "CC0-1.0"
        assert (said["size"], said["seed"], said["count"]) == (SIZE, 5, 1)
        assert said["renderer_version"] == manifest.RENDERER_VERSION
        picture = Image.open(tmp_path / "00000000.png")
        assert (picture.size, picture.mode) == ((SIZE, SIZE), "RGB")

    @pytest.mark.parametrize(
        ("size", "seed", "named"), [(64, 5, "size 32, not 64"), (32, 6, "seed 5, not 6")]
    )
    def test_another_set_is_refused(self, tmp_path: Path, size: int, seed: int, named: str) -> None:
        open_folder(tmp_path, FacesConfig(3, SIZE, 5))
        with pytest.raises(FacesError, match=named):
            open_folder(tmp_path, FacesConfig(3, size, seed))

    def test_another_renderer_is_refused(self, tmp_path: Path) -> None:
        open_folder(tmp_path, FacesConfig(3, SIZE, 5))
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "renderer_version": "0"}))
        with pytest.raises(FacesError, match="rendered by version 0"):
            open_folder(tmp_path, FacesConfig(3, SIZE, 5))

    @pytest.mark.parametrize("content", ["", "[]", "{}", "{", '"text"', '{"schema": "diptych.faces/1"}'])
    def test_a_damaged_manifest_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(FacesError, match=r"manifest\.json is damaged"):
            open_folder(tmp_path, FacesConfig(3, SIZE, 5))

    def test_someone_elses_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "holiday.jpg").write_bytes(b"x")
        with pytest.raises(FacesError, match="not empty"):
            open_folder(tmp_path, FacesConfig(3, SIZE, 5))
        assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]

    def test_a_full_disk_keeps_what_is_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = manifest.write_atomically

        def fills_up(path: Path, content: bytes) -> None:
            if path.name == "00000009.png":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            kept(path, content)

        monkeypatch.setattr(writer, "write_atomically", fills_up)
        with pytest.raises(FacesError, match="No space left on device; 9 of 12 faces are kept"):
            write(tmp_path, 12)
        monkeypatch.undo()
        assert write(tmp_path, 12) == Written(rendered=3, found=9)
        assert not list(tmp_path.glob(".*"))

    @pytest.mark.parametrize(
        ("count", "size", "seed"),
        [(0, 64, 0), (10**8, 64, 0), (1, 100, 0), (1, 0, 0), (1, 64, -1), (1, 64, 2**63)],
    )
    def test_numbers_out_of_range_are_refused(self, count: int, size: int, seed: int) -> None:
        with pytest.raises(FacesError):
            FacesConfig(count, size, seed)


class TestCommand:
    def test_renders_and_says_so(self, tmp_path: Path) -> None:
        options = [
            "faces",
            "--count",
            "2",
            "--size",
            "32",
            "--jobs",
            "1",
            "--quiet",
            "--json",
            "-o",
            str(tmp_path / "f"),
        ]
        result = CliRunner().invoke(dataset, options)
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert (said["rendered"], said["found"]) == (2, 0)
        assert len(digests(tmp_path / "f")) == 2

    @pytest.mark.parametrize("option", ["--size=100", "--count=0", "--jobs=0", "--seed=-1"])
    def test_bad_numbers_are_one_line(self, tmp_path: Path, option: str) -> None:
        result = CliRunner().invoke(dataset, ["faces", "--quiet", "-o", str(tmp_path / "f"), option])
        assert isinstance(result.exception, FacesError)
        assert "\n" not in str(result.exception)
        assert not list(tmp_path.glob("f/*.png"))

    def test_ctrl_c_keeps_what_is_there_and_leaves_no_process(self, tmp_path: Path) -> None:
        folder = tmp_path / "faces"
        program = "from diptych.commands.model.dataset import dataset; dataset()"
        options = [
            "faces",
            "--count",
            "100000",
            "--size",
            "32",
            "--jobs",
            "2",
            "--seed",
            "5",
            "-o",
            str(folder),
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", program, *options],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_until(lambda: len([*folder.glob("*.png")]) >= 4 or process.poll() is not None, "four faces")
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 130, said
        assert "the same command continues" in said
        assert "Traceback" not in said
        wait_until(lambda: not group_lives(process.pid), "the end of every process")
        there = digests(folder)
        assert not list(folder.glob(".*"))
        for name in list(there)[:3]:
            expected = render_face(FacesConfig(1, SIZE, 5), int(Path(name).stem))
            assert np.array_equal(np.asarray(Image.open(folder / name)), expected)
