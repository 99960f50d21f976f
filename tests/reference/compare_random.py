#!/usr/bin/python3
"""Compares the cases of tests/random with PyTorch, in float64: values, and gradients for the same cotangent.

usage: XTGRAD_RANDOM_WRITE=FILE build/tests/test_double -tc='random operations: value*'      writes the cases
       compare_random.py FILE                                                                (needs python3-torch)

Largest error over largest value, at most 1e-9; NaN and infinities at the same places. Prints each case that differs, and
exits with 1 if there was one. Where PyTorch's answer is another on purpose (docs/conventions.md), or it has none, a case is
left out and counted."""
import json
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def load(path):
    raw = open(path, "rb").read()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    types = {"F32": torch.float32, "F64": torch.float64}
    arrays = {}
    for key, d in header.items():
        if key != "__metadata__":
            part = raw[8 + length + d["data_offsets"][0]:8 + length + d["data_offsets"][1]]
            array = torch.frombuffer(bytearray(part), dtype=types[d["dtype"]]) if part else torch.zeros(0)
            arrays[key] = array.reshape(d["shape"]).double()
    return header["__metadata__"], arrays


class Other(Exception):
    """PyTorch has no such operation, or another one on purpose."""


def dims(x, axes): return axes or list(range(x.dim()))
def nchw(x): return x.permute(0, 3, 1, 2)
def nhwc(x): return x.permute(0, 2, 3, 1)
def shaped(values, shape, dtype=None): return torch.tensor(values, dtype=dtype).reshape(shape)


def along(f):  # a reduction; of a scalar there is nothing to reduce
    return lambda x, axes, keep, *more: f(x.reshape(1) if x.dim() == 0 else x, dims(x, axes) or [0], keep and x.dim() > 0, *more)


def pad(x, before, after):
    return F.pad(x, [n for pair in reversed(list(zip(before, after))) for n in pair]) if before else x


def slice_(x, ranges):
    return x[tuple(slice(a, None if b < 0 else b, step) for a, b, step in ranges)]


def split_reversed(x, sizes, axis, all_of_them):
    return torch.cat(list(reversed(torch.split(x, sizes, axis)[:None if all_of_them else -1])), axis)


def sum_to(x, shape):
    x = x.sum(list(range(x.dim() - len(shape)))) if x.dim() > len(shape) else x
    repeated = [k for k, n in enumerate(shape) if n != x.shape[k]]
    return x.sum(repeated, True) if repeated else x


def matmul(a, b, ta, tb):
    return torch.matmul(a.mT if ta else a, b.mT if tb else b)


def conv2d(x, w, bias, stride, padding, dilation, groups, relu):
    y = nhwc(F.conv2d(nchw(x), nchw(w), bias, stride, padding, dilation, groups))
    return y.relu() if relu else y


def pool(f):
    def pooled(x, kernel, stride, padding):
        if padding > kernel // 2:
            raise Other
        return nhwc(f(nchw(x), kernel, stride, padding))
    return pooled


def finish(y, gamma, beta, relu, residual):
    y = y if gamma is None else y * gamma + beta
    y = y if residual is None else y + residual
    return y.relu() if relu else y


def batch_norm(x, gamma, beta, eps, relu, residual):
    y = F.batch_norm(x.reshape(-1, x.shape[-1]), None, None, training=True, eps=eps).reshape(x.shape)
    return finish(y, gamma, beta, relu, residual)


def batch_norm_eval(x, gamma, beta, mean, var, eps, relu, residual):
    return finish(F.batch_norm(x.reshape(-1, x.shape[-1]), mean, var, eps=eps).reshape(x.shape), gamma, beta, relu, residual)


def group_norm(x, gamma, beta, groups, eps, relu, residual):
    return finish(F.group_norm(x.movedim(-1, 1), groups, eps=eps).movedim(1, -1), gamma, beta, relu, residual)


def running(f, x, mean, var, momentum):
    f(x, mean, var, use_input_stats=True, momentum=momentum) if f is F.instance_norm else f(x, mean, var, None, None, True, momentum)
    return torch.cat([mean, var])


def cross_entropy(x, t, smoothing):
    if torch.isinf(x).any():
        raise Other  # a term of weight 0 does not count here
    return F.cross_entropy(x, t, label_smoothing=smoothing)


def sigmoid_loss(x, t, smoothing):
    t = F.one_hot(t, x.shape[1]) if t.dim() == 1 else t
    t = t * (1 - smoothing) + smoothing / x.shape[1]
    if torch.isinf(x).any():
        raise Other
    return F.binary_cross_entropy_with_logits(x, t.double(), reduction="sum") / x.shape[0]


def bce(x, t):
    if torch.isinf(x).any():
        raise Other
    return F.binary_cross_entropy_with_logits(x, t)


def other(*_): raise Other


NAMES = {name: getattr(torch, name) for name in "exp expm1 log log1p sqrt rsqrt square sin cos tanh erf erfc abs sign relu "
         "sigmoid clamp minimum maximum flatten unsqueeze take index_select gather dot outer stack softmax log_softmax "
         "broadcast_to reshape".split()}
NAMES.update({name: lambda a, b, f=getattr(torch, f): f(a, b).double() for name, f in dict(
    less="lt", less_equal="le", greater="gt", greater_equal="ge", equal="eq", not_equal="ne").items()})
NAMES.update(
    negative=torch.neg, softplus=lambda x: F.softplus(x, threshold=1000), silu=F.silu, gelu=F.gelu, leaky_relu=F.leaky_relu,
    elu=F.elu, add_relu=lambda a, b: (a + b).relu(), where=torch.where, mask=lambda v, s: shaped(v, s, torch.bool),
    indices=lambda v, s: shaped(v, s, torch.int64), array=shaped, sum=along(torch.sum), mean=along(torch.mean),
    variance=along(lambda x, d, k, u: x.var(d, u, k)), standard_deviation=along(lambda x, d, k, u: x.std(d, u, k)),
    max=along(torch.amax), min=along(torch.amin), logsumexp=along(torch.logsumexp), sum_to=sum_to, pad=pad, slice=slice_,
    argmax=lambda x, axis: x.argmax(axis).double(), squeeze=lambda x, axes: x.reshape(
        [n for k, n in enumerate(x.shape) if n != 1 or axes and k not in [a % x.dim() for a in axes]]),
    transpose=lambda x, axes: x.permute(axes or list(range(x.dim()))[::-1]), flip=lambda x, axes: x.flip(dims(x, axes)),
    concatenate=torch.cat, split_reversed=split_reversed, put=lambda x, at, shape: torch.zeros(shape).put(at, x, True),
    matmul=matmul, conv2d=conv2d, max_pool2d=pool(F.max_pool2d), avg_pool2d=pool(F.avg_pool2d), unfold=other, fold=other,
    global_avg_pool2d=lambda x: x.mean((1, 2)), batch_norm=batch_norm, batch_norm_eval=batch_norm_eval, dropout=other,
    group_norm=group_norm, instance_norm=lambda x, g, b, eps, *e: group_norm(x, g, b, x.shape[-1], eps, *e),
    layer_norm=lambda x, g, b, axes, eps, *e: finish(F.layer_norm(x, x.shape[-axes:], eps=eps), g, b, *e),
    running_statistics_of_batch_norm=lambda x, *s: running(F.batch_norm, x.reshape(-1, x.shape[-1]), *s),
    running_statistics_of_instance_norm=lambda x, *s: running(F.instance_norm, x.movedim(-1, 1), *s),
    cross_entropy=cross_entropy, sigmoid_loss=sigmoid_loss, binary_cross_entropy_with_logits=bce, mse_loss=F.mse_loss,
    l1_loss=F.l1_loss, huber_loss=lambda x, t, delta: F.huber_loss(x, t, delta=delta))


def error(found, expected):
    if found.shape != expected.shape:
        return float("inf")
    plain = torch.isfinite(expected)
    if not torch.equal(torch.isfinite(found), plain) or not torch.equal(found[~plain].nan_to_num(7), expected[~plain].nan_to_num(7)):
        return float("inf")
    difference = (found - expected)[plain].abs()
    return (difference.max() / expected[plain].abs().max()).item() if difference.numel() and difference.max() > 0 else 0.0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    calls, arrays = load(sys.argv[1])
    same = left_out = differ = 0
    for seed in sorted(filter(str.isdigit, calls), key=int):
        x = {key: arrays[f"{seed}/{key}"].requires_grad_() for key in (f"x{k}" for k in range(4)) if f"{seed}/{key}" in arrays}
        try:
            y = eval(calls[seed], dict(NAMES), x)
            errors = {"y": error(arrays[f"{seed}/y"], y.detach())}
            finite = all(torch.isfinite(v).all() for v in [*x.values(), y])
            if y.requires_grad and finite:
                d = torch.autograd.grad(y, list(x.values()), arrays[f"{seed}/dy"], allow_unused=True)
                for key, gradient in zip(x, d):
                    if gradient is not None and f"{seed}/d{key}" in arrays:
                        errors["d" + key] = error(arrays[f"{seed}/d{key}"], gradient)
        except (Other, RuntimeError, IndexError, ValueError) as reason:
            left_out += 1
            if not isinstance(reason, Other):
                print(f"seed {seed}: {calls[seed][:100]}: PyTorch refuses: {str(reason).splitlines()[0][:100]}")
            continue
        wrong = {key: f"{e:.1e}" for key, e in errors.items() if e > 1e-9}
        same, differ = same + (not wrong), differ + bool(wrong)
        if wrong:
            print(f"seed {seed}: {calls[seed][:100]} {[tuple(v.shape) for v in x.values()]}: {wrong}")
    print(f"{same} cases agree with PyTorch {torch.__version__}, {differ} differ, {left_out} left out")
    sys.exit(differ > 0)


main()
