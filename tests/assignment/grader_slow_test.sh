#!/usr/bin/env bash
# Grades wrong answers, right ones and garbage, and looks at what the grader says. XTGRAD_BUILD is the build directory.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python3 "$here/wrong_answers.py" "$here/../../tools/assignment"
