#!/usr/bin/env bash
# tools/assignment: what it says to wrong calls; right answers of any style get all points, the skeleton none; the
# bonus.
# shellcheck disable=SC2317  # functions are called through check
set -uo pipefail

. "$(dirname "$0")/tool.sh"

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
solved() { grep -lE 'rsqrt\(|return \{' course/p*.hpp | wc -l; }
check 'the skeletons hold no solution' test "$(solved)" -eq 0

# ------------------------------------------------------------------------------------------------- right and empty

run grade --json course
check 'the skeletons get nothing, of 100' test "$status" -eq 1 -a "$(field "r['points'], r['possible']")" = '0 100'
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
for part in 3 5; do
  grade $part "$right/closed"
  check "style closed: part $part" points 20
done

# ------------------------------------------------------------------------------------------------- the bonus

mkdir bonus
grade bonus bonus
check 'no checkpoint: 0 points and what to do' test "$(field "'tools/train' in p['message'], r['points']")" = 'True 0'
python3 "$here/fake_cifar.py" fake
"$XTGRAD_BUILD/examples/xtgrad" train --dataset cifar10 --data fake --arch resnet8 --limit-train 960 --epochs 1 --batch-size 16 \
  --augment none --lr 0.05 --out bonus/bonus > /dev/null 2>&1
grade bonus bonus
check 'no images: 0 points and how to get them' test "$(field "'get-cifar' in p['message'], r['points']")" = 'True 0'
grade bonus bonus --data fake
check 'the accuracy is measured again' points 20
sed -i 's/limit-test = 0/limit-test = 100/' bonus/bonus/config.toml
grade bonus bonus --data fake
check 'on all test images' points 0

exit $((failures > 0))
