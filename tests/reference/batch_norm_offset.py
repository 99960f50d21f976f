#!/usr/bin/python3
"""What PyTorch's batch norm does to a million rows of float whose mean is far from 0, for docs/normalization.md.

usage: batch_norm_offset.py        (needs python3-torch; a few seconds)

x has 4 channels of standard normal numbers + the offset, made without a random generator (Box-Muller of i·0.7549 and
i·0.5698 modulo 1), so that the test case "norm: a million rows far from 0" (tests/nn/norm/offset_test.cpp) has the same.
Errors are largest differences from the formula in float64, of the same float32 numbers. It runs on one thread: with two,
each adds up half of the rows."""
import math
import sys

import torch

ROWS, CHANNELS, EPS = 1_000_000, 4, 1e-5


def report(layout, x, axes):
    exact = x.double()
    mean, var = exact.mean(axes, keepdim=True), exact.var(axes, unbiased=False, keepdim=True)
    y, found, rstd = torch.native_batch_norm(x, None, None, None, None, True, 0.1, EPS)
    error = (y.double() - (exact - mean) / (var + EPS).sqrt()).abs().max()
    mean_error = (found.double() - mean.flatten()).abs().max()
    print(f"  {layout:<28} y is off by {error:.1e}, the mean by {mean_error:.1e}, the variance is "
          f"{(rstd.double() ** -2 - EPS).max():.5g}")


def main():
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, float32, {ROWS} rows of {CHANNELS} channels, variance 1")
    i = torch.arange(ROWS * CHANNELS, dtype=torch.float64)
    radius, angle = (-2 * torch.log(1 - (i * 0.7548776662466927) % 1)).sqrt(), 2 * math.pi * ((i * 0.5698402909980532) % 1)
    z = (radius * angle.cos()).reshape(ROWS, CHANNELS)
    for offset in (100, 300, 1000, 10000):
        x = (z + offset).float()
        print(f"offset {offset}")
        report("(N, C)", x, (0,))
        images = x.reshape(ROWS // 100, 10, 10, CHANNELS).permute(0, 3, 1, 2)
        report("(N, C, H, W), channels_last", images, (0, 2, 3))
        report("(N, C, H, W)", images.contiguous(), (0, 2, 3))


main()
