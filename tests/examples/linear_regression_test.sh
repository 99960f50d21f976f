#!/usr/bin/env bash
# examples/03_linear_regression: gradients by hand and by the tape are equal, and descent finds the line.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/03_linear_regression
. "$root/tests/examples/program.sh"

run
check 'it succeeds' test "$status" -eq 0
check 'dL/dw' grep -qxF 'dL/dw at the start: by hand {-5.2571, 3.5601}, by the tape {-5.2571, 3.5601}' output
check 'dL/db' grep -qxF 'dL/db at the start: by hand -0.2331, by the tape -0.2331' output

# The numbers that made the data, 3, −2 and 0.5, to a few times 0.1/√100; the loss falls to the noise, 0.1².
found() {
  awk 'function near(x, y) { return x - y < 0.04 && y - x < 0.04 }
       NF == 5 && $1 ~ /^[0-9]+$/ { if (rows++ && $2 > loss) bad = 1; loss = $2; w1 = $3; w2 = $4; b = $5 }
       END { exit !(rows == 6 && !bad && near(w1, 3) && near(w2, -2) && near(b, 0.5) &&
                    loss > 0.005 && loss < 0.0125) }' output
}
check 'the loss falls, and the line is found' found
check 'the gradient is 0 in the end' grep -qx 'The gradient is 0 to 1e-10: yes' output
exit $((failures > 0))
