#!/usr/bin/env bash
# The exercises of the walkthroughs: the skeleton gets no points and no scolding, the right solution all points, and each
# wrong one, the right one with the changes in tests/assignment/exercises/NN-name.patch, the hint that the patch names:
# "expect: CHECK: part of the hint". With numbers as arguments, only these.
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)
program=none
. "$root/tests/examples/program.sh"

flags=(-std=c++17 -O0 -Wall -Wextra -Wpedantic -Werror -DXTGRAD_DOUBLE -Dxtg=xtg64 "-I$root/examples" "-I$root"
  "-I$build/include")
libraries=(report.o "-L$build" -lxtgrad64 -lxtgrad_tensor64 -lfmt "-Wl,-rpath,$build")
graders=$root/examples/assignment/grader
g++ "${flags[@]}" -c "$graders/report.cpp" -o report.o || { echo 'not ok - report.cpp compiles'; exit 1; }

# compiled NN DIRECTORY PROGRAM: the exercise with the solution in this directory.
compiled() { g++ "${flags[@]}" "-I$2" "$graders/exercise_$1.cpp" "${libraries[@]}" -o "$3" > "$3.errors" 2>&1; }
not_written() { [[ $status -eq 1 && $(grep -c '^not ok' output) -eq $(grep -c 'not written: exercise' output) ]]; }
# hinted CHECK TEXT: the check failed, and the line below says this.
hinted() { [[ $status -eq 1 ]] && grep -A1 -E "^not ok .* $1: " output | grep -qF -- "$2"; }

shopt -s nullglob
numbers=("$@")
if ((${#numbers[@]} == 0)); then
  for file in "$root"/tests/assignment/solutions/staged/exercise_[0-9][0-9].hpp; do
    file=${file##*exercise_}
    numbers+=("${file%.hpp}")
  done
fi
for number in "${numbers[@]}"; do
  right=$root/tests/assignment/solutions/staged
  patches=("$root/tests/assignment/exercises/$number"-*.patch)
  folders=("$root/examples/assignment/student" "$right")
  for patch in "${patches[@]}"; do
    folder=${patch##*/}
    folder=${folder%.patch}
    mkdir "$folder"
    python3 "$root/tests/assignment/patched.py" "$patch" "$right/exercise_$number.hpp" > "$folder/exercise_$number.hpp"
    folders+=("$folder")
  done
  for i in "${!folders[@]}"; do  # two at a time
    compiled "$number" "${folders[i]}" "program$i" &
    ((i % 2 == 0)) || wait
  done
  wait
  for i in "${!folders[@]}"; do
    name="exercise $number, ${folders[i]##*/}"
    program=./program$i
    rm -f output errors
    cp "program$i.errors" errors
    check "$name: compiles without warnings" test -x "$program"
    [[ -x $program ]] || continue
    run
    case $i in
      0) check "$name: is not written yet" not_written ;;
      1) check "$name: gets all points" test "$status" -eq 0 ;;
      *)
        expect=$(sed -n '1s/^expect: //p' "${patches[i - 2]}")
        check "$name: gets its hint" hinted "${expect%%:*}" "${expect#*: }"
        ;;
    esac
  done
  rm -f program*
done

exit $((failures > 0))
