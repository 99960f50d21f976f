#!/usr/bin/env bash
# examples/04_two_moons: the network learns, the picture is drawn, and without gnuplot the program says what to do.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/04_two_moons
. "$root/tests/examples/program.sh"

# learned: by step 400 the loss is small, and nearly all points, old and new, are on their side.
learned() { awk '$1 == "400" { done = $2 < 0.1 && $3 > 97 && $5 > 95 } $1 == "0" { start = $2 > 0.4 && $5 < 90 }
                 END { exit !(start && done) }' output; }

if type gnuplot > /dev/null 2>&1; then
  mkdir 'a folder'
  run 'a folder'
  check 'it succeeds' test "$status" -eq 0
  check 'it leaves a picture and its script' test "$(cd 'a folder' && echo *)" = 'two_moons.gnuplot two_moons.svg'
  check 'a picture of 400 points and a boundary' \
    test "$(grep -c "xlink:href='#gpPt6'" 'a folder/two_moons.svg')" -ge 400 \
    -a -n "$(grep 'p = 1/2' 'a folder/two_moons.svg')"
  check 'in plain colours' plain_picture 'a folder/two_moons.svg'
else
  run
  echo 'ok - the picture # SKIP gnuplot is not installed'
fi
check 'it learns' learned

mkdir empty
status=0
PATH=$work/empty "$program" > output 2> errors < /dev/null || status=$?
check 'without gnuplot it succeeds as well' test "$status" -eq 0
check 'says what is missing' grep -qF 'No picture, for gnuplot did not run (apt-get install gnuplot-nox)' output
check 'and leaves the script' test -s two_moons.gnuplot

run none
check 'a directory that is not there is an error' test "$status" -eq 2 -a "$(wc -l < errors)" -eq 1
run --all
check 'an unknown option is refused' test "$status" -eq 2 -a -n "$(grep '^usage: ' errors)"
exit $((failures > 0))
