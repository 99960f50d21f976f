#!/usr/bin/env bash
# examples/09_train_resnet: six epochs on drawn shapes are enough to be far better than a linear function of the pixels.
# shellcheck disable=SC2119,SC2317  # functions are called through check, run with or without arguments
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)/examples/09_train_resnet
. "$root/tests/examples/program.sh"

run
check 'it succeeds' test "$status" -eq 0
check 'it says what it trains' grep -qxF 'ResNet-8, norm batch: 75290 parameters' output
tr '\r' '\n' < output | grep -E '^epoch [0-9]: ' > epochs
check 'it reports six epochs' test "$(wc -l < epochs)" -eq 6
# "epoch 6: training loss 0.397, accuracy 88.4 %; test loss 0.440, accuracy 86.3 %"
learned() { awk '$2 == "1:" { first = $5 + 0 } $2 == "6:" { last = $5 + 0; test = $13 + 0 }
                 END { exit !(first > 1.5 && last < 1 && test > 60) }' epochs; }
check 'the loss falls, and most test images are told apart' learned
check 'progress is shown in between' grep -q 'epoch 3 of 6, step 40 of 78: loss ' <(tr '\r' '\n' < output)

run no-such-norm
check 'an unknown norm is refused in one line' \
  test "$status" -eq 2 -a "$(wc -l < errors)" -eq 1 -a -n "$(grep 'no-such-norm' errors)"
exit $((failures > 0))
