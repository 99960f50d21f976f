#!/usr/bin/env bash
# Who may include whom: in each list a folder's files include none of a folder behind it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

failures=0
# no_way_up ROOT FOLDER...: from the bottom up.
no_way_up() {
  local root=$1 upper found
  shift
  while (($#)); do
    found=''
    for upper in "${@:2}"; do
      found+=$(grep -rnE "^#include \"(\.\./)*($root)?$upper/" --include='*.?pp' "$root$1")
    done
    if [[ -z $found && -d $root$1 ]]; then
      echo "ok - $root$1/ includes nothing of what is above it"
    else
      printf 'not ok - %s\n# %s\n' "$root$1/ includes nothing of what is above it" "${found//$'\n'/$'\n# '}"
      failures=$((failures + 1))
    fi
    shift
  done
}
no_way_up '' tensor autograd nn examples tests
no_way_up examples/app/ terminal settings run grid report commands

# Of that test: a file that does is found.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tensor" "$work/nn" "$work/tests"
cp "$0" "$work/tests/"
echo '#include "../nn/module.hpp"' > "$work/tensor/wrong.hpp"
if [[ -z ${XTGRAD_INCLUDES_AGAIN-} ]]; then
  found=$(XTGRAD_INCLUDES_AGAIN=1 bash "$work/tests/${0##*/}" 2> /dev/null)
  if [[ $found == *'not ok - tensor/'*'wrong.hpp:1:'* && $found == *'ok - nn/'* ]]; then
    echo 'ok - a planted include upwards is found'
  else
    echo 'not ok - a planted include upwards is found'
    failures=$((failures + 1))
  fi
fi

exit $((failures > 0))
