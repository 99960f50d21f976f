#!/usr/bin/python3
"""Compares random cases (tests/random) with PyTorch in float64: values, and gradients for the same cotangent.

usage: XTGRAD_RANDOM_WRITE=FILE build/tests/test_double -tc='random operations: value*'      writes the cases
       compare_random.py FILE                                                                (needs python3-torch)

Prints the cases in which the largest error over the largest value is above 1e-8, or NaN and infinities are elsewhere. To be
expected with PyTorch 1.13, where it is off: silu and gelu of an infinity (NaN), sign(NaN) (0), elu(1e-18) (0), norms of sets
of one value or with a mean that is large against the spread. Left out are operations that only move numbers, infinite logits
(their terms of weight 0 count in PyTorch), and what PyTorch refuses, as a padding above half a kernel."""
import json
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def load(path):
    raw = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    calls, arrays = header.pop("__metadata__"), {}
    for key, d in header.items():
        part = bytearray(raw[start + d["data_offsets"][0]:start + d["data_offsets"][1]])
        arrays[key] = (torch.frombuffer(part, dtype=torch.float64) if part else torch.zeros(0)).reshape(d["shape"])
    return calls, arrays


def nchw(x): return x.permute(0, 3, 1, 2)
def nhwc(x): return x.permute(0, 2, 3, 1)
def shaped(values, shape, dtype=None): return torch.tensor(values, dtype=dtype).reshape(shape)
def rows(x): return x.reshape(-1, x.shape[-1])


def along(f):  # all axes for []; of a scalar there is nothing to reduce
    def reduced(x, axes, keep, *more):
        return f(x, axes or list(range(x.dim())), keep, *more) if x.dim() else f(x.reshape(1), [0], False, *more)
    return reduced


def conv2d(x, w, bias, stride, padding, dilation, groups, relu):
    y = nhwc(F.conv2d(nchw(x).contiguous(), nchw(w).contiguous(), bias, stride, padding, dilation, groups))
    return y.relu() if relu else y


def finish(y, gamma, beta, relu=False, residual=None):
    y = y if gamma is None else y * gamma + beta
    y = y if residual is None else y + residual
    return y.relu() if relu else y


def batch_norm(x, mean, var, gamma, beta, eps, *epilogue):
    y = F.batch_norm(rows(x), mean, var, training=mean is None, eps=eps).reshape(x.shape)
    return finish(y, gamma, beta, *epilogue)


def group_norm(x, gamma, beta, groups, eps, *epilogue):
    return finish(F.group_norm(x.movedim(-1, 1), groups, eps=eps).movedim(1, -1), gamma, beta, *epilogue)


def running(f, x, mean, var, momentum, **training):
    f(x, mean, var, momentum=momentum, **training)
    return torch.cat([mean, var])


def sigmoid_loss(x, t, smoothing):
    t = (F.one_hot(t, x.shape[1]) if t.dim() == 1 else t) * (1 - smoothing) + smoothing / x.shape[1]
    return F.binary_cross_entropy_with_logits(x, t, reduction="sum") / x.shape[0]


NAMES = {name: getattr(torch, name) for name in "exp expm1 log log1p sqrt rsqrt square sin cos tanh erf erfc abs sign relu "
         "sigmoid clamp minimum maximum where dot outer softmax log_softmax gather index_select".split()}
NAMES.update({name: getattr(F, name) for name in "silu gelu leaky_relu elu mse_loss l1_loss".split()})
NAMES.update(
    negative=torch.neg, softplus=lambda x: F.softplus(x, threshold=1000), add_relu=lambda a, b: (a + b).relu(),
    mask=lambda v, shape: shaped(v, shape, torch.bool), indices=lambda v, shape: shaped(v, shape, torch.int64), array=shaped,
    sum=along(torch.sum), mean=along(torch.mean), max=along(torch.amax), min=along(torch.amin),
    variance=along(lambda x, axes, keep, unbiased: x.var(axes, unbiased, keep)), logsumexp=along(torch.logsumexp),
    standard_deviation=along(lambda x, axes, keep, unbiased: x.std(axes, unbiased, keep)),
    matmul=lambda a, b, ta, tb: torch.matmul(a.mT if ta else a, b.mT if tb else b), conv2d=conv2d,
    max_pool2d=lambda x, *how: nhwc(F.max_pool2d(nchw(x), *how)), avg_pool2d=lambda x, *how: nhwc(F.avg_pool2d(nchw(x), *how)),
    batch_norm=lambda x, *given: batch_norm(x, None, None, *given), batch_norm_eval=lambda x, g, b, mean, var, *given:
    batch_norm(x, mean, var, g, b, *given),
    layer_norm=lambda x, g, b, axes, eps, *e: finish(F.layer_norm(x, x.shape[-axes:], eps=eps), g, b, *e),
    instance_norm=lambda x, g, b, eps, *e: group_norm(x, g, b, x.shape[-1], eps, *e), group_norm=group_norm,
    running_statistics_of_batch_norm=lambda x, *s: running(F.batch_norm, rows(x), *s, training=True),
    running_statistics_of_instance_norm=lambda x, *s: running(F.instance_norm, x.movedim(-1, 1), *s, use_input_stats=True),
    cross_entropy=lambda x, t, smoothing: F.cross_entropy(x, t, label_smoothing=smoothing), sigmoid_loss=sigmoid_loss,
    binary_cross_entropy_with_logits=F.binary_cross_entropy_with_logits, huber_loss=lambda x, t, d: F.huber_loss(x, t, delta=d))


def error(found, expected):
    plain = torch.isfinite(expected)
    if found.shape != expected.shape or not torch.equal(found[~plain].nan_to_num(7), expected[~plain].nan_to_num(7)):
        return float("inf")
    difference = (found - expected)[plain].abs()
    return (difference.max() / expected[plain].abs().max()).item() if difference.numel() and difference.max() > 0 else 0.0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    calls, arrays = load(sys.argv[1])
    same = different = left_out = 0
    for seed, call in sorted((int(key), call) for key, call in calls.items() if key.isdigit()):
        x = {f"x{k}": arrays[f"{seed}/x{k}"].requires_grad_() for k in range(4) if f"{seed}/x{k}" in arrays}
        try:
            if ("entropy" in call or "sigmoid_loss" in call) and x["x0"].isinf().any():
                raise NameError("a term of weight 0")
            y = eval(call, dict(NAMES, __builtins__={}), x)
        except (NameError, RuntimeError, ValueError):
            left_out += 1
            continue
        errors = {"y": error(arrays[f"{seed}/y"], y.detach())}
        if y.requires_grad and all(v.isfinite().all() for v in [*x.values(), y]):
            for key, d in zip(x, torch.autograd.grad(y, list(x.values()), arrays[f"{seed}/dy"], allow_unused=True)):
                errors["d" + key] = 0 if d is None else error(arrays[f"{seed}/d{key}"], d)
        wrong = {key: f"{e:.1e}" for key, e in errors.items() if not e <= 1e-8}
        same, different = same + (not wrong), different + bool(wrong)
        if wrong:
            print(f"{seed}: {call[:90]} {[tuple(v.shape) for v in x.values()]}: {wrong}")
    print(f"{same} cases agree with PyTorch {torch.__version__}, {different} differ, {left_out} left out")


main()
