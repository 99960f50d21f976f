#!/usr/bin/env bash
# Every error message of the library is asserted by some test: for each text that tensor/, autograd/ and nn/ can throw, the
# longest piece between its placeholders must appear in a file under tests/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# check DIRECTORY...: prints "file: message" for each message in these sources that no test mentions; the last line is their
# number and that of all.
check() {
  python3 - "$@" <<'PYTHON'
import pathlib, re, sys

LITERAL = r'"(?:[^"\\]|\\.)*"'

def joined(text):
    """The source with adjacent string literals made one."""
    return re.sub(r'"\s*\n?\s*"', '', re.sub(r'//[^\n"]*\n', '\n', text))

def messages(text):
    """The first string literal of every require(…) and throw …Error(…)."""
    for call in re.finditer(r'\brequire(?:<\w+>)?\(|\bthrow \w+Error\(', text):
        depth, end = 1, call.end()
        while depth:
            literal = re.compile(LITERAL + r"|'(?:[^'\\]|\\.)'").match(text, end)
            if literal:
                end = literal.end()
                continue
            depth += {'(': 1, ')': -1}.get(text[end], 0)
            end += 1
        # The message is the longest literal: shorter ones are arguments.
        found = re.findall(LITERAL, text[call.end():end])
        if found:
            yield max(found, key=len)[1:-1]

tests = joined('\n'.join(p.read_text() for p in sorted(pathlib.Path('tests').rglob('*')) if p.suffix in ('.cpp', '.hpp', '.sh')))
missing = total = 0
for folder in sys.argv[1:]:
    for path in sorted(pathlib.Path(folder).rglob('*')):
        if path.suffix not in ('.cpp', '.hpp'):
            continue
        for message in messages(joined(path.read_text())):
            total += 1
            pieces = re.split(r'\{\w*(?::[^{}]*)?\}', message.replace('{{', '{ ').replace('}}', '} '))
            piece = max(pieces, key=len).replace('{ ', '{').replace('} ', '}').strip(' :')
            if piece not in tests:
                missing += 1
                print(f'{path}: {message}')
print(f'{missing} of {total}')
PYTHON
}

found=$(check tensor autograd nn)
if [[ $found == "0 of "* ]]; then
  echo "ok - each of ${found#0 of } error messages is asserted by a test"
else
  echo "not ok - error messages that no test asserts: $found"
fi

# The check itself can fail.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'void f(int n) {\n  require(n > 0, "frobnicate: %s {}, "\n          "got {}", "x", n);\n}\n' 'expected some frobs' > "$work/a.cpp"
if [[ $(check "$work") == *"expected some frobs"*"1 of 1" ]]; then
  echo 'ok - a message that no test mentions is found'
else
  echo 'not ok - a message that no test mentions is found'
fi
