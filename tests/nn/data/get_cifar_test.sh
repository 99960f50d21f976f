#!/usr/bin/env bash
# Tests tools/get-cifar without a network: a stand-in for curl serves a small archive of the official layout, and a copy
# of the script expects that archive's MD5 and record size.
set -euo pipefail

script=$(cd "$(dirname "$0")/../../.." && pwd)/tools/get-cifar
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

failures=0
# check NAME STATUS PATTERN COMMAND...: the command exits with STATUS and prints (on both streams) one line like PATTERN.
check() {
  local name=$1 expected=$2 pattern=$3 output status=0
  shift 3
  output=$("$@" 2>&1) || status=$?
  # shellcheck disable=SC2053  # a pattern, on purpose
  if [[ $status -eq $expected && $output == $pattern ]]; then
    echo "ok - $name"
  else
    echo "not ok - $name: exit $status, output: $output"
    failures=$((failures + 1))
  fi
}
# shellcheck disable=SC2317  # called through check
one_line_on_stderr() {  # and nothing else there
  [[ $("$@" 2>&1 >/dev/null | wc -l) -eq 1 ]]
}

# The archive: six files of two one-byte records.
mkdir cifar-10-batches-bin
for name in data_batch_{1..5} test_batch; do printf 'ab' >"cifar-10-batches-bin/$name.bin"; done
tar -czf archive.tar.gz cifar-10-batches-bin
md5=$(md5sum <archive.tar.gz | cut -d ' ' -f 1)
sed -e "s/c32a1d4ab5d03f1284b67883e8d87530/$md5/" -e 's/record=3073 records=10000/record=1 records=2/' "$script" >get-cifar
cmp -s get-cifar "$script" && { echo 'not ok - the copy is changed'; exit 1; }

# curl's stand-in: continues the part from $SERVED, or fails; $SERVED is empty when there is no network.
mkdir bin
cat >bin/curl <<'END'
#!/usr/bin/env bash
while [[ $# -gt 0 ]]; do [[ $1 == --output ]] && output=$2; shift; done
[[ -n $SERVED ]] || exit 6
have=$(stat -c %s "$output" 2>/dev/null || echo 0)
[[ $have -lt $(stat -c %s "$SERVED") ]] || exit 22
if [[ -n ${PAUSE-} ]]; then  # in the middle, until that file is there
  tail -c +$((have + 1)) "$SERVED" | head -c 50 >>"$output"
  have=$((have + 50))
  touch "$PAUSE.begun"
  until [[ -e $PAUSE ]]; do sleep 0.01; done
fi
tail -c +$((have + 1)) "$SERVED" >>"$output"
END
chmod +x bin/curl
export PATH=$work/bin:$PATH SERVED=
run=(bash get-cifar)

check help 0 'usage: *10|100*' "${run[@]}" --help
check 'no arguments' 2 'get-cifar: expected 10 or 100*' "${run[@]}"
check 'too many arguments' 2 'get-cifar: expected 10 or 100*' "${run[@]}" 10 a b
check 'another number' 2 'get-cifar: there is no CIFAR-20, only 10 and 100*' "${run[@]}" 20
check 'a file for a directory' 1 'get-cifar: cannot make the directory archive.tar.gz' "${run[@]}" 10 archive.tar.gz

check 'no network' 1 '*cannot fetch https://*/cifar-10-binary.tar.gz*put cifar-10-binary.tar.gz into a b by hand' \
  "${run[@]}" 10 'a b'
check 'no network, one line' 0 '' one_line_on_stderr "${run[@]}" 10 'a b'
check 'no network, 100' 1 '*cannot fetch https://*/cifar-100-binary.tar.gz*' "${run[@]}" 100 'a b'

head -c 50 archive.tar.gz >'a b/cifar-10-binary.tar.gz.part'
check 'no network, a part' 1 '*cannot fetch*' "${run[@]}" 10 'a b'
check 'the part stays' 0 50 stat -c %s 'a b/cifar-10-binary.tar.gz.part'
export SERVED=$work/archive.tar.gz
check 'goes on from the part' 0 '*fetching*a b/cifar-10-batches-bin is ready' "${run[@]}" 10 'a b'
check 'unpacked' 0 '' cmp 'a b/cifar-10-batches-bin/test_batch.bin' cifar-10-batches-bin/test_batch.bin
check 'again' 0 'get-cifar: a b/cifar-10-batches-bin is complete' "${run[@]}" 10 'a b'

mkdir whole
cp archive.tar.gz whole/cifar-10-binary.tar.gz.part
check 'the part is the whole' 0 '*is ready' "${run[@]}" 10 whole

mkdir hand
cp archive.tar.gz hand/cifar-10-binary.tar.gz
export SERVED=
check 'put there by hand' 0 'get-cifar: hand/cifar-10-batches-bin is ready' "${run[@]}" 10 hand
printf 'a' >hand/cifar-10-batches-bin/data_batch_4.bin
check 'a truncated file is replaced' 0 'get-cifar: hand/cifar-10-batches-bin is ready' "${run[@]}" 10 hand
check 'nothing left over' 0 '' find . -name '*unpack*'

mkdir -p pair/get-cifar.unpack/half  # of one that was killed
export SERVED=$work/archive.tar.gz
PAUSE=$work/go "${run[@]}" 10 pair >first 2>&1 &
until [[ -e go.begun ]]; do sleep 0.01; done
"${run[@]}" 10 pair >second 2>&1 &
sleep 0.5
touch go
ended=0
wait %1 || ended=1
wait %2 || ended=2
check 'two at once: both end well' 0 '' test "$ended" -eq 0
check 'which has waited' 0 '*another one is at work in pair; waiting for it*pair/cifar-10-batches-bin is complete' cat second
check 'and nothing is left over' 0 $'cifar-10-batches-bin\ncifar-10-binary.tar.gz' ls pair

mkdir bad
echo something >bad/cifar-10-binary.tar.gz
check 'a damaged archive' 1 'get-cifar: bad/cifar-10-binary.tar.gz is damaged*' "${run[@]}" 10 bad
check 'is not removed' 0 something cat bad/cifar-10-binary.tar.gz
mkdir other
export SERVED=$work/bad/cifar-10-binary.tar.gz
check 'a damaged transfer' 1 '*the fetched archive is damaged*' "${run[@]}" 10 other
check 'is kept aside' 0 something cat other/cifar-10-binary.tar.gz.bad
check 'nothing is unpacked' 1 '*' test -e other/cifar-10-batches-bin

exit $((failures > 0))
