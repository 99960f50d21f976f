#!/usr/bin/env bash
# Tests xtgrad compare from outside: that a grid comes to the same numbers however often it is interrupted,
# that what is finished is not trained again, and what it says to wrong input. XTGRAD_BUILD is the build directory
# (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=compare
. "$here/program.sh"

# All files below a directory, when they were written and what is in them.
snapshot() { (cd "$1" 2> /dev/null && find . -type f -printf '%p %T@\n' -exec md5sum {} + | sort); }

# The CSV file without its two columns of time.
numbers() { sed 's/\(,[^,]*\)\{2\}$//' "$1"; }
same_numbers() { [[ -s $1 ]] && diff <(numbers "$1") <(numbers "$2") > output 2> errors; }

settings='[settings]
limit-train = 128
limit-test = 50
epochs = 2
batch-size = 32
threads = 1
'
cat > tiny.toml << END
# Two norms, two seeds.
$settings
[[grid]]
seed = [0, 1]
norm = ["batch", "none"]
END

# ------------------------------------------------------------------------------------------------- a grid and its files

run tiny.toml --list --out whole
check '--list names the cells, all norms of a seed first' test "$(grep -o '^norm=[^ ]*' output | tr '\n' ' ')" = \
  'norm=batch,seed=0 norm=none,seed=0 norm=batch,seed=1 norm=none,seed=1 '
check 'and that none has begun' test "$status" -eq 0 -a "$(grep -c 'not begun' output)" -eq 4
check 'it makes no directory' test ! -e whole

run tiny.toml --out whole
cp output whole-output
check 'a grid ends well' test "$status" -eq 0
check 'a line a cell, and no control characters, where output is no terminal' \
  test "$(grep -c '^norm=.*seed=[01]: test accuracy .* %, training loss .* after 2 epochs' output)" -eq 4 \
  -a "$(tr -d '[:print:]\n' < output | tr -d '\302\261' | wc -c)" -eq 0
check 'the CSV file has the header that scripts rely on' test "$(head -n 1 whole/tiny.csv)" = \
  cell,norm,seed,outcome,epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,images_per_second
check 'and a row a cell and epoch' test "$(grep -c '^"norm=[a-z]*,seed=[01]",[a-z]*,[01],finished,[12],' whole/tiny.csv)" -eq 8
rows_as_metrics() {
  diff <(grep '^"norm=none,seed=1"' whole/tiny.csv | sed 's/.*finished,//') \
    <(tail -n +2 'whole/norm=none,seed=1/metrics.csv')
}
check 'which are those of the runs' rows_as_metrics
mean_and_deviation() {
  grep '^"norm=none.*finished,2,' whole/tiny.csv | awk -F , '{ s += $10; q += $10 * $10 }
    END { printf "%.2f ± %.2f %%\n", s / 2, sqrt(q - s * s / 2) }' | grep -qFf - whole-output
}
check 'the last table has mean and standard deviation over the seeds' mean_and_deviation
command=evaluate run 'whole/norm=none,seed=1'
check 'a cell is a run' \
  grep -q "accuracy $(tail -n 1 'whole/norm=none,seed=1/metrics.csv' | cut -d , -f 5) %" output

csv=$(md5sum < whole/tiny.csv) before=$(snapshot whole | grep -v tiny.csv)
run tiny.toml --out whole
nothing_trained() {
  [[ $status -eq 0 && $csv == "$(md5sum < whole/tiny.csv)" && $before == "$(snapshot whole | grep -v tiny.csv)" ]]
}
check 'finished cells are skipped' nothing_trained
check 'and the table is shown again' grep -q '^norm  *seeds  *test accuracy' output
run tiny.toml --out whole --list
check '--list: all finished' test "$(grep -c '^norm=.* finished .* %' output)" -eq 4

run tiny.toml --out part --only seed=1
check '--only trains what it names' test "$(echo part/norm=*)" = 'part/norm=batch,seed=1 part/norm=none,seed=1'
run tiny.toml --out part --list
check '--list: estimates the time left' grep -q '^2 of 4 cells done, about .* of training left$' output
run tiny.toml --out part
check 'without it the others follow: the same numbers' same_numbers part/tiny.csv whole/tiny.csv
refused '--only for no cell' "*no cell's name contains 'layer'" tiny.toml --out part --only layer

if script -qec true /dev/null > /dev/null 2>&1 < /dev/null; then
  script -qec "stty columns 80; '$program' compare tiny.toml --out terminal" /dev/null > output 2>&1 < /dev/null
  check 'on a terminal a table that is rewritten' grep -qE 'norm=[a-z]+,seed=[01] +epoch [12]/2 \[=* *\].* images/s' output
  check 'in place' grep -q $'\033''\[5A' output
else
  echo 'ok - live table # SKIP no pseudo-terminal can be made here'
fi

# ------------------------------------------------------------------------------------------------- directories are gone

cp -r whole gone
rm -r gone/norm=*
run tiny.toml --out gone
check 'rows of cells whose directories are gone count' test "$status" -eq 0 -a "$(echo gone/*)" = gone/tiny.csv
check 'and are kept' cmp -s gone/tiny.csv whole/tiny.csv
check 'it says so once' test "$(grep -c 'the runs are gone' output)" -eq 1
sed -i '/^"norm=none,seed=1"/d' gone/tiny.csv
run tiny.toml --out gone
check 'the others are trained: the same numbers' same_numbers gone/tiny.csv whole/tiny.csv
check 'and nothing else' test "$(echo gone/norm=*)" = 'gone/norm=none,seed=1'
mkdir less
cp gone/tiny.csv less
sed 's/\["batch", "none"\]/"none"/' tiny.toml > less/tiny.toml
refused 'rows that would be lost' '*less/tiny.csv has the cell norm=batch,seed=0*' less/tiny.toml --out less
sed 's/epochs = 2/epochs = 3/' tiny.toml > less/tiny.toml
refused 'rows of another number of epochs' '*less/tiny.csv: cell norm=batch,seed=0 has 2 epochs, in the grid 3' \
  less/tiny.toml --out less
echo 'a,b' > less/tiny.csv
refused 'a CSV file of something else' '*less/tiny.csv: expected the columns*' tiny.toml --out less

# ------------------------------------------------------------------------------------------------- trouble on the way

cat > trouble.toml << END
$settings
[[grid]]
arch = "resnet18"
width = 8
limit-train = 32
norm = ["batch", "instance"]
stem = "imagenet"
[[grid]]
lr = [1e30]
schedule = "constant"
norm = "batch"
[[grid]]
norm = "layer"
END
run trouble.toml --out trouble
check 'a cell that diverges or is refused does not end the grid' test "$status" -eq 0
check 'the others are trained' grep -q '^norm=layer: test accuracy' output
check 'one is told to have diverged' grep -q '^lr=1e+30,schedule=constant,norm=batch: diverged in epoch 1, step 2$' output
check 'one to be refused, and why' grep -q 'norm=instance,stem=imagenet: refused: instance_norm: .*(32, 1, 1, 64)$' output
check 'and so in the last table' test "$(grep -cE '^(batch|instance) .* 1 (diverged|refused)$' output)" -eq 2
check 'the CSV file has a row without numbers for each' \
  test "$(grep -cE ',(diverged|refused),,,,,,,,$' trouble/trouble.csv)" -eq 2
check 'and outcome.txt the reason' grep -qx 'diverged in epoch 1, step 2' trouble/lr=*/outcome.txt
before=$(snapshot trouble | grep -v trouble.csv)
run trouble.toml --out trouble
check 'neither is tried again' test "$status" -eq 0 -a "$before" = "$(snapshot trouble | grep -v trouble.csv)"
run trouble.toml --out trouble --list
check '--list tells both' test "$(grep -cE ' (diverged in epoch 1, step 2|refused: .*)$' output)" -eq 2

run tiny.toml --out whole --curves curves.svg
if command -v gnuplot > /dev/null; then
  check '--curves draws a line for each setting' test "$status" -eq 0 -a \
    "$(grep -cE '>(batch|no norm)<' curves.svg)" -eq 2
  check 'as a picture of its own' grep -qF 'xmlns="http://www.w3.org/2000/svg"' curves.svg
  check 'in plain colours' plain_picture curves.svg
  dark() { sed -n '/@media (prefers-color-scheme:dark)/,/<\/style>/p' curves.svg; }
  check 'with one for the dark in place of each' test -n "$(dark)" -a -z "$(grep -oE "(fill|stroke|color) ?= ?.#[0-9a-f]{6}" curves.svg |
    tr -d ' ' | tr '"' "'" | sort -u | while read -r use; do grep -qF "[$use']" <(dark) || echo "$use"; done)"
else
  check '--curves needs gnuplot' test "$status" -eq 2
fi

# wait_for FILE: until it is there, or the program has ended.
wait_for() {
  while kill -0 "$training" 2> /dev/null && [[ ! -s $1 ]]; do sleep 0.01; done
}

for moment in 0 0.2; do
  start tiny.toml --save-every 0 --out "killed-$moment"
  wait_for "killed-$moment/norm=none,seed=0/checkpoint.safetensors"
  sleep "$moment"
  kill -KILL "$training"
  wait "$training" 2> /dev/null
  run tiny.toml --out "killed-$moment"
  check "killed $moment s after the second cell's first checkpoint: the same numbers" \
    same_numbers "killed-$moment/tiny.csv" whole/tiny.csv
done

for signal in INT TERM; do
  start tiny.toml --out "stopped-$signal"
  wait_for "stopped-$signal/norm=batch,seed=0/metrics.csv"
  kill -STOP "$training"  # it waits while others look
  run tiny.toml --out "stopped-$signal"
  check "SIG$signal: until then, no other program may train there" test "$status" -eq 2 -a -n "$(grep another errors)"
  kill "-$signal" "$training"
  kill -CONT "$training"
  status=0
  wait "$training" || status=$?
  check "SIG$signal: exit status 130" test "$status" -eq 130
  check "SIG$signal: it says how to go on" grep -q 'the same command goes on' output
  run tiny.toml --out "stopped-$signal" --list
  check "SIG$signal: --list shows how far it is" test "$(grep -cE ' (epoch 1 of 2|finished|not begun)' output)" -eq 4
  run tiny.toml --out "stopped-$signal"
  check "SIG$signal: the same numbers" same_numbers "stopped-$signal/tiny.csv" whole/tiny.csv
done

# ------------------------------------------------------------------------------------------------- two at once

run tiny.toml --out shared --only none,seed=0
lock 'shared/norm=batch,seed=0'
run tiny.toml --out shared
check 'a cell that another program is training is left to it: exit status 2' test "$status" -eq 2
check 'named in one line' grep -qx \
  'xtgrad compare: another program is training in shared/norm=batch,seed=0; the other cells are done' errors
check 'the others are trained' test "$(grep -o '"norm=[a-z]*,seed=[01]"' shared/shared.csv shared/tiny.csv 2> /dev/null | sort -u | wc -l)" -eq 3
lock_again=$locker
lock 'shared/norm=none,seed=1'
run tiny.toml --out shared
check 'what is over needs no lock' grep -qx \
  'xtgrad compare: another program is training in shared/norm=batch,seed=0; the other cells are done' errors
unlock
locker=$lock_again
unlock
run tiny.toml --out shared
check 'the same command goes on with it: the same numbers' test "$status" -eq 0
check 'the same numbers' same_numbers shared/tiny.csv whole/tiny.csv

# The first cell is in use at first, and is trained by that other program while this one trains the rest.
lock 'other/norm=batch,seed=0'
start tiny.toml --out other
wait_until test -e 'other/norm=batch,seed=1/config.toml'
cp -r 'whole/norm=batch,seed=0/'* 'other/norm=batch,seed=0'
unlock
finish
check 'a cell that was put off is looked at again' test "$status" -eq 0 -a -n "$(grep 'put off' output)"
check 'and what was trained meanwhile is taken' same_numbers other/tiny.csv whole/tiny.csv
check 'as it is' cmp -s 'whole/norm=batch,seed=0/metrics.csv' 'other/norm=batch,seed=0/metrics.csv'

start tiny.toml --save-every 0 --out partner
wait_until test -s 'partner/norm=batch,seed=0/checkpoint.safetensors'
kill -STOP "$training"
command=train refused '--resume of a cell that is under way' \
  'another program is training in partner/norm=batch,seed=0' --resume --out 'partner/norm=batch,seed=0'
kill -CONT "$training"
finish
check 'the grid comes to the same numbers' same_numbers partner/tiny.csv whole/tiny.csv

# ------------------------------------------------------------------------------------------------- diverged and resumed

cat > divergent.toml << END
$settings
[[grid]]
lr = 1e30
schedule = "constant"
norm = ["none", "batch"]
END
# What is in a directory, without what differs between any two trainings: times, and so checksums.
left_in() { (cd "$1" && find . -type f | sort && cat ./*/outcome.txt ./*/config.toml); }
run divergent.toml --out divergent
# The first cell is stopped before its first step: it waits for the lock when the signal comes.
cell='interrupted/lr=1e+30,schedule=constant,norm=none'
lock "$cell"
command=train start --limit-train 128 --limit-test 50 --epochs 2 --batch-size 32 --threads 1 --lr 1e30 --schedule constant \
  --norm none --out "$cell"
wait_until has_open "$cell"
kill -INT "$training"
unlock
finish
check 'a signal that comes before a run has its directory' test "$status" -eq 130 -a -s "$cell/checkpoint.safetensors"
run divergent.toml --out interrupted
check 'a cell that diverged and had been stopped before leaves the same files' \
  test "$(left_in divergent)" = "$(left_in interrupted)"
command=train run --resume --out 'interrupted/lr=1e+30,schedule=constant,norm=batch'
check 'resumed by hand it diverges again' grep -q 'epoch 1, step 2' errors
run divergent.toml --out interrupted
check 'and leaves the same files' \
  test "$(left_in divergent)" = "$(left_in interrupted)"
check 'and the same rows' cmp -s divergent/divergent.csv interrupted/divergent.csv

# A run from before some settings were there.
cp -r whole older
sed -i '/^\(stem\|width\|optimizer\|loss\|ema\|save-every\|data\) = /d' 'older/norm=batch,seed=0/config.toml'
rm older/tiny.csv
run tiny.toml --out older
check 'a config.toml that lacks newer settings will do' test "$status" -eq 0
check 'and its rows are there' same_numbers older/tiny.csv whole/tiny.csv
sed 's/batch-size = 32/batch-size = 16\nema = 0.9/' tiny.toml > changed.toml
refused 'a run of other settings' \
  '*whole/norm=batch,seed=0 holds a run of other settings*: batch-size is 16, the run has 32; ema is 0.9, the run has 0' \
  changed.toml --out whole
refused 'or another number of threads' '*threads is 2, the run has 1' tiny.toml --out whole --threads 2
run tiny.toml --out whole --data elsewhere --save-every 7
check 'where the data are may differ' test "$status" -eq 0

# ------------------------------------------------------------------------------------------------- wrong input

run --help
check '--help explains' test "$status" -eq 0 -a "$(grep -c -e '--list' -e '\[\[grid\]\]' output)" -gt 2
refused 'two views' '*are views: give one*' tiny.toml --list --curves x.svg
refused '--curves without a file' '*--curves needs the name*' tiny.toml --curves ''
refused '--curves of nothing' '*no cell has finished an epoch' tiny.toml --out new --curves x.svg
refused 'no grid' '*which grid*--help*' --out new
refused 'unknown option' '*--lits*' tiny.toml --lits
refused 'two grids' '*tiny.toml*' tiny.toml tiny.toml
refused 'threads 0' '*tiny.toml*threads must be at least 1, got 0' tiny.toml --out new --threads 0
refused 'a grid that is not there' '*none.toml*' none.toml --out new
refused 'threads that are no number' "--threads: expected a whole number, got '0x2'" tiny.toml --threads 0x2
refused 'a flag with a value' "--list takes no value, *, got '2x' (see --help)" tiny.toml --list=2x
mkdir place
refused '--curves is a directory' '--curves needs the name of a file, and place is a directory' tiny.toml --curves place
cp tiny.toml ...toml
refused 'a grid whose results would be in the directory above' "...toml: *'..' cannot be the name of a directory" ...toml
rm ...toml
refused '--out is a file' '*tiny.toml*not*' tiny.toml --out tiny.toml

# wrong NAME PATTERN TEXT: a grid of that text is refused.
wrong() {
  printf '%b\n' "$3" > wrong.toml
  refused "$1" "wrong.toml$2" wrong.toml --out new
}
wrong 'no TOML' ':2:*' '[[grid]]\nnorm = = 3'
wrong 'an empty file' '*no \[\[grid\]\]*' ''
wrong 'no [[grid]]' '*no \[\[grid\]\]*' '[settings]\nepochs = 1'
wrong 'an empty [[grid]]' ': \[\[grid\]\] 1 has no settings' '[[grid]]'
wrong '[grid]' '*no \[\[grid\]\]*' '[grid]\nnorm = "batch"'
wrong '[settings] that are none' ': \[settings\] is no table' 'settings = 3\n[[grid]]\nnorm = "batch"'
wrong 'a key outside' "*'epochs' belongs*" 'epochs = 1\n[[grid]]\nnorm = "batch"'
wrong 'an unknown setting' ": \[settings\]: there is no setting 'epoch': did you mean epochs?" '[settings]\nepoch = 1\n[[grid]]\nnorm = "batch"'
wrong 'an unknown axis' ": \[\[grid\]\] 2: there is no setting 'nrom': did you mean norm?" '[[grid]]\nnorm = "batch"\n[[grid]]\nnrom = "batch"'
wrong 'an empty list' ': \[\[grid\]\] 1: seed is an empty list' '[[grid]]\nnorm = "batch"\nseed = []'
wrong 'a list in a list' ': \[\[grid\]\] 1: seed is neither*' '[[grid]]\nseed = [[1]]'
wrong 'a list among the settings' ': \[settings\]: seed is neither*' '[settings]\nseed = [1]\n[[grid]]\nnorm = "batch"'
wrong 'a wrong value in the last cell' ': \[\[grid\]\] 2: cell norm=bach: *batch, layer*' \
  '[[grid]]\nnorm = "batch"\n[[grid]]\nnorm = ["none", "bach"]'
wrong 'a value of the wrong type' ': \[\[grid\]\] 1: cell epochs=two: epochs: expected a whole number' '[[grid]]\nepochs = "two"'
wrong 'a wrong setting' ': *epochs must be at least 1, got 0' '[settings]\nepochs = 0\n[[grid]]\nnorm = "batch"'
wrong 'a cell twice' ': cell norm=batch is there twice' '[[grid]]\nnorm = ["batch", "none", "batch"]'
wrong 'a cell twice under two names' ': cells norm=batch and norm=batch,lr=0.4 are the same training*' \
  '[[grid]]\nnorm = "batch"\n[[grid]]\nnorm = "batch"\nlr = 0.4'
wrong 'a value that no directory can be named after' ": \[\[grid\]\] 1: data: 'a/b' *" '[[grid]]\ndata = "a/b"'
wrong 'a value that is the directory above' ": \[\[grid\]\] 1: data: '..' cannot be part of *" '[[grid]]\ndata = ".."'
wrong 'a value too long for a name' ": \[\[grid\]\] 1: the cell 'data=xxx*…' is longer than 200 bytes" \
  "[[grid]]\ndata = \"$(printf 'x%.0s' {1..250})\""
wrong 'more cells than anybody waits for' ': \[\[grid\]\] 1: more than 10000 cells are too many*' \
  "[[grid]]\nseed = [$(seq -s, 200)]\nepochs = [$(seq -s, 200)]"

# The results of a grid may come from anywhere.
mkdir -p elsewhere/there
printf 'diverged: \033[31mred\n' > elsewhere/outcome.txt
columns=cell,norm,seed,outcome,$(head -n 1 whole/norm=batch,seed=0/metrics.csv)
for cell in .. ../there .; do
  printf '%s\n"%s",batch,0,diverged,,,,,,,,\n' "$columns" "$cell" > elsewhere/there/tiny.csv
  refused "a cell named $cell" "elsewhere/there/tiny.csv:2: '$cell' is no name of a cell" tiny.toml --out elsewhere/there --table
done

exit $((failures > 0))
