#!/usr/bin/env bash
# The numbered examples: 01, 02, … without a gap, each short, with nothing but the library and the standard library in
# it, built, run by a test, and named in the README.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)
. "$root/tests/examples/program.sh"

lines=150
only_library() { ! grep -E '^#include' "$1" | grep -vE '^#include <([a-z_]+|xtgrad\.hpp)>$' > output; }
number=0
for file in "$root"/examples/[0-9]*.cpp; do
  name=$(basename "$file" .cpp)
  number=$((number + 1))
  check "$name is number $number" test "${name%%_*}" = "$(printf '%02d' "$number")"
  check "$name has at most $lines lines" test "$(wc -l < "$file")" -le "$lines"
  check "$name includes the library and nothing of its own" only_library "$file"
  check "$name is built" test -x "$build/examples/$name"
  check "$name is run by a test" test -n "$(grep -l "examples/$name\$" "$root"/tests/examples/*_test.sh)"
  check "$name is linked in the README" grep -qF "(examples/$name.cpp)" "$root/README.md"
done
check 'there are some' test "$number" -ge 9
exit $((failures > 0))
