#!/usr/bin/env bash
set -eo pipefail
source /opt/ros/jazzy/setup.bash
source /xarm_ws/install/setup.bash
exec /vital/vital "$@"
