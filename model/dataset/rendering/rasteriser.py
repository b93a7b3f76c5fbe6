"""A z-buffer on the CPU: triangles and thick lines, in pixels, larger depth nearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.dataset.assets import Floats, Ints
from model.dataset.rendering.jit import compiled

FAR = np.float32(-1e9)


class Layer:
    """What is visible at every pixel: depth, which primitive, and where on it.

    Attributes:
        depth: [S, S], FAR where nothing was drawn.
        index: [S, S], the primitive's number, -1 for none.
        place: [S, S, 2]; on a triangle the weights of corners 1 and 2, on a line (how far along, across).
    """

    def __init__(self, size: int, depth: Floats | None = None) -> None:
        self.depth: Floats = np.full((size, size), FAR, dtype=np.float32) if depth is None else depth.copy()
        self.index: Ints = np.full((size, size), -1, dtype=np.int32)
        self.place: Floats = np.zeros((size, size, 2), dtype=np.float32)

    def triangles(self, points: Floats, faces: Ints) -> None:
        """Draw triangles [F, 3] over points [V, 3] (x and y in pixels, depth)."""
        _triangles(points, faces, self.depth, self.index, self.place)

    def lines(self, points: Floats, counts: Ints, radius: Floats) -> None:
        """Draw polylines as ribbons; the primitive's number is `strand * length + segment`.

        Args:
            points: [N, L, 3], x and y in pixels and depth.
            counts: [N], how many of the L points each strand uses.
            radius: [N, L], half the width in pixels.
        """
        _lines(points, counts, radius, self.depth, self.index, self.place)


@compiled
def _triangles(points: Floats, faces: Ints, depth: Floats, index: Ints, place: NDArray[np.float32]) -> None:
    height, width = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
        cx, cy, cz = points[c, 0] - ax, points[c, 1] - ay, points[c, 2] - az
        area = bx * cy - cx * by
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.floor(ax + min(0.0, bx, cx) - 0.5)))
        right = min(width - 1, int(np.ceil(ax + max(0.0, bx, cx) - 0.5)))
        top = max(0, int(np.floor(ay + min(0.0, by, cy) - 0.5)))
        bottom = min(height - 1, int(np.ceil(ay + max(0.0, by, cy) - 0.5)))
        for y in range(top, bottom + 1):
            py = y + 0.5 - ay
            for x in range(left, right + 1):
                px = x + 0.5 - ax
                u = (px * cy - cx * py) / area
                v = (bx * py - px * by) / area
                if u < -1e-5 or v < -1e-5 or u + v > 1.00001:
                    continue
                z = az + u * bz + v * cz
                if z > depth[y, x]:
                    depth[y, x] = z
                    index[y, x] = f
                    place[y, x, 0] = u
                    place[y, x, 1] = v


@compiled
def _lines(
    points: Floats, counts: Ints, radius: Floats, depth: Floats, index: Ints, place: NDArray[np.float32]
) -> None:
    height, width = depth.shape
    length = points.shape[1]
    for n in range(points.shape[0]):
        for s in range(counts[n] - 1):
            ax, ay, az = points[n, s, 0], points[n, s, 1], points[n, s, 2]
            dx, dy, dz = points[n, s + 1, 0] - ax, points[n, s + 1, 1] - ay, points[n, s + 1, 2] - az
            square = dx * dx + dy * dy + 1e-9
            ra, rb = radius[n, s], radius[n, s + 1]
            reach = max(ra, rb)
            left = max(0, int(np.floor(ax + min(0.0, dx) - reach)))
            right = min(width - 1, int(np.ceil(ax + max(0.0, dx) + reach)))
            top = max(0, int(np.floor(ay + min(0.0, dy) - reach)))
            bottom = min(height - 1, int(np.ceil(ay + max(0.0, dy) + reach)))
            for y in range(top, bottom + 1):
                py = y + 0.5 - ay
                for x in range(left, right + 1):
                    px = x + 0.5 - ax
                    t = min(1.0, max(0.0, (px * dx + py * dy) / square))
                    ex, ey = px - t * dx, py - t * dy
                    r = ra + t * (rb - ra)
                    apart = ex * ex + ey * ey
                    if apart > r * r:
                        continue
                    z = az + t * dz
                    if z > depth[y, x]:
                        depth[y, x] = z
                        index[y, x] = n * length + s
                        place[y, x, 0] = t
                        place[y, x, 1] = np.sqrt(apart) / r
