#!/usr/bin/env bash
# Tests xtgrad train from outside: what it says to wrong input, what it leaves behind, and that a run that
# was killed, stopped or repeated comes to the same numbers. XTGRAD_BUILD is the build directory (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=train
. "$here/program.sh"

# All files below a directory and what is in them.
snapshot() {
  ls -a "$1" 2>&1
  (cd "$1" 2> /dev/null && find . -type f -exec md5sum {} + | sort)
}

# metrics.csv without its two columns of time.
numbers() { cut -d , -f 1-6 "$1/metrics.csv"; }
same_numbers() { [[ -s $1/metrics.csv ]] && diff <(numbers "$1") <(numbers "$2") > output 2> errors; }

# A run of 24 steps that takes seconds.
tiny=(--limit-train 256 --limit-test 100 --epochs 3 --batch-size 32 --threads 1)

# ------------------------------------------------------------------------------------------------- a run and its files

run "${tiny[@]}" --out whole
check 'a run ends well' test "$status" -eq 0
check 'it leaves metrics, settings and a checkpoint' \
  test -s whole/metrics.csv -a -s whole/config.toml -a -s whole/checkpoint.safetensors
check 'and nothing temporary' nothing_temporary
check 'metrics.csv has the header that scripts rely on' test "$(head -n 1 whole/metrics.csv)" = \
  epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,images_per_second
check 'and a row an epoch' test "$(cut -d , -f 1 whole/metrics.csv | tr '\n' ' ')" = 'epoch 1 2 3 '
if command -v gnuplot > /dev/null; then
  check 'curves.svg is an SVG in plain colours' plain_picture whole/curves.svg
else
  echo 'ok - curves.svg # SKIP gnuplot is not installed'
fi
check 'one line an epoch, and no control characters, where output is no terminal' \
  test "$(grep -c '^epoch' output)" -eq 3 -a "$(tr -d '[:print:]\n' < output | wc -c)" -eq 0
check 'it ends by telling what to try next' grep -q 'try next' output

PATH=/nowhere run "${tiny[@]}" --epochs 1 --limit-train 32 --out plain
check 'without gnuplot a note, and the training goes on' test "$status" -eq 0 -a "$(grep -c gnuplot output)" -eq 1

if script -qec true /dev/null > /dev/null 2>&1 < /dev/null; then
  script -qec "'$program' train ${tiny[*]} --out terminal" /dev/null > output 2>&1 < /dev/null
  check 'on a terminal a line that is rewritten' grep -q $'\r''epoch 1/3 \[=.*images/s.*left' output
else
  echo 'ok - progress line # SKIP no pseudo-terminal can be made here'
fi

run --help
check '--help explains' test "$status" -eq 0 -a "$(grep -c -- '--norm' output)" -gt 1

# ------------------------------------------------------------------------------------------------------ waiting threads

# started_with VARIABLE=VALUE: the environment that the program which was started found.
started_with() {
  [[ /proc/$training/exe -ef $program ]] && tr '\0' '\n' < "/proc/$training/environ" | grep -qx "$1"
}
spinning=$(env | grep -E '^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)=') || true
unset GOMP_SPINCOUNT OMP_WAIT_POLICY
start "${tiny[@]}" --epochs 500 --out waits
wait_until started_with GOMP_SPINCOUNT=1000
check 'threads without work spin for a moment only' started_with GOMP_SPINCOUNT=1000
kill "$training"
finish
OMP_WAIT_POLICY=active start "${tiny[@]}" --epochs 500 --out spins
wait_until test -s output
check 'unless the user has a setting of his own' test "$(started_with GOMP_SPINCOUNT=.* || echo as set)" = 'as set'
kill "$training"
finish
for setting in $spinning; do export "${setting?}"; done

# last_row DIRECTORY [WHAT]: the output is what the last row of its metrics.csv says.
last_row() {
  IFS=, read -r _ _ _ loss accuracy _ < <(tail -n 1 "$1/metrics.csv")
  grep -q "^${2:-test} loss $loss, ${2:-test} accuracy $accuracy %" output
}
before=$(snapshot whole)
command=evaluate run whole
check 'xtgrad evaluate prints what the last row says' last_row whole
check 'and writes nothing' test "$before" = "$(snapshot whole)"
run --resume --out whole
check '--resume of a finished run says so' test "$status" -eq 0 -a "$(grep -c finished output)" -eq 1
check 'and writes nothing' test "$before" = "$(snapshot whole)"

cp -r whole stale
rm stale/curves.svg
sed -i '$d' stale/metrics.csv
run --resume --out stale
check 'but makes up for what a kill has left unwritten' test "$before" = "$(snapshot stale)"

run --config whole/config.toml --out again
check 'config.toml repeats the run' same_numbers again whole
check 'bit for bit' cmp -s <(tail -c 300000 again/checkpoint.safetensors) <(tail -c 300000 whole/checkpoint.safetensors)
run --config whole/config.toml --epochs 1 --seed 5 --out other
check 'options come before it' grep -qx 'seed = 5' other/config.toml
run --config whole/config.toml --epochs 1 --lr 0.01 --derived --no-nesterov --label-smoothing 0.1 --out derived
check '--derived of earlier versions is understood' grep -qx 'gradients = "derived"' derived/config.toml
sed 's/^gradients = .*/derived = true/' derived/config.toml > old.toml
run --config old.toml --out old
check 'and so is an old config.toml' same_numbers old derived
run --config old.toml --gradients by-hand --out by-hand
check 'options come before its settings, too' grep -qx 'gradients = "by-hand"' by-hand/config.toml
check 'the form by hand has the same losses to five digits' \
  test "$(cut -d, -f2 by-hand/metrics.csv | cut -c1-6)" = "$(cut -d, -f2 derived/metrics.csv | cut -c1-6)"
sed -i 's/^gradients = .*/derived = true/' derived/config.toml
run --resume --out derived
check 'a run of an earlier version goes on' test "$status" -eq 0
refused 'an unknown form' "unknown gradients 'slow', expected fused, by-hand, derived" --gradients slow --out none
check 'off as well as on' grep -qx 'nesterov = false' derived/config.toml
run "${tiny[@]}" --limit-train 40 --batch-size 64 --epochs 1 --norm none --schedule cosine --augment none --out small
check 'fewer images than a batch are one step' test "$status" -eq 0 -a "$(grep -c '1 epoch of 1 step' output)" -eq 1
check 'no norm gets a small learning rate' grep -qx 'lr = 0.05' small/config.toml

# ------------------------------------------------------------------------------------------------- what it trains

# trains NAME DIRECTORY PATTERN ARGUMENTS...: one epoch of two steps, whose header is like PATTERN, and xtgrad evaluate
# says the same as its row.
few=(--limit-train 64 --limit-test 20 --epochs 1 --batch-size 32 --threads 1)
trains() {
  local name=$1 directory=$2 pattern=$3
  shift 3
  run "${few[@]}" "$@" --out "$directory"
  check "$name trains" test "$status" -eq 0 -a "$(head -n 1 output | grep -c "^$pattern")" -eq 1
  command=evaluate run "$directory"
  check "$name: xtgrad evaluate says the same" last_row "$directory"
}
trains 'a VGG' vgg 'vgg11 of width 8, batch norm, ' --arch vgg11 --width 8
trains 'the ImageNet stem' stem 'resnet18 of width 4, ImageNet stem, group norm (2 groups), ' \
  --arch resnet18 --width 4 --stem imagenet --norm group --groups 2
trains 'the CIFAR stem' no-stem 'resnet18 of width 4, CIFAR stem, ' --arch resnet18 --width 4
trains 'Fixup' fixup 'resnet8, no norm, Fixup, ' --norm none --fixup
check 'with a learning rate of its own' grep -qx 'lr = 0.1' fixup/config.toml
trains 'blocks that begin as the identity' zero-init 'resnet8, batch norm, gamma 0 at the end of blocks, ' --zero-init
trains 'AdamW' adamw resnet8 --optimizer adamw
check 'with its own learning rate' grep -qx 'lr = 0.001' adamw/config.toml
check 'and its own weight decay' grep -qx 'weight-decay = 0.05' adamw/config.toml
trains 'Adam' adam resnet8 --optimizer adam
trains 'the sigmoid loss' bce resnet8 --loss bce
# At first each of ten questions has the answer yes or no with probability about a half: 10·log 2 nats.
check 'ten questions cost more than one choice' \
  test "$(tail -n 1 bce/metrics.csv | cut -d , -f 4 | cut -d . -f 1)" -ge 3
trains 'a moving average' ema resnet8 --ema 0.9
trains 'evaluation with mirror images' flipped resnet8 --flip-test
run "${few[@]}" --out unchanged
for option in '--mixup 1' '--cutout 8' '--erasing 1' '--no-decay-norms' '--clip-norm 0.1' '--label-smoothing 0.2'; do
  # shellcheck disable=SC2086  # two words
  run "${few[@]}" $option --out "changed${option%% *}"
  losses_differ() {
    [[ $status -eq 0 ]] && ! cmp -s <(cut -d , -f 2,4 "changed${option%% *}/metrics.csv") <(cut -d , -f 2,4 unchanged/metrics.csv)
  }
  check "$option changes the numbers" losses_differ
done
run "${few[@]}" --validation 30 --out validated
check 'validation images are set aside' grep -q ': 34 training and 30 validation images, 10 classes' output
check 'and reported on' grep -q '^validation accuracy ' output
command=evaluate run validated
check 'by xtgrad evaluate too' last_row validated validation
check 'in the curves too' test "$(grep -c '>validation<' validated/curves.svg)" -eq 2 -a "$(grep -c '>test<' validated/curves.svg)" -eq 0
cp -r validated edited
sed -i 's/^validation = 30/validation = 20/' edited/config.toml
command=evaluate refused 'evaluation on other images' '*validation is 20, the run has 30*' edited

# ------------------------------------------------------------------------------------------------- how it computes

short=("${tiny[@]}" --epochs 2)
run "${tiny[@]}" --epochs 1 --limit-train 64 --precision bf16 --out half
check '--precision bf16 trains' test "$status" -eq 0 -a "$(wc -l < half/metrics.csv)" -eq 2
if grep -q 'going on in fp32' output; then
  check 'where there is no bf16 it says so, and records fp32' grep -qx 'precision = "fp32"' half/config.toml
else
  check 'and records it' grep -qx 'precision = "bf16"' half/config.toml
  run "${tiny[@]}" --epochs 1 --limit-train 64 --out full-precision
  differ() { ! cmp -s <(numbers half) <(numbers full-precision); }
  check 'its numbers are not those of fp32' differ
  run --resume --out half
  check 'a resume keeps it' test "$status" -eq 0
  refused 'a resume in another precision' '*precision is fp32, the run has bf16*' \
    --resume --precision fp32 --out half
fi
refused 'a resume in a precision the run has not' '*precision is bf16, the run has fp32*' \
  --resume --precision bf16 --out whole
run "${tiny[@]}" --epochs 1 --limit-train 64 --convolution exact --verbose --out exact
check '--convolution exact trains, and records it' test "$status" -eq 0 -a "$(grep -cx 'convolution = "exact"' exact/config.toml)" -eq 1
check 'without Winograd' test "$(grep -c winograd output)" -eq 0
refused 'a resume with other convolutions' '*convolution is fast, the run has exact*' \
  --resume --convolution fast --out exact
refused 'a resume with convolutions the run has not' '*convolution is exact, the run has fast*' \
  --resume --convolution exact --out whole
refused 'wrong convolution' "*unknown convolution 'slow', expected fast, exact*" --convolution slow --out new
refused 'wrong precision' "*unknown precision 'fp16', expected fp32, bf16*" --precision fp16 --out new

algorithm='(direct|blocked|winograd) '
run "${short[@]}" --epochs 1 --limit-train 32 --verbose --out verbose
lists_convolutions() {
  grep -q '^convolutions: matrix products' output && return  # a build without oneDNN
  grep -q '^convolutions of 32 images:$' output &&
    grep -qE "^  32x32, 3 -> 16, 3x3 +forward +$algorithm" output &&
    grep -qE "^  32x32, 16 -> 32, 3x3, stride 2 +backward_input +$algorithm" output &&
    grep -qE "^  8x8, 64 -> 64, 3x3 +backward_weight +$algorithm" output &&
    [[ -z $(grep -E ' (forward|backward_[a-z]+) ' output | sort | uniq -d) ]] && ! grep -q 'GFLOP' output
}
check '--verbose lists the convolutions' lists_convolutions
check 'and chooses nothing' grep -qx 'conv-algorithms = ""' verbose/config.toml

# Which way is the fastest is chance, so the run is also made with a choice given to it.
run "${short[@]}" --autotune --save-every 0 --out tuned
cp output tuned-output
has_onednn() { ! grep -q '^convolutions: matrix products' tuned-output; }
times_convolutions() {
  ! has_onednn || grep -qE '^  8x8, 64 -> 64, 3x3 +forward .* direct [0-9]+ GFLOP/s .* blocked [0-9]+ GFLOP/s' tuned-output
}
check '--autotune trains' test "$status" -eq 0
check 'and times the convolutions' times_convolutions
recorded() { sed -n 's/^conv-algorithms = "\(.*\)"$/\1/p' "$1/config.toml"; }
records_what_it_chose() {
  [[ $(grep -c -- '-> .* for this run$' tuned-output) -eq $(recorded tuned | grep -o ': [a-z]*' | wc -l) ]]
}
check 'what it chose is in config.toml' records_what_it_chose
run --config tuned/config.toml --out tuned-again
check 'config.toml repeats the run, choices included' same_numbers tuned-again tuned
check 'without measuring again' test -z "$(grep GFLOP output)" -a "$(recorded tuned)" = "$(recorded tuned-again)"

given='forward 8x8 64->64 kernel 3x3 stride 1 padding 1 dilation 1 groups 1 fp32: blocked'
run "${short[@]}" --conv-algorithms "$given" --verbose --out given
check 'algorithms can be given' test "$status" -eq 0 -a "$(recorded given)" = "$given"
runs_as_given() { ! has_onednn || grep -qE '^  8x8, 64 -> 64, 3x3 +forward +blocked ' output; }
check 'and are what runs' runs_as_given
rm -rf cut-short
cp -r given cut-short
rm cut-short/checkpoint.safetensors cut-short/metrics.csv
run --resume --verbose --out cut-short
check 'a resume keeps them' test "$(recorded cut-short)" = "$given"
check 'and computes with them' runs_as_given
check 'the same numbers' same_numbers cut-short given
refused 'a resume with other algorithms' '*conv-algorithms is forward 8x8 64->64 *winograd, the run has forward *blocked*' \
  --resume --conv-algorithms "${given/blocked/winograd}" --out given
refused 'a resume without them' '*conv-algorithms is *, the run has forward *blocked*' \
  --resume --conv-algorithms '' --out given
refused 'algorithms that are none' "*set_conv2d_algorithms: expected *got 'fast'*" --conv-algorithms fast --out new
refused '--autotune with --resume' '*--autotune is for a new run*' --resume --autotune --out whole

# ------------------------------------------------------------------------------------------------- wrong options

refused 'unknown option' '*--nom*' --nom batch --out new
refused 'option without its value' '*--epochs*' --out new --epochs
refused 'stray word' '*shapes*' shapes --out new
refused 'an option nearly right' 'there is no option --nrom: did you mean --norm? (see --help)' --nrom batch --out new
refused 'an option in place of a value' '--out needs a value behind it, got --resume (see --help)' --out --resume
refused 'no config file, but its option' '--config needs the name of a file, got an empty one (see --help)' --config '' --out new
refused 'no directory, but its option' '--out needs the name of a directory, got an empty one (see --help)' --out ''
refused 'no data, but its option' '*data needs the name of a directory*' --data '' --out new
for number in '' 0x2 1e1 1.5 2x ' 2' 99999999999999999999 18446744073709551617; do
  refused "'$number' epochs" "--epochs: expected a whole number*, got '$number'" --epochs "$number" --out new
  refused "seed '$number'" "--seed: expected a whole number*, got '$number'" --seed "$number" --out new
done
refused 'an empty value behind =' '--lr= has nothing behind its = (see --help)' --lr= --out new
for number in '' 0x1p3 1,5 1e400 1e-400 x; do
  refused "learning rate '$number'" "--lr: expected a number, got '$number'" --lr "$number" --out new
done
for option in nesterov no-nesterov fixup derived resume verbose; do
  refused "--$option=2x" "--$option takes no value, or =true or =false, got '2x' (see --help)" --$option=2x --out new
done
run "${tiny[@]}" --epochs 010 --limit-train 32 --nesterov=false --derived=false --out '[ten]'
check '010 is ten, =false is no, and brackets are a name like others' test "$status" -eq 0 -a \
  "$(grep -cxE 'epochs = 10|nesterov = false|gradients = "fused"' '[ten]/config.toml')" -eq 3
refused 'control characters' 'there is no option --\\x1b\[31mred (see --help)' $'--\e[31mred' --out new
refused 'a word too long' "expected only options, got 'xxx*xxx…' (see --help)" "$(printf 'x%.0s' {1..5000})"
refused 'unknown norm' '*batch, layer, instance, group*none*' --norm bach --out new
refused 'unknown architecture' '*resnet8*resnet20*resnet110*' --arch resnet9 --out new
refused 'unknown dataset' '*shapes, cifar10, cifar100*' --dataset mnist --out new
refused 'unknown schedule' '*one-cycle, step, cosine or constant*' --schedule warm --out new
refused 'unknown augmentation' '*crop-flip, none*' --augment cutout --out new
refused 'coarse labels where there are none' 'labels: shapes has no coarse ones' --labels coarse --out new
refused 'groups that do not divide' '*groups: 3 *16*' --norm group --groups 3 --out new
refused 'negative groups' '*groups must be at least 0, got -1' --norm group --groups -1 --out new
refused 'batch size 0' '*batch-size must be at least 1, got 0' --batch-size 0 --out new
refused 'negative batch size' '*batch-size must be at least 1, got -4' --batch-size -4 --out new
refused 'batch size that is no number' '*batch-size*many*' --batch-size many --out new
refused 'epochs 0' '*epochs must be at least 1, got 0' --epochs 0 --out new
refused 'threads 0' '*threads must be at least 1, got 0' --threads 0 --out new
for rate in nan inf -inf -1; do
  refused "learning rate $rate" '*lr*' "--lr=$rate" --out new
done
refused 'momentum 1' '*momentum must be below 1*' --momentum 1 --out new
refused 'unknown stem' '*cifar*imagenet*' --stem none --out new
refused 'a stem where there is none' '*stem: resnet8 has no imagenet stem' --stem imagenet --out new
refused 'negative width' '*width must be at least 0, got -8' --width -8 --out new
refused 'groups that do not divide the width' '*groups: 8 do not divide the 12 channels*' \
  --norm group --width 12 --out new
refused 'Fixup with a norm' '*fixup is for *--norm none, not for resnet8 with norm batch' --fixup --out new
refused 'Fixup without residual branches' '*fixup is for *not for vgg11*' --arch vgg11 --norm none --fixup --out new
refused 'zero-init without norm' '*zero-init is for *not for resnet8 with norm none' --norm none --zero-init --out new
refused 'unknown optimizer' "*'lion'*sgd*adam*adamw*" --optimizer lion --out new
refused 'unknown loss' "*unknown loss 'hinge', expected cross-entropy or bce" --loss hinge --out new
for setting in mixup erasing clip-norm label-smoothing ema weight-decay; do
  refused "negative $setting" "*$setting must be finite and at least 0, got -1" "--$setting=-1" --out new
done
refused 'an average that never changes' '*ema must be below 1, got 1' --ema 1 --out new
refused 'erasing more than always' '*erasing must be at most 1, got 2' --erasing 2 --out new
refused 'smoothing more than all' '*label-smoothing must be at most 1, got 2' --label-smoothing 2 --out new
refused 'cutout larger than the image' '*cutout must be at most 32, got 33' --cutout 33 --out new
refused 'no images left to train on' '*split: 64 validation images of 64 leave none to train on' \
  --limit-train 64 --validation 64 --out new
refused 'Nesterov without momentum' '*nesterov needs a momentum*' --momentum 0 --nesterov --out new
refused '--eval of earlier versions' '--eval is a command of its own now: xtgrad evaluate DIR' --eval --out whole
refused '--lr-range of earlier versions' '--lr-range is a command of its own now: xtgrad find-lr' --lr-range

refused 'no config file' '*none.toml*' --config none.toml --out new
printf 'epochs = 2\nlearning-rate = 0.1\n' > wrong.toml
refused 'unknown key in a config file' "*wrong.toml*'learning-rate'*" --config wrong.toml --out new
printf 'epochs = 2\nlr = = 3\n' > wrong.toml
refused 'a config file that is not TOML' '*wrong.toml:2:*' --config wrong.toml --out new
printf 'epochs = "two"\n' > wrong.toml
refused 'a config value of the wrong type' '*epochs: expected a whole number*' --config wrong.toml --out new
printf 'epochs = [2]\n' > wrong.toml
refused 'a config value that is a list' '*epochs*' --config wrong.toml --out new

python3 -c "print('.'.join(35000 * 'a') + ' = 1')" > wrong.toml
refused 'a key of 35,000 parts' 'wrong.toml:1: a key has more than 16 dots' --config wrong.toml --out new
printf 'epochs = 2\n\xc6\x83 = 1\n' > wrong.toml
refused 'a letter outside of ASCII in a key' 'wrong.toml:2: a letter outside of ASCII*' --config wrong.toml --out new
printf 'nrom = "batch"\n' > wrong.toml
refused 'a key nearly right' "wrong.toml: there is no setting 'nrom': did you mean norm?" --config wrong.toml --out new
for number in 010 99999999999999999999 1e1; do
  printf 'epochs = %s\n' "$number" > wrong.toml
  refused "epochs $number in a config file" '*' --config wrong.toml --out new
done
for number in 1e400 1e-400; do
  printf 'lr = %s\n' "$number" > wrong.toml
  refused "learning rate $number in a config file" 'wrong.toml:1: *' --config wrong.toml --out new
done

# ------------------------------------------------------------------------------------------------- wrong data

refused 'missing data directory' '*nowhere*' --dataset cifar10 --data nowhere --out new
mkdir data
refused 'data directory without files' '*data_batch_1.bin*' --dataset cifar10 --data data --out new
for name in data_batch_{1..5} test_batch; do truncate -s 30730000 "data/$name.bin"; done
truncate -s 30729999 data/data_batch_3.bin
refused 'truncated batch file' '*data_batch_3.bin*30729999*30730000*' --dataset cifar10 --data data --out new
truncate -s 30733073 data/data_batch_3.bin
refused 'oversized batch file' '*data_batch_3.bin*30733073*30730000*' --dataset cifar10 --data data --out new
truncate -s 30730000 data/data_batch_3.bin
printf '\12' | dd of=data/test_batch.bin bs=1 seek=$((3073 * 7)) conv=notrunc status=none
refused 'label out of range' '*test_batch.bin*label 10*' --dataset cifar10 --data data --out new
truncate -s $((50000 * 3074)) data/train.bin
truncate -s $((10000 * 3074)) data/test.bin
run "${tiny[@]}" --limit-train 32 --epochs 1 --arch resnet8 --dataset cifar100 --labels coarse --data data --out coarse
check 'CIFAR-100 with coarse labels' grep -q '20 classes' output
check 'which are no subclasses' test "$(grep -c superclass output)" -eq 0
cp -r coarse edited-labels
sed -i 's/^labels = "coarse"/labels = "fine"/' edited-labels/config.toml
command=evaluate refused 'evaluation with other labels' '*labels is fine, the run has coarse*' edited-labels
printf 'x' | dd of=data/train.bin bs=1 seek=5000 conv=notrunc status=none
refused 'resuming on other images' '*training images were others*' --resume --out coarse

# ------------------------------------------------------------------------------------------------- wrong directories

mkdir walled
echo precious > walled/file
refused '--out is a file' '*walled/file*not*' "${tiny[@]}" --out walled/file
refused '--out under a file' '*walled/file/run*' "${tiny[@]}" --out walled/file/run
refused '--out holds a run' '*whole already holds a run*--resume*' "${tiny[@]}" --out whole
refused '--resume of nothing' '--resume needs --out and the directory of the run' --resume
refused '--runs of nothing' '--runs needs the name of a directory, got an empty one (see --help)' --runs ''
refused '--resume where there is none' '*new holds no run*' --resume --out new
command=evaluate refused 'evaluation where there is none' '*new holds no run*' new
refused '--resume with other settings names them' '*norm is layer, the run has batch; epochs is 4, the run has 3' \
  --resume --norm layer --epochs 4 --out whole
refused '--resume with another number of threads' '*threads is 2, the run has 1' \
  --resume --threads 2 --out whole
cp -r whole edited-arch
sed -i 's/^arch = .*/arch = "resnet20"/' edited-arch/config.toml
command=evaluate refused 'evaluation of another architecture' '*arch is resnet20, the run has resnet8' edited-arch

damaged() {
  rm -rf damaged
  cp -r whole damaged
}
for use in evaluate resume; do
  if [[ $use == evaluate ]]; then words=(damaged) command=evaluate; else words=(--resume --out damaged) command=train; fi
  damaged
  truncate -s -1000 damaged/checkpoint.safetensors
  refused "truncated checkpoint, $use" '*damaged/checkpoint.safetensors*' "${words[@]}"
  for at in 3 200 100000; do
    damaged
    byte=$(od -An -tu1 -j $at -N 1 damaged/checkpoint.safetensors)
    # shellcheck disable=SC2059  # an octal escape
    printf "\\$(printf %o $((byte ^ 1)))" \
      | dd of=damaged/checkpoint.safetensors bs=1 seek=$at conv=notrunc status=none
    refused "checkpoint with byte $at flipped, $use" '*damaged/checkpoint.safetensors*' "${words[@]}"
  done
  damaged
  : > damaged/checkpoint.safetensors
  refused "empty checkpoint, $use" '*damaged/checkpoint.safetensors*' "${words[@]}"
  damaged
  cp small/checkpoint.safetensors damaged
  refused "checkpoint of another norm, $use" '*norm is batch, the run has none*' "${words[@]}"
done
command=train

# ------------------------------------------------------------------------------------------------- trouble on the way

run "${tiny[@]}" --lr 1e30 --schedule constant --out diverged
check 'a loss that is not a number ends the run with 1' test "$status" -eq 1
check 'and names epoch and step' grep -q 'epoch 1, step 2' errors
check 'in one line' one_line

limited() (ulimit -f 200 && run "$@"; exit $status)
status=0
limited "${tiny[@]}" --out full || status=$?
check 'no space for the first checkpoint: exit status 2' test "$status" -eq 2
check 'in one line that names the file' one_line
check 'and leaves no half of it' test -z "$(find full -name 'checkpoint*')"

# wait_for ROWS DIRECTORY: until so many epochs are in metrics.csv and there is a checkpoint, or the program has ended.
wait_for() {
  while kill -0 "$training" 2> /dev/null; do
    if [[ -s $2/checkpoint.safetensors ]]; then
      (($1 > 0)) || return
      [[ ! -s $2/metrics.csv ]] || (($(wc -l < "$2/metrics.csv") <= $1)) || return
    fi
    sleep 0.01
  done
}

start "${tiny[@]}" --save-every 0 --out survivor
wait_for 1 survivor
kill -KILL "$training"
wait "$training" 2> /dev/null
before=$(md5sum survivor/checkpoint.safetensors)
status=0
limited --resume --out survivor || status=$?
check 'no space while saving: exit status 2' test "$status" -eq 2
check 'the old checkpoint survives' test "$before" = "$(md5sum survivor/checkpoint.safetensors)"
run --resume --out survivor
check 'and the run can go on from it' same_numbers survivor whole

in_the_middle=0
for moment in 0 0.1 0.2 0.35 0.5; do
  directory=killed-$moment
  start "${tiny[@]}" --save-every 0 --out "$directory"
  wait_for 0 "$directory"
  sleep "$moment"
  kill -KILL "$training"
  wait "$training" 2> /dev/null
  run --resume --out "$directory"
  ! grep -q 'going on after .* [1-7] steps*$' output || in_the_middle=$((in_the_middle + 1))
  check "killed $moment s after its first checkpoint and resumed: the same numbers" same_numbers "$directory" whole
done
check 'some of these were in the middle of an epoch' test "$in_the_middle" -gt 0
check 'and nothing temporary is left of any' nothing_temporary

start "${tiny[@]}" --save-every 1000 --out epoch-only
wait_for 2 epoch-only
kill -KILL "$training"
wait "$training" 2> /dev/null
run --resume --out epoch-only
check 'killed with one checkpoint an epoch: the same numbers' same_numbers epoch-only whole

mkdir unsaved
cp whole/config.toml unsaved
run --resume --out unsaved
check 'killed before the first checkpoint: --resume begins anew' same_numbers unsaved whole

for signal in INT TERM; do
  start "${tiny[@]}" --save-every 1000 --out "stopped-$signal"
  wait_for 1 "stopped-$signal"
  kill "-$signal" "$training"
  status=0
  wait "$training" || status=$?
  check "SIG$signal: exit status 130" test "$status" -eq 130
  check "SIG$signal: it says how to go on" grep -q -- '--resume --out stopped' output
  run --resume "${tiny[@]}" --out "stopped-$signal"
  check "SIG$signal and resumed: the same numbers" same_numbers "stopped-$signal" whole
done

# ------------------------------------------------------------------------------------------------- two at once

one_epoch=("${few[@]}" --limit-train 32)
mkdir -p runs/shapes-2
run "${one_epoch[@]}"
check 'without --out a run gets a directory of its own' test "$status" -eq 0 -a -s runs/shapes-1/checkpoint.safetensors
run "${one_epoch[@]}"
check 'a name that is taken is not used' test "$status" -eq 0 -a -s runs/shapes-3/checkpoint.safetensors -a ! -e runs/shapes-2/config.toml
command=find-lr run "${one_epoch[@]}" --runs elsewhere/runs
check 'elsewhere too' test "$status" -eq 0 -a -s elsewhere/runs/shapes-1/lr-range.csv
refused 'a directory that cannot be made' 'walled/file*cannot make this directory*' "${one_epoch[@]}" --runs walled/file
refused 'wrong data leave no directory' '*nowhere*' --dataset cifar10 --data nowhere --runs unmade

pids=()
for n in 1 2 3 4 5 6; do
  "$program" train "${one_epoch[@]}" --seed $n --runs together > "together-$n" 2>&1 < /dev/null &
  pids+=($!)
done
together=0
for n in 1 2 3 4 5 6; do
  wait "${pids[n - 1]}" || together=1
  name=$(sed -n 's/.*stops and saves in //p' "together-$n")
  grep -qx "seed = $n" "$name/config.toml" && "$program" evaluate "$name" > output 2> errors && last_row "$name" || together=1
done
check 'six at once: each has its own, whole' test "$together" -eq 0 -a "$(echo together/*)" = "$(echo together/shapes-{1..6})"

lock locked
refused 'a directory in which another program trains' 'another program is training in locked' "${one_epoch[@]}" --out locked
refused 'by whatever name' 'another program is training in ./locked' "${one_epoch[@]}" --out ./locked/
command=find-lr refused 'for find-lr, too' 'another program is training in locked' "${one_epoch[@]}" --out locked
# The one that comes first takes the directory after the second has looked, and found nothing there.
start "${one_epoch[@]}" --out locked
wait_until has_open locked
cp -r whole/. locked
before=$(snapshot locked)
unlock
finish
check 'what another program has left meanwhile is not overwritten' test "$status" -eq 2 -a "$before" = "$(snapshot locked)"
check 'and it says so' grep -qx 'xtgrad train: locked already holds a run: .*' errors

start "${tiny[@]}" --save-every 0 --out busy
wait_for 0 busy
kill -STOP "$training"
refused '--resume of a run that is under way' 'another program is training in busy' --resume --out busy
command=evaluate run busy
check 'evaluation of it is possible' test "$status" -eq 0
kill -CONT "$training"
wait "$training"
check 'and it comes to the same numbers' same_numbers busy whole

# The other one goes on where it is resumed, and not where it was when this one was started.
start "${tiny[@]}" --save-every 0 --out later
wait_for 0 later
kill -KILL "$training"
wait "$training" 2> /dev/null
lock later
start --resume --out later
wait_until has_open later
cp whole/* later
unlock
finish
check 'a resume looks at the run only once it has it' test "$status" -eq 0 -a -n "$(grep finished output)"

# ------------------------------------------------------------------------------------------------- gnuplot in trouble

search=$PATH
tried=("${tiny[@]}" --save-every 0)
gnuplot_that 'exec sleep 1000'
SECONDS=0
PATH=$work/bin:$search run "${tried[@]}" --out hung
check 'a gnuplot that hangs costs a plot and a note' test "$status" -eq 0 -a "$(grep -c 'no curves: gnuplot' output)" -eq 1
check 'and ten seconds, once' test "$SECONDS" -lt 60 -a "$(wc -l < bin/started)" -eq 1
check 'it is gone' test ! -e "/proc/$(< bin/started)"
check 'and the numbers are there' same_numbers hung whole
gnuplot_that 'echo "<svg>"; exit 3'
PATH=$work/bin:$search run "${one_epoch[@]}" --out failed
check 'one that fails costs a plot and a note' test "$status" -eq 0 -a "$(grep -c 'no curves: gnuplot' output)" -eq 1 -a ! -e failed/curves.svg
gnuplot_that 'kill -9 $$'
PATH=$work/bin:$search run "${one_epoch[@]}" --out crashed
check 'so does one that crashes' test "$status" -eq 0 -a "$(grep -c 'no curves: gnuplot' output)" -eq 1
gnuplot_that 'yes'
PATH=$work/bin:$search run "${one_epoch[@]}" --out endless
check 'and one whose output has no end' test "$status" -eq 0 -a "$(grep -c 'no curves: gnuplot' output)" -eq 1

gnuplot_that 'exec sleep 1000'
PATH=$work/bin:$search start "${tried[@]}" --out widow
wait_until test -s bin/started
kill -KILL "$training"
wait "$training" 2> /dev/null
run --resume --out widow
check 'a gnuplot that outlives its program keeps nobody from the run' same_numbers widow whole
kill "$(< bin/started)"
check 'and nothing temporary is left' nothing_temporary

# While a resumed run is loaded, before its first step: it draws the curves anew, by which we know.
start "${tiny[@]}" --save-every 1000 --out early
wait_for 1 early
kill -INT "$training"
wait "$training"
gnuplot_that 'sleep 1'
PATH=$work/bin:$search start --resume --out early
wait_until test -s bin/started
kill -INT "$training"
finish
check 'SIGINT while a run is loaded: exit status 130' test "$status" -eq 130
check 'and it says how to go on' grep -q -- '--resume --out early' output
run --resume --out early
check 'the same numbers' same_numbers early whole

# ------------------------------------------------------------------------------------------------- links and modes

mkdir shelf
start "${tiny[@]}" --save-every 1000 --out linked
wait_for 1 linked
kill -INT "$training"
wait "$training"
for file in checkpoint.safetensors metrics.csv; do
  mv "linked/$file" shelf
  ln -s "../shelf/$file" linked
done
chmod 600 shelf/checkpoint.safetensors
run --resume --out linked
check 'links in a run stay, and lead to the new files' test -L linked/checkpoint.safetensors -a -L linked/metrics.csv
check 'whose modes are kept' test "$(stat -c %a shelf/checkpoint.safetensors)" = 600
check 'the same numbers' same_numbers linked whole

exit $((failures > 0))
