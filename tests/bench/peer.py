"""PyTorch's side of tools/bench --peer: the same work as bench_train, bench_norm and bench_tape, with lines of the same
form. Needs PyTorch (Debian: python3-torch); nothing else in the project does.

usage: peer.py train|eval NORM [fp32|bf16] [nchw|nhwc] [BATCH] [DEPTH] [THREADS] | norm warm|cold | tape
"""
import re
import resource
import sys
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))
import wrong_call  # noqa: E402

NORMS = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(8, channels),
    "none": lambda channels: nn.Identity(),
}
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


class Block(nn.Module):
    def __init__(self, channels_in, channels_out, stride, norm, bias):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=bias)
        self.norm1 = norm(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=bias)
        self.norm2 = norm(channels_out)
        self.more = channels_out - channels_in

    def forward(self, x):
        h = F.relu(self.norm1(self.conv1(x)))
        h = self.norm2(self.conv2(h))
        if self.more:  # option A: every second place, zeros for the new channels
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(x + h)


def resnet(depth, kind):
    norm, bias = NORMS[kind], kind == "none"
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=bias), norm(16), nn.ReLU()]
    channels = 16
    for width in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            layers.append(Block(channels, width, 1 if width == channels else 2, norm, bias))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def median(values):
    return sorted(values)[len(values) // 2]


def train(evaluation, kind, precision="fp32", layout="nhwc", batch=128, depth=20, threads=2):
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = resnet(depth, kind).to(memory_format=LAYOUTS[layout])
    x = torch.randn(batch, 3, 32, 32).contiguous(memory_format=LAYOUTS[layout])
    y = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    model.train(not evaluation)
    seconds = []
    for _ in range(14):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"), torch.set_grad_enabled(not evaluation):
            logits = model(x)
            loss = F.cross_entropy(logits, y)
        if not evaluation:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    step = median(seconds[4:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    what = "evaluation" if evaluation else "training"
    print(f"resnet{depth} {kind} {what} {precision}: {batch / step:.1f} images/s, {1000 * step:.2f} ms a step, "
          f"{peak:.0f} MB at the peak")


def norm_alone(arrays):
    torch.set_num_threads(2)
    for channels, size in ((16, 32), (32, 16), (64, 8)):
        for kind in ("batch", "layer", "instance", "group"):
            best = None
            for layout in LAYOUTS.values():
                shape = (128, channels, size, size)
                x = [torch.randn(shape).contiguous(memory_format=layout).requires_grad_() for _ in range(arrays)]
                dy = [torch.randn(shape).contiguous(memory_format=layout) for _ in range(arrays)]
                gamma = torch.randn(channels, requires_grad=True)
                beta = torch.randn(channels, requires_grad=True)
                mean, var = torch.zeros(channels), torch.ones(channels)
                call = {
                    "batch": lambda v: F.batch_norm(v, mean, var, gamma, beta, True),
                    "layer": lambda v: F.group_norm(v, 1, gamma, beta),
                    "instance": lambda v: F.instance_norm(v, weight=gamma, bias=beta),
                    "group": lambda v: F.group_norm(v, 8, gamma, beta),
                }[kind]
                seconds = []
                for i in range(9 + 27):
                    start = time.perf_counter()
                    torch.autograd.grad(call(x[i % arrays]), (x[i % arrays], gamma, beta), dy[i % arrays])
                    seconds.append(time.perf_counter() - start)
                best = min(best or 1e9, median(seconds[9:]))
            print(f"{kind} {size}x{channels} {'warm' if arrays == 1 else 'cold'}: {1000 * best:.3f} ms")


def tape():
    torch.set_num_threads(1)

    def chain():
        x = torch.ones(4, requires_grad=True)
        y = x
        for _ in range(500):
            y = y * 1.0001
            y = y + 0.001
        y.sum().backward()

    seconds = []
    for _ in range(25):
        start = time.perf_counter()
        chain()
        seconds.append(time.perf_counter() - start)
    print(f"tape: {median(seconds[5:]) * 1e3:.2f} us an operation")


def check(arguments):
    """Whether the call is one of those above."""
    choices = {"train": [list(NORMS), ["fp32", "bf16"], list(LAYOUTS), None, None, None],
               "norm": [["warm", "cold"]], "tape": []}
    what, *rest = arguments or [""]
    allowed = choices.get("train" if what == "eval" else what)
    least = {"tape": 0}.get(what, 1)
    if allowed is None or not least <= len(rest) <= len(allowed):
        return False
    return all(re.fullmatch("[1-9][0-9]{0,5}", word) if valid is None else word in valid
               for word, valid in zip(rest, allowed))


def main(arguments):
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
    elif not check(arguments):
        wrong_call.refuse("peer.py", f"wrong arguments: {' '.join(arguments) or 'none'} (see --help)")
    elif arguments[0] in ("train", "eval"):
        train(arguments[0] == "eval", *arguments[1:4], *map(int, arguments[4:]))
    elif arguments[0] == "norm":
        norm_alone(1 if arguments[1] == "warm" else 9)
    else:
        tape()


main(sys.argv[1:])
