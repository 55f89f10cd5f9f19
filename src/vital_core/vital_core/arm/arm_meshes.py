"""The arm's and its gripper's meshes, for pictures alone: contact and planning stay on the primitives.

They come from the package `gym-xarm` (Apache-2.0; `./vital setup --looks`): its files are read, its code is not run.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gym_xarm"
FOLDER = Path("tasks") / "assets" / "mesh"
WHITE, SILVER, DARK = (0.93, 0.93, 0.94), (0.70, 0.71, 0.73), (0.13, 0.13, 0.14)
# Link of the URDF -> its file and colour; a mesh lies in its link's frame, in m.
FILES = {
    "link_base": ("link_base", WHITE),
    **{f"link{i}": (f"link{i}", WHITE) for i in range(1, 7)},
    "link7": ("link7", SILVER),
    "xarm_gripper_base_link": ("base_link", WHITE),
    **{
        f"{side}_{part}": (f"{side}_{part}", DARK)
        for side in ("left", "right")
        for part in ("outer_knuckle", "finger", "inner_knuckle")
    },
}


@dataclass(frozen=True)
class Mesh:
    """A file of triangles (STL, m) in a link's frame, and its colour: red, green, blue from 0 to 1."""

    link: str
    path: Path
    colour: tuple[float, float, float]


def arm_meshes() -> tuple[Mesh, ...]:
    """The mesh of every link, or nothing where the package is not installed or lacks one."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(next(iter(spec.submodule_search_locations))) / FOLDER
    meshes = tuple(Mesh(link, folder / f"{file}.stl", colour) for link, (file, colour) in FILES.items())
    return meshes if all(mesh.path.is_file() for mesh in meshes) else ()
