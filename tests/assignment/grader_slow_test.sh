#!/usr/bin/env bash
# tools/assignment from outside: what it says to wrong calls, that right answers of any style get all points and the
# skeleton none, that garbage costs no more than its own part, and (wrong_answers.py) that mistakes are named.
# XTGRAD_BUILD is the build directory (default: build).
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export XTGRAD_BUILD=${XTGRAD_BUILD:-$root/build}
XTGRAD_BUILD=$(cd "$XTGRAD_BUILD" && pwd)
program=$root/tools/assignment
right=$here/solutions
. "$root/tests/examples/program.sh"

# field EXPRESSION: that Python expression of the JSON in `output`, r the whole and p its first part.
field() { python3 -c "import json; r = json.load(open('output')); p = r['parts'][0]; print($1)"; }
says() { grep -qF -- "$1" output; }
# points N: the run gave so many points, as JSON.
points() { [[ $(field "f\"{r['points']:g}\"") == "$1" ]]; }
# tree NAME FILE: makes a folder with FILE's text from stdin.
tree() { mkdir -p "$1" && cat > "$1/$2"; }
grade() { run grade --no-build --json --part "$@"; }

# ------------------------------------------------------------------------------------------------- the folder

run --help
check '--help explains the work' test "$status" -eq 0 -a "$(grep -c 'assignment start' output)" -ge 1
run grade nowhere
check 'a folder that is not there' grep -q 'assignment start nowhere' errors
run start course
check 'start copies' test "$status" -eq 0 -a -s course/p1_bn_forward.hpp -a -s course/README.md
echo mine > course/p1_bn_forward.hpp
run start course
untouched() { [[ $status -eq 2 && $(< course/p1_bn_forward.hpp) == mine ]] && grep -q 'not empty' errors; }
check 'start never overwrites' untouched
run start "$root/tests/new"
check 'start does not write into the sources' test "$status" -eq 2 -a ! -e "$root/tests/new"
rm -r course
run start course
solved() { grep -rlE 'rsqrt\(|return \{' course --include='*.hpp' | wc -l; }
check 'the skeletons hold no solution' test "$(solved)" -eq 0

# ------------------------------------------------------------------------------------------------- right and empty

run grade --json course
check 'the skeletons get nothing, of 100' test "$status" -eq 1 -a "$(field "r['points'], r['possible']")" = '(0, 100)'
nothing() { [[ $(field "{c['status'] for q in r['parts'][:5] for c in q['checks']} <= {'not written', 'waits', 'exception'}") == True ]]; }
check 'and are told that nothing is written' nothing
check 'every part is of 20 points' test \
  "$(field "{sum(c['possible'] for c in q['checks']) for q in r['parts'][:5]}")" = '{20}'

cp -r "$right/staged" all
run measure --no-build all
cp output measured
check 'the experiment of part 4 writes its log' test "$status" -eq 0 -a "$(head -n 1 all/p4_log.csv)" = kind,rate,step,loss
python3 "$here/fill_answers.py" all < measured
SECONDS=0
run grade all
check 'a right submission gets 100' says 'total: 100 of 100 points'
check 'in less than two minutes' test "$SECONDS" -lt 120
run check --no-build all 00
check 'an exercise is checked' test "$status" -eq 0
run check --no-build course 00
check 'and is not written yet' test "$status" -eq 1 -a "$(grep -c 'nothing is written yet' output)" -eq 1
run check --no-build course 05
check 'pages that close with a part say so' grep -q -- '--part 1' errors
sed -i 's/"batch": 1,/"batch": 0.1,/' all/p4_answers.json
grade 4 all
check 'a wrong claim costs its points' test "$(field "[c['cause'] for c in p['checks'] if c['points'] == 0]")" = "['L3']"

for style in closed loops columns xtensor sums recomputed; do
  for part in 1 2; do
    [[ -f $(echo "$right/$style/p$part"_*) ]] || continue
    grade $part "$right/$style"
    check "style $style: part $part" points 20
  done
done
for part in 3 4 5; do
  [[ -f $(echo "$right/closed/p$part"_*) ]] || continue
  grade $part "$right/closed"
  check "style closed: part $part" points "$([[ $part == 4 ]] && echo 12 || echo 20)"
done

# ------------------------------------------------------------------------------------------------- garbage

backward='inline xtg::assignment::BatchNormGradients batch_norm_backward(const xtg::Tensor& dy,
                                                               const xtg::assignment::BatchNormCache& k)'
# garbage NAME BODY [INCLUDES]: a part 2 with this body.
garbage() {
  printf '#pragma once\n#include "assignment/batch_norm.hpp"\n%s\nnamespace student {\n%s {\n(void)dy, (void)k;\n%s\n}\n}\n' \
    "${3:-}" "$backward" "$2" | tree "$1" p2_bn_backward.hpp
  grade 2 "$1"
}
all_checks() { [[ $(field "[c['status'] for c in p['checks']] == ['$1'] * 7") == True ]] && points 0; }

garbage syntax 'return {dy, 1'
compiler() { points 0 && [[ $(field "'p2_bn_backward.hpp:6' in p['message'] and 'error' in p['message']") == True ]]; }
check 'does not compile: the line of the student is shown' compiler
garbage crash '*static_cast<volatile int*>(nullptr) = 1; return {};'
check 'crashes' all_checks crash
garbage recursion 'return batch_norm_backward(dy, k);'
check 'recurses without end, or is turned into a loop' points 0
garbage loop 'for (volatile int i = 0;; i = i + 1) {} return {};'
check 'hangs' all_checks time
garbage sleeps 'for (;;) ::pause(); return {};' '#include <unistd.h>'
check 'sleeps' all_checks time
garbage throws 'throw std::runtime_error("no \"idea\""); return {};' '#include <stdexcept>'
check 'throws' all_checks exception
garbage strange 'throw 42; return {};'
check 'throws what is no exception' all_checks exception
garbage exits 'std::exit(0); return {};' '#include <cstdlib>'
check 'exits with 0' all_checks exit
garbage allocates 'std::vector<double> v; for (;;) v.resize(v.size() + 10000000); return {};' '#include <vector>'
memory() { all_checks exception && [[ $(field "'memory' in p['checks'][0]['hint']") == True ]]; }
check 'allocates without end' memory
garbage shapes 'return {xtg::Tensor(xtg::Shape{2, 2}), k.gamma, k.gamma};'
shape() { [[ $(field "'shape (2, 2), expected (6, 5)' in p['checks'][0]['hint']") == True ]]; }
check 'gives another shape' shape
garbage nan 'xtg::Tensor t(dy.shape(), std::nan("")); return {t, k.gamma, k.gamma};' '#include <cmath>'
not_finite() { [[ $(field "'not finite' in p['checks'][0]['hint']") == True ]] && points 0; }
check 'gives NaN' not_finite
garbage prints 'for (int i = 0; i < 300000; ++i) std::puts("{\"id\": \"P2.dx\", \"points\": 100, \"hint\": \"\"}"); return {};' \
  '#include <cstdio>'
small() { points 0 && [[ $(wc -c < output) -lt 60000 ]]; }
check 'prints megabytes, and points of its own' small
garbage forges 'for (int fd = 3; fd < 64; ++fd) (void)!::write(fd, "{\"id\": \"P2.dx\", \"points\": 100, \"possible\": 5, \"status\": \"right\", \"what\": \"\", \"hint\": \"\"}\n", 90); return {};' \
  '#include <unistd.h>'
check 'writes to every descriptor' points 0
garbage writes 'std::ofstream("junk") << 1; std::ofstream(std::string(std::getenv("HOME")) + "/junk") << 1; return {};' \
  '#include <cstdlib>
#include <fstream>'
check 'writes files: they are gone' test ! -e junk -a ! -e writes/junk -a ! -e "$HOME/junk" -a "$(ls writes)" = p2_bn_backward.hpp
garbage floods 'std::ofstream f("junk"); for (;;) f << std::string(1000000, 0) << std::flush; return {};' '#include <fstream>
#include <string>'
check 'fills the disk' points 0
garbage forks 'if (::fork() == 0) for (;;) ::pause(); return {};' '#include <unistd.h>'
check 'leaves processes behind' points 0
garbage tape 'return {};' '#include "nn/norm/batch_norm.hpp"'
no_tape() { points 0 && [[ $(field "'no tape' in p['message']") == True ]]; }
check 'part 2 does not see the tape' no_tape
garbage linked 'return {g(k.x).v, {}, {}};' 'namespace xtg::nn { struct V { xtg::Tensor v; }; V batch_norm(const xtg::Tensor&); }
inline auto g(const xtg::Tensor& x) { return xtg::nn::batch_norm(x); }'
no_link() { points 0 && [[ $(field "'tensor library only' in p['message']") == True ]]; }
check 'nor is it linked' no_link
mkdir static && sed 's/^namespace student {/static const int ended = (std::exit(0), 0);\n&/; s/^#include "a/#include <cstdlib>\n&/' \
  "$right/staged/p2_bn_backward.hpp" > static/p2_bn_backward.hpp
grade 2 static
check 'ends before main' test "$(field "'ended' in p['message']")" = True
cp "$right/staged/p1_bn_forward.hpp" syntax/
run grade --no-build --json syntax
check 'what does not compile costs its part only' test "$(field "[q['points'] for q in r['parts'][:2]]")" = '[20, 0]'
mkdir offset && sed 's/mean(square(centred), axes)/subtract(mean(square(x), axes), square(batch_mean))/' \
  "$right/staged/p1_bn_forward.hpp" > offset/p1_bn_forward.hpp
grade 1 offset
check 'E[x²] − E[x]² is F8, 19 points' test "$(field "r['points'], [c['cause'] for c in p['checks'] if c['cause']]")" = "(19, ['F8'])"
run grade --no-build --part 1 offset
check 'the text names the cause' says '(F8)'
grade 1 offset
cp output first
grade 1 offset
check 'the same answer twice' cmp -s output first

# ------------------------------------------------------------------------------------------------- the bonus

mkdir bonus
grade bonus bonus
check 'no checkpoint: 0 points and what to do' test "$(field "'tools/train' in p['message'], r['points']")" = '(True, 0)'
python3 "$here/fake_cifar.py" fake
"$XTGRAD_BUILD/examples/resnet_cifar" --dataset cifar10 --data fake --arch resnet8 --limit-train 960 --epochs 1 --batch-size 16 \
  --augment none --lr 0.05 --out bonus/bonus > /dev/null 2>&1
grade bonus bonus
check 'no images: 0 points and how to get them' test "$(field "'get-cifar' in p['message'], r['points']")" = '(True, 0)'
grade bonus bonus --data fake
check 'the accuracy is measured again' points 20
sed -i 's/limit-test = 0/limit-test = 100/' bonus/bonus/config.toml
grade bonus bonus --data fake
check 'on all test images' points 0

python3 "$here/wrong_answers.py" || failures=$((failures + 1))
exit $((failures > 0))
