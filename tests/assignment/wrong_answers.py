"""Wrong answers, made from a right one by edits, and what the grader must say to each: the cause and the points.

Usage: wrong_answers.py [NAME...]: prints "ok - ..." or "not ok - ..." for each wrong answer, or for those named. All
wrong answers to a part are compiled as one program, each in a namespace of its own, for that takes a tenth of the time;
it is run once for each, behind the grader's limits."""

import concurrent.futures
import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile

import wrong_part1
import wrong_part2
import wrong_part3
import wrong_part4
import wrong_part5

HERE = pathlib.Path(__file__).resolve().parent
RIGHT = HERE / "solutions" / "staged"


def load_tool():
    path = str(HERE.parent.parent / "tools" / "assignment")
    spec = importlib.util.spec_from_loader("assignment", importlib.machinery.SourceFileLoader("assignment", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
MODULES = {"1": wrong_part1, "2": wrong_part2, "3": wrong_part3, "4": wrong_part4, "5": wrong_part5}
SAID_WITHOUT_CAUSE = {"P4.log", "P4.table", "P4.stable", "P4.claims"}  # there is no log in these tests


class Together(TOOL.Program):
    """The program of a part with many answers in the place of one; its argument says which."""

    def __init__(self, part, folder):
        one = part.programs[0]
        super().__init__(one.main, one.library, one.sees, one.cpu)
        self.file = folder / "main.cpp"

    def path(self):
        return self.file


def write_answers(part, answers, folder):
    """Each answer's header, and a main that includes them all."""
    text = (RIGHT / part.header).read_text()
    main = (TOOL.SOURCE / "grader" / part.programs[0].main).read_text()
    body = main[main.index("{", main.index("int main(")) + 1:]
    grader = [line for line in main.splitlines() if line.startswith('#include "assignment')]
    includes = [line for line in text.splitlines() if line.startswith("#include")]
    lines = ["#include <cstdlib>", *grader, *includes]
    for i, answer in enumerate(answers):
        changed = text
        for old, new in answer["edits"]:
            if changed.count(old) != 1:
                raise SystemExit(f"{answer['name']}: the edit {old!r} fits {changed.count(old)} times")
            changed = changed.replace(old, new)
        (folder / f"answer_{i}.hpp").write_text(changed)
        lines += [f"#define student student_{i}", f'#include "answer_{i}.hpp"', "#undef student"]
    for i in range(len(answers)):
        lines += [f"int grade_{i}(int argc, char** argv) {{", "(void)argc, (void)argv;",
                  body.replace("student::", f"student_{i}::")]
    calls = ", ".join(f"grade_{i}" for i in range(len(answers)))
    lines += [f"int (*const kGrade[])(int, char**) = {{{calls}}};",
              "int main(int, char** argv) { return kGrade[std::atoi(argv[1])](1, argv); }", ""]
    (folder / "main.cpp").write_text("\n".join(lines))


def fault_of(answer, executable, program, scratch, environment):
    """What is wrong with the grader's answer to number i, or ""."""
    i, answer = answer
    checks, message, _ = TOOL.run_program(executable, program, scratch, environment, [str(i)])
    wrong = [c for c in checks if c["status"] != "right"]
    said = message + "; ".join(f"{c['id']} {c['status']} [{c['cause']}] {c['hint'][:110]}" for c in wrong)
    causes = {c["cause"] for c in wrong if c["id"] not in SAID_WITHOUT_CAUSE}
    points = sum(c["points"] for c in checks)
    if causes != (set(answer["cause"].split(",")) if answer["cause"] else {None}):
        return f"causes {causes}: {said}"
    if points != answer["points"]:
        return f"{points} points: {said}"
    if answer["says"] not in " ".join(c["hint"] for c in wrong):
        return f"does not say {answer['says']!r}: {said}"
    return ""


def judge(part, answers):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        write_answers(part, answers, folder)
        program = Together(part, folder)
        executable, words = TOOL.compile_program(program, folder, scratch, part.headers)
        if executable is None:
            return [words] * len(answers)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda a: fault_of(a, executable, program, scratch, {"XTGRAD_FOLDER": str(folder)}),
                                 enumerate(answers)))


def main():
    wanted, failures, number = set(sys.argv[1:]), 0, 0
    for name, module in MODULES.items():
        answers = [a for a in module.ANSWERS if not wanted or a["name"] in wanted]
        part = next(p for p in TOOL.PARTS if p.name == name)
        for answer, fault in zip(answers, judge(part, answers) if answers else []):
            number += 1
            failures += bool(fault)
            print(f"{'not ok' if fault else 'ok'} - part {name}: {answer['name']} is {answer['cause']}, "
                  f"{answer['points']} points", flush=True)
            if fault:
                print("    " + fault)
    return 1 if failures or number == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
