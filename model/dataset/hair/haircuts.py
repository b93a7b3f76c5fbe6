"""Haircuts, each with some random variation."""

from __future__ import annotations

from model.dataset.hair.hair_style import HairStyle
from model.dataset.streams import RandomStream


def _bald(_: RandomStream) -> HairStyle:
    return HairStyle("bald", strands=0)


def _buzz(stream: RandomStream) -> HairStyle:
    length = stream.between(0.035, 0.08)
    return HairStyle(
        "buzz", points=3, top=length, side=length * 0.8, back=length * 0.8, layer=0.03, lift=0.5, clump=0.0
    )


def _crop(stream: RandomStream) -> HairStyle:
    top = stream.between(0.18, 0.4)
    fringe = stream.between(7.78, 7.98) if stream.chance(0.55) else 0.0
    return HairStyle(
        "crop",
        top=top,
        side=stream.between(0.10, 0.18),
        back=0.16,
        layer=stream.between(0.07, 0.14),
        lift=stream.between(0.2, 0.5) if fringe else stream.between(0.5, 0.9),
        fringe=fringe,
        clump=stream.between(0.3, 0.7),
        wave=stream.between(0.0, 0.02),
    )


def _side(stream: RandomStream) -> HairStyle:
    return HairStyle(
        "side",
        points=10,
        top=stream.between(0.45, 0.75),
        side=stream.between(0.14, 0.28),
        back=0.22,
        layer=stream.between(0.07, 0.13),
        lift=stream.between(0.35, 0.7),
        comb="part",
        part=stream.between(0.22, 0.42) * (1 if stream.chance(0.5) else -1),
        clump=stream.between(0.2, 0.5),
        wave=stream.between(0.0, 0.03),
    )


def _back(stream: RandomStream) -> HairStyle:
    return HairStyle(
        "back",
        points=10,
        top=stream.between(0.5, 0.9),
        side=stream.between(0.15, 0.3),
        back=0.25,
        layer=stream.between(0.10, 0.2),
        lift=stream.between(0.5, 1.1),
        comb="back",
        clump=stream.between(0.2, 0.5),
        wave=stream.between(0.0, 0.03),
    )


def _curly(stream: RandomStream) -> HairStyle:
    length = stream.between(0.25, 0.6)
    return HairStyle(
        "curly",
        points=14,
        strands=8000,
        top=length,
        side=length * stream.between(0.5, 0.9),
        back=length * 0.8,
        layer=stream.between(0.14, 0.24),
        lift=stream.between(0.6, 1.2),
        cling=0.1,
        curl=stream.between(0.03, 0.055),
        curl_turns=stream.between(18.0, 30.0),
        clump=0.75,
    )


def _afro(stream: RandomStream) -> HairStyle:
    length = stream.between(0.12, 0.5)
    return HairStyle(
        "afro",
        points=9,
        top=length,
        side=length * stream.between(0.6, 1.0),
        back=length,
        layer=length * 0.8,
        lift=3.0,
        comb="up",
        weight=0.0,
        cling=0.0,
        curl=0.02 + 0.03 * length,
        curl_turns=stream.between(30.0, 45.0),
        clump=0.3,
    )


def _mid(stream: RandomStream) -> HairStyle:
    return HairStyle(
        "mid",
        strands=6000,
        points=16,
        top=stream.between(0.8, 1.2),
        side=stream.between(0.6, 1.0),
        back=stream.between(0.6, 1.0),
        layer=stream.between(0.10, 0.18),
        lift=stream.between(0.4, 0.7),
        comb="part" if stream.chance(0.6) else "back",
        part=stream.between(-0.35, 0.35),
        weight=0.22,
        cling=0.3,
        wave=stream.between(0.0, 0.05),
        clump=0.4,
        swept=0.25,
    )


def _bob(stream: RandomStream) -> HairStyle:
    fringed = stream.chance(0.35)
    wavy = stream.chance(0.4)
    return HairStyle(
        "bob",
        strands=5000,
        points=20,
        top=2.2,
        side=2.0,
        back=1.6,
        layer=stream.between(0.08, 0.16),
        lift=stream.between(0.15, 0.35),
        comb="part",
        part=stream.pick((0.4, 0.3, 0.3)) * 0.28 - 0.28,
        weight=0.34,
        cling=0.35,
        fringe=stream.between(7.5, 7.66) if fringed else 0.0,
        cut=stream.between(5.95, 6.7),
        wave=stream.between(0.03, 0.06) if wavy else stream.between(0.0, 0.012),
        wave_turns=stream.between(5.0, 9.0),
        clump=stream.between(0.3, 0.5),
        clear=stream.between(0.53, 0.66),
        swept=stream.between(0.0, 0.15),
    )


def _long(stream: RandomStream) -> HairStyle:
    kind = stream.pick((0.45, 0.35, 0.2))
    fringed = stream.chance(0.25)
    curl = stream.between(0.04, 0.07) if kind == 2 else 0.0
    return HairStyle(
        "long",
        strands=4500,
        points=30,
        top=stream.between(2.7, 3.6),
        side=stream.between(2.4, 3.2),
        back=2.6,
        layer=stream.between(0.08, 0.16) + (0.1 if kind == 2 else 0.0),
        lift=stream.between(0.15, 0.35),
        comb="part",
        part=stream.pick((0.4, 0.3, 0.3)) * 0.28 - 0.28,
        weight=0.34,
        cling=0.35,
        fringe=stream.between(7.5, 7.66) if fringed else 0.0,
        wave=stream.between(0.03, 0.07) if kind == 1 else stream.between(0.0, 0.012),
        wave_turns=stream.between(4.0, 8.0),
        curl=curl,
        curl_turns=stream.between(9.0, 16.0),
        clump=0.7 if kind == 2 else stream.between(0.3, 0.5),
        clear=stream.between(0.53, 0.66) + (0.05 if kind == 2 else 0.0),
        swept=stream.between(-0.05, 0.25),
    )


def _tied(stream: RandomStream) -> HairStyle:
    return HairStyle(
        "tied",
        strands=7000,
        points=16,
        top=2.0,
        side=2.0,
        back=2.0,
        layer=stream.between(0.05, 0.10),
        lift=stream.between(0.15, 0.4),
        comb="tie",
        weight=0.0,
        cling=0.3,
        clump=0.3,
        wave=stream.between(0.0, 0.015),
        bun=stream.pick((0.0, 0.45, 0.55)),
    )


HAIRCUTS = {
    "bald": _bald,
    "buzz": _buzz,
    "crop": _crop,
    "side": _side,
    "back": _back,
    "curly": _curly,
    "afro": _afro,
    "mid": _mid,
    "bob": _bob,
    "long": _long,
    "tied": _tied,
}
