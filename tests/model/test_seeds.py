"""The stream from seed to latents is frozen: these vectors may never change."""

from __future__ import annotations

import numpy as np
import pytest

from model.seeds import image_seed, latents


@pytest.mark.parametrize(
    ("seed", "index", "expected"),
    [
        (0, 0, 3681791218403400168),
        (7, 0, 2599679038228282253),
        (7, 1, 9179267297987307261),
        (8, 0, 184474042353351769),
        (2**63 - 1, 99_999_999, 583973168619757569),
    ],
)
def test_image_seed_is_frozen(seed: int, index: int, expected: int) -> None:
    assert image_seed(seed, index) == expected


@pytest.mark.parametrize(
    ("seed", "first", "last"),
    [
        (0, [-0.36259031295776367, -0.4159747362136841], -1.0437612533569336),
        (1, [-0.7801458835601807, 0.8401660323143005], -0.09668300300836563),
        (2599679038228282253, [-1.3094441890716553, 0.5931373834609985], -0.0756826400756836),
        (2**63 - 1, [1.0388755798339844, -1.4511972665786743], -0.09011156857013702),
    ],
)
def test_latents_are_frozen_to_the_bit(seed: int, first: list[float], last: float) -> None:
    row = latents([seed], 512)[0]
    assert row.dtype == np.float32
    assert row[:2].tolist() == first
    assert row[-1].item() == last


def test_latents_of_a_seed_do_not_depend_on_its_neighbours() -> None:
    together = latents([3, 1, 2], 16)
    assert np.array_equal(together[1], latents([1], 16)[0])


def test_a_shorter_latent_is_the_beginning_of_a_longer_one() -> None:
    assert np.array_equal(latents([5], 128)[0], latents([5], 512)[0, :128])


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (2**63, 0), (0, -1)])
def test_seeds_out_of_range_are_refused(seed: int, index: int) -> None:
    with pytest.raises(ValueError, match=r"outside|negative"):
        image_seed(seed, index)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_latents_of_a_seed_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        latents([seed], 4)
