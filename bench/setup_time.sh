#!/usr/bin/env bash
# Times `./vital setup` in a fresh clone in an empty folder, then once more, and says what took how long: by uv with an empty
# cache and by pip without one. One way alone: bench/setup_time.sh uv.
set -euo pipefail
source=$(cd -- "$(dirname -- "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_NO_CACHE_DIR=1
seconds() { python3 -c "print(f'{$(date +%s.%N) - $1:.1f} s')"; }

echo "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
for installer in ${1:-uv pip}; do
  export VITAL_INSTALLER=$installer UV_CACHE_DIR=$folder/cache-$installer
  git clone -q --depth 1 "file://$source" "$folder/$installer"
  for run in first second; do
    start=$(date +%s.%N)
    "$folder/$installer/vital" setup 2>"$folder/log" || { cat "$folder/log"; exit 1; }
    echo "$installer, $run setup: $(seconds "$start")"
    sed -n 's/^.*\[vital\][^ ]* \(.*: done in .*\)/  \1/p' "$folder/log"
  done
  rm -rf "${folder:?}/$installer"
done
