#!/usr/bin/env bash
# docs/reading-guide.md names twelve files and what is in them: each linked file must be there, and each name in
# backticks must occur in a file that its section links to.
# shellcheck disable=SC2016,SC2317  # functions are called through check; backticks are the page's
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
guide=$root/docs/reading-guide.md
. "$root/tests/examples/program.sh"

# wrong PAGE: what on this page is not so, a line each. Its links are relative to docs/.
wrong() {
  python3 - "$1" "$root/docs" << 'END'
import os, re, sys
page, docs = open(sys.argv[1]).read(), sys.argv[2]
sections = re.split(r"^(?=## )", page, flags=re.M)
stops = [re.match(r"## (\d+)\. \[(.+?)\]\(\.\./(.+?)\)", s) for s in sections]
stops = [s for s in stops if s]
if [int(s[1]) for s in stops] != list(range(1, 13)): print("the stops are not numbered 1 to 12")
for s in stops:
    if s[2] != s[3]: print(f"{s[2]} is a link to {s[3]}")
if len({s[3] for s in stops}) != 12: print("a file comes twice")
for section in sections:
    title = section.split("\n")[0]
    text = ""
    for target in re.findall(r"\]\(([^)#]+)", section):
        path = os.path.normpath(os.path.join(docs, target))
        if not os.path.isfile(path): print(f"{title}: no file {target}")
        else: text += open(path).read()
    if title[:3] != "## ": continue
    for name in re.findall(r"`([^`]+)`", section):
        word = name.removesuffix("()")
        if os.path.isdir(os.path.join(docs, "..", name)) or name in ("auto", "+="): continue  # folders, and C++'s own
        if not re.search(r"(?<![\w:])" + re.escape(word) + r"(?!\w)", text):
            print(f"{title}: no {name} in what is linked")
END
}
nothing_wrong() { wrong "$1" > output 2> errors && [[ ! -s output && ! -s errors ]]; }
# notices SED_COMMAND TEXT: with this change, the page is no longer right, and TEXT is said.
notices() {
  sed "$1" "$guide" > changed.md
  ! cmp -s "$guide" changed.md && wrong changed.md > output 2> errors
  grep -qF "$2" output
}

check 'the guide is right about every file and name' nothing_wrong "$guide"
check 'a name that is gone would be noticed' notices 's/`dispose`/`dispose_of`/' 'no dispose_of in what is linked'
check 'a member too' notices 's/`Trainer::step`/`Walk::step`/' 'no Walk::step'
check 'a part of a name is not the name' notices 's/`group_norm_composed`/`norm_composed`/' 'no norm_composed'
check 'a file that is gone too' notices 's|(../autograd/node.cpp)|(../autograd/nodes.cpp)|' 'no file ../autograd/nodes.cpp'
check 'a stop that is left out too' notices '/^## 7/d' 'not numbered 1 to 12'
exit $((failures > 0))
