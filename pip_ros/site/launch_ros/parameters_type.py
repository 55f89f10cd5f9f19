"""What may stand in a node's `parameters`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from launch.some_substitutions_type import SomeSubstitutionsType

from launch_ros.parameter_descriptions import ParameterFile

SomeParameterFile = SomeSubstitutionsType | Path | ParameterFile
SomeParametersDict = Mapping[SomeSubstitutionsType, Any]
SomeParameters = Iterable[SomeParameterFile | SomeParametersDict]
