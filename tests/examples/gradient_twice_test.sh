#!/usr/bin/env bash
# examples/05_gradient_twice prints what the README says. (install_test.sh builds it from there.)
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/05_gradient_twice
. "$root/tests/examples/program.sh"

run
check 'it succeeds' test "$status" -eq 0
check 'finite differences agree' grep -qx 'finite differences agree: yes' output
same_lines() { [[ $(wc -l < output) -eq 3 ]] && ! grep -vxFf "$root/README.md" output > errors; }
check 'its three lines are in the README' same_lines
exit $((failures > 0))
