#!/usr/bin/env bash
# Fifty times two trainings that are started at the same moment, by tools/train without --out, with one --out, and by
# --resume: none is lost, and none gets files of another. XTGRAD_BUILD is the build directory (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=train
. "$here/program.sh"

# The script as it is, in a checkout that needs no building.
mkdir tools
cp "$here/../../tools/train" tools
printf '#!/bin/sh\n' > tools/build-program
chmod +x tools/build-program
ln -s "$build" build

tiny=(--limit-train 32 --limit-test 20 --epochs 1 --batch-size 16 --width 4 --threads 1)
# both FIRST-ARGUMENTS -- SECOND-ARGUMENTS: tools/train twice at once; the sum of the statuses in $status.
both() {
  local first=() one=0 two=0
  while [[ $1 != -- ]]; do
    first+=("$1")
    shift
  done
  shift
  tools/train "${tiny[@]}" "${first[@]}" > one 2>&1 < /dev/null &
  local process=$!
  tools/train "${tiny[@]}" "$@" > two 2>&1 < /dev/null || two=$?
  wait "$process" || one=$?
  status=$((one + two))
}
# whole DIRECTORY: its files are of one training, of the whole of it.
whole() { [[ $(wc -l < "$1/metrics.csv") -eq 2 ]] && "$program" evaluate "$1" > /dev/null 2>&1; }

lost=0 mixed=0
for ((i = 0; i < 50; ++i)); do
  rm -rf runs
  both --seed 1 --norm batch -- --seed 2 --norm layer
  [[ $status -eq 0 && $(cat runs/*/config.toml | grep '^seed = [12]' | sort -u | wc -l) -eq 2 ]] || lost=$((lost + 1))
  for run in runs/*; do whole "$run" || mixed=$((mixed + 1)); done
done
echo "# without --out: of 50 pairs $lost lost a training; $mixed directories are not whole"
check 'without --out each has its own directory' test "$lost" -eq 0 -a "$mixed" -eq 0

lost=0 mixed=0 refused=0
for ((i = 0; i < 50; ++i)); do
  rm -rf shared
  both --seed 1 --norm batch --out shared -- --seed 2 --norm layer --out shared
  whole shared || mixed=$((mixed + 1))
  case $status in
    0) lost=$((lost + 1)) ;;
    2) grep -qE '^xtgrad train: (another program is training in shared|shared already holds a run)' one two && refused=$((refused + 1)) ;;
  esac
done
echo "# with one --out: of 50 pairs $refused had one refused by name, $lost lost one; $mixed directories are not whole"
check 'with one --out one trains and one is refused' test "$lost" -eq 0 -a "$mixed" -eq 0 -a "$refused" -eq 50

"$program" train "${tiny[@]}" --out stopped > /dev/null
rm stopped/checkpoint.safetensors stopped/metrics.csv
lost=0 mixed=0
for ((i = 0; i < 50; ++i)); do
  rm -rf resumed
  cp -r stopped resumed
  both --resume --out resumed -- --resume --out resumed
  [[ $status -eq 0 || $status -eq 2 ]] || lost=$((lost + 1))
  whole resumed || mixed=$((mixed + 1))
done
echo "# --resume: of 50 pairs $lost failed; $mixed directories are not whole"
check '--resume twice: one trains, the other waits for it or is refused' test "$lost" -eq 0 -a "$mixed" -eq 0
check 'and nothing temporary is left' nothing_temporary

exit $((failures > 0))
