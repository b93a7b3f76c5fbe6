"""The hair on one head: a haircut combed, grown, cut, curled and put on."""

from __future__ import annotations

import numpy as np

from model.dataset.assets import Floats, Ints, load_assets
from model.dataset.hair.hair_style import SHORT, HairStyle
from model.dataset.hair.scalp import GUIDES, Hairline, Roots, beard_roots, scalp_roots
from model.dataset.hair.strands import HairGrowth, Strands, curl, gather, grow, wear
from model.dataset.head.mesh import ramp, unit
from model.dataset.streams import RandomStream

WHORL = np.array([0.10, 8.38, -0.10], dtype=np.float32)
TIES = {0: (0.0, 7.7, -1.0), 1: (0.0, 8.62, -0.25), 2: (0.0, 7.65, -0.72)}
STRAND_RADIUS = 0.015
NEVER = np.float32(-1e9)


def make_hair(stream: RandomStream, style: HairStyle, line: Hairline, vertices: Floats) -> Strands | None:
    """Grow a head of hair.

    Args:
        stream: the face's own "hair" stream.
        style: the haircut.
        line: the hairline.
        vertices: the person's deformed vertices [V, 3].
    Returns:
        Strands on that head, None for a bald one.
    """
    if style.strands == 0:
        return None
    roots = scalp_roots()
    inside = line.inside(roots.polar, roots.azimuth)
    chosen = np.flatnonzero(
        inside[: _enough(inside, style.strands)]
        > 3.0 * (roots.dice[: _enough(inside, style.strands), 3] - 0.5)
    )
    growth = _growth(style, roots, chosen, inside[chosen])
    leaders = _leaders(roots, chosen, growth.side + 4.0 * (growth.floor > NEVER) + 2.0 * (growth.clear > 0))
    points, out, counts = grow(roots, chosen, growth, style.points)
    arc = np.linspace(0.0, 1.0, style.points, dtype=np.float32)[None] * growth.length[:, None]
    points = gather(points, leaders, style.clump)
    own = roots.dice[roots.guide[chosen], 2] * 6.28
    if style.wave > 0:
        shared = 1.5 * roots.rest[chosen, 0] + 0.35 * own + stream.between(0.0, 6.28)
        points = curl(points, arc, shared, style.wave, style.wave_turns)
    if style.curl > 0:
        points = curl(points, arc, own + 0.8 * roots.dice[chosen, 1], style.curl, style.curl_turns)
    rest = load_assets().rest
    worn = wear(points, vertices - rest, roots.on(vertices)[chosen])
    tint = 0.6 * (2 * roots.dice[roots.guide[chosen], 0] - 1) + 0.4 * (2 * roots.dice[chosen, 0] - 1)
    hair = Strands(worn, out, counts, tint, roots.dice[chosen, 1], _radius(worn, STRAND_RADIUS))
    if style.bun:
        lift = (roots.on(vertices)[chosen] - roots.rest[chosen]).mean(axis=0)
        return Strands.joined([hair, _bun(stream, np.array(TIES[style.bun], dtype=np.float32) + lift)])
    return hair


def make_beard(stream: RandomStream, length: float, cover: Floats, vertices: Floats) -> Strands:
    """Grow a beard.

    Args:
        stream: the face's own "beard" stream.
        length: decimetres.
        cover: 0..1 per root of `beard_roots()`: the cut of the beard.
        vertices: the person's deformed vertices [V, 3].
    """
    roots = beard_roots()
    chosen = np.flatnonzero(cover > 0.4 + 0.35 * roots.dice[:, 3])
    down = np.array([0.0, -1.0, 0.1], dtype=np.float32) + 0.4 * np.sign(roots.rest[chosen]) * [1, 0, 0]
    count = len(chosen)
    growth = HairGrowth(
        start=unit(_along(down, roots.normal[chosen]) + 0.7 * roots.normal[chosen]),
        length=length
        * (0.6 + 0.5 * roots.dice[chosen, 0])
        * (0.25 + 0.75 * ramp(6.62, 6.45, roots.rest[chosen, 1])),
        height=np.full(count, 0.25 * length, dtype=np.float32) * roots.dice[chosen, 1],
        floor=np.full(count, NEVER),
        weight=0.08,
        cling=0.15,
        swept=0.0,
        clear=np.zeros(count, dtype=np.float32),
        side=np.ones(count, dtype=np.float32),
        tie=np.zeros(3, dtype=np.float32),
        pull=0.0,
    )
    points, out, counts = grow(roots, chosen, growth, 5)
    points = gather(points, _leaders(roots, chosen, growth.side), 0.3)
    worn = wear(points, vertices - load_assets().rest, roots.on(vertices)[chosen])
    tint = 0.5 * (2 * roots.dice[chosen, 0] - 1) + stream.near(0.0, 0.05)
    return Strands(worn, out, counts, tint, roots.dice[chosen, 1], _radius(worn, 0.013))


def _enough(inside: Floats, wanted: int) -> int:
    """How many of the shuffled roots must be looked at to find so many within the hairline."""
    found = np.cumsum(inside > 0)
    return max(GUIDES, int(np.searchsorted(found, wanted)))


def _leaders(roots: Roots, chosen: Ints, group: Floats) -> Ints:
    """The leader of each chosen root's lock as an index into `chosen`.

    A root leads itself where its leader was not chosen or is combed to another side (`group` [N] differs):
    locks across the parting would hang in the face.
    """
    place = np.full(len(roots.rest), -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    leader = place[roots.guide[chosen]]
    alike = (leader >= 0) & (group[leader] == group)
    return np.where(alike, leader, np.arange(len(chosen)))


def _growth(style: HairStyle, roots: Roots, chosen: Ints, inside: Floats) -> HairGrowth:
    """Turn a haircut into directions, lengths, heights and cuts for every strand."""
    rest, normal, dice = roots.rest[chosen], roots.normal[chosen], roots.dice[chosen]
    polar, azimuth = roots.polar[chosen], np.abs(roots.azimuth[chosen])
    top = ramp(78.0, 55.0, polar) if style.top > SHORT else ramp(72.0, 34.0, polar)
    behind = ramp(85.0, 125.0, azimuth)
    length = style.top * top + (1 - top) * (style.back * behind + style.side * (1 - behind))
    length = length * (1 - 0.85 * style.fade * ramp(52.0, 84.0, polar) * ramp(25.0, 50.0, azimuth))
    height = style.layer * (1 - 0.6 * (1 - top) * (style.top < 1.2)) * (0.15 + 0.85 * dice[:, 1])
    height = height * (1 - 0.8 * style.fade * ramp(52.0, 84.0, polar) * ramp(25.0, 50.0, azimuth))
    edge = ramp(-2.0, 10.0 if style.top > 1.2 else 24.0, inside)
    lift = style.lift * (0.35 + 0.65 * edge) * (0.6 + 0.8 * dice[:, 2])
    if style.comb == "part":
        lift = lift * (0.25 + 0.75 * ramp(0.0, 0.25, np.abs(rest[:, 0] - style.part)))
    front = (azimuth < 48.0) & (rest[:, 2] > 0.55) & (style.fringe > 0)
    floor = np.where(style.cut > 0, style.cut + 0.10 * (dice[:, 0] - 0.5), NEVER).astype(np.float32)
    fringe = style.fringe + 0.06 * (dice[:, 2] - 0.5) - 0.35 * rest[:, 0] ** 2
    floor = np.where(front, fringe, floor).astype(np.float32)
    direction = _combed(style, rest, normal)
    direction[front] = _along(
        np.array([0.15 * np.sign(style.part), -0.6, 1.0], dtype=np.float32), normal[front]
    )
    jitter = 0.18 * (dice[:, 1:4] - 0.5).astype(np.float32)
    clear = np.where(front | (style.top < SHORT), 0.0, style.clear)
    return HairGrowth(
        start=unit(unit(direction) + lift[:, None] * normal + jitter),
        length=(length * (0.8 + 0.4 * dice[:, 0]) * (0.35 + 0.65 * edge)).astype(np.float32),
        height=(height * (0.15 + 0.85 * edge)).astype(np.float32),
        floor=floor,
        weight=style.weight,
        cling=style.cling,
        swept=style.swept,
        clear=(clear * (0.9 + 0.3 * dice[:, 1])).astype(np.float32),
        side=np.where(rest[:, 0] > style.part, 1.0, -1.0).astype(np.float32),
        tie=np.array(TIES[style.bun], dtype=np.float32),
        pull=0.5 if style.comb == "tie" else 0.0,
    )


def _combed(style: HairStyle, rest: Floats, normal: Floats) -> Floats:
    """The direction [N, 3] along the skin in which hair is combed at each root."""
    crown = _along(rest - WHORL, normal)
    if style.comb == "up":
        return np.zeros_like(normal) + 0.2 * crown
    if style.comb == "tie":
        return _along(np.array(TIES[style.bun], dtype=np.float32) - rest, normal)
    if style.comb == "back":
        swept = np.stack([0.3 * rest[:, 0], 0 * rest[:, 0], -np.ones(len(rest))], axis=1)
        share = ramp(70.0, 50.0, np.degrees(np.arccos(np.clip(normal[:, 1], -1, 1))))[:, None]
        return share * _along(swept.astype(np.float32), normal) + (1 - share) * _along(
            _down_back(rest), normal
        )
    if style.comb == "part":
        side = np.where(rest[:, 0] > style.part, 1.0, -1.0)
        apart = np.stack([side, -0.35 + 0 * side, -0.25 + 0 * side], axis=1).astype(np.float32)
        share = ramp(0.05, 0.6, rest[:, 2])[:, None]
        return share * _along(apart, normal) + (1 - share) * crown
    return crown


def _down_back(rest: Floats) -> Floats:
    """Down and a little back, as hair at the sides is brushed."""
    return np.broadcast_to(np.array([0.0, -0.8, -0.6], dtype=np.float32), rest.shape)


def _along(direction: Floats, normal: Floats) -> Floats:
    """The part of a direction that runs along the skin, as unit vectors [N, 3]."""
    direction = np.broadcast_to(direction, normal.shape)
    flat = direction - (direction * normal).sum(axis=-1, keepdims=True) * normal
    return unit(flat.astype(np.float32))


def _radius(points: Floats, thickest: float) -> Floats:
    """Thin toward the tip."""
    taper = np.linspace(1.0, 0.55, points.shape[1], dtype=np.float32)
    return np.broadcast_to(thickest * taper, points.shape[:2]).astype(np.float32)


def _bun(stream: RandomStream, centre: Floats) -> Strands:
    """Hair wound into a ball."""
    count, length = 500, 12
    size = stream.between(0.2, 0.27)
    axis = unit(stream.standard_normal((count, 3)).astype(np.float32) * [1.0, 0.25, 1.0])
    start = unit(np.cross(axis, stream.standard_normal((count, 3))).astype(np.float32))
    other = np.cross(axis, start)
    angle = np.linspace(0.0, 2.2, length, dtype=np.float32)[None, :, None]
    around = np.cos(angle) * start[:, None] + np.sin(angle) * other[:, None]
    depth = stream.random_sample(count).astype(np.float32)
    points = centre + size * (0.85 + 0.15 * depth)[:, None, None] * around
    tint = stream.uniform(-0.7, 0.7, count).astype(np.float32)
    counts = np.full(count, length, dtype=np.int32)
    return Strands(
        points.astype(np.float32), around.astype(np.float32), counts, tint, depth, _radius(points, 0.016)
    )
