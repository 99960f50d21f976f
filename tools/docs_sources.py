"""What the pages take from the sources, for tools/docs: regions, functions and excerpts of files; snippets that must
compile; names that must exist."""
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

FOLDERS = ("autograd", "docs", "examples", "nn", "tensor", "tests", "tools")
FOREIGN = ("std", "xt")  # namespaces of other libraries
LEFT_OUT = ("…", "...", "// …", "// ...")

# Comments do not count as code. A string counts if it is one word (a key, an option), but not if it is a message.
WORD = re.compile(r"[\w.-]+")
CPP = re.compile(r"//[^\n]*|/\*.*?\*/"
                 r'|R"(?P<raw>\w*)\(.*?\)(?P=raw)"'
                 r'|"(?P<string>(?:\\.|[^"\\\n])*)"'
                 r"|'(?:\\.|[^'\\\n])'", re.DOTALL)
SCRIPT = re.compile(r'(?<!\S)#[^\n]*|""".*?"""'
                    r'|"(?P<string>(?:\\.|[^"\\\n])*)"', re.DOTALL)


def read(path):
    return path.read_text(encoding="utf-8").split("\n")


def dedented(lines):
    """The lines without their common indentation, and without blank lines at either end."""
    lines = "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines if line]
    return [line[min(indents, default=0):] for line in lines]


def is_mark(line):
    return re.match(r"\s*[/#]+ (region: |end region)", line) is not None


def cited(root, what):
    """The lines that `code: FILE REGION` or `code: FILE NAME()`, perhaps `with comment`, stands for."""
    match = re.fullmatch(r"(\S+) (\S+?)(\(\)( with comment)?)?", what)
    if not match:
        raise ValueError("expected FILE REGION, FILE NAME() or FILE NAME() with comment")
    if match[3]:
        return function(root, match[1], match[2], with_comment=bool(match[4]))
    return region(root, match[1], match[2])


def region(root, file, name):
    found = None
    for line in read(root / file):
        mark = line.strip().lstrip("/# ")
        if mark == f"region: {name}":
            found = []
        elif found is not None and mark.startswith("end region"):
            return dedented(found)
        elif found is not None and not is_mark(line):
            found.append(line)
    raise ValueError(f"{file} has no region {name}" if found is None else f"{file}: region {name} does not end")


def function(root, file, name, with_comment):
    """The definition of a function, which starts and ends at column 0."""
    lines, found = read(root / file), []
    for start, line in enumerate(lines):
        if re.match(rf"(?![\s/#}}])([^({{=;]*(?<![\w:.]))?{re.escape(name)}\(", line):
            end = end_of_definition(lines, start)
            if end:
                found.append((start, end))
    if len(found) != 1:
        raise ValueError(f"{file} defines no function {name}()" if not found else
                         f"{file} defines {name}() {len(found)} times; mark the one that is meant as a region")
    start, end = found[0]
    while start > 0 and lines[start - 1][:1] != "#" and last_character(lines[start - 1]) not in ("", *";:{}"):
        start -= 1  # a template, or a return type on a line of its own
    while with_comment and start > 0 and lines[start - 1].startswith("//"):
        start -= 1
    return [line for line in lines[start:end] if not is_mark(line)]


def last_character(line):
    return re.sub(r"\s*//.*", "", line)[-1:]


def end_of_definition(lines, start):
    """The number of the line after a function's last one; None if it is only declared."""
    for i in range(start, len(lines)):
        last = last_character(lines[i])
        if last == ";":
            return None
        if last == "}":
            return i + 1
        if last == "{":
            return next((end + 1 for end in range(i + 1, len(lines)) if lines[end].startswith("}")), None)
    return None


def is_excerpt(block, lines):
    """Whether the block is found in these lines, but for indentation. Its "…" stand for lines left out."""
    runs = [[]]
    for line in block:
        if line.strip() in LEFT_OUT:
            runs.append([])
        else:
            runs[-1].append(line)
    runs, at = [run for run in map(dedented, runs) if run != [""]], 0
    for run in runs:
        fits = (i for i in range(at, len(lines) - len(run) + 1) if dedented(lines[i:i + len(run)]) == run)
        first = next(fits, None)
        if first is None:
            return False
        at = first + len(run)
    return bool(runs)


def compile_snippets(root, snippets):
    """[(page, line, what the compiler says)] on snippets (page, line of the directive, what it adds, lines of the block).
    All are parsed at once, each in a function of its own; "#line" makes the compiler speak of lines of pages."""
    if not snippets:
        return []
    text = "#include <xtgrad.hpp>\nusing namespace xtg;\nusing namespace xtg::nn;\n"
    for i, (page, line, given, block) in enumerate(snippets):
        text += f'void snippet_{i}() {{\n#line {line} "{page}"\n{given}\n\n' + "\n".join(block) + "\n}\n"
    flags = subprocess.run(["pkg-config", "--cflags", "xtensor", "fmt"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    with tempfile.NamedTemporaryFile("w", suffix=".cpp", encoding="utf-8") as file, \
            tempfile.TemporaryDirectory() as include:
        file.write(text)
        file.flush()
        Path(include, "xtgrad").symlink_to(Path(root).absolute())  # as if installed
        done = subprocess.run([*shlex.split(os.environ.get("CXX", "c++")), "-std=c++17", "-fsyntax-only", f"-I{root}",
                               f"-I{include}",
                               *shlex.split(flags), file.name],
                              stderr=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, "LC_ALL": "C"})
    errors = [(match[1], int(match[2]), f"does not compile: {match[3]}")
              for match in re.finditer(r"^(\S+\.md):(\d+):(?:\d+:)? (?:fatal )?error: (.*)", done.stderr, re.MULTILINE)]
    if done.returncode != 0 and not errors:
        page, line, _, _ = snippets[0]
        errors.append((page, line, "does not compile: " + done.stderr.strip()))
    return errors


class Names:
    """The names in the sources: C++, Python, the scripts in tools/, Meson, JSON, TOML, and the first lines of CSV files."""

    def __init__(self, root):
        self.root, self.cpp, self.words, self.files = root, [], set(), set()
        paths = [path for path in root.glob("*") if path.is_file()]
        for folder in FOLDERS:
            paths += [path for path in (root / folder).rglob("*") if path.is_file()]
        for path in paths:
            self.files.add(path.name)
            text = self.code(path)
            self.words.update(re.findall(r"[A-Za-z_]\w*", text))

    def code(self, path):
        """The text of a file without comments and messages; nothing if it is no source."""
        def kept(match):
            string = match["string"]
            return f'"{string}"' if string and WORD.fullmatch(string) else " "

        if path.suffix in (".cpp", ".hpp"):
            text = CPP.sub(kept, path.read_text(encoding="utf-8"))
            self.cpp.append(text)
            return text
        if path.suffix in (".py", ".toml") or path.name in ("meson.build", "meson_options.txt"):
            return SCRIPT.sub(kept, path.read_text(encoding="utf-8"))
        if path.parent == self.root / "tools" and not path.suffix:
            return SCRIPT.sub(kept, path.read_text(encoding="utf-8"))
        if path.suffix == ".json":
            return path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return read(path)[0]
        return ""

    def has(self, name):
        """Whether there is such a name; of A::B whether B is declared in A, or A::B is used somewhere."""
        *outer, last = name.split("::")
        if not outer or outer[0] in FOREIGN:
            return last in self.words or bool(outer)
        pair = re.compile(rf"\b{outer[-1]}::{last}\b")
        return any(pair.search(text) or declares(text, outer[-1], last) for text in self.cpp)

    def has_file(self, name):
        """Whether there is such a path from the root, or such a file; "…" and NN stand for something. A path without an
        ending may be a program, whose source ends in .cpp."""
        pattern = name.replace("…", "*").replace("NN", "[0-9][0-9]")
        if "/" in pattern:
            return any(next(self.root.glob(path), None) for path in (pattern.rstrip("/"), pattern.rstrip("/") + ".cpp"))
        return any(Path(file).match(pattern) for file in self.files)

    def missing(self, span):
        """The names in a code span that do not exist."""
        names, files = [], []
        for word in span.split():
            if "/" in word and word.split("/")[0] in FOLDERS or re.fullmatch(r"[\w…]+\.(cpp|hpp|py|sh)", word):
                files.append(word)
            elif "/" not in word:
                names += re.findall(r"(?<![\w:…])[A-Za-z_][\w:]*(?=\()", word)                     # a call
                names += re.findall(r"(?<![\w:….-])[a-z][a-z0-9]*_[a-z0-9_]*[a-z0-9](?![\w:…-])", word)  # snake_case
        if re.fullmatch(r"[A-Za-z_]\w+(::\w+)*(\(\))?", span):
            names.append(span.removesuffix("()"))
        return [name for name in files if not self.has_file(name)] + \
               [name for name in dict.fromkeys(names) if len(name) > 1 and not self.has(name)]


def declares(text, outer, name):
    """Whether a namespace or class `outer` in this text declares `name`: in a namespace at column 0, in a class anywhere."""
    start = re.compile(rf"^( *)(?:(namespace) (?:[\w:]+::)?{outer}|(?:class|struct|enum class|enum) {outer}\b[^;{{}}()\n]*) ?{{",
                       re.MULTILINE)
    for match in start.finditer(text):
        end = len(text) if match[2] else text.find(f"\n{match[1]}}}", match.end())
        if re.search(rf"^\w(.*\W)?{name}\b" if match[2] else rf"\b{name}\b", text[match.end():end], re.MULTILINE):
            return True
    return False
