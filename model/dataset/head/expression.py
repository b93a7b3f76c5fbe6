"""What the face does: smiles with and without teeth, brows, lids. Weights of the CC0 "face units"."""

from __future__ import annotations

from model.dataset.streams import RandomStream


def draw_expression(stream: RandomStream) -> dict[str, float]:
    """Draw an expression for a portrait: mostly friendly, never extreme.

    A smile that lifts the corners alone looks smug, so the corners are also stretched, the upper lip lifted,
    the cheeks raised and the lower lids tightened with it.

    Args:
        stream: the face's own "expression" stream.
    Returns:
        Shape weights for `ShapeBank.deform`.
    """
    weights: dict[str, float] = {}
    mood = stream.pick((0.42, 0.33, 0.25))
    if mood == 0:
        _open_smile(stream, weights)
    elif mood == 1:
        _closed_smile(stream, weights)
    else:
        _calm(stream, weights)
    brows = stream.near(0.06, 0.2)
    if brows > 0:
        weights["face:browInnerUp"] = 0.4 * brows
        _both(weights, "browOuterUp", 0.7 * brows, stream, 0.15)
    else:
        _both(weights, "browDown", -0.7 * brows, stream, 0.05)
    _both(weights, "eyeWide", max(0.05, stream.near(0.24, 0.09)), stream, 0.03)
    return weights


def _open_smile(stream: RandomStream, weights: dict[str, float]) -> None:
    strength = stream.between(0.6, 1.0)
    _both(weights, "mouthSmile", 0.92 * strength, stream)
    _both(weights, "mouthStretch", 0.18 * strength, stream)
    _both(weights, "mouthUpperUp", 1.0 * strength, stream)
    _both(weights, "mouthLowerDown", 0.85 * strength, stream)
    _both(weights, "cheekSquint", 0.40 * strength, stream)
    _both(weights, "eyeSquint", 0.16 * strength, stream)
    weights["face:jawOpen"] = stream.between(0.0, 0.04) * strength


def _closed_smile(stream: RandomStream, weights: dict[str, float]) -> None:
    strength = stream.between(0.2, 0.8)
    _both(weights, "mouthSmile", 0.75 * strength, stream)
    _both(weights, "mouthStretch", 0.20 * strength, stream)
    _both(weights, "cheekSquint", 0.25 * strength, stream)
    _both(weights, "eyeSquint", 0.10 * strength, stream)


def _calm(stream: RandomStream, weights: dict[str, float]) -> None:
    _both(weights, "mouthSmile", stream.between(0.0, 0.18), stream)
    if stream.chance(0.2):
        weights["face:jawOpen"] = stream.between(0.03, 0.14)
    elif stream.chance(0.2):
        _both(weights, "mouthFrown", stream.between(0.05, 0.25), stream)


def _both(
    weights: dict[str, float], unit: str, strength: float, stream: RandomStream, uneven: float = 0.06
) -> None:
    """The same unit left and right, a little uneven as faces are."""
    tilt = stream.near(0.0, uneven)
    weights[f"face:{unit}Left"] = strength * (1.0 + tilt)
    weights[f"face:{unit}Right"] = strength * (1.0 - tilt)
