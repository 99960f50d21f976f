# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # set and used on either side
# For the scripts that test a program from outside: source it after setting `program`, and `command` where it is one of the
# program's commands. They then run in an empty directory.

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
  "$program" ${command:+"$command"} "$@" > output 2> errors < /dev/null || status=$?
}

# start ARGUMENTS...: the program in the background, its number in $training.
start() {
  "$program" ${command:+"$command"} "$@" > output 2> errors < /dev/null &
  training=$!
}
# finish: waits for it, and has its status.
finish() {
  status=0
  wait "$training" || status=$?
}
# wait_until COMMAND...: waits until the command succeeds, or the program that was started has ended.
wait_until() {
  until "$@"; do
    kill -0 "$training" 2> /dev/null || return
    sleep 0.01
  done
}
# has_open DIRECTORY: the program that was started has it open, as it does to lock it.
has_open() { [[ -n $(find "/proc/$training/fd" -lname "$(realpath "$1")" 2> /dev/null) ]]; }
# lock DIRECTORY, unlock: as a program that trains there does.
lock() {
  mkdir -p "$1"
  flock --no-fork "$1" sleep 1000 &
  locker=$!
  while flock -n "$1" true; do sleep 0.01; done
}
unlock() {
  kill "$locker"
  wait "$locker" 2> /dev/null
}

# gnuplot_that COMMANDS: makes bin/gnuplot, a script of these commands; each start is a line in bin/started.
gnuplot_that() {
  mkdir -p bin
  printf '#!/bin/sh\necho $$ >> "%s/bin/started"\n%s\n' "$PWD" "$1" > bin/gnuplot
  chmod +x bin/gnuplot
  : > bin/started
}

nothing_temporary() { [[ -z $(find . -name '*.tmp' -o -name '*.gnuplot') ]]; }

# undefined_variables FILE: the style sheet's variables that a page uses, as var(--x), and does not define.
undefined_variables() {
  comm -23 <(grep -oE 'var\(--[a-z0-9-]+' "$1" | cut -c 5- | sort -u) \
    <(grep -oE -- '[;{"]--[a-z0-9-]+:' "$1" | sed 's/^.//; s/:$//' | sort -u)
}
# plain_picture FILE: an SVG in colours that every viewer shows; many know no variables, and draw in black.
plain_picture() { grep -q '</svg>' "$1" && grep -qE '(fill|stroke|color)=.#|rgb\(' "$1" && ! grep -qF 'var(' "$1"; }

# What its messages begin with: "xtgrad train: ".
says() { printf '%s: ' "${program##*/}${command:+ $command}"; }

# A line that a terminal can show: no control characters, and not all of what came.
one_line() {
  [[ $(wc -l < errors) -eq 1 && $(< errors) == "$(says)"* && $(wc -c < errors) -lt 2100 ]] &&
    ! LC_ALL=C grep -q '[[:cntrl:]]' errors
}

# Everything in the working directory, how large it is and when it was written.
files() { find . -mindepth 1 -not -path ./output -not -path ./errors -printf '%p %s %T@\n' | sort; }

# refused NAME PATTERN ARGUMENTS...: the program says nothing but one line on stderr, its name and then what matches
# PATTERN, exits with status 2, and every file is as it was before.
refused() {
  local name=$1 pattern=$2 before
  shift 2
  before=$(files)
  run "$@"
  good() {
    # shellcheck disable=SC2053  # a pattern, on purpose
    [[ $status -eq 2 && ! -s output && $(< errors) == "$(says)"$pattern && $before == "$(files)" ]] && one_line
  }
  check "$name" good
}
