"""The training benchmark, alone or in turn with PyTorch; tools/bench calls it.

usage: compare.py BUILD train|scaling
       compare.py BUILD peer [ROUNDS] [PYTHON]
"""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import wrong_call  # noqa: E402

NORMS = ("batch", "group", "layer", "instance", "none")
RATE, PEAK = r"([\d.]+) images/s", r"(\d+) MB"


# PyTorch takes its arrays from malloc. As glibc is set up, a fresh process may get them from the kernel anew in every
# step, and spend most of its time on page faults; a long-lived one mostly keeps them. These settings keep them at once,
# so that the comparison is with PyTorch at its best.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**33),
               "MALLOC_TOP_PAD_": str(2**28)}


def run(command, settings=None):
    environment = {**os.environ, **(settings or {})}
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    if result.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{result.stderr}")
    return result.stdout


def number(pattern, text):
    return float(re.search(pattern, text).group(1))


def median(values):
    return sorted(values)[len(values) // 2]


def geometric_mean(values):
    product = 1.0
    for value in values:
        product *= value
    return product ** (1 / len(values))


def ours(build, *arguments):
    return run([f"{build}/tests/bench_train", *arguments])


def train(build):
    precisions = ["fp32"] + (["bf16"] if "bf16 is available" in ours(build, "--has-bf16") else [])
    for precision in precisions:
        for norm in NORMS:
            print(ours(build, "--norm", norm, "--precision", precision), end="", flush=True)
    print(ours(build, "--eval"), end="")


def scaling(build):
    for name, option, values in (("batch size", "--batch", (32, 64, 128, 256, 512)),
                                 ("depth", "--arch", ("resnet20", "resnet56", "resnet110")),
                                 ("threads", "--threads", (1, 2))):
        for value in values:
            print(f"{name} {value}: {ours(build, option, value)}", end="", flush=True)


class Row:
    """One line of the comparison: a figure of ours and PyTorch's for each round, and whether larger is better."""

    def __init__(self, name, larger_is_better):
        self.name, self.larger_is_better = name, larger_is_better
        self.ours, self.theirs = [], []

    def add(self, our_figure, their_figure):
        self.ours.append(our_figure)
        self.theirs.append(their_figure)

    def print(self):
        ratios = [a / b if self.larger_is_better else b / a for a, b in zip(self.ours, self.theirs)]
        print(f"{self.name:<40} {median(self.ours):9.2f} {median(self.theirs):9.2f} {median(ratios):7.2f}"
              f"   {min(ratios):.2f} … {max(ratios):.2f}", flush=True)
        return median(ratios)


def header(unit):
    print(f"\n{unit:<40} {'xtgrad':>9} {'PyTorch':>9} {'ratio':>7}   (median of rounds; range)")


def compare_training(build, peer, rounds):
    header("images/s; MB where it says so")
    work = [(norm, "fp32", False) for norm in NORMS]
    if "bf16 is available" in ours(build, "--has-bf16"):
        work.append(("batch", "bf16", False))
    work.append(("batch", "fp32", True))
    for norm, precision, evaluation in work:
        rate = Row(f"ResNet-20, {norm}, {precision}{', evaluation' if evaluation else ''}", True)
        memory = Row("  peak resident memory, MB", False)
        for _ in range(rounds):
            mine = ours(build, "--norm", norm, "--precision", precision, *(["--eval"] if evaluation else []))
            theirs = [run(peer + ["eval" if evaluation else "train", norm, precision, layout], KEEP_MEMORY)
                      for layout in ("nchw", "nhwc")]
            rate.add(number(RATE, mine), max(number(RATE, text) for text in theirs))
            # Kept memory is not what PyTorch needs: for that, a run as glibc is set up.
            plain = run(peer + ["eval" if evaluation else "train", norm, precision, "nhwc"])
            memory.add(number(PEAK, mine), min(number(PEAK, text) for text in [*theirs, plain]))
        rate.print()
        memory.print()


def compare_norms(build, peer, rounds):
    pattern = re.compile(r"(\w+ \S+ \w+): ([\d.]+) ms")
    for kind in ("warm", "cold"):
        header(f"norm alone, forward + backward, {kind}, ms")
        rows = {}
        for _ in range(rounds):
            mine = dict(pattern.findall(run([f"{build}/tests/bench_norm"] + (["--cold"] if kind == "cold" else []))))
            theirs = dict(pattern.findall(run(peer + ["norm", kind], KEEP_MEMORY)))
            for name, figure in mine.items():
                rows.setdefault(name, Row(name, False)).add(float(figure), float(theirs[name]))
        ratios = [row.print() for row in rows.values()]
        print(f"geometric mean of the twelve ratios: {geometric_mean(ratios):.2f}")


def compare_tape(build, peer, rounds):
    header("the tape, microseconds an operation")
    row = Row("chain of 1,000 on 4 elements", False)
    for _ in range(rounds):
        text = run([f"{build}/tests/bench_tape", "--benchmark_filter=chain_with_numbers", "--benchmark_format=csv"])
        lines = [line.split(",") for line in text.splitlines() if line]
        column = [field.strip('"') for field in lines[0]].index("s_per_operation")
        row.add(1e6 * float(lines[-1][column]), number(r"([\d.]+) us", run(peer + ["tape"])))
    row.print()


def main(arguments):
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return
    build, what = (arguments + ["", ""])[:2]
    most = {"train": 2, "scaling": 2, "peer": 4}
    if what not in most or len(arguments) > most[what] or (len(arguments) > 2 and not re.fullmatch("0*[1-9][0-9]{0,5}", arguments[2])):
        wrong_call.refuse("compare.py", f"expected BUILD train|scaling|peer [ROUNDS] [PYTHON], got "
                          f"{' '.join(arguments) or 'nothing'} (see --help)")
    if what == "train":
        train(build)
    elif what == "scaling":
        scaling(build)
    else:
        rounds = int(arguments[2]) if len(arguments) > 2 else 5
        python = arguments[3] if len(arguments) > 3 else "python3"
        peer = [python, HERE / "peer.py"]
        version = run([python, "-c", "import torch; print(torch.__version__)"]).strip()
        print(f"xtgrad beside PyTorch {version}, two threads, {rounds} rounds in turn", flush=True)
        compare_training(build, peer, rounds)
        compare_norms(build, peer, rounds)
        compare_tape(build, peer, rounds)


wrong_call.run("compare.py", lambda: main(sys.argv[1:]))
