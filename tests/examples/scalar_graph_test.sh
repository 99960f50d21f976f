#!/usr/bin/env bash
# examples/01_scalar_graph: its tape, the library's and finite differences give the same derivatives, the right ones.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/01_scalar_graph
. "$root/tests/examples/program.sh"

run
check 'it succeeds' test "$status" -eq 0

# With u = a·b = 3 and t = tanh(1/2): y = u·t, dy/dc = u·(1 − t²), dy/du = t + dy/dc, dy/da = b·dy/du, dy/db = a·dy/du.
right_numbers() {
  awk 'function near(x, y) { return x - y < 6e-6 && y - x < 6e-6 }
       BEGIN { t = (exp(1) - 1) / (exp(1) + 1); c = 3 * (1 - t * t); u = t + c
               want[0] = 2 * u; want[1] = 1.5 * u; want[2] = c; want[3] = u; want[4] = c; want[5] = 3; want[6] = 1 }
       $1 ~ /^[0-9]$/ { rows++; if (!near($4, want[$1]) || !near($5, want[$1])) bad = 1 }
       END { exit !(rows == 7 && !bad) }' output
}
check 'its derivatives and the library'"'"'s are those on paper' right_numbers
check 'the value is u·tanh(1/2)' grep -qE '^ +6  multiply   1\.38635 ' output
check 'finite differences agree' grep -qx 'finite differences agree to 1e-8: yes' output
exit $((failures > 0))
