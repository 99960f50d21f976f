#!/usr/bin/env bash
# Graphs of 1,000,000 operations in a process whose whole stack is 256 KiB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=${XTGRAD_BUILD:-build}/tests/test_double
if (ulimit -s 256 && "$program" --test-case='memory: *1*000*000*,memory: and so is one retained*' | grep ' 3 passed' > /dev/null); then
  echo 'ok - chains of 1,000,000 operations, walked, not walked and retained, under ulimit -s 256'
else
  echo 'not ok - chains of 1,000,000 operations, walked, not walked and retained, under ulimit -s 256'
fi
