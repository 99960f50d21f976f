#!/usr/bin/env bash
# The program 02_see_the_tape: what it prints and writes, what it says to wrong input, and that Graphviz (if it is
# there) can read the graphs.
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/02_see_the_tape
. "$root/tests/examples/program.sh"

# refused PATTERN ARGUMENTS...: exit status 2, and one line like PATTERN.
refused() {
  local pattern=$1
  shift
  run "$@"
  # shellcheck disable=SC2053  # a pattern, on purpose
  [[ $status -eq 2 && $(< errors) == $pattern && $(wc -l < errors) -eq 1 ]]
}

mkdir there
run there
check 'it succeeds' test "$status" -eq 0
check 'it prints the value' grep -qxF 'y = (a*b + c)^2 = (2 * -3 + 10)^2 = 16' output
check 'it prints the gradients' grep -qxF 'dy/da = 2*s*b = -24' output
check 'it writes three graphs and nothing else' \
  test "$(cd there && echo *)" = 'batch_norm_fused.dot batch_norm_unfolded.dot scalar.dot'
# operations FILE: the blue boxes and the orange one.
operations() { grep -cE 'fillcolor="#(e3edfb|ffe8c7)"' "there/$1"; }
check 'batch norm fused is one box' test "$(operations batch_norm_fused.dot)" -eq 1
check 'and unfolded nine' test "$(operations batch_norm_unfolded.dot)" -eq 9

mkdir here
(cd here && "$program" > /dev/null)
check 'without an argument it writes the same into the current directory' diff -r there here

run --help
check '--help explains' test "$status" -eq 0 -a -n "$(grep 'usage: 02_see_the_tape \[DIRECTORY\]' output)"
check 'an unknown option is refused' refused '02_see_the_tape: *see --help)' --all
check 'two directories are refused' refused '02_see_the_tape: *see --help)' there here
check 'a directory that is not there is an error' refused '02_see_the_tape: none/scalar.dot: cannot write: *' none

if type dot > /dev/null 2>&1; then
  for graph in there/*.dot; do
    check "Graphviz reads ${graph##*/} without a word" \
      test -z "$(dot -Tsvg "$graph" -o picture.svg 2>&1)" -a -s picture.svg
  done
else
  echo 'ok - Graphviz reads the graphs # SKIP dot is not installed'
fi

exit $((failures > 0))
