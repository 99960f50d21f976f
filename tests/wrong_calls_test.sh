#!/usr/bin/env bash
# The tools answer a wrong call with one line and exit status 2, before they install or build anything; those in Python
# name an option that is nearly right.
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/examples/program.sh"
long=$(printf 'x%.0s' {1..3000})

program=$root/tools/docs
refused 'docs: an option nearly right' 'unrecognized arguments: --chekc: did you mean --check? (see --help)' --chekc
refused 'docs: no such page' 'no such page: /proc/x (see --help)' /proc/x
refused 'docs: a name too long' '*xxx…' "$long"
refused 'docs: control characters' 'unrecognized arguments: --\\x1b\[31m (see --help)' $'--\e[31m'

program=$root/tools/assignment
refused 'assignment: no command' 'the following arguments are required: COMMAND (see --help)'
refused 'assignment: an unknown command' "argument COMMAND: invalid choice: 'garde' *" garde course
refused 'assignment: an option nearly right' 'unrecognized arguments: --jsno: did you mean --json? (see --help)' grade course --jsno
refused 'assignment: an unknown part' "argument --part: invalid choice: '6' *" grade course --part 6
refused 'assignment: no folder' 'there is no folder *' grade none
refused 'assignment: a name too long' '*' grade "$long"
refused 'assignment: no folder can be made there' '/proc/x: *' start /proc/x/y
refused 'assignment: nor with that name' '*' start "$long"

for tool in bench get-cifar install-deps test try-arm64 try-distribution; do
  program=$root/tools/$tool
  refused "$tool: a long option" '*xxx*' "--$long" more
  refused "$tool: control characters" '*31m*' $'--\e[31m\r\n'
done
for tool in experiments walk; do
  program=$root/tools/$tool
  refused "$tool: a long name" 'there is no * xxx*' "$long"
  refused "$tool: control characters" 'there is no *31m*' $'\e[31m\r\n'
done
program=$root/tools/try-distribution
refused 'try-distribution: nothing' 'expected a distribution (see --help)'
program=$root/tools/bench
for rounds in 0 0x2 2x 1.5 '' 99999999999999999999; do
  refused "bench: '$rounds' rounds" '--peer: expected a number of rounds, got *' --peer "$rounds"
done
refused 'bench: -1 rounds' 'unknown option -1 (see --help)' --peer -1
program=$root/tools/try-arm64
for jobs in 0 0x2 2x '' 99999999999999999999; do
  refused "try-arm64: '$jobs' jobs" '-j wants a number (see --help)' -j "$jobs"
done

# These are not executable: run ARGUMENTS... has the interpreter read them, the one that Debian's PyTorch serves.
run() {
  status=0
  /usr/bin/python3 "$program" "$@" > output 2> errors < /dev/null || status=$?
}
program=$root/tests/bench/compare.py
refused 'compare.py: nothing' 'expected BUILD train|scaling|peer *, got nothing (see --help)'
refused 'compare.py: an unknown benchmark' 'expected *, got build tarin (see --help)' build tarin
for rounds in 0 0x2 2x 1.5 -1 ''; do
  refused "compare.py: '$rounds' rounds" 'expected *' build peer "$rounds"
done
refused 'compare.py: no build' 'none/tests/bench_train: *' none train

if /usr/bin/python3 -c 'import torch' 2> /dev/null; then
  program=$root/tests/bench/peer.py
  refused 'peer.py: nothing' 'wrong arguments: none (see --help)'
  refused 'peer.py: an unknown norm' 'wrong arguments: train bach (see --help)' train bach
  refused 'peer.py: a batch size that is no number' '*' train batch fp32 nhwc 0x20
  for program in "$root/tests/reference/make_reference.py" "$root/tests/reference/make_pytorch_resnet20.py"; do
    refused "${program##*/}: two folders" 'expected at most one DIR*' one two
    refused "${program##*/}: an unknown option" 'expected at most one DIR*' --all
  done
else
  echo 'skip - peer.py and what makes the reference values: PyTorch is not installed'
fi

exit $((failures > 0))
