#!/usr/bin/env bash
# examples/07_custom_operation: the new operation passes, and the planted mistake is named.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/07_custom_operation
. "$root/tests/examples/program.sh"

cat > expected << 'END'
rms_norm: passed
  x:     ok
  gamma: ok

rms_norm with r taken for a constant: FAILED
  x:     the analytic backward is the odd one out
  gamma: ok

{3, 4, 0, 0} -> {{1.2, 1.6, 0, 0}} (1, 4)
END
run
check 'it succeeds' test "$status" -eq 0
check 'it prints the two verdicts and the value' diff expected output
exit $((failures > 0))
