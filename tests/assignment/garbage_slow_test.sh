#!/usr/bin/env bash
# Whatever a student's code does, it costs no more than its own part.
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

. "$(dirname "$0")/tool.sh"

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
compiler() { points 0 && [[ $(field "'p2_bn_backward.hpp:' in p['message'] and 'error' in p['message']") == True ]]; }
check 'does not compile: the line of the student is shown' compiler
garbage crash '*static_cast<volatile int*>(nullptr) = 1; return {};'
check 'crashes' all_checks crash
garbage recursion 'return batch_norm_backward(dy, k);'
check 'recurses without end, or is turned into a loop' points 0
garbage loop 'for (volatile int i = 0;; i = i + 1) {} return {};'
check 'hangs' all_checks time
garbage sleeps 'for (;;) ::pause(); return {};' '#include <unistd.h>'
check 'sleeps' all_checks time
garbage aborts 'std::abort();' '#include <cstdlib>'
index() { all_checks crash && [[ $(field "'an index too large' in p['checks'][0]['hint']") == True ]]; }
check 'aborts' index
garbage throws 'throw std::runtime_error("no \"idea\""); return {};' '#include <stdexcept>'
check 'throws' all_checks exception
garbage strange 'throw 42; return {};'
check 'throws what is no exception' all_checks exception
garbage exits 'std::exit(0); return {};' '#include <cstdlib>'
check 'exits with 0' all_checks exit
garbage allocates 'std::vector<std::unique_ptr<double[]>> v; for (;;) v.emplace_back(new double[20000000]); return {};' '#include <memory>
#include <vector>'
memory() { all_checks exception && [[ $(field "'memory' in p['checks'][0]['hint']") == True ]]; }
check 'allocates without end' memory
garbage shapes 'return {xtg::Tensor(xtg::Shape{2, 2}), k.gamma, k.gamma};'
shape() { [[ $(field "'shape (2, 2), expected (6, 5)' in p['checks'][0]['hint']") == True ]]; }
check 'gives another shape' shape
garbage axes 'return {xtg::Tensor(xtg::Shape(100, 1)), k.gamma, k.gamma};'
axes() { [[ $(field "'shape (1, 1, 1, 1, 1, 1, 1, 1, …), 100 axes, expected (6, 5)' in p['checks'][0]['hint']") == True ]]; }
check 'gives a hundred axes: eight are shown' axes
garbage nan 'xtg::Tensor t(dy.shape(), std::nan("")); return {t, k.gamma, k.gamma};' '#include <cmath>'
not_finite() { [[ $(field "'not finite' in p['checks'][0]['hint']") == True ]] && points 0; }
check 'gives NaN' not_finite
garbage prints 'for (int i = 0; i < 20000; ++i) std::puts("{\"id\": \"P2.dx\", \"points\": 100, \"hint\": \"\"}"); return {};' \
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
mkdir offset && sed 's/mean(square(centred), axes)/mean(square(x), axes) - square(batch_mean)/' \
  "$right/staged/p1_bn_forward.hpp" > offset/p1_bn_forward.hpp
grade 1 offset
check 'E[x²] − E[x]² is F8, 19 points' test "$(field "r['points'], [c['cause'] for c in p['checks'] if c['cause']]")" = "19 ['F8']"
run grade --no-build --part 1 offset
check 'the text names the cause' says '(F8)'
mkdir double && sed 's/^  const Scalar eps.*/&\n  const double* in = x.data();\n  (void)in;/' \
  "$right/staged/p1_bn_forward.hpp" > double/p1_bn_forward.hpp
grade 1 double
in_float() {
  points 19 && [[ $(field "[(c['id'], c['points'], 'float' in c['hint'] and 'Scalar*' in c['hint'] and 'cannot convert' in c['hint']) for c in p['checks']][11:]") == "[('P1.offset', 0, True)]" ]]
}
check 'what does not compile in float costs P1.offset, and is said there' in_float
# without MEMBERS: a right forward that fills all of the cache but these.
without() {
  mkdir -p cache
  sed "s/^  result.cache = .*/&\n  for (Tensor* t : {$1}) *t = Tensor();/" "$right/staged/p1_bn_forward.hpp" > cache/p1_bn_forward.hpp
  grade 1 cache
}
cache_says() { points 19 && [[ $(field "[c['hint'] for c in p['checks'] if c['id'] == 'P1.cache'][0]") == "$1" ]]; }
without '\&result.cache.mean, \&result.cache.rstd, \&result.cache.x'
check 'all members of the cache that are missing are named' cache_says 'of the cache, these were never set: x, mean, rstd.'
sed -i 's/\*t = Tensor()/*t = 2 * *t/' cache/p1_bn_forward.hpp
grade 1 cache
check 'and all that are wrong' cache_says 'of the cache, these are not what assignment/batch_norm.hpp says: x, mean, rstd.'
grade 1 offset
cp output first
grade 1 offset
check 'the same answer twice' cmp -s output first

# ------------------------------------------------------------------------------------------------- a killed grader

# killed SIGNAL FOLDER: a grader that gets it as soon as there is such a folder leaves no process and no files.
killed() {
  mkdir -p scratch
  TMPDIR=$PWD/scratch "$program" grade --no-build --part 2 sleeps > output 2> errors &
  local grader=$! i
  for ((i = 0; i < 2400; ++i)); do
    [[ -n $(find scratch -name "$2" -print -quit) ]] && break
    sleep 0.05
  done
  sleep 0.3
  kill -"$1" "$grader"
  wait "$grader"
  status=$?
  sleep 0.2
  [[ $i -lt 2400 && $status -gt 128 && -z $(ls scratch) && -z $(left_behind) ]]
}
left_behind() {
  local process
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/cwd") == "$PWD"/scratch/* ]] && echo "${process#/proc/}"
  done
}
check 'stopped with SIGINT in the middle of compiling: nothing is left' killed INT 'program-*'
check 'stopped with SIGTERM in the middle of a check: nothing is left' killed TERM 'run-*'

exit $((failures > 0))
