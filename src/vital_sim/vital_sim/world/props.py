"""Things that stand about: distractors built of primitives, and the details of the targets' housings."""

import mujoco
import numpy as np

BOX, CYLINDER, SPHERE, CAPSULE, ELLIPSOID = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
)
_UNSEEN = {"contype": 0, "conaffinity": 0, "mass": 0.0}
RING_CORNERS = 64
USUAL_CLEARANCE_M = 0.10
TALL_CLEARANCE_M = 0.16
LOW = ("ball", "block", "tape roll", "screwdriver")
_UNDER_THE_TABLE = [0.45, 0.0, -0.6]

# name -> (height of the point to click, m; parts as (type, position m, size m, colour or None for the episode's)).
PROPS: dict[str, tuple[float, tuple]] = {
    "mug": (
        0.045,
        (
            (CYLINDER, (0, 0, 0.045), (0.035, 0.045, 0), None),
            (CYLINDER, (0, 0, 0.0885), (0.029, 0.002, 0), (0.15, 0.1, 0.08)),
            (CAPSULE, (0.047, 0, 0.045), (0.006, 0.020, 0), None),
        ),
    ),
    "ball": (0.03, ((SPHERE, (0, 0, 0.03), (0.03, 0, 0), None),)),
    "block": (0.02, ((BOX, (0, 0, 0.02), (0.02, 0.02, 0.02), None),)),
    "bottle": (
        0.07,
        (
            (CYLINDER, (0, 0, 0.07), (0.030, 0.07, 0), None),
            (CYLINDER, (0, 0, 0.165), (0.012, 0.025, 0), None),
            (CYLINDER, (0, 0, 0.195), (0.014, 0.008, 0), (0.9, 0.9, 0.9)),
        ),
    ),
    "tape roll": (
        0.012,
        (
            (CYLINDER, (0, 0, 0.012), (0.045, 0.012, 0), None),
            (CYLINDER, (0, 0, 0.0125), (0.025, 0.0122, 0), (0.75, 0.65, 0.5)),
        ),
    ),
    "screwdriver": (
        0.012,
        (
            (BOX, (0, 0, 0.012), (0.045, 0.011, 0.011), None),
            (BOX, (0.085, 0, 0.012), (0.045, 0.003, 0.003), (0.7, 0.7, 0.72)),
        ),
    ),
}


def _body_name(name: str) -> str:
    return f"prop_{name.replace(' ', '_')}"


def add_props(spec: mujoco.MjSpec, held_object: str) -> None:
    """Add every distractor, out of view; no second one of what the task is about."""
    for name, (_, parts) in PROPS.items():
        if name == held_object:
            continue
        body = spec.worldbody.add_body(name=_body_name(name), pos=_UNDER_THE_TABLE)
        for i, (kind, position, size, colour) in enumerate(parts):
            rgba = [*(colour or (0.5, 0.3, 0.3)), 1.0]
            paint = "own" if colour else "free"
            body.add_geom(
                name=f"{_body_name(name)}_{i}_{paint}", type=kind, pos=position, size=size, rgba=rgba, **_UNSEEN
            )


def place_props(
    model: mujoco.MjModel, count: int, rng: np.random.Generator, taken: list[np.ndarray], clearance_m: float
) -> None:
    """Stand ``count`` distractors on the table, clear of the places in ``taken`` (x, y in m) and of each other.

    Where the clearance is less than usual, low things stand as close to the first place as it allows; tall ones,
    which the arm would knock over, stay away.
    """
    names = _names(model)
    shown = set(rng.permutation(len(names))[:count])
    places = list(taken)
    for i, name in enumerate(names):
        body = model.body(_body_name(name))
        model.body_pos[body.id] = _UNDER_THE_TABLE
        if i not in shown:
            continue
        place = _free_place(rng, places, clearance_m, low=name in LOW)
        if place is not None:
            places.append(place)
            model.body_pos[body.id] = [*place, 0.0]
        yaw = rng.uniform(-np.pi, np.pi)
        model.body_quat[body.id] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        _paint(model, body, rng.uniform(0.05, 0.95, 3))


def _names(model: mujoco.MjModel) -> list[str]:
    bodies = {model.body(i).name for i in range(model.nbody)}
    return [name for name in PROPS if _body_name(name) in bodies]


def _free_place(
    rng: np.random.Generator, places: list[np.ndarray], clearance_m: float, *, low: bool
) -> np.ndarray | None:
    """(x, y) in m clear of ``places``; None when none was found."""
    crowded = clearance_m < USUAL_CLEARANCE_M
    least_m = TALL_CLEARANCE_M if crowded and not low else clearance_m
    for _ in range(60):
        place = rng.uniform([0.22, -0.38], [0.68, 0.38])
        if crowded and low:
            angle, distance_m = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 1.6) * clearance_m
            place = places[0] + distance_m * np.array([np.cos(angle), np.sin(angle)])
        if min(np.linalg.norm(place - p) for p in places) > 0.999 * least_m:
            return place
    return None


def _paint(model: mujoco.MjModel, body: mujoco.MjsBody, colour: np.ndarray) -> None:
    first = model.body_geomadr[body.id]
    for geom in range(first, first + model.body_geomnum[body.id]):
        if model.geom(geom).name.endswith("_free"):
            model.geom_rgba[geom, :3] = colour


def shown_props(model: mujoco.MjModel) -> dict[str, np.ndarray]:
    """Point to click (3,) in `link_base`, m, of each distractor that stands on the table."""
    points = {}
    for name in _names(model):
        height_m = PROPS[name][0]
        position = model.body_pos[model.body(_body_name(name)).id]
        if position[2] >= 0.0:
            points[name] = position + np.array([0.0, 0.0, height_m])
    return points


def _add_mark(body: mujoco.MjsBody, name: str, pos: list[float], size: list[float], rgba: list[float]) -> None:
    """A small coloured box; pos and half sizes in m."""
    body.add_geom(name=name, type=BOX, pos=pos, size=size, rgba=rgba, **_UNSEEN)


def add_ring(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, z_m: float, radii_m: tuple[float, float], half_z_m: float,
    rgba: list[float],
) -> None:  # fmt: skip
    """A flat ring about the body's z, its middle at ``z_m``; radii: inner and outer. For seeing only."""
    around = np.linspace(0, 2 * np.pi, RING_CORNERS, endpoint=False)
    corners = [
        np.stack([r * np.cos(around), r * np.sin(around), np.full(RING_CORNERS, z)], axis=1)
        for r in radii_m
        for z in (-half_z_m, half_z_m)
    ]
    here, there = np.arange(RING_CORNERS), np.roll(np.arange(RING_CORNERS), -1)
    faces = []
    # Inner and outer wall, lower and upper face: each a band between two of the four circles, seen from outside.
    for a, b in ((0, 1), (3, 2), (2, 0), (1, 3)):
        p, q = a * RING_CORNERS, b * RING_CORNERS
        faces += [np.stack([p + here, q + here, q + there], 1), np.stack([p + here, q + there, p + there], 1)]
    spec.add_mesh(
        name=name, uservert=np.concatenate(corners).ravel().tolist(), userface=np.concatenate(faces).ravel().tolist()
    )
    mesh = mujoco.mjtGeom.mjGEOM_MESH
    body.add_geom(name=name, type=mesh, meshname=name, pos=[0, 0, z_m], rgba=rgba, **_UNSEEN)


def add_housing_details(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, prefix: str, held_object: str, housing_m: tuple[float, float],
    trim_rgb: tuple[float, float, float],
) -> None:  # fmt: skip
    """What tells a USB port from a wall socket at a distance; beside or below the mouth, never over it."""
    trim = [*trim_rgb, 1.0]
    x, y = housing_m[0] / 2, housing_m[1] / 2
    if held_object == "usb_stick":
        body.add_geom(
            name=f"{prefix}_hub", type=BOX, pos=[0, y + 0.014, -0.022], size=[x, 0.014, 0.020], rgba=trim, **_UNSEEN
        )
        _add_mark(body, f"{prefix}_led", [0, y + 0.014, -0.0015], [0.003, 0.003, 0.001], [0.2, 0.9, 1.0, 1.0])
        body.add_geom(
            name=f"{prefix}_cable",
            type=CAPSULE,
            pos=[0, y + 0.05, -0.03],
            size=[0.003, 0.025, 0],
            quat=[0.7071, 0.7071, 0, 0],
            rgba=[0.05, 0.05, 0.05, 1],
            **_UNSEEN,
        )
    elif held_object == "card":
        _add_mark(body, f"{prefix}_led", [-0.018, y - 0.006, 0.0004], [0.004, 0.003, 0.0005], [0.95, 0.25, 0.15, 1.0])
    elif held_object == "key":
        add_ring(spec, body, f"{prefix}_bezel", -0.008, (0.8 * min(x, y), 0.024), 0.004, trim)
        _add_mark(body, f"{prefix}_mark", [x - 0.004, 0, 0.0], [0.002, 0.0012, 0.0004], [0.75, 0.1, 0.1, 1.0])
    else:
        add_ring(spec, body, f"{prefix}_plate", -0.010, (0.8 * min(x, y), 0.043), 0.003, trim)
        for name, sign in (("a", 1.0), ("b", -1.0)):
            body.add_geom(
                name=f"{prefix}_screw_{name}",
                type=CYLINDER,
                pos=[0, sign * (y - 0.007), 0.0],
                size=[0.003, 0.0008, 0],
                rgba=[0.6, 0.6, 0.62, 1],
                **_UNSEEN,
            )
