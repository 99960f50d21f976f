#!/usr/bin/env bash
# The table of proofs is complete: every operation that a header declares has a row in it, and every row an operation.
# An operation is a function at namespace scope that returns Variable, Variables, Mask or Indices. Operators are left
# out, being calls of functions that have a name, and so is what ends in _composed: that is the definition of the
# operation of the name before it, which its row holds the operation equal to.
# shellcheck disable=SC2317  # functions are called by way of `check`
set -uo pipefail

if [[ ${1:-} == --help ]]; then
  echo 'usage: XTGRAD_BUILD=DIR tests/proofs/check_complete_test.sh   (DIR: a finished build; normally run by tools/test)'
  exit 0
fi
(($# == 0)) || { echo "check_complete_test: unknown argument $1 (see --help)" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd -P) || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

failures=0
# check DESCRIPTION COMMAND...: one line on whether the command succeeds, and what it said if not.
check() {
  local description=$1
  shift
  if "$@" > "$tmp/said" 2>&1; then
    echo "ok - $description"
  else
    echo "not ok - $description"
    sed 's/^/    /' "$tmp/said"
    failures=$((failures + 1))
  fi
}

# declared ROOT: the operations in the headers. Declarations begin at the left margin; members and arguments do not.
declared() {
  find "$1/autograd/ops" "$1/nn/norm" -name '*.hpp' ! -name norm.hpp ! -name make_norm.hpp -exec cat {} + |
    sed -nE 's/^(inline +|\[\[nodiscard\]\] +)*(xtg::)?(Variables?|Mask|Indices) +([A-Za-z_0-9]+)\(.*/\4/p' |
    grep -vE '_composed$|^activated$' | sort -u  # activated: relu behind a layer
}

# complete ROOT: the headers below ROOT and the table name the same operations.
complete() {
  local operation status=0
  declared "$1" > "$tmp/declared"
  "$build/tests/prove" --list | sort > "$tmp/proven" || return 1
  while read -r operation; do
    echo "$operation has no row in the table of proofs: add one in tests/proofs, and its case in make_reference.py"
    status=1
  done < <(comm -23 "$tmp/declared" "$tmp/proven")
  while read -r operation; do
    echo "the table of proofs has a row for $operation, which no header declares"
    status=1
  done < <(comm -13 "$tmp/declared" "$tmp/proven")
  return "$status"
}

# complains TEXT: the check of the altered copy fails and says TEXT, and nothing else.
complains() {
  if complete "$tmp/copy" > "$tmp/complaint"; then echo 'it did not complain'; return 1; fi
  diff <(echo "$1") "$tmp/complaint"
}

# Were the headers written in another style, this would find nothing, and pass.
finds_all_kinds() {
  local operation
  declared "$root" > "$tmp/declared"
  for operation in add less argmax split batch_norm; do
    grep -qx "$operation" "$tmp/declared" || { echo "$operation is not found in the headers"; return 1; }
  done
}

# Nothing returns such a type in another form (std::pair<Variable, Indices>); norm.hpp has what the norms share.
understands_every_declaration() {
  ! grep -nE --exclude=norm.hpp '^[^ /#].*\b(Variables?|Mask|Indices)>? +[a-z_]+\(' \
    "$root"/autograd/ops/*.hpp "$root"/nn/norm/*.hpp | grep -vE ':(inline +|\[\[nodiscard\]\] +)*(Variables?|Mask|Indices) '
}

copy() {
  rm -rf "$tmp/copy"
  mkdir -p "$tmp/copy/autograd" "$tmp/copy/nn"
  cp -r "$root/autograd/ops" "$tmp/copy/autograd/"
  cp -r "$root/nn/norm" "$tmp/copy/nn/"
}

check 'operations of every kind are found in the headers' finds_all_kinds
check 'no header declares one in a form that this check does not know' understands_every_declaration
check 'every operation has a row, and every row an operation' complete "$root"

missing='has no row in the table of proofs: add one in tests/proofs, and its case in make_reference.py'
for header in autograd/ops/loss.hpp nn/norm/group_norm.hpp; do
  copy
  echo 'Variable frobnicate(const Variable& x);' >> "$tmp/copy/$header"
  check "an operation without row, added to $header, is found" complains "frobnicate $missing"
done
copy
sed -i '/^Mask less_equal(/d' "$tmp/copy/autograd/ops/elementwise.hpp"
check 'a row without operation is found' \
  complains 'the table of proofs has a row for less_equal, which no header declares'

# refused STATUS NAME TEXT: prove does not know NAME, and says TEXT.
refused() {
  local status=0
  "$build/tests/prove" "$2" > "$tmp/output" 2> "$tmp/errors" || status=$?
  cat "$tmp/errors"
  [[ $status == "$1" && ! -s $tmp/output && $(< "$tmp/errors") == "$3" ]]
}

# prints PATTERN ARGUMENTS...: prove succeeds, and its last line matches.
prints() {
  local pattern=$1
  shift
  "$build/tests/prove" "$@" > "$tmp/output" || return 1
  cat "$tmp/output"
  # shellcheck disable=SC2053  # a pattern, on purpose
  [[ $(tail -n 1 "$tmp/output") == $pattern ]]
}

check 'prove refuses an operation that it does not know' \
  refused 2 frobnicate "prove: no operation or option 'frobnicate' (see --list and --help)"
check 'prove of two operations prints their rows alone' prints '2 operations, 2 rows, all proven' less greater
check 'prove prints a table of all' prints '* operations, * rows, all proven'
exit $((failures > 0))
