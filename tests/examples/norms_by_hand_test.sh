#!/usr/bin/env bash
# examples/06_norms_by_hand: loops over sets give what the library gives, and gamma outside the means shows where it may.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/06_norms_by_hand
. "$root/tests/examples/program.sh"

run
check 'it succeeds' test "$status" -eq 0
for row in 'batch:0.0' 'layer:20.5' 'instance:0.0' 'group:26.1'; do
  check "${row%:*} norm equals both of the library's, and gamma outside is ${row#*:} % off" \
    grep -qxE "${row%:*} +to 1e-12 +to 1e-12 +${row#*:} % off" output
done
exit $((failures > 0))
