#!/usr/bin/env bash
# Times `./vital setup` in a fresh clone in an empty folder, then once more.
set -euo pipefail
source=$(cd -- "$(dirname -- "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone -q "$source" "$folder/vital"
for run in first second; do
  start=$(date +%s.%N)
  "$folder/vital/vital" setup 2>"$folder/log" || { cat "$folder/log"; exit 1; }
  python3 -c "import sys; print(f\"{sys.argv[1]} setup: {float(sys.argv[3]) - float(sys.argv[2]):.1f} s\")" "$run" "$start" "$(date +%s.%N)"
done
