#!/usr/bin/env bash
# Training with little memory (ulimit -v): whatever the limit, it comes to its end, or says in one line that there is not
# enough memory, ends with status 1, soon and not by a signal, and leaves the run's directory as it was, or further on.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=train
. "$here/program.sh"

export OPENBLAS_NUM_THREADS=2  # each takes 136 MiB as soon as the program is loaded

# limited MEGABYTES ARGUMENTS...: output, errors and status of the program, which may have so much address space.
limited() {
  local megabytes=$1
  shift
  status=0
  (
    ulimit -c 0
    ulimit -v $((megabytes * 1000))
    exec timeout -s KILL 60 "$program" train "$@"
  ) > output 2> errors < /dev/null || status=$?
}
snapshot() { (cd "$1" 2> /dev/null && find . -type f -exec md5sum {} + | sort); }
one_line_about_memory() {
  [[ $(wc -l < errors) -eq 1 ]] && grep -qE 'not enough memory|Resource temporarily unavailable|Cannot allocate' errors
}
# ended_well RUN BEFORE: BEFORE is what was in its directory.
ended_well() {
  [[ $status -eq 0 ]] && return
  [[ $status -eq 1 ]] && one_line_about_memory || return
  [[ $(snapshot "$1") == "$2" ]] || "$program" train --resume --out "$1" > /dev/null < /dev/null
}

limited 4000 --help
if [[ $status -ne 0 ]]; then  # a sanitizer takes terabytes of addresses
  echo 'ok - little memory # SKIP this build cannot run under ulimit -v at all'
  exit 0
fi

tiny=(--limit-train 256 --limit-test 64 --epochs 2 --batch-size 64 --threads 2)
start "${tiny[@]}" --save-every 0 --out begun
wait_until test -s begun/checkpoint.safetensors
kill -INT "$training"
finish
check 'a run that is stopped has a checkpoint' test "$status" -eq 130 -a -s begun/checkpoint.safetensors
begun=$(snapshot begun)

failed=0
for megabytes in 160 200 250 300 350 400 425 450 475 500 600; do
  limited "$megabytes" "${tiny[@]}" --out new
  check "a new run in $megabytes MB ends well" ended_well new ''
  [[ -s new/checkpoint.safetensors ]] || check 'without a checkpoint there is no directory' test ! -e new
  failed=$((failed + status))
  rm -rf new resumed
  cp -r begun resumed
  limited "$megabytes" --resume --out resumed
  check "one that is resumed in $megabytes MB ends well" ended_well resumed "$begun"
  rm -rf last
  mv resumed last
done
check 'the smallest are not enough' test "$failed" -gt 0
limited 4000 --resume --out last
check 'what was resumed with little memory can be resumed with more' test "$status" -eq 0

limited 200 --out new
if grep -q OpenBLAS errors; then
  check 'too little for OpenBLAS is said by name' grep -q 'not enough memory: OpenBLAS with 2 threads (OPENBLAS_NUM_THREADS sets their number) wants [0-9]* bytes.*may have 204800000' errors
else
  echo 'ok - too little for OpenBLAS # SKIP this build is without it'
fi
limited 1000 --limit-train 4000 --batch-size 4000 --threads 2 --out new
check 'too little for the arrays, too' grep -q '^xtgrad train: not enough memory: an array wants [0-9]* bytes, arrays have [0-9]*, and the process may have 1024000000 (ulimit -v)$' errors
check 'with status 1, and no directory' test "$status" -eq 1 -a ! -e new

exit "$((failures > 0))"
