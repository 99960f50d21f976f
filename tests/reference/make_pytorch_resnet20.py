#!/usr/bin/python3
"""Makes the files that prove that weights travel from PyTorch and back: a CIFAR ResNet-20 (option A shortcuts) of width 4.

usage: make_pytorch_resnet20.py [DIR]          writes the files below into DIR; default: the folder of this script
       make_pytorch_resnet20.py --check FILE   loads FILE, written by save_pytorch, into PyTorch's network, and compares
                                               its logits with the stored ones; fails above max|a - b|/max|b| = 1e-12
needs: python3-torch and python3-numpy (Debian 12: PyTorch 1.13); the safetensors package is not in Debian, so the format
       is written and read here. Deterministic, but for last digits with another release of PyTorch.

pytorch_resnet20.safetensors       the state dict as PyTorch has it, F32, convolutions (O, I, KH, KW), num_batches_tracked I64:
                                   what safetensors.torch.save_file(net.state_dict(), …) writes
pytorch_resnet20_half.safetensors  the same, rounded: arrays of two axes or more to BF16, the others to F16
pytorch_resnet20_logits.safetensors
  images                           (3, 20, 24, 3), channels last, as the library has them
  logits, logits_half              (3, 10), F64: of the weights of either file, in evaluation mode, computed in float64
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from make_reference import Block, Random, to_torch  # sets the default type to float64

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
WIDTH, CLASSES = 4, 10


class ResNet20(nn.Module):
    """Named as in the widely used CIFAR implementation: conv1, bn1, layer1.0.conv1, …, linear."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.layer1 = self.stage(WIDTH, WIDTH, 1)
        self.layer2 = self.stage(WIDTH, 2 * WIDTH, 2)
        self.layer3 = self.stage(2 * WIDTH, 4 * WIDTH, 2)
        self.linear = nn.Linear(4 * WIDTH, CLASSES)

    @staticmethod
    def stage(inputs, outputs, stride):
        return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1), Block(outputs, outputs, 1))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def write(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):  # wide types first: aligned
        tensor = tensors[name].detach().contiguous()
        raw = (tensor.view(torch.int16) if tensor.element_size() == 2 else tensor).numpy().tobytes()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{path}: {len(tensors)} arrays, {os.path.getsize(path)} bytes")


def read(path):
    with open(path, "rb") as file:
        raw = file.read()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    types = {name: dtype for dtype, name in TYPES.items()}
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(bytearray(raw[start + begin:start + end]), dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def randomized():
    """Random weights; running statistics from seven batches of images, so that they fit the weights."""
    random, net = Random("pytorch_resnet20"), ResNet20()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 4:  # Kaiming, fan-out
                parameter.copy_(random.normal(*parameter.shape) * (2 / (parameter.shape[0] * 9)) ** 0.5)
            elif parameter.dim() == 1 and name.endswith("weight"):
                parameter.copy_(random.gamma(*parameter.shape))
            else:
                parameter.copy_(random.normal(*parameter.shape) / 4)
        for _ in range(7):
            net(to_torch(random.normal(5, 12, 14, 3) + 0.5))
    return net


def evaluate(state, images):
    """Logits in float64, whatever the type of the weights."""
    net = ResNet20()
    net.load_state_dict(state, strict=True)  # copies into float64; refuses missing and unexpected names
    net.eval()
    with torch.no_grad():
        return net(to_torch(images))


def make(folder):
    path = os.path.join(folder, "pytorch_resnet20")
    state = randomized().state_dict()
    full = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    half = {name: value.to(torch.bfloat16 if value.dim() >= 2 else torch.float16) if value.is_floating_point() else value
            for name, value in full.items()}
    images = Random("pytorch_resnet20/images").normal(3, 20, 24, 3) + 0.5
    images = images.float().double()
    logits, logits_half = evaluate(full, images), evaluate(half, images)
    assert 0.3 < logits.abs().max() < 30 and (logits[0] - logits[1]).abs().max() > 0.1, "the logits show too little"
    assert 1e-3 < (logits - logits_half).abs().max() < 0.3, "rounding the weights should show, and not much"
    assert all(state[name].item() == 7 for name in state if name.endswith("num_batches_tracked"))
    write(path + ".safetensors", full)
    write(path + "_half.safetensors", half)
    write(path + "_logits.safetensors", {"images": images.float(), "logits": logits, "logits_half": logits_half})
    for name, value in read(path + "_half.safetensors").items():  # what was written is what was meant
        assert value.dtype == half[name].dtype and torch.equal(value, half[name]), name


def check(file):
    stored = read(os.path.join(HERE, "pytorch_resnet20_logits.safetensors"))
    state = read(file)
    found = evaluate(state, stored["images"].double())
    error = ((found - stored["logits"]).abs().max() / stored["logits"].abs().max()).item()
    print(f"{file}: {len(state)} arrays fit by name and shape; logits differ by max|a - b|/max|b| = {error:.2g}")
    return error <= 1e-12


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "--check":
        sys.exit(0 if check(arguments[1]) else 1)
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(f"make_pytorch_resnet20.py: expected at most one DIR, or --check FILE, got {arguments} (see --help)",
              file=sys.stderr)
        sys.exit(2)
    make(arguments[0] if arguments else HERE)


if __name__ == "__main__":
    main()
