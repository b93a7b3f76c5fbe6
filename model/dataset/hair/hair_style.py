"""A haircut, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

SHORT = 0.78
"""Hair on top that is shorter than this stays where it is combed; longer hair falls."""


@dataclass(frozen=True)
class HairStyle:
    """One haircut. Lengths in decimetres.

    Attributes:
        name: name of the haircut.
        strands: how many of the scalp's roots are used.
        points: points per strand.
        top, side, back: length of hair by where it grows.
        layer: how high the outermost hair lies above the skin.
        lift: how steeply hair leaves the skin, 0 flat … 1 and more upright.
        comb: "crown" (away from the whorl), "part", "back", "up" or "tie".
        part: where the parting runs, x in decimetres.
        weight: pull of gravity per step, 0..1.
        cling: pull back to the layer per step, 0..1.
        fringe: height at which the front is cut, 0 for no fringe.
        cut: height at which everything is cut, 0 for none.
        wave, wave_turns: amplitude of waves that neighbours share, and radians per decimetre.
        curl, curl_turns: the same for curls that every lock has for itself.
        clump: how much strands gather into locks, 0..1.
        fade: 0..1, how far the sides are clipped.
        clear: half the width of the face that is kept free.
        swept: backward push below the ears.
        bun: 0 none, 1 on top, 2 behind.
    """

    name: str
    strands: int = 9000
    points: int = 7
    top: float = 0.3
    side: float = 0.2
    back: float = 0.2
    layer: float = 0.08
    lift: float = 0.3
    comb: str = "crown"
    part: float = 0.0
    weight: float = 0.03
    cling: float = 0.25
    fringe: float = 0.0
    cut: float = 0.0
    wave: float = 0.0
    wave_turns: float = 5.0
    curl: float = 0.0
    curl_turns: float = 18.0
    clump: float = 0.35
    fade: float = 0.0
    clear: float = 0.5
    swept: float = 0.1
    bun: int = 0
