# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # set and used on either side
# For the scripts that test a program from outside: source it after setting `program`. They then run in an empty directory.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

failures=0
# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1
  shift
  if "$@"; then
    echo "ok - $name"
  else
    echo "not ok - $name"
    sed 's/^/# /' output errors 2> /dev/null
    failures=$((failures + 1))
  fi
}

# run ARGUMENTS...: output, errors and status of the program.
run() {
  status=0
  "$program" "$@" > output 2> errors < /dev/null || status=$?
}

one_line() { [[ $(wc -l < errors) -eq 1 && $(< errors) == "${program##*/}: "* ]]; }

# Everything in the working directory, how large it is and when it was written.
files() { find . -mindepth 1 -not -path ./output -not -path ./errors -printf '%p %s %T@\n' | sort; }

# refused NAME PATTERN ARGUMENTS...: the program says nothing but one line on stderr, "PROGRAM: " and then what matches
# PATTERN, exits with status 2, and every file is as it was before.
refused() {
  local name=$1 pattern=$2 before
  shift 2
  before=$(files)
  run "$@"
  good() {
    # shellcheck disable=SC2053  # a pattern, on purpose
    [[ $status -eq 2 && ! -s output && $(< errors) == "${program##*/}: "$pattern && $before == "$(files)" ]] && one_line
  }
  check "$name" good
}
