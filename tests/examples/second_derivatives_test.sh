#!/usr/bin/env bash
# examples/08_second_derivatives: the Hessian-vector product agrees with differences of gradients at the best step, and is
# off by the square of the step at large ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=${XTGRAD_BUILD:-build}/examples/08_second_derivatives

if output=$("$program") && [[ $output == *'H v for gamma: {0.65421, 1.2222, -1.4083, -13.812} (4)'* ]]; then
  echo 'ok - 08_second_derivatives: H v is what it was'
else
  echo "not ok - 08_second_derivatives: H v is what it was; it printed: $output"
fi
if awk '$1 == "1e-03" { large = $2 } $1 == "1e-04" { small = $2 } $1 == "1e-06" { best = $2 }
        END { ratio = large / small; exit !(ratio > 90 && ratio < 110 && best < 1e-8) }' <<< "$output"; then
  echo 'ok - 08_second_derivatives: a step of a tenth is off by a hundredth, down to 1e-8'
else
  echo "not ok - 08_second_derivatives: a step of a tenth is off by a hundredth, down to 1e-8; it printed: $output"
fi
