#!/usr/bin/env bash
# Tests xtgrad evaluate from outside: that its numbers are those of the training and agree with each other, and what it
# says of PNG files and wrong input; and xtgrad find-lr. XTGRAD_BUILD is the build directory
# (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${XTGRAD_BUILD:-$here/../../build}" && pwd)
program=$build/examples/xtgrad command=evaluate
. "$here/program.sh"

# same A B: two files of equal text, which is not nothing.
same() {
  local a b
  a=$(cat "$1") b=$(cat "$2")
  [[ -n $a && $a == "$b" ]]
}

tiny=(--limit-train 256 --limit-test 100 --epochs 1 --batch-size 32 --threads 1)
"$program" train "${tiny[@]}" --out whole > training 2>&1 || cat training

# ------------------------------------------------------------------------------------------------- numbers

snapshot() { (cd "$1" && find . -type f -exec md5sum {} + | sort); }
before=$(snapshot whole)
run whole --csv matrix.csv
cp output whole-output
check 'it evaluates a run' test "$status" -eq 0 -a ! -s errors
check 'and writes nothing there' test "$before" = "$(snapshot whole)"
# last_row DIRECTORY: the first line is what the last row of its metrics.csv says.
last_row() {
  local loss accuracy
  IFS=, read -r _ _ _ loss accuracy _ < <(tail -n 1 "$1/metrics.csv")
  [[ $(head -n 1 output) == "test loss $loss, test accuracy $accuracy %"* ]]
}
check 'loss and accuracy are those of the training' last_row whole
check 'no control characters where output is no terminal' test "$(tr -d '[:print:]\n' < whole-output | wc -c)" -eq 0

accuracy=$(sed -n 's/.*accuracy \([0-9.]*\) % (.*/\1/p' whole-output)
# near A B: equal to the digits that are printed.
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && b != "" && (a - b) ^ 2 < 1e-3) }'; }
sed -n '/^accuracy of each class/,/^$/p' whole-output | grep ' %' > classes
check 'a line for each class' test "$(wc -l < classes)" -eq 10
check 'the worst first' same <(awk '{ print $2 }' classes) <(awk '{ print $2 }' classes | sort -n)
check 'the classes are balanced, so their mean is the accuracy' \
  near "$accuracy" "$(awk '{ sum += $2 } END { print sum / NR }' classes)"

# "   20.0 to  26.7       17   23.00       11.76"
sed -n '/^calibration error/,/^$/p' whole-output | grep ' to ' > bins
check 'every image is in a bin' test "$(awk '{ sum += $4 } END { print sum }' bins)" -eq 100
check 'the right ones of all bins are the accuracy' near "$accuracy" "$(awk '{ sum += $4 * $6 } END { print sum / 100 }' bins)"
check 'the calibration error is that of its table' near "$(sed -n 's/^calibration error \([0-9.]*\) %.*/\1/p' whole-output)" \
  "$(awk '{ d = $6 - $5; sum += $4 * (d < 0 ? -d : d) } END { print sum / 100 }' bins)"

check 'the confusion matrix counts every image' \
  test "$(tail -n +2 matrix.csv | cut -d , -f 2- | tr ',' '\n' | awk '{ sum += $1 } END { print sum }')" -eq 100
check 'its diagonal is what is right' \
  near "$accuracy" "$(awk -F , 'NR > 1 { sum += $NR } END { print sum }' matrix.csv)"
check 'its rows and columns are named' same <(head -n 1 matrix.csv | tr ',' '\n') <(cut -d , -f 1 matrix.csv)
printed_as_written() {
  sed -n '/^confusion matrix/,$p' whole-output | tail -n +3 | awk '{ $1 = ""; gsub(/ \./, " 0"); print }' | sed 's/^ *//; s/ /,/g' > printed
  same printed <(tail -n +2 matrix.csv)
}
check 'the printed matrix is the written one' printed_as_written

run whole --flip
check '--flip answers with the mirror images: other numbers' test "$(head -n 1 output)" != "$(head -n 1 whole-output)"
"$program" train "${tiny[@]}" --flip-test --out flipped > training 2>&1 || cat training
check 'those of a training with --flip-test' last_row flipped

"$program" train "${tiny[@]}" --limit-test 4 --ema 0.9 --loss bce --out average > training 2>&1 || cat training
run average
check 'the average of the weights is evaluated, on the loss trained on' last_row average
check 'a class without images has no accuracy' test "$(grep -c 'no images$' output)" -ge 6
"$program" train "${tiny[@]}" --validation 50 --out validated > training 2>&1 || cat training
run validated
check 'validation images are evaluated where the training had them' grep -q '^validation loss .*50 shapes images' output
check 'they were balanced' test "$(grep -c 'no images$' output)" -eq 0

if script -qec true /dev/null > /dev/null 2>&1 < /dev/null; then
  script -qec "'$program' evaluate whole" /dev/null > output 2>&1 < /dev/null
  check 'on a terminal it shows how far it is' grep -q '\[=*\ *\] test images' output
else
  echo 'ok - progress line # SKIP no pseudo-terminal can be made here'
fi

# ------------------------------------------------------------------------------------------------- where output goes

mkfifo pipe
timeout 30 cat pipe > received &
run whole --csv pipe
wait $!
check 'a named pipe is written to' same received matrix.csv
check 'and stays one' test -p pipe
ln -s pipe to-pipe
timeout 30 cat pipe > received &
run whole --csv to-pipe
wait $!
check 'through a link, too' test -p pipe -a -L to-pipe -a -n "$(cmp received matrix.csv && echo same)"
ln -s linked.csv link.csv
run whole --csv link.csv
check 'a link leads to the file that is written' same linked.csv matrix.csv
check 'and stays one' test -L link.csv
echo old > linked.csv
chmod 640 linked.csv
run whole --csv link.csv
check 'the mode of the old file is kept' test "$(stat -c %a linked.csv)" = 640 -a -n "$(cmp linked.csv matrix.csv && echo same)"
ln -s /proc/self/fd/1 stdout  # as /dev/stdout is, which a fault here would replace for everybody
run whole --csv stdout
cp output with-matrix
check '/dev/stdout is where the rest goes' same <(cat matrix.csv whole-output | sort) <(sort with-matrix)
(umask 077 && run whole --csv private.csv)
check "a new file's mode is the umask's" test "$(stat -c %a private.csv)" = 600
if mknod null c 1 3 2> /dev/null && : 2> /dev/null > null; then
  run whole --csv null
  check 'a device stays one' test "$status" -eq 0 -a -c null
  mknod full c 1 7
  run whole --csv full
  check 'one that is full is an error' grep -qx 'xtgrad evaluate: full: cannot write: No space left on device' errors
  check 'and stays a device, too' test "$status" -eq 2 -a -c full
elif [[ $EUID -ne 0 ]]; then  # root could replace it
  run whole --csv /dev/null
  check 'a device stays one' test "$status" -eq 0 -a -c /dev/null
fi

has_temporary() { ! nothing_temporary; }
start whole --csv killed.csv
wait_until has_temporary
kill -KILL "$training"
wait "$training" 2> /dev/null
check 'killed, it has written nothing under the name' test ! -e killed.csv
run whole --csv killed.csv
check 'the next one leaves nothing temporary' nothing_temporary
check 'and the whole matrix' same killed.csv matrix.csv

# ------------------------------------------------------------------------------------------------- photographs, PNG

# Files of CIFAR-100's format, all empty but the first test image; it is also image.png. And other PNG files.
mkdir data
truncate -s $((50000 * 3074)) data/train.bin
python3 - << 'PYTHON'
import struct, zlib

def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))

def write(path, width, height, channels, pixel, bits=8):
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b''.join(b'\0' + b''.join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, kind, 0, 0, 0)) +
                   chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))

def picture(x, y):
    return (x * 7 + y) % 256, (x * y) % 256, -8 * y % 256

write('image.png', 32, 32, 3, picture)
write('double.png', 64, 64, 3, lambda x, y: picture(x // 2, y // 2))
write('wide.png', 640, 480, 3, picture)
write('alpha.png', 32, 32, 4, lambda x, y: picture(x, y) + (255,))
write('deep.png', 20, 30, 1, lambda x, y: (x * 9 + y, 0), bits=16)
with open('image.png', 'rb') as file:
    whole = file.read()
with open('cut.png', 'wb') as file:
    file.write(whole[:-60])
with open('data/test.bin', 'wb') as file:
    file.write(bytes([11, 35]) + bytes(picture(x, y)[c] for c in range(3) for y in range(32) for x in range(32)))
    file.write(bytes(3074) * 9999)
PYTHON
photographs=(--dataset cifar100 --data data --arch resnet8 --width 4 --limit-train 64 --limit-test 1 --epochs 1
  --batch-size 32 --threads 1 --augment none)
"$program" train "${photographs[@]}" --out photographs > training 2>&1 || cat training
check 'a training reports the superclass accuracy of CIFAR-100' grep -qE '^superclass accuracy [0-9.]+ %$' training
run photographs --data data --csv photographs.csv
cp output photographs-output
superclass() { grep '^superclass accuracy' "$1"; }
check 'as does xtgrad evaluate, the same' same <(superclass training) <(superclass photographs-output)
check 'of 100 classes it lists confusions' test "$(grep -c '^confusion matrix' output)" -eq 0
check 'and writes all of the matrix' test "$(wc -l < photographs.csv)" -eq 101
# The one image: what it was taken for, by the matrix of the test images.
answer=$(awk -F , 'NR == 1 { split($0, name) } $1 == "girl" { for (i = 2; i <= NF; ++i) if ($i) print name[i] }' photographs.csv)
mv data elsewhere
run photographs image.png
cp output answers
check 'a PNG file needs no data set' test "$status" -eq 0 -a "$(wc -l < output)" -eq 1
check 'it is the test image, with the same answer' grep -qE "^image.png  $answer [0-9.]+ %, [a-z_]+ [0-9.]+ %, [a-z_]+ [0-9.]+ %\$" output
run photographs --data elsewhere
check '--data says where the photographs are' same output photographs-output

run photographs double.png image.png wide.png alpha.png deep.png
answers_of() { grep "^$1" output | grep -oE '[a-z_]+ [0-9.]+ %'; }
check 'a line for each file' test "$status" -eq 0 -a "$(wc -l < output)" -eq 5
check 'twice as large is the same image, resized' \
  same <(answers_of double.png) <(answers_of image.png)
check 'and it says so' grep -q '^double.png .* (resized from 64x64)$' output
check 'and that other proportions are not kept' grep -q '^wide.png .* (resized from 640x480, proportions not kept)$' output
check 'an opaque alpha channel changes nothing' same <(answers_of alpha.png) <(answers_of image.png)
check 'what is not resized has no remark' test "$(grep -c resized output)" -eq 3
run average image.png --flip
check 'shapes are guessed in what is none' grep -qE '^image.png  [a-z]+ [0-9.]+ %, [a-z]+ [0-9.]+ %, [a-z]+ [0-9.]+ %$' output

# ------------------------------------------------------------------------------------------------- wrong input

run --help
check '--help explains' test "$status" -eq 0 -a "$(grep -c 'calibration' output)" -gt 0
refused 'no run' 'expected the directory of a run (see --help)'
refused 'unknown option' '*--flop*' whole --flop
refused 'wrong directory' 'nowhere holds no run to evaluate: there is no nowhere/checkpoint.safetensors' nowhere
refused 'a file' 'image.png holds no run to evaluate*' image.png
refused 'no such image' 'none.png: cannot open: *' whole none.png
refused 'not a PNG' 'training: not a PNG file' whole image.png training
refused 'a damaged PNG' 'cut.png: a damaged PNG file: *' whole image.png cut.png
refused 'photographs that are not there' '*there is no directory data*' photographs
refused '--csv with images' '--csv is for the test images*' whole image.png --csv other.csv
refused '--csv that cannot be written' 'nowhere/matrix.csv: cannot write: *' whole --csv nowhere/matrix.csv
mkdir place
refused '--csv is a directory' '--csv needs the name of a file, and place is a directory' whole --csv place
refused '--csv without a name' '--csv needs the name of a file, got an empty one (see --help)' whole --csv ''
refused 'no data' '--data needs the name of a directory, got an empty one (see --help)' whole --data ''
refused 'an empty word' 'expected a name, got an empty one (see --help)' ''
refused 'a flag with a value' "--flip takes no value, or =true or =false, got '2x' (see --help)" whole --flip=2x
refused 'a flag with braces' "--flip takes no value, *, got '{}' (see --help)" whole '--flip={}'
refused 'an option without its value' '--csv needs a value behind it, got --flip (see --help)' whole --csv --flip
refused 'an option nearly right' 'there is no option --flpi: did you mean --flip? (see --help)' whole --flpi
long=$(printf 'x%.0s' {1..5000})
refused 'a name too long' "xxx*x…" "$long"
refused 'a file in a place of no files' '/proc/x: cannot write: *' whole --csv /proc/x
cp -r whole damaged
truncate -s -1000 damaged/checkpoint.safetensors
refused 'damaged checkpoint' '*damaged/checkpoint.safetensors*' damaged

# ------------------------------------------------------------------------------------------------- find-lr

command=find-lr
run --help
check '--help explains' test "$status" -eq 0 -a "$(grep -c -- '--norm' output)" -gt 1
run "${tiny[@]}" --out range
check 'find-lr ends well' test "$status" -eq 0
check 'it prints every fifth point' test "$(grep -cE '^ +[0-9.e-]+ +[0-9.]+$' output)" -ge 5
check 'the rate of the lowest loss' grep -qE '^lowest loss [0-9.]+ at a learning rate of [0-9.e-]+; ' output
check 'advice, or why there is none' test "$(grep -cE '^(no )?advice: ' output)" -eq 1
check 'and that of the explosion' grep -qE '^the loss (began to explode at|did not explode up to|is no longer finite after) ' output
check 'lr-range.csv has the rates' test "$(sed -n 2p range/lr-range.csv | cut -d , -f 1)" = 0.0001 -a "$(wc -l < range/lr-range.csv)" -gt 20
if command -v gnuplot > /dev/null; then
  check 'lr-range.svg is an SVG in plain colours' plain_picture range/lr-range.svg
else
  echo 'ok - lr-range.svg # SKIP gnuplot is not installed'
fi
check 'and nothing else is left' test "$(cd range && echo *)" = "$(cd range && echo lr-range.*)"
PATH=/nowhere run "${tiny[@]}" --norm none --fixup --loss bce --out range
check 'again, without gnuplot: a note' test "$status" -eq 0 -a "$(grep -c 'no curve: gnuplot' output)" -eq 1
check 'the loss that it must fall below' grep -qE '; guessing has 3\.251, noise ' output  # H(0.1) of ten questions
check 'without norm it explodes' grep -qE '^the loss (began to explode at|is no longer finite after) ' output
check 'and stops there' test "$(wc -l < range/lr-range.csv)" -lt 101
command=train run "${tiny[@]}" --out range
check 'a training can follow in that directory' test "$status" -eq 0 -a -s range/metrics.csv

refused 'of adam' 'xtgrad find-lr trains with sgd, not with adam' --optimizer adam --out new
refused 'to resume' 'there is no option --resume*' --resume --out whole
refused 'where a run is' 'whole already holds a run*' --out whole

# ------------------------------------------------------------------------------------------------- no command, or none

command=
run
check 'without a command it says which there are' test "$status" -eq 0 -a "$(grep -cE '^  (train|evaluate|compare|report|find-lr) ' output)" -eq 5
run --version
check '--version' grep -qxE 'xtgrad [0-9]+\.[0-9]+\.[0-9]+' output
refused 'a command nearly right' "there is no command 'evalute': did you mean evaluate? (see xtgrad --help)" evalute whole
refused 'an empty command' "there is no command '' (see xtgrad --help)" ''
refused 'options alone' "there is no command '--epochs' (see xtgrad --help)" --epochs 3
for before in resnet_cifar compare_norms evaluate report; do
  program=$build/examples/$before
  refused "$before says what it is now" 'this program is a command now: xtgrad *' --help
done

exit $((failures > 0))
