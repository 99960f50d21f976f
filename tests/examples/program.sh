# shellcheck shell=bash disable=SC2034,SC2154  # set and used on either side
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
    sed 's/^/    /' output errors 2> /dev/null
    failures=$((failures + 1))
  fi
}

# run ARGUMENTS...: output, errors and status of the program.
run() {
  status=0
  "$program" "$@" > output 2> errors < /dev/null || status=$?
}
