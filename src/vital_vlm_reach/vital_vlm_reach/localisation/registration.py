"""How a target is turned against its reference view: the rotation at which the two look most alike."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.localisation.target_view import CELL_M, HEIGHT_RANGE_M, TargetView

# How far two views of one thing differ in a cell: m of height, levels of colour.
HEIGHT_STD_M, COLOUR_STD = 0.001, 25.0
# A cell that differs by more than three of these is just another thing.
_MOST = 9.0
# Cells around the surface that count too: that there is nothing.
_RIM_CELLS = 6
# An outline is told to about this much.
_SOFT_CELLS = 1.0
# Nearer to the edge than this, colour shows from where the target is seen rather than how it is turned.
_EDGE_CELLS = 3
_LEAST_OVERLAP = 0.2
# Of the reference's surface; what is hidden beyond that could be anything.
_LEAST_SHOWN = 0.55
_MIDDLE_CELLS = 10
# What differs by fewer cells (within, at the outline) between the reference and itself turned tells nothing of a turn.
_TELLING_CELLS = np.array([30.0, 60.0])
# Another quarter of a turn is ruled out when it is worse by this many cells.
_LEAST_BEHIND = 12.0
# Above this, another thing is seen.
_MOST_COST = 4.0
# The same where part of it is hidden: less is left to tell a wrong place by.
_MOST_COST_HIDDEN = 2.0
# Neighbouring cells err together: how much wider the yaw's error is than that of independent ones, over 300 scenes.
_CORRELATED = 6.0
# The same where part of the target is hidden.
_CORRELATED_HIDDEN = 12.0
_FEWEST_SLOPE_CELLS = 60
# As many cells of a surface tell as much as one: pixels are wider than cells, and smoothed over nine.
_CORRELATED_CELLS = 20.0
_LEAST_STD_RAD, _MOST_STD_RAD = float(np.deg2rad(0.3)), float(np.pi / 4)
_COARSE_RAD = np.deg2rad(np.arange(0.0, 360.0, 6.0))
_COARSE_CELLS = (-3.0, 0.0, 3.0)
# The middle of what is seen of a target that is partly hidden lies beside its own.
_COARSE_CELLS_HIDDEN = (-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0)
_EVERY = 4
_STARTS, _APART_RAD = 2, float(np.deg2rad(15.0))
_QUARTERS = np.pi / 2 * np.arange(4)
_PROBES_RAD = np.deg2rad([-2.0, -1.0, 0.0, 1.0, 2.0])
# Scale of a rotation against a shift in the search: a radian moves the rim by some 20 cells.
_CELLS_PER_RAD = 20.0


@dataclass(frozen=True)
class Fit:
    """One way to lay the reference view onto what is seen.

    yaw_rad: turn about the surface's normal. shift_m: (2,) of the reference's middle from the view's, in the plane.
    cost: mean squared difference of a cell in standard deviations. apart: (2,) what differs, as so many cells that show
    quite another thing: within the surface, and at its outline.
    """

    yaw_rad: float
    shift_m: tuple[float, float]
    cost: float
    apart: tuple[float, float]


@dataclass(frozen=True)
class Registration:
    """The fit that explains the view best, and how sure that is.

    fit: the best. symmetry: in how many yaws of a full turn the target looks, or counts as, the same: 1, 2 or 4; where
    it is more than was asked for, the view does not tell which of them it is. yaw_std_rad: about its own one.
    partly_hidden: whether something stands in front of it, or of the cells around it.
    """

    fit: Fit
    symmetry: int
    yaw_std_rad: float
    partly_hidden: bool = False

    def check_alike(self) -> None:
        """Raises VitalError(NOT_IN_VIEW) when what was seen is not what the reference shows."""
        most = _MOST_COST_HIDDEN if self.partly_hidden else _MOST_COST
        if self.fit.cost > most:
            hidden = ", partly hidden," if self.partly_hidden else ""
            raise VitalError(
                ErrorCode.NOT_IN_VIEW,
                f"what is seen{hidden} differs from the reference view by {self.fit.cost:.1f} a cell, at most {most:g} "
                "expected: is it another target, or half hidden?",
            )


class Reference:
    """A reference view, prepared for many comparisons.

    symmetry: in how many yaws of a full turn the target counts as the same, 1, 2 or 4.
    """

    def __init__(self, view: TargetView, symmetry: int = 1) -> None:
        surface = view.surface()
        if not surface.any():
            raise VitalError(ErrorCode.BAD_PARAMETER, "the reference view shows no surface: take it again")
        rows, columns = np.nonzero(cv2.dilate(surface.astype(np.uint8), _square(_RIM_CELLS)) > 0)
        middle = view.known.shape[0] // 2
        self.symmetry = symmetry
        self.cells = np.stack([columns - middle, rows - middle], axis=1).astype(np.float32)
        self.height_m, self.colour = view.height_m[rows, columns], view.colour[rows, columns]
        self.known, self.surface = view.known[rows, columns], surface[rows, columns]
        self.inner = cv2.erode(surface.astype(np.uint8), _square(_EDGE_CELLS))[rows, columns] > 0
        self.share = _softened(surface)[rows, columns]
        self.centre = self.cells[self.surface].mean(axis=0)
        near = self.surface & self.known & (np.linalg.norm(self.cells, axis=1) < _MIDDLE_CELLS)
        self.middle_height_m = float(np.median(self.height_m[near])) if near.any() else 0.0
        self._own = self._quarters(_Seen(view), np.zeros(3))

    def register(self, view: TargetView) -> Registration:
        """Lay the reference onto a view, however badly it fits. Raises VitalError(NO_DEPTH) when no surface is seen."""
        seen = _Seen(view)
        first = min((self._refined(seen, start) for start in self._starts(seen)), key=lambda fit: fit.cost)
        quarters = self._quarters(seen, np.array([first.yaw_rad, *np.divide(first.shift_m, CELL_M)]))
        behind = [[self._behind(quarters, i, k) for k in range(4)] for i in range(4)]
        chosen = max(range(4), key=lambda i: min(behind[i]))
        fit = quarters[chosen]
        unclear = [k for k in range(4) if behind[chosen][k] < _LEAST_BEHIND]
        seen_alike = 4 if {1, 3} & set(unclear) else 2 if unclear else 1
        pose = np.array([fit.yaw_rad, *np.divide(fit.shift_m, CELL_M)])
        partly_hidden = not self._differences(seen, pose[None])[3].all()
        std_rad = self._yaw_std_rad(seen, pose, _CORRELATED_HIDDEN if partly_hidden else _CORRELATED)
        return Registration(fit, max(self.symmetry, seen_alike), std_rad, partly_hidden)

    def slope(self, view: TargetView, fit: Fit) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How the seen surface slopes against the plane it was seen on, once what the reference shows of its relief is
        taken off: (2,) rise along the plane's x and y, and (2, 2) its covariance."""
        turn, shift = fit.yaw_rad, np.divide(fit.shift_m, CELL_M)
        own = self.cells[self.surface & self.known].astype(float)
        x = np.cos(turn) * own[:, 0] - np.sin(turn) * own[:, 1] + shift[0]
        y = np.sin(turn) * own[:, 0] + np.cos(turn) * own[:, 1] + shift[1]
        seen_m, _, share, known, _ = _Seen(view).at(x[None], y[None])
        read = (share[0] > 0.5) & known[0] & (np.abs(seen_m[0]) < 0.99 * HEIGHT_RANGE_M)
        if read.sum() < _FEWEST_SLOPE_CELLS:
            raise VitalError(ErrorCode.NO_DEPTH, f"{read.sum()} cells of the surface were read, too few for its slope")
        rise_m = (seen_m[0] - self.height_m[self.surface & self.known])[read]
        return _slope(np.stack([x, y], axis=1)[read] * CELL_M, rise_m.astype(float))

    def _behind(self, quarters: list[Fit], chosen: int, k: int) -> float:
        """By how many cells the fit k quarters of a turn further is worse than the chosen one. Counted is what differs
        between the reference and itself turned so; infinite for what counts as the same."""
        if k % (4 // self.symmetry) == 0:
            return float("inf")
        further = quarters[(chosen + k) % 4]
        behind = np.subtract(further.apart, quarters[chosen].apart)
        telling = np.subtract(self._own[k].apart, self._own[0].apart) > _TELLING_CELLS
        return float(behind[telling].sum())

    def _quarters(self, seen: "_Seen", pose: NDArray[np.float64]) -> list[Fit]:
        """The best fits about a pose, and one, two and three quarters of a turn further."""
        return [self._refined(seen, self._about_centre(pose, turn)) for turn in _QUARTERS]

    def _starts(self, seen: "_Seen") -> list[NDArray[np.float64]]:
        """(3,) each, turn and shift: the best of a coarse search, and the best of what is turned quite otherwise."""
        poses = []
        for turn in _COARSE_RAD:
            shift = seen.centre - _turned(self.centre, turn)
            poses += [(turn, shift[0] + dx, shift[1] + dy) for dx in seen.coarse_cells for dy in seen.coarse_cells]
        costs = self._costs(seen, np.array(poses), _EVERY)
        starts: list[NDArray[np.float64]] = []
        for i in np.argsort(costs):
            pose = np.array(poses[i])
            if all(abs(_wrapped(pose[0] - s[0], np.pi / 2)) > _APART_RAD for s in starts):
                starts.append(pose)
            if len(starts) == _STARTS:
                break
        return starts

    def _about_centre(self, pose: NDArray[np.float64], turn: float) -> NDArray[np.float64]:
        """A pose (turn, shift in cells), turned further about the middle of the surface."""
        turned = pose[0] + turn
        return np.array([turned, *(pose[1:] + _turned(self.centre, pose[0]) - _turned(self.centre, turned))])

    def _refined(self, seen: "_Seen", start: NDArray[np.float64]) -> Fit:
        scale = np.array([_CELLS_PER_RAD, 1.0, 1.0])
        simplex = start * scale + np.array([[0, 0, 0], [1.0, 0, 0], [0, 1.5, 0], [0, 0, 1.5]])
        found = minimize(
            lambda p: self._costs(seen, (p / scale)[None])[0],
            start * scale,
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-3, "maxiter": 120},
        )
        pose = found.x / scale
        _, inside, outline, _ = self._differences(seen, pose[None])
        apart = float(np.maximum(inside[0][self.inner], 0.0).sum() / _MOST), float(outline.sum() / _MOST)
        shift_m = float(pose[1] * CELL_M), float(pose[2] * CELL_M)
        return Fit(_wrapped(float(pose[0])), shift_m, float(found.fun), apart)

    def _yaw_std_rad(self, seen: "_Seen", pose: NDArray[np.float64], correlated: float) -> float:
        costs = self._costs(seen, np.array([self._about_centre(pose, turn) for turn in _PROBES_RAD]))
        curvature = 2.0 * float(np.polyfit(_PROBES_RAD, costs * int(self.surface.sum()), 2)[0])
        return float(min(np.hypot(_LEAST_STD_RAD, correlated / np.sqrt(max(curvature, 1e-3))), _MOST_STD_RAD))

    def _costs(self, seen: "_Seen", poses: NDArray[np.float64], every: int = 1) -> NDArray[np.float64]:
        """(k,) of poses (k, 3): mean difference of height and colour over the surface, and of the outline, of what is
        not hidden."""
        of_height, of_colour, of_outline, shown = self._differences(seen, poses, every)
        surface = self.surface[::every]
        both = of_colour >= 0.0
        counted = np.maximum(both.sum(axis=1), 1)
        of_surface = (of_height + np.maximum(of_colour, 0.0)).sum(axis=1)
        seen_cells = (surface & shown).sum(axis=1)
        costs = of_surface / counted + of_outline.sum(axis=1) / np.maximum(seen_cells, 1)
        too_few = (both.sum(axis=1) < _LEAST_OVERLAP * surface.sum()) | (seen_cells < _LEAST_SHOWN * surface.sum())
        return np.where(too_few, 2 * _MOST, costs)

    def _differences(
        self, seen: "_Seen", poses: NDArray[np.float64], every: int = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Squared differences (k, n) of height, colour (-1 where not both are surface) and outline, and whether nothing
        hides the cell."""
        cells, surface, height_m = self.cells[::every], self.surface[::every], self.height_m[::every]
        colour = self.colour[::every]
        turns = poses[:, :1]
        x = np.cos(turns) * cells[:, 0] - np.sin(turns) * cells[:, 1] + poses[:, 1:2]  # (k, n)
        y = np.sin(turns) * cells[:, 0] + np.cos(turns) * cells[:, 1] + poses[:, 2:3]
        seen_m, seen_colour, share, known, shown = seen.at(x, y)
        both = surface & (share > 0.5) & shown
        level = both & known & self.known[::every]
        raised_m = np.sum((seen_m - height_m) * level, axis=1) / np.maximum(level.sum(axis=1), 1)
        of_height = np.minimum(((seen_m - height_m - raised_m[:, None]) / HEIGHT_STD_M) ** 2, _MOST) * level
        # Other light: each channel's own gain.
        weighted = both[..., None] * colour
        gain = np.sum(seen_colour * weighted, axis=1) / np.maximum(np.sum(weighted * colour, axis=1), 1.0)
        apart = np.sum((seen_colour - colour * gain[:, None]) ** 2, axis=2) / COLOUR_STD**2
        of_colour = np.where(both, np.minimum(apart, _MOST), -1.0)
        of_outline = _MOST * (share - self.share[::every]) ** 2 * shown
        return np.asarray(of_height, float), np.asarray(of_colour, float), np.asarray(of_outline, float), shown


class _Seen:
    """A view, to be sampled anywhere."""

    def __init__(self, view: TargetView) -> None:
        surface = view.surface()
        if not surface.any():
            raise VitalError(
                ErrorCode.NO_DEPTH,
                "no level surface is seen where the target was pointed at: is it glossy, or too small?",
            )
        self._middle = view.known.shape[0] // 2
        self._colour = view.colour
        hidden = np.zeros_like(view.known) if view.hidden is None else view.hidden
        # The outline is softened: beside what hides it there is none either.
        beside = cv2.dilate(hidden.astype(np.uint8), _square(round(2 * _SOFT_CELLS)))
        self._rest = np.dstack(
            [view.height_m, _softened(surface), view.known.astype(np.float32), beside.astype(np.float32)]
        )
        self.coarse_cells = _COARSE_CELLS if view.hidden is None else _COARSE_CELLS_HIDDEN
        rows, columns = np.nonzero(surface)
        self.centre = np.array([columns.mean() - self._middle, rows.mean() - self._middle])

    def at(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
        """At cells from the view's middle: height (k, n) in m, colour (k, n, 3), share of the surface (k, n),
        whether the height is known (k, n), and whether nothing hides the cell (k, n)."""
        u, v = (x + self._middle).astype(np.float32), (y + self._middle).astype(np.float32)
        rest = cv2.remap(self._rest, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        colour = cv2.remap(self._colour, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        height_m, share, known, hidden = (np.asarray(rest[..., i], np.float32) for i in range(4))
        return height_m, np.asarray(colour, np.float32), share, known > 0.9, hidden < 0.1


def _slope(places_m: NDArray[np.float64], rise_m: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Least squares over what lies on one plane: slope (2,) and its covariance (2, 2)."""
    design = np.column_stack([places_m - places_m.mean(axis=0), np.ones(len(places_m))])
    on_it = np.ones(len(rise_m), bool)
    for _ in range(3):
        found = np.linalg.lstsq(design[on_it], rise_m[on_it], rcond=None)[0]
        apart_m = np.abs(rise_m - design @ found)
        on_it = apart_m <= max(3.0 * 1.4826 * float(np.median(apart_m[on_it])), 1e-4)
    spread_m2 = float(np.var(rise_m[on_it] - design[on_it] @ found))
    inverse = np.linalg.inv(design[on_it].T @ design[on_it])
    return found[:2], _CORRELATED_CELLS * spread_m2 * inverse[:2, :2]


def _square(cells: int) -> NDArray[np.uint8]:
    return np.ones((2 * cells + 1, 2 * cells + 1), np.uint8)


def _softened(surface: NDArray[np.bool_]) -> NDArray[np.float32]:
    """0 to 1: how much of a cell's surroundings is surface."""
    return np.asarray(cv2.GaussianBlur(surface.astype(np.float32), (0, 0), _SOFT_CELLS), np.float32)


def _turned(cell: NDArray, turn: float) -> NDArray[np.float64]:
    return np.array([np.cos(turn) * cell[0] - np.sin(turn) * cell[1], np.sin(turn) * cell[0] + np.cos(turn) * cell[1]])


def _wrapped(angle: float, period: float = 2 * np.pi) -> float:
    """The same angle within half a period of 0."""
    return float((angle + period / 2) % period - period / 2)
