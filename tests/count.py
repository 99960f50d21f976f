#!/usr/bin/env python3
"""count.py LOG: what the tests of a `meson test` said, from its log, a line of JSON for each test.

Prints the whole output of those that failed, and a last line, "PASSED FAILED": test cases of doctest programs, and checks
of scripts that speak TAP. A test that failed without saying so (a crash, a time limit, a leak) is one failure."""

import json
import re
import sys


def counts(test):
    said = test.get("stdout", "")
    cases = re.search(r"test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed", said)
    if cases:
        passed, failed = int(cases[1]), int(cases[2])
    else:
        passed = len([line for line in re.findall(r"^ok .*", said, re.M) if "# SKIP" not in line])
        failed = len(re.findall(r"^not ok ", said, re.M))
    if failed == 0 and (test["result"] not in ("OK", "SKIP") or not cases and not re.search("^ok ", said, re.M)):
        failed = 1
    return passed, failed


def main(log):
    try:
        tests = [json.loads(line) for line in open(log, encoding="utf-8")]
    except OSError:
        tests = []
    total = [0, 0]
    for test in tests:
        passed, failed = counts(test)
        total[0] += passed
        total[1] += failed
        if failed:
            rule = "-" * 64
            print(f"{test['name']}: {passed} passed, {failed} failed ({test['result']}, status {test['returncode']})", rule,
                  test.get("stdout", ""), test.get("stderr", ""), rule, sep="\n")
    print(*total)


if __name__ == "__main__":
    main(*sys.argv[1:])
