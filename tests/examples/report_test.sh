#!/usr/bin/env bash
# Tests xtgrad report from outside, and the option --layer-statistics that it draws: the parts of a page, that it
# needs nothing else, that it is the same each time, what it says to wrong input, and that looking at the layers leaves
# a training as it is. XTGRAD_BUILD is the build directory (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=report
. "$here/program.sh"

train() { "$program" train "$@" > output 2> errors < /dev/null; }
has() { grep -qF -- "$2" "$1"; }
# Nothing is loaded from anywhere: no script, no link, no import, and every source is inside the page.
self_contained() {
  ! grep -qiE '<script|<link|<iframe|@import|(href|src)="?(https?:)?//' "$1" &&
    [[ -z $(grep -oE '(src|href)=["'\''][^"'\'']{0,16}' "$1" | grep -vE '="data:image/png|=["'\'']#gp') ]]
}
well_formed() { ! command -v xmllint > /dev/null || xmllint --noout "$1" 2> errors; }
gnuplot_there() { command -v gnuplot > /dev/null; }

tiny=(--limit-train 96 --limit-test 60 --epochs 2 --batch-size 32 --threads 1)

# ------------------------------------------------------------------------------------------ sizes of activations

train "${tiny[@]}" --out plain
train "${tiny[@]}" --layer-statistics 1,2 --out run
numbers() { cut -d , -f 1-6 "$1/metrics.csv"; }
check 'looking at the layers leaves the numbers as they are' cmp -s <(numbers plain) <(numbers run)
weights() { tail -c 300000 "$1/checkpoint.safetensors"; }
check 'and the weights' cmp -s <(weights plain) <(weights run)
check 'without the option nothing is written' test ! -e plain/layers.csv
epochs_of() { tail -n +2 "$1/layers.csv" | cut -d , -f 1 | uniq -c | tr -s ' \n' ' '; }
check 'epoch 0 and those asked for, four arrays of each of 7 layers' test "$(epochs_of run)" = ' 28 0 28 1 28 2 '
check 'the header says what the columns are' test "$(head -n 1 run/layers.csv)" = \
  epoch,layer,array,mean,sd,zeros,q1,q5,q25,q50,q75,q95,q99
ordered() { awk -F , 'NR > 1 { for (i = 8; i <= 13; ++i) if ($i + 0 < $(i - 1) + 0) exit 1; if ($5 <= 0) exit 1 }' "$1"; }
check 'quantiles rise, and no array is constant' ordered run/layers.csv
relu_cuts_half() { awk -F , '$1 == 0 && $3 == "activation" && ($6 < 5 || $6 > 95) { exit 1 }' run/layers.csv; }
check 'relu leaves zeros' relu_cuts_half
train --resume --out run
check 'a finished run keeps its rows' test "$(epochs_of run)" = ' 28 0 28 1 28 2 '
cp run/layers.csv whole.csv
cp -r run anew
rm anew/checkpoint.safetensors anew/metrics.csv
train --resume --out anew
check 'a run that begins anew has each row once' cmp -s anew/layers.csv whole.csv
for text in 3 -1 a 1,,2 '1;2'; do
  train "${tiny[@]}" "--layer-statistics=$text" --out wrong
  check "--layer-statistics $text is refused" grep -q 'layer-statistics: expected epochs of 0 to 2' errors
done

# --------------------------------------------------------------------------------------------------- a run

run run
check 'a report ends well' test "$status" -eq 0 -a "$(< output)" = 'report: run/report.html'
page=run/report.html
for part in 'resnet8, batch norm on shapes' '<h2>Curves' '<h2>Numbers' '<h2>Classes' 'Confusion matrix' '<h2>Images' \
  'data:image/png;base64,' '<h2>Activations and gradients' '<h2>How it was made' 'weight-decay' \
  'xtgrad train --dataset shapes --limit-train 96 --limit-test 60' 'date of this report'; do
  check "it has $part" has "$page" "$part"
done
accuracy=$(tail -n 1 run/metrics.csv | cut -d , -f 5)
check 'its sentence has the accuracy of metrics.csv' has "$page" "recognizes $(printf %.2f "$accuracy") % of 60 test images"
check 'it needs nothing else' self_contained "$page"
check 'it is well-formed' well_formed "$page"
coloured() { grep -qF 'background:var(--page);color:var(--text)' "$1" && [[ -z $(undefined_variables "$1") ]]; }
check 'it defines every colour that it uses' coloured "$page"
dark() { grep -oE '@media \(prefers-color-scheme:dark\)\{:root\{[^}]*' "$1"; }
check 'in the dark, too' grep -qF -- '--page:#15181c;' <(dark "$page")
if gnuplot_there; then
  check 'it has curves and a plot for each epoch and direction' test "$(grep -c '<svg role="img"' "$page")" -eq 8
  check 'in the colours of the page' test -z "$(grep -E "(stroke|fill)=['\"]rgb" "$page")" -a "$(grep -c 'var(--s1)' "$page")" -gt 3
else
  echo 'ok - curves # SKIP gnuplot is not installed'
fi
check 'every image has a text' test "$(grep -o '<img ' "$page" | wc -l)" -eq "$(grep -o '<img [^>]*alt="image' "$page" | wc -l)"
undated() { sed 's/<td>[0-9]*-[0-9]*-[0-9]*<\/td>//' "$1"; }
run run --out again.html
check 'it is the same each time' cmp -s <(undated again.html) <(undated "$page")
PATH=/nowhere run run --out plain.html
check 'without gnuplot there are no curves' test "$status" -eq 0 -a "$(grep -c '<svg' plain.html)" -eq 0
check 'and it says so, on the page too' test "$(grep -c 'no curves' output)" -eq 1 -a "$(grep -c 'No curves' plain.html)" -eq 1
run plain
check 'a run without layers.csv says how to get one' has plain/report.html '--layer-statistics 1,10,20'
check 'nothing temporary is left' nothing_temporary

search=$PATH
mkdir temporary
gnuplot_that 'exec sleep 1000'
TMPDIR=$work/temporary PATH=$work/bin:$search start run --out killed.html
wait_until test -s bin/started
kill -KILL "$training"
wait "$training" 2> /dev/null
kill "$(< bin/started)"
check 'killed while it draws, it leaves nothing at all' test -z "$(ls temporary)" -a ! -e killed.html
check 'nor anything temporary' nothing_temporary
SECONDS=0
PATH=$work/bin:$search run run --out hung.html
check 'a gnuplot that hangs costs the curves and a note' test "$status" -eq 0 -a "$(grep -c 'no curves' output)" -eq 1 -a "$(grep -c 'No curves' hung.html)" -eq 1
check 'and ten seconds, once' test "$SECONDS" -lt 60 -a "$(wc -l < bin/started)" -eq 2
ln -s linked.html link.html
run run --out link.html
check 'a link leads to the page' test -L link.html -a -n "$(has linked.html '</html>' && echo yes)"

# --------------------------------------------------------------------------------------------------- a grid

cat > norms.toml << 'END_OF_GRID'
[settings]
limit-train = 64
limit-test = 40
epochs = 2
batch-size = 32
threads = 1
layer-statistics = "2"
[[grid]]
norm = ["batch", "none"]
seed = [0, 1]
[[grid]]
norm = "none"
lr = 1e30
seed = 0
END_OF_GRID
"$program" compare norms.toml --out grid > output 2> errors < /dev/null
run grid
check 'a grid has a report' test "$status" -eq 0 -a -s grid/report.html
for part in 'Comparison norms: resnet8 on shapes' '5 trainings of 3 settings' '<h2>Results' ' ± ' 'no norm' '1 diverged' \
  'diverged in epoch' 'bands reach from the least' '<h2>Activations and gradients' 'seed = [0, 1]' "$(< 'grid/norm=none,seed=1/machine.txt')" \
  'date of this report'; do
  check "it has $part" has grid/report.html "$part"
done
check 'it needs nothing else' self_contained grid/report.html
check 'it is well-formed' well_formed grid/report.html
check 'it defines every colour that it uses' coloured grid/report.html
again() {
  sed -n '/^<pre.*\[settings\]/,/^<\/code>/p' grid/report.html | sed 's/<[^>]*>//g; s/&#34;/"/g' > copy.toml
  "$program" compare copy.toml --list --out elsewhere > output 2> errors &&
    [[ $(grep -o '^norm=[^ ]*' output | sort) == "$(cd grid && ls -d norm=* | sort)" ]]
}
check 'the file it shows makes the same grid' again
rm -r grid/norm=*
run grid
check 'where the runs are gone it has what the CSV file tells' test "$status" -eq 0 -a \
  "$(grep -c 'runs of this grid are gone' grid/report.html)" -eq 1

# --------------------------------------------------------------------------------------------------- wrong input

mkdir empty
refused 'no directory' '*expected the directory*'
refused 'a directory that is not there' '*there is no directory nowhere' nowhere
refused 'a directory with neither run nor grid' '*empty holds neither a run*nor a grid*' empty
refused '--data for a grid' '*--data is for the report of a run*' grid --data data
refused 'an unknown option' '*--name*' run --name x
refused 'a page that cannot be written' '*nowhere/x.html: cannot write*' run --out nowhere/x.html
printf 'epoch,layer\n' > run/layers.csv
refused 'a damaged layers.csv' '*run/layers.csv: expected the header*' run
truncate -s -1000 plain/checkpoint.safetensors
refused 'a damaged checkpoint' '*plain/checkpoint.safetensors*' plain
run --help
check '--help explains' test "$status" -eq 0 -a "$(grep -c -- '--out' output)" -gt 0
mkdir place
refused '--out is a directory' '--out needs the name of a file, and place is a directory' run --out place
refused 'two runs' "expected one directory, got 'plain' besides (see --help)" run plain
refused 'no data' '--data needs the name of a directory, got an empty one (see --help)' run --data ''
refused 'an option nearly right' 'there is no option --oput: did you mean --out? (see --help)' run --oput x
for epoch in 1e41 -5 nan 1000001; do
  rm -rf wrong-layers
  cp -r run wrong-layers
  printf '%s\n%s\n' epoch,layer,array,mean,sd,zeros,q1,q5,q25,q50,q75,q95,q99 \
    "$epoch,conv1,convolution,1,1,0,0,0,0,0,0,0,0" > wrong-layers/layers.csv
  refused "epoch $epoch in layers.csv" "wrong-layers/layers.csv:2: expected an epoch from 0 to 1000000, got '$epoch'" wrong-layers
done

exit $((failures > 0))
