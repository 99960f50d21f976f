"""Prints FILE with the changes of PATCH, as diff -U1 writes them. A place is found by its lines, not by their numbers.
Usage: patched.py PATCH FILE"""

import pathlib
import sys

patch, file = map(pathlib.Path, sys.argv[1:])
text = file.read_text()
for hunk in patch.read_text().split("\n@@ ")[1:]:
    lines = hunk.splitlines()[1:]  # the first one is the rest of "@@ -27,3 +27,3 @@"
    old = "".join(line[1:] + "\n" for line in lines if line[:1] in " -")
    new = "".join(line[1:] + "\n" for line in lines if line[:1] in " +")
    if text.count(old) != 1:
        sys.exit(f"{patch.name}: these lines stand {text.count(old)} times in {file.name}:\n{old}")
    text = text.replace(old, new)
print(text, end="")
