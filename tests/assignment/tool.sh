# shellcheck shell=bash disable=SC2034,SC2154  # set and used on either side
# What the scripts that test tools/assignment share. They then run in an empty directory. XTGRAD_BUILD is the build
# directory (default: build).

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export XTGRAD_BUILD=${XTGRAD_BUILD:-$root/build}
XTGRAD_BUILD=$(cd "$XTGRAD_BUILD" && pwd)
program=$root/tools/assignment
right=$here/solutions
. "$root/tests/examples/program.sh"

# field EXPRESSION: that Python expression of the JSON in `output`, r the whole and p its first part.
field() { python3 -c "import json; r = json.load(open('output')); p = r['parts'][0]; print($1)"; }
says() { grep -qF -- "$1" output; }
# points N: the run gave so many points, as JSON.
points() { [[ $(field "f\"{r['points']:g}\"") == "$1" ]]; }
# tree NAME FILE: makes a folder with FILE's text from stdin.
tree() { mkdir -p "$1" && cat > "$1/$2"; }
grade() { run grade --no-build --json --part "$@"; }

