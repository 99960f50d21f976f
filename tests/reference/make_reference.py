#!/usr/bin/python3
"""Makes the values that the tests compare the library with, independently of it: with PyTorch, in float64.

usage: make_reference.py [DIR]        (writes *.safetensors into DIR; default: the folder of this script)
needs: python3-torch and python3-numpy (Debian 12: PyTorch 1.13). The result is deterministic: each case draws its inputs
from numpy's RandomState, whose stream is frozen, seeded with the CRC-32 of the case's name; so a case that is added or
removed leaves the others as they are. Another release of PyTorch may change last digits.

Conventions (the library's, not PyTorch's)
  - Images are (N, H, W, C), sequences (N, L, C); convolution weights (O, KH, KW, I), linear weights (O, I).
  - Keys are "<case>/<what>". Settings are arrays of shape (): F64 for eps, momentum, …; I64 for groups, stride, … and flags.
  - x, weight, gamma, … are inputs; y (or loss) the result; dy a random cotangent; d<input> the gradient of sum(y * dy).
    A loss is a scalar and has the cotangent 1. What a case does not have (gamma without affine) has no key.
  - Inputs are rounded to float32, so a float build starts from the same numbers; an array that float32 holds exactly is
    stored as F32, all others as F64.

norms.safetensors: x, dy, y, dx, eps; with affine gamma, beta, dgamma, dbeta
  batch_norm_train_*     running_mean, running_var (before), momentum, running_mean_after, running_var_after
  batch_norm_eval_*      running_mean, running_var
  batch_norm_layer_*, instance_norm_layer_*   a module that is called several times, in training and then in evaluation mode: the
                         calls are *_train_0, *_train_1, …, *_eval. The first has running_mean and running_var (before it), each
                         one in training mode running_mean_after, running_var_after and num_batches_tracked_after; momentum, but in
                         *_cumulative_*. *_untracked_* have no running statistics
  layer_norm_*           gamma of the shape that is normalized: (C), (W, C) or (H, W, C); normalized_axes: how many trailing axes.
                         layer_norm_one_group_*: normalizes all axes but the first, gamma (C)
  instance_norm_*, group_norm_* (groups)
ops.safetensors
  conv2d_*               x, weight, [bias], stride, padding, dy, y, dx, dweight, [dbias]
  max_pool2d_*, avg_pool2d_*   x, kernel, stride, padding, dy, y, dx; avg_pool2d_*: count_include_pad (divide by the window's
                         whole area, or by the part of it inside the image)
  global_avg_pool        x (N, H, W, C), y (N, C)
  log_softmax, relu      x, dy, y, dx
  linear                 x (N, I), weight (O, I), bias (O), …
  cross_entropy_*        logits, labels (I64), label_smoothing, loss (mean over the batch), dlogits
optim.safetensors
  sgd_*                  two parameters a and b: a, a_grads (steps, …), a_after (steps, …), the same for b; lr (steps),
                         momentum, nesterov (0 or 1), weight_decay; *_b_undecayed: b has a weight decay of 0
  adam_*, adamw_*        the same with beta1, beta2, eps in the place of momentum and nesterov; *_b_absent: b has no gradient at
                         steps 0 and 3
  clip_*                 gradients a, b, c; max_norm, norm (before), a_after, b_after, c_after
  one_cycle              factor (T): the learning rate over its peak, min((s + 1) / (0.2 T), max((T − s) / (0.8 T), 0)), s = 0 … T − 1
resnet8.safetensors      a CIFAR ResNet with n = 1, width 4 (channels 4, 8, 16), batch norm, on 5 images of 16 × 16; no case name:
  conv1.weight, bn1.weight, layer1.0.conv1.weight, …, linear.bias       the parameters, under the names of a state dict
  images, labels, loss, logits (training mode), logits_eval (evaluation mode, after that one update of the running statistics)
  grad/<parameter>; after/bn1.running_mean, after/bn1.running_var, …    gradients of the loss; running statistics after the step
table.safetensors        a case for each row of the table of proofs (tests/proofs), under the row's label; every operation once or more
  x0, x1, …              the arguments that are Variables. All others (axes, positions, labels, masks, running statistics, p, …)
                         are written into the row and, the same, into the case
  y                      the result; of comparisons as 0 and 1, of argmax as a number: these have no more
  dy, d0, d1, …          a random cotangent of y's shape, () for a loss, and the gradients of sum(y * dy)
  "… at 0", "… of equals", "… with ties", "… at the bounds", "… far out", "… near 0": inputs chosen where a formula bends or
                         a careless one overflows or loses its digits
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.stateless import functional_call

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


# ---------------------------------------------------------------------------------------------------------- the file

def save(path, arrays):
    """Writes {key: array} as safetensors: header length, JSON header, the arrays' bytes."""
    header, data = {}, b""
    stored = {}
    for key, value in arrays.items():
        array = np.asarray(value.detach().numpy() if isinstance(value, torch.Tensor) else value)
        if array.dtype.kind in "iub":
            stored[key] = array.astype("<i8"), "I64"
        elif np.array_equal(array.astype("<f4").astype("<f8"), array):
            stored[key] = array.astype("<f4"), "F32"
        else:
            assert array.dtype == np.float64 and np.isfinite(array).all(), key
            stored[key] = array.astype("<f8"), "F64"
    for key in sorted(stored, key=lambda key: (stored[key][1] == "F32", key)):  # 8-byte types first: aligned
        array, dtype = stored[key]
        raw = np.ascontiguousarray(array).tobytes()
        header[key] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """Reads such a file back, for the check at the end."""
    with open(path, "rb") as file:
        raw = file.read()
    length = struct.unpack("<Q", raw[:8])[0]
    data = raw[8 + length:]
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}
    return {key: np.frombuffer(data[d["data_offsets"][0]:d["data_offsets"][1]], types[d["dtype"]]).reshape(d["shape"])
            for key, d in json.loads(raw[8:8 + length]).items()}


# ---------------------------------------------------------------------------------------------------------- inputs

class Random:
    """Numbers of one case, rounded to float32."""

    def __init__(self, case):
        self.state = np.random.RandomState(zlib.crc32(case.encode()))

    def normal(self, *shape):
        return self._tensor(self.state.standard_normal(shape))

    def uniform(self, low, high, *shape):
        return self._tensor(self.state.uniform(low, high, shape))

    def integers(self, low, high, *shape):
        return torch.tensor(self.state.randint(low, high, shape))

    def gamma(self, *shape):
        """Between 0.5 and 1.5, every third one negative."""
        values = self.state.uniform(0.5, 1.5, shape)
        values.reshape(-1)[1::3] *= -1
        return self._tensor(values)

    def data(self, *shape):
        """Channels (the last axis) of different scale and offset, as a layer sees them."""
        return self._tensor(self.state.standard_normal(shape) * self.state.uniform(0.5, 3, shape[-1])
                            + self.state.uniform(-4, 4, shape[-1]))

    @staticmethod
    def _tensor(values):
        return torch.tensor(np.asarray(values).astype(np.float32).astype(np.float64))


def to_torch(x):
    """Channels from the last axis to the second, where PyTorch has them."""
    return x.movedim(-1, 1) if x.dim() > 2 else x


def from_torch(x):
    return x.movedim(1, -1) if x.dim() > 2 else x


def record(arrays, case, random, function, inputs, **settings):
    """Evaluates y = function(*inputs) and the gradients of sum(y * dy), and files everything under the case's name."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    y = function(**leaves)
    dy = random.normal(*y.shape)
    gradients = torch.autograd.grad(y, list(leaves.values()), dy)
    for name, value in {**inputs, **settings}.items():
        arrays[f"{case}/{name}"] = value
    arrays[f"{case}/y"], arrays[f"{case}/dy"] = y, dy
    for name, gradient in zip(leaves, gradients):
        assert gradient.abs().max() > 1e-3, f"{case}: the gradient of {name} is too small to test anything"
        arrays[f"{case}/d{name}"] = gradient


# ---------------------------------------------------------------------------------------------------------- norms

def norms():
    arrays = {}

    def norm(case, shape, function, gamma_shape, affine=True, **settings):
        """function(x, gamma, beta) gets x channels-last; gamma and beta are None without affine."""
        random = Random(case)
        inputs = {"x": random.data(*shape)}
        if affine:
            inputs.update(gamma=random.gamma(*gamma_shape), beta=random.normal(*gamma_shape))
        record(arrays, case, random, lambda x, gamma=None, beta=None: function(x, gamma, beta), inputs, **settings)

    def batch_norm(case, shape, train, affine=True, eps=1e-5, momentum=0.1):
        random = Random(case + "/running")
        mean, var = random.uniform(-2, 2, shape[-1]), random.uniform(0.5, 4, shape[-1])
        mean_after, var_after = mean.clone(), var.clone()

        def function(x, gamma, beta):
            return from_torch(F.batch_norm(to_torch(x), mean_after, var_after, gamma, beta, train, momentum, eps))

        settings = dict(eps=eps, running_mean=mean, running_var=var)
        if train:  # the two are filled by the evaluation
            settings.update(momentum=momentum, running_mean_after=mean_after, running_var_after=var_after)
        norm(case, shape, function, shape[-1:], affine, **settings)
        assert train != torch.equal(mean, mean_after)

    batch_norm("batch_norm_train_nc", (7, 5), True)
    batch_norm("batch_norm_train_nlc", (3, 4, 5), True)
    batch_norm("batch_norm_train_nhwc", (2, 3, 4, 6), True)
    batch_norm("batch_norm_train_nhwc_large_eps", (2, 3, 4, 6), True, eps=0.1, momentum=0.3)
    batch_norm("batch_norm_train_nlc_plain", (3, 4, 5), True, affine=False)
    batch_norm("batch_norm_eval_nc", (7, 5), False)
    batch_norm("batch_norm_eval_nlc", (3, 4, 5), False)
    batch_norm("batch_norm_eval_nhwc", (2, 3, 4, 6), False)
    batch_norm("batch_norm_eval_nlc_large_eps", (3, 4, 5), False, eps=0.1)
    batch_norm("batch_norm_eval_nlc_plain", (3, 4, 5), False, affine=False)

    def layer_norm(case, shape, axes, affine=True, eps=1e-5):
        norm(case, shape, lambda x, gamma, beta: F.layer_norm(x, shape[-axes:], gamma, beta, eps), shape[-axes:], affine,
             eps=eps, normalized_axes=axes)

    layer_norm("layer_norm_c_of_nc", (7, 5), 1)
    layer_norm("layer_norm_c_of_nlc", (3, 4, 5), 1)
    layer_norm("layer_norm_c_of_nhwc", (2, 3, 4, 6), 1)
    layer_norm("layer_norm_c_of_nlc_large_eps", (3, 4, 5), 1, eps=0.1)
    layer_norm("layer_norm_wc_of_nhwc", (2, 3, 4, 6), 2)
    layer_norm("layer_norm_hwc_of_nhwc", (2, 3, 4, 6), 3)
    layer_norm("layer_norm_lc_of_nlc", (3, 4, 5), 2)
    layer_norm("layer_norm_c_of_nhwc_plain", (2, 3, 4, 6), 1, affine=False)
    layer_norm("layer_norm_lc_of_nlc_plain", (3, 4, 5), 2, affine=False)
    layer_norm("layer_norm_hwc_of_nhwc_plain", (2, 3, 4, 6), 3, affine=False)

    def group_norm(case, shape, groups, affine=True, eps=1e-5):
        norm(case, shape, lambda x, gamma, beta: from_torch(F.group_norm(to_torch(x), groups, gamma, beta, eps)), shape[-1:], affine,
             eps=eps, groups=groups)

    group_norm("layer_norm_one_group_nhwc", (2, 3, 4, 6), 1)
    group_norm("group_norm_1", (2, 3, 4, 6), 1)
    group_norm("group_norm_2", (2, 3, 4, 6), 2)
    group_norm("group_norm_3", (2, 3, 4, 6), 3)
    group_norm("group_norm_6", (2, 3, 4, 6), 6)
    group_norm("group_norm_2_nc", (7, 6), 2)
    group_norm("group_norm_3_nlc", (4, 2, 6), 3)
    group_norm("group_norm_2_nlc_large_eps", (4, 2, 6), 2, eps=0.1)
    group_norm("group_norm_2_nlc_plain", (4, 2, 6), 2, affine=False)
    group_norm("group_norm_3_nhwc_plain", (2, 3, 4, 6), 3, affine=False)

    def instance_norm(case, shape, affine=True, eps=1e-5):
        norm(case, shape, lambda x, gamma, beta: from_torch(F.instance_norm(to_torch(x), None, None, gamma, beta, True, 0, eps)), shape[-1:],
             affine, eps=eps)

    instance_norm("instance_norm_nlc", (3, 4, 5))
    instance_norm("instance_norm_nhwc", (2, 3, 4, 6))
    instance_norm("instance_norm_nlc_large_eps", (3, 4, 5), eps=0.1)
    instance_norm("instance_norm_nhwc_plain", (2, 3, 4, 6), affine=False)

    def layer(case, module, train, evaluate):
        """Calls the module in training mode on data of each shape in `train`, and in evaluation mode on one of `evaluate`."""
        for name, buffer in module.named_buffers():
            if name.startswith("running"):
                buffer.copy_(Random(f"{case}/{name}").uniform(0.5, 4, *buffer.shape))
        for i, shape in enumerate((*train, evaluate)):
            call = f"{case}_train_{i}" if i < len(train) else f"{case}_eval"
            module.train(i < len(train))
            cumulative = case.startswith("instance") and "cumulative" in case
            if cumulative:  # PyTorch's layer cannot do that by itself: it does not count, and fails without a momentum
                module.momentum = 1 / (i + 1)

            def function(x, gamma, beta):
                parameters = {"weight": gamma, "bias": beta} if module.affine else {}
                return from_torch(functional_call(module, parameters, to_torch(x)))

            before = {name: buffer.clone() for name, buffer in module.named_buffers() if name.startswith("running")}
            settings = dict(before) if i == 0 else {}
            if module.momentum is not None and not cumulative:
                settings["momentum"] = module.momentum
            norm(call, shape, function, shape[-1:], module.affine, eps=module.eps, **settings)
            for name, buffer in module.named_buffers():
                assert name not in before or module.training != torch.equal(buffer, before[name])
                if module.training:
                    arrays[f"{call}/{name}_after"] = buffer.clone()

    # No batch of one image: PyTorch 1.13 then takes a dy that is not contiguous for one that is, in instance norm.
    nc, nlc, nhwc = [(7, 5), (4, 5), (3, 5)], [(3, 4, 5), (2, 6, 5), (4, 3, 5)], [(2, 3, 4, 5), (2, 1, 3, 5), (3, 4, 2, 5)]
    layer("batch_norm_layer_nlc", nn.BatchNorm1d(5, momentum=0.3), nlc[:2], (2, 3, 5))
    layer("batch_norm_layer_nhwc_plain", nn.BatchNorm2d(5, eps=0.1, affine=False), nhwc[:2], (2, 3, 1, 5))
    layer("batch_norm_layer_cumulative_nc", nn.BatchNorm1d(5, momentum=None), nc, (2, 5))
    layer("batch_norm_layer_cumulative_nlc_plain", nn.BatchNorm1d(5, momentum=None, affine=False), nlc, (2, 3, 5))
    layer("batch_norm_layer_cumulative_nhwc", nn.BatchNorm2d(5, momentum=None), nhwc, (2, 3, 1, 5))
    layer("batch_norm_layer_untracked_nlc", nn.BatchNorm1d(5, track_running_stats=False), nlc[:1], (2, 3, 5))
    layer("batch_norm_layer_untracked_nhwc_plain", nn.BatchNorm2d(5, affine=False, track_running_stats=False), nhwc[:1], (2, 1, 3, 5))
    layer("instance_norm_layer_nlc", nn.InstanceNorm1d(5, momentum=0.3, affine=True, track_running_stats=True), nlc[:2], (2, 3, 5))
    layer("instance_norm_layer_nhwc_plain", nn.InstanceNorm2d(5, eps=0.1, track_running_stats=True), nhwc[:2], (2, 3, 1, 5))
    layer("instance_norm_layer_cumulative_nhwc", nn.InstanceNorm2d(5, affine=True, track_running_stats=True), nhwc, (2, 3, 1, 5))
    layer("instance_norm_layer_untracked_nlc", nn.InstanceNorm1d(5, affine=True), nlc[:1], (2, 3, 5))
    layer("instance_norm_layer_untracked_nhwc_plain", nn.InstanceNorm2d(5), nhwc[:1], (2, 1, 3, 5))
    return arrays


# ---------------------------------------------------------------------------------------------------------- operations

def ops():
    arrays = {}

    def conv2d(case, x, weight, stride, padding, bias):
        random = Random(case)
        inputs = {"x": random.normal(*x), "weight": random.normal(*weight)}
        if bias:
            inputs["bias"] = random.normal(weight[0])

        def function(x, weight, bias=None):
            return from_torch(F.conv2d(to_torch(x), to_torch(weight), bias, stride, padding))  # (O, KH, KW, I) -> (O, I, KH, KW)

        record(arrays, case, random, function, inputs, stride=stride, padding=padding)

    conv2d("conv2d_3x3", (2, 6, 7, 5), (4, 3, 3, 5), 1, 1, True)
    conv2d("conv2d_3x3_no_bias", (2, 4, 5, 3), (6, 3, 3, 3), 1, 1, False)
    conv2d("conv2d_3x3_stride_2", (3, 10, 7, 2), (6, 3, 3, 2), 2, 1, True)
    conv2d("conv2d_3x3_stride_2_no_bias", (3, 7, 10, 2), (5, 3, 3, 2), 2, 1, False)
    conv2d("conv2d_1x1_stride_2", (2, 7, 10, 6), (3, 1, 1, 6), 2, 0, False)
    conv2d("conv2d_5x3_no_padding", (2, 7, 6, 4), (5, 5, 3, 4), 1, 0, True)

    def pool(case, x, kernel, stride, padding, function, **settings):
        record(arrays, case, Random(case + "/dy"), lambda x: from_torch(function(to_torch(x), kernel, stride, padding)), {"x": x},
               kernel=kernel, stride=stride, padding=padding, **settings)

    def max_pool2d(case, x, *window):
        pool(case, x, *window, F.max_pool2d)

    max_pool2d("max_pool2d_3x3_stride_2", Random("max_pool2d").normal(2, 7, 6, 3), 3, 2, 1)
    max_pool2d("max_pool2d_2x2_stride_2", Random("max_pool2d_2x2").normal(2, 7, 6, 3), 2, 2, 0)
    # Small integers: most windows have several maxima, and the first in row-major order takes the gradient. Negative ones
    # too: the padding must not win.
    max_pool2d("max_pool2d_3x3_stride_2_ties", Random("max_pool2d_ties").integers(-3, 0, 2, 7, 6, 3).double(), 3, 2, 1)
    max_pool2d("max_pool2d_2x2_stride_2_ties", Random("max_pool2d_2x2_ties").integers(-1, 2, 2, 7, 6, 3).double(), 2, 2, 0)

    def avg_pool2d(case, x, *window, count_include_pad=True):
        pool(case, x, *window, lambda x, k, s, p: F.avg_pool2d(x, k, s, p, count_include_pad=count_include_pad),
             count_include_pad=count_include_pad)

    avg_pool2d("avg_pool2d_2x2_stride_2", Random("avg_pool2d_2x2").normal(2, 7, 6, 3), 2, 2, 0)
    avg_pool2d("avg_pool2d_3x3_stride_2", Random("avg_pool2d").normal(2, 7, 6, 3), 3, 2, 1)
    avg_pool2d("avg_pool2d_3x3_stride_2_inside", Random("avg_pool2d").normal(2, 7, 6, 3), 3, 2, 1, count_include_pad=False)

    def simple(case, function, **inputs):
        record(arrays, case, Random(case + "/dy"), function, inputs)

    random = Random("simple")
    simple("global_avg_pool", lambda x: F.adaptive_avg_pool2d(to_torch(x), 1).flatten(1), x=random.data(2, 3, 4, 6))
    simple("log_softmax", lambda x: F.log_softmax(x, -1), x=random.data(7, 5) * 3)
    x = random.normal(7, 5)
    x[::3, 1::2] = 0  # the gradient at 0 is 0
    simple("relu", lambda x: F.relu(x), x=x)
    simple("linear", lambda x, weight, bias: F.linear(x, weight, bias), x=random.normal(7, 5), weight=random.normal(4, 5), bias=random.normal(4))

    for case, smoothing in ("cross_entropy", 0.0), ("cross_entropy_smoothed", 0.1):
        random = Random(case)
        logits, labels = (random.normal(7, 5) * 3).requires_grad_(), random.integers(0, 5, 7)
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        loss.backward()
        for name, value in dict(logits=logits, labels=labels, label_smoothing=smoothing, loss=loss, dlogits=logits.grad).items():
            arrays[f"{case}/{name}"] = value
    return arrays


# ---------------------------------------------------------------------------------------------------------- the table of proofs

def table():
    arrays = {}

    # An input is a function of the case's Random. Drawn ones are multiples of 1/128: sums of their products fit into float32,
    # so the linear operations' results take half the space, and nothing is rounded.
    def coarse(x):
        return torch.round(x * 128) / 128

    def normal(*shape):
        return lambda random: coarse(random.normal(*shape))

    def uniform(low, high, *shape):
        return lambda random: coarse(random.uniform(low, high, *shape))

    def positive(*shape):
        return uniform(0.5, 2, *shape)

    def whole(low, high, *shape):
        """low … high − 1: many that are equal."""
        return lambda random: random.integers(low, high, *shape).double()

    def values(*numbers):
        return lambda random: Random._tensor(numbers)

    def case(label, function, *inputs):
        random = Random(label)
        inputs = [draw(random) for draw in inputs]
        leaves = [x.clone().requires_grad_() for x in inputs]
        y = function(*leaves)
        assert f"{label}/y" not in arrays, label
        for i, x in enumerate(inputs):
            arrays[f"{label}/x{i}"] = x
        arrays[f"{label}/y"] = y.double()
        if not y.requires_grad:
            return
        dy = arrays[f"{label}/dy"] = coarse(random.normal(*y.shape))
        for i, gradient in enumerate(torch.autograd.grad(y, leaves, dy)):
            assert gradient.abs().max() > 1e-3, f"{label}: the gradient of x{i} is too small to test anything"
            arrays[f"{label}/d{i}"] = gradient

    table_elementwise(case, normal, uniform, positive, whole, values)
    table_activation(case, normal, values)
    table_reduce(case, normal, uniform, whole, values)
    table_shaping(case, normal)
    table_indexing(case, normal)
    table_matmul(case, normal)
    table_conv2d(case, normal, whole)
    table_loss(case, normal, uniform, positive, whole, values)
    table_norm(case, normal)
    return arrays


def table_elementwise(case, normal, uniform, positive, whole, values):
    def binary(name, function, a, b):
        case(f"{name} same shape", function, a(3, 4), b(3, 4))
        case(f"{name} broadcast", function, a(3, 1), b(2, 1, 4))

    binary("add", torch.add, normal, normal)
    binary("subtract", torch.subtract, normal, normal)
    binary("multiply", torch.multiply, normal, normal)
    binary("divide", torch.divide, normal, positive)
    binary("pow", torch.pow, positive, normal)
    case("add a number", lambda x: x + 1.5, normal(3, 4))
    case("subtract from a number", lambda x: 3 - x, normal(3, 4))
    case("multiply by a number", lambda x: x * -0.7, normal(3, 4))
    case("divide a number", lambda x: 2 / x, positive(3, 4))
    case("pow to 2.5", lambda x: x**2.5, positive(3, 4))
    case("pow to 3", lambda x: x**3, normal(3, 4))
    case("pow to -1", lambda x: x**-1, positive(3, 4))
    case("pow to 2, 1 and 0, at 0", lambda x: x**2 + x**1 + x**0, values(0, 1, -2, 0, 3))
    case("pow at 0", torch.pow, values(0, 0, 0, 2, 0.5), values(1, 2, 0, 0, 3))

    for name, function, domain in (
            ("negative", torch.neg, normal), ("exp", torch.exp, normal), ("expm1", torch.expm1, normal), ("log", torch.log, positive),
            ("log1p", torch.log1p, lambda *shape: uniform(-0.9, 0.9, *shape)), ("sqrt", torch.sqrt, positive),
            ("rsqrt", torch.rsqrt, positive), ("square", torch.square, normal), ("sin", torch.sin, normal), ("cos", torch.cos, normal),
            ("tanh", torch.tanh, normal), ("erf", torch.erf, normal),
            ("erfc", torch.erfc, normal), ("abs", torch.abs, normal)):
        case(name, function, domain(3, 4))
    small = values(1e-9, -2e-10, 3e-12, 0, -1e-8)
    case("expm1 near 0", torch.expm1, small)
    case("log1p near 0", torch.log1p, small)
    case("erf of a scalar", torch.erf, normal())
    case("abs at 0", torch.abs, values(0, -1, 0, 2, -0.0))
    case("sign times x", lambda x: torch.sign(x) * x, normal(3, 4))
    case("sign at 0, plus x", lambda x: torch.sign(x) + x, values(0, -1, 3, 2, -0.0))
    for name, function in ("minimum", torch.minimum), ("maximum", torch.maximum):
        binary(name, function, normal, normal)
        case(f"{name} of equals", function, whole(-1, 2, 3, 4), whole(-1, 2, 2, 1, 4))
    case("clamp", lambda x: torch.clamp(x, -0.85, 1.05), normal(3, 4))
    case("clamp at the bounds", lambda x: torch.clamp(x, -0.5, 2), values(-0.5, 2, 0, -0.75, 2.5, 2, 1))
    mask = torch.tensor([[True], [False], [True]])
    case("where same shape", lambda a, b: torch.where(mask, a, b), normal(3, 4), normal(3, 4))
    case("where broadcast", lambda a, b: torch.where(mask, a, b), normal(2, 1, 4), normal())
    for name, function in (("less", torch.lt), ("less_equal", torch.le), ("greater", torch.gt), ("greater_equal", torch.ge),
                           ("equal", torch.eq), ("not_equal", torch.ne)):
        case(name, function, whole(-1, 2, 3, 4), whole(-1, 2, 2, 1, 4))


def table_activation(case, normal, values):
    far = values(-800, -40, -15, 0, 1, 40, 800)
    at_0 = values(0, -1, 2, -0.0, 0.5)
    case("relu", F.relu, normal(3, 4))
    case("relu at 0", F.relu, at_0)
    case("add_relu", lambda x, r: F.relu(x + r), normal(3, 4), normal(3, 4))
    case("add_relu at 0", lambda x, r: F.relu(x + r), at_0, values(0, 1, -2, 0.0, -0.25))
    case("sigmoid", torch.sigmoid, normal(3, 4))
    case("sigmoid far out", torch.sigmoid, far)
    case("softplus", F.softplus, normal(3, 4))
    case("softplus far out", lambda x: F.softplus(x, threshold=35), far)  # beyond it PyTorch gives x, which is exact here
    case("silu", F.silu, normal(3, 4))
    case("silu far out", F.silu, far)
    case("leaky_relu", F.leaky_relu, normal(3, 4))
    case("leaky_relu slope 0.2", lambda x: F.leaky_relu(x, 0.2), normal(3, 4))
    case("leaky_relu at 0", lambda x: F.leaky_relu(x, 0.2), at_0)
    case("elu", F.elu, normal(3, 4))
    case("elu alpha 0.7", lambda x: F.elu(x, 0.7), normal(3, 4))
    case("elu at 0", lambda x: F.elu(x, 0.7), at_0)
    case("elu far out", lambda x: F.elu(x, 0.7), far)
    case("gelu", F.gelu, normal(3, 4))
    case("gelu far out", F.gelu, far)
    case("gelu with tanh", lambda x: F.gelu(x, approximate="tanh"), normal(3, 4))
    case("gelu with tanh far out", lambda x: F.gelu(x, approximate="tanh"), far)


def table_reduce(case, normal, uniform, whole, values):
    def reduction(name, function, scalar=True):
        case(f"{name} all", lambda x: function(x, (0, 1, 2), False), normal(2, 3, 4))
        case(f"{name} axes {{0,-1}}", lambda x: function(x, (0, -1), False), normal(2, 3, 4))
        case(f"{name} axes {{-2}} keepdims", lambda x: function(x, (-2,), True), normal(2, 3, 4))
        if scalar:
            case(f"{name} of a scalar", lambda x: function(x, (), False), normal())

    reduction("sum", torch.sum)
    reduction("mean", torch.mean)
    for name, function in ("variance", torch.var), ("standard_deviation", torch.std):
        reduction(name, lambda x, axes, keepdim: function(x, axes, unbiased=True, keepdim=keepdim), scalar=False)
        reduction(name + " biased", lambda x, axes, keepdim: function(x, axes, unbiased=False, keepdim=keepdim), scalar=False)
    case("variance far from 0", lambda x: torch.var(x, 0), uniform(1000, 1004, 5, 2))
    for name, function in ("max", torch.amax), ("min", torch.amin):
        reduction(name, function)
        case(f"{name} axes {{0,-1}} with ties", lambda x: function(x, (0, -1)), whole(-1, 2, 2, 3, 4))
    case("argmax axis 1", lambda x: torch.argmax(x, 1), normal(2, 3, 4))
    case("argmax axis -1 with ties", lambda x: torch.argmax(x, -1), whole(-1, 2, 2, 3, 4))
    reduction("logsumexp", torch.logsumexp)
    case("logsumexp far out", lambda x: torch.logsumexp(x, -1),
         lambda random: torch.tensor([[1000, 1001, 900, -1000, 1000.5], [-1000, -1001, -1000.25, -2000, -1003]]))
    case("broadcast_to", lambda x: x.broadcast_to(2, 3, 4), normal(3, 1))
    case("broadcast_to of a scalar", lambda x: x.broadcast_to(2, 3), normal())
    case("sum_to", lambda x: x.sum_to_size(3, 1), normal(2, 3, 4))
    case("sum_to a scalar", lambda x: x.sum(), normal(2, 3))


def table_shaping(case, normal):
    x = normal(2, 3, 4)
    case("reshape to a Shape", lambda x: x.reshape(4, 6), x)
    case("reshape with -1", lambda x: x.reshape(3, -1), x)
    case("reshape to a vector", lambda x: x.reshape(-1, 12), x)
    case("flatten all", lambda x: x.flatten(), x)
    case("flatten from 1", lambda x: x.flatten(1), x)
    case("flatten 0 to -2", lambda x: x.flatten(0, -2), x)
    case("squeeze all", lambda x: x.squeeze(), normal(1, 3, 1, 4))
    case("squeeze {-2}", lambda x: x.squeeze(-2), normal(1, 3, 1, 4))
    case("unsqueeze 1", lambda x: x.unsqueeze(1), x)
    case("unsqueeze -1", lambda x: x.unsqueeze(-1), x)
    case("transpose reversed", lambda x: x.permute(2, 1, 0), x)
    case("transpose {2,0,1}", lambda x: x.permute(2, 0, 1), x)
    case("transpose {1,-1,0}", lambda x: x.permute(1, -1, 0), x)
    case("flip all", lambda x: x.flip(0, 1, 2), x)
    case("flip {1,-1}", lambda x: x.flip(1, -1), x)
    case("slice", lambda x: x[1:4:2, :, 2::3], normal(5, 2, 7))
    case("pad", lambda x: F.pad(x, (2, 1, 0, 3, 1, 0)), x)  # last axis first
    case("concatenate two", lambda *x: torch.cat(x, -1), normal(2, 3), normal(2, 4))
    case("concatenate three", lambda *x: torch.cat(x, 1), normal(2, 3, 4), normal(2, 1, 4), normal(2, 5, 4))
    case("concatenate same shape", lambda *x: torch.cat(x, 0), normal(2, 3), normal(2, 3), normal(2, 3))
    case("stack two", lambda *x: torch.stack(x), normal(3, 4), normal(3, 4))
    case("stack three, axis -1", lambda *x: torch.stack(x, -1), normal(4, 2), normal(4, 2), normal(4, 2))

    def weighted(x):
        a, b, c = torch.split(x, [1, 3, 2], 1)
        return torch.cat([c * 3, a * 0.5, b * -2], 1)

    case("split weighted", weighted, normal(2, 6, 3))
    case("split one piece", lambda x: torch.split(x, [2, 1], -1)[0], normal(4, 3))


def table_indexing(case, normal):
    rows = torch.tensor([2, 0, 2, 1, 2])
    along_1 = torch.tensor([[3, 0, 3, 1], [1, 0, 3, 3]])
    along_0 = torch.tensor([[2, 0], [2, 0], [0, 1], [2, 2]])
    anywhere = torch.tensor([[7, 0, 7], [11, 3, 7]])
    case("index_select axis 0", lambda x: x.index_select(0, rows), normal(4, 3))
    case("index_select axis -2", lambda x: x.index_select(-2, rows), normal(2, 3, 4))
    case("gather axis -1", lambda x: x.gather(-1, along_1), normal(2, 5))
    case("gather axis 0", lambda x: x.gather(0, along_0), normal(3, 2))
    case("take", lambda x: x.take(anywhere), normal(3, 4))
    case("put", lambda x: torch.zeros(12).index_add(0, anywhere.flatten(), x.flatten()).reshape(3, 4), normal(2, 3))


def table_matmul(case, normal):
    def product(how, a, b, transpose_a=False, transpose_b=False):
        case(("matmul " + how).strip(), lambda a, b: torch.matmul(a.mT if transpose_a else a, b.mT if transpose_b else b),
             normal(*a), normal(*b))

    product("", (2, 3), (3, 4))
    product("a transposed", (3, 2), (3, 4), True)
    product("b transposed", (2, 3), (4, 3), False, True)
    product("both transposed", (3, 2), (4, 3), True, True)
    product("of equal squares", (3, 3), (3, 3))
    product("same shape, b transposed", (3, 4), (3, 4), False, True)
    product("batch", (5, 2, 3), (5, 3, 4))
    product("batches that broadcast", (2, 1, 3, 4), (5, 4, 6))
    product("batch, a transposed", (2, 4, 3), (4, 5), True)
    product("batch, b transposed", (3, 4), (2, 5, 4), False, True)
    product("batch, both transposed", (2, 4, 3), (2, 5, 4), True, True)
    product("vector, matrix", (3,), (3, 4))
    product("matrix, vector", (2, 3), (3,))
    product("vector, vector", (4,), (4,))
    product("vector, batch", (3,), (2, 3, 4))
    product("batch, vector", (2, 3, 4), (4,))
    case("dot", torch.dot, normal(5), normal(5))
    case("outer", torch.outer, normal(3), normal(4))
    case("outer same shape", torch.outer, normal(3), normal(3))


def table_conv2d(case, normal, whole):
    def conv2d(how, x, weight, bias, stride=1, padding=0, dilation=1, groups=1, relu=False):
        def function(x, weight, bias=None):
            y = from_torch(F.conv2d(to_torch(x), to_torch(weight), bias, stride, padding, dilation, groups))
            return F.relu(y) if relu else y

        case("conv2d " + how, function, normal(*x), normal(*weight), *([normal(weight[0])] if bias else []))

    conv2d("3x3, bias", (2, 4, 5, 3), (6, 3, 3, 3), True, padding=1)
    conv2d("1x1, stride 2", (2, 5, 4, 3), (4, 1, 1, 3), False, stride=2)
    conv2d("3x2, stride 2, padding 1", (2, 4, 5, 3), (4, 3, 2, 3), False, stride=2, padding=1)
    conv2d("2x3, dilation 2, bias", (2, 5, 6, 3), (4, 2, 3, 3), True, dilation=2)
    conv2d("3x2, stride 2, dilation 2", (2, 5, 6, 3), (4, 3, 2, 3), False, stride=2, padding=2, dilation=2)
    conv2d("two groups, bias", (2, 3, 5, 4), (6, 3, 2, 2), True, padding=1, groups=2)
    conv2d("depthwise, stride 2", (2, 5, 4, 3), (6, 3, 3, 1), False, stride=2, padding=1, groups=3)
    conv2d("image and kernel of one shape", (2, 3, 4, 5), (2, 3, 4, 5), False, padding=1)
    conv2d("with relu, bias", (2, 4, 5, 3), (6, 3, 3, 3), True, padding=1, relu=True)
    conv2d("with relu, stride 2", (2, 5, 4, 3), (4, 3, 2, 3), False, stride=2, padding=1, relu=True)
    conv2d("with relu, two groups, bias", (2, 3, 5, 4), (6, 3, 2, 2), True, padding=1, groups=2, relu=True)

    # PyTorch's patches are (N, C·KH·KW, L), the places last; ours are the rows of (N·L, KH·KW·C). L = 2·3.
    window = dict(kernel_size=(3, 2), stride=2, padding=1)
    case("unfold", lambda x: F.unfold(to_torch(x), **window).reshape(2, 3, 6, 6).permute(0, 3, 2, 1).reshape(12, 18), normal(2, 4, 5, 3))
    case("fold", lambda p: from_torch(F.fold(p.reshape(2, 6, 6, 3).permute(0, 3, 2, 1).reshape(2, 18, 6), (4, 5), **window)),
         normal(12, 18))

    def pool(label, function, *window, x=normal(2, 5, 4, 3)):
        case(label, lambda x: from_torch(function(to_torch(x), *window)), x)

    pool("max_pool2d 3, stride 2, padding 1", F.max_pool2d, 3, 2, 1)
    pool("max_pool2d 2, stride 2", F.max_pool2d, 2, 2)
    pool("max_pool2d with ties", F.max_pool2d, 3, 2, 1, x=whole(-3, 0, 2, 5, 4, 3))  # negative: the padding must not win
    pool("avg_pool2d 3, stride 2, padding 1", F.avg_pool2d, 3, 2, 1)
    pool("avg_pool2d 2, stride 2", F.avg_pool2d, 2, 2)
    case("global_avg_pool2d", lambda x: F.adaptive_avg_pool2d(to_torch(x), 1).flatten(1), normal(2, 4, 5, 3))


def table_loss(case, normal, uniform, positive, whole, values):
    columns = lambda random: torch.tensor([[1000, -1000], [1001, -1001], [990, -1000.5], [-1000, -1010]])
    case("softmax", lambda x: F.softmax(x, -1), normal(3, 4))
    case("softmax axis 1", lambda x: F.softmax(x, 1), normal(2, 3, 4))
    case("softmax far out", lambda x: F.softmax(x, 0), columns)
    case("log_softmax", lambda x: F.log_softmax(x, -1), normal(3, 4))
    case("log_softmax axis -2", lambda x: F.log_softmax(x, -2), normal(2, 3, 4))
    case("log_softmax far out", lambda x: F.log_softmax(x, 0), columns)

    labels = torch.tensor([2, 0, 3])
    case("cross_entropy", lambda x: F.cross_entropy(x, labels), normal(3, 5))
    case("cross_entropy smoothing 0.1", lambda x: F.cross_entropy(x, labels, label_smoothing=0.1), normal(3, 5))
    case("cross_entropy far out", lambda x: F.cross_entropy(x, labels, label_smoothing=0.1), whole(-1000, 1000, 3, 5))
    case("cross_entropy with distributions", F.cross_entropy, normal(3, 5), positive(3, 5))
    case("cross_entropy with distributions, smoothing 0.2", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.2),
         normal(3, 5), positive(3, 5))

    case("mse_loss", F.mse_loss, normal(3, 4), normal(3, 4))
    case("l1_loss", F.l1_loss, normal(3, 4), normal(3, 4))
    case("l1_loss of equals", F.l1_loss, whole(-1, 2, 3, 4), whole(-1, 2, 3, 4))
    case("huber_loss", F.huber_loss, normal(3, 4), normal(3, 4))
    case("huber_loss delta 0.3", lambda x, t: F.huber_loss(x, t, delta=0.3), normal(3, 4), normal(3, 4))
    case("huber_loss at delta", F.huber_loss, whole(-1, 2, 3, 4), whole(-1, 2, 3, 4))
    case("binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, normal(3, 4), positive(3, 4))
    case("binary_cross_entropy_with_logits far out", F.binary_cross_entropy_with_logits, values(-800, -40, -15, 0, 1, 40, 800),
         values(1, 0, 0.5, 0.25, 0, 1, 0))

    kept = torch.tensor([u >= 0.4 for u in generator_uniforms(9, 12)]).reshape(3, 4)
    case("dropout", lambda x: x * kept / (1 - 0.4), normal(3, 4))
    case("dropout p 0", lambda x: x.clone(), normal(3, 4))


def generator_uniforms(seed, n):
    """The first uniform numbers of the library's Generator(seed), from its description: SplitMix64, keyed (seed, 0, 0, 0)."""
    golden, bits = 0x9e3779b97f4a7c15, 2**64 - 1

    def mix(z):
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & bits
        z = (z ^ z >> 27) * 0x94d049bb133111eb & bits
        return z ^ z >> 31

    state = seed
    for _ in "stream", "epoch", "sample":
        state = mix(state + golden & bits) ^ mix(2 * golden & bits)
    state = mix(state)
    return [(mix(state + (i + 1) * golden & bits) >> 11) * 2**-53 for i in range(n)]


def table_norm(case, normal):
    eps, image = 0.01, (2, 3, 5, 4)

    def norm(label, function, shape, affine):
        case(label, lambda x, gamma=None, beta=None: function(x, gamma, beta), normal(*shape), *([normal(*affine)] * 2 if affine else []))

    def batch_norm(x, gamma, beta):
        return from_torch(F.batch_norm(to_torch(x), None, None, gamma, beta, True, 0, eps))

    norm("batch_norm (N,C)", batch_norm, (3, 2), (2,))
    norm("batch_norm (N,H,W,C)", batch_norm, image, (4,))
    norm("batch_norm without gamma and beta", batch_norm, (5, 4), None)

    mean, var = torch.tensor([0.5, -1, 0.25, 2]), torch.tensor([0.75, 1.5, 3, 0.5])

    def batch_norm_eval(x, gamma, beta):
        return from_torch(F.batch_norm(to_torch(x), mean, var, gamma, beta, False, 0, eps))

    norm("batch_norm_eval (N,H,W,C)", batch_norm_eval, image, (4,))
    norm("batch_norm_eval without gamma and beta", batch_norm_eval, (5, 4), None)

    def layer_norm(axes):
        """gamma and beta of the normalized axes' shape go to PyTorch; those of shape (C) alone are multiplied here."""
        def function(x, gamma, beta):
            shape = x.shape[-axes:]
            if gamma is None or gamma.shape == shape:
                return F.layer_norm(x, shape, gamma, beta, eps)
            return F.layer_norm(x, shape, None, None, eps) * gamma + beta
        return function

    norm("layer_norm over C", layer_norm(1), (3, 5), (5,))
    norm("layer_norm over L,C, gamma (L,C)", layer_norm(2), (2, 3, 4), (3, 4))
    norm("layer_norm over H,W,C, gamma (C)", layer_norm(3), image, (4,))
    norm("layer_norm without gamma and beta", layer_norm(2), (3, 5, 4), None)

    def instance_norm(x, gamma, beta):
        return from_torch(F.instance_norm(to_torch(x), None, None, gamma, beta, True, 0, eps))

    norm("instance_norm (N,L,C)", instance_norm, (2, 5, 3), (3,))
    norm("instance_norm (N,H,W,C)", instance_norm, image, (4,))
    norm("instance_norm without gamma and beta", instance_norm, (2, 5, 3), None)

    def group_norm(groups):
        return lambda x, gamma, beta: from_torch(F.group_norm(to_torch(x), groups, gamma, beta, eps))

    norm("group_norm (N,C)", group_norm(2), (3, 6), (6,))
    norm("group_norm (N,H,W,C)", group_norm(2), image, (4,))
    norm("group_norm of one group", group_norm(1), image, (4,))
    norm("group_norm without gamma and beta", group_norm(2), (3, 5, 4), None)

    def tails(name, function):
        case(name + " with relu", lambda x, gamma, beta: F.relu(function(x, gamma, beta)),
             normal(*image), normal(4), normal(4))
        case(name + " with residual and relu", lambda x, gamma, beta, residual: F.relu(function(x, gamma, beta) + residual),
             normal(*image), normal(4), normal(4), normal(*image))

    tails("batch_norm", batch_norm)
    tails("batch_norm_eval", batch_norm_eval)
    tails("layer_norm", layer_norm(3))
    tails("instance_norm", instance_norm)
    tails("group_norm", group_norm(2))


# ---------------------------------------------------------------------------------------------------------- optimizers

def optim():
    arrays = {}

    def steps_of(case, make, **settings):
        random = Random(case)
        steps = 6
        lr = random.uniform(0.01, 0.5, steps)
        start = {"a": random.normal(4, 3), "b": random.normal(5)}
        grads = {name: random.normal(steps, *value.shape) for name, value in start.items()}
        parameters = {name: nn.Parameter(value.clone()) for name, value in start.items()}
        after = {name: [] for name in start}
        undecayed = dict(weight_decay=0.0) if case.endswith("b_undecayed") else {}
        optimizer = make([dict(params=[parameters["a"]]), dict(params=[parameters["b"]], **undecayed)])
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = lr[step].item()
            for name, parameter in parameters.items():
                absent = case.endswith("b_absent") and name == "b" and step in (0, 3)
                parameter.grad = None if absent else grads[name][step].clone()
            optimizer.step()
            for name, parameter in parameters.items():
                after[name].append(parameter.detach().clone())
        for name in start:
            arrays[f"{case}/{name}"] = start[name]
            arrays[f"{case}/{name}_grads"] = grads[name]
            arrays[f"{case}/{name}_after"] = torch.stack(after[name])
        for name, value in dict(lr=lr, **settings).items():
            arrays[f"{case}/{name}"] = value

    for case, momentum, nesterov, weight_decay in (("sgd", 0.0, False, 0.0), ("sgd_weight_decay", 0.0, False, 0.05),
                                                   ("sgd_momentum", 0.9, False, 0.0), ("sgd_momentum_weight_decay", 0.9, False, 5e-4),
                                                   ("sgd_nesterov_weight_decay", 0.9, True, 5e-4),
                                                   ("sgd_nesterov_b_undecayed", 0.9, True, 0.05)):
        steps_of(case, lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay),
                 momentum=momentum, nesterov=int(nesterov), weight_decay=weight_decay)
    for case, beta1, beta2, eps, weight_decay in (("adam", 0.9, 0.999, 1e-8, 0.0), ("adam_weight_decay", 0.8, 0.95, 1e-3, 0.05),
                                                  ("adam_b_undecayed", 0.9, 0.999, 1e-8, 0.1), ("adam_b_absent", 0.9, 0.99, 1e-8, 0.02),
                                                  ("adamw", 0.9, 0.999, 1e-8, 0.0), ("adamw_weight_decay", 0.8, 0.95, 1e-3, 0.05),
                                                  ("adamw_b_undecayed", 0.9, 0.999, 1e-8, 0.1), ("adamw_b_absent", 0.0, 0.99, 1e-8, 0.2)):
        make = torch.optim.AdamW if case.startswith("adamw") else torch.optim.Adam
        steps_of(case, lambda groups: make(groups, lr=1.0, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay),
                 beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)

    for case, max_norm in ("clip_above", 2.5), ("clip_below", 100.0):
        random = Random(case)
        parameters = {name: nn.Parameter(torch.zeros(shape)) for name, shape in dict(a=(4, 3), b=(5,), c=(2, 3, 2)).items()}
        for name, parameter in parameters.items():
            arrays[f"{case}/{name}"] = random.normal(*parameter.shape)
            parameter.grad = arrays[f"{case}/{name}"].clone()
        arrays[f"{case}/max_norm"] = max_norm
        arrays[f"{case}/norm"] = nn.utils.clip_grad_norm_(parameters.values(), max_norm)
        for name, parameter in parameters.items():
            arrays[f"{case}/{name}_after"] = parameter.grad

    total = 50
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / (0.2 * total), max((total - s) / (0.8 * total), 0)))
    factor = []
    for _ in range(total):
        factor.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    arrays["one_cycle/factor"] = np.array(factor)
    return arrays


# ---------------------------------------------------------------------------------------------------------- a network

class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.added or self.stride != 1:  # option A: every second pixel, channels of zeros on both sides
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        return F.relu(x + y)


class ResNet8(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(Block(width, width, 1))
        self.layer2 = nn.Sequential(Block(width, 2 * width, 2))
        self.layer3 = nn.Sequential(Block(2 * width, 4 * width, 2))
        self.linear = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def resnet8():
    random = Random("resnet8")
    net = ResNet8(width=4, classes=10)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 4:  # Kaiming, fan-out
                values = random.normal(*parameter.shape) * (2 / (parameter.shape[0] * 9)) ** 0.5
            elif parameter.dim() == 2:
                values = random.normal(*parameter.shape) / 4
            elif name.endswith("weight"):
                values = random.gamma(*parameter.shape)
            else:
                values = random.normal(*parameter.shape) / 4
            parameter.copy_(values.float().double())

    images, labels = random.normal(5, 16, 16, 3), random.integers(0, 10, 5)
    logits = net(to_torch(images))
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    arrays = {"images": images, "labels": labels, "logits": logits, "loss": loss}
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().max() > 1e-3, name
        arrays[name] = from_torch(parameter)  # (O, I, KH, KW) -> (O, KH, KW, I)
        arrays["grad/" + name] = from_torch(parameter.grad)
    for name, buffer in net.named_buffers():
        if "running" in name:
            arrays["after/" + name] = buffer
    net.eval()
    arrays["logits_eval"] = net(to_torch(images))
    return arrays


def main():
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return
    if len(sys.argv) > 2 or sys.argv[-1].startswith("-"):
        print(f"make_reference.py: expected at most one DIR, got {sys.argv[1:]} (see --help)", file=sys.stderr)
        sys.exit(2)
    folder = sys.argv[1] if len(sys.argv) == 2 else os.path.dirname(os.path.abspath(__file__))
    for make in norms, ops, table, optim, resnet8:
        path = os.path.join(folder, make.__name__ + ".safetensors")
        arrays = make()
        save(path, arrays)
        stored = load(path)
        for key, value in arrays.items():  # what was written is what was meant
            value = np.asarray(value.detach().numpy() if isinstance(value, torch.Tensor) else value)
            assert stored[key].shape == value.shape and np.array_equal(stored[key].astype(value.dtype), value), key
        print(f"{path}: {len(arrays)} arrays, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
