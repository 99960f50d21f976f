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
                         momentum, nesterov (0 or 1), weight_decay
  one_cycle              factor (T): the learning rate over its peak, min((s + 1) / (0.2 T), max((T − s) / (0.8 T), 0)), s = 0 … T − 1
resnet8.safetensors      a CIFAR ResNet with n = 1, width 4 (channels 4, 8, 16), batch norm, on 5 images of 16 × 16; no case name:
  conv1.weight, bn1.weight, layer1.0.conv1.weight, …, linear.bias       the parameters, under the names of a state dict
  images, labels, loss, logits (training mode), logits_eval (evaluation mode, after that one update of the running statistics)
  grad/<parameter>; after/bn1.running_mean, after/bn1.running_var, …    gradients of the loss; running statistics after the step
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


# ---------------------------------------------------------------------------------------------------------- optimizers

def optim():
    arrays = {}
    for case, momentum, nesterov, weight_decay in (("sgd", 0.0, False, 0.0), ("sgd_weight_decay", 0.0, False, 0.05),
                                                   ("sgd_momentum", 0.9, False, 0.0), ("sgd_momentum_weight_decay", 0.9, False, 5e-4),
                                                   ("sgd_nesterov_weight_decay", 0.9, True, 5e-4)):
        random = Random(case)
        steps = 6
        lr = random.uniform(0.01, 0.5, steps)
        start = {"a": random.normal(4, 3), "b": random.normal(5)}
        grads = {name: random.normal(steps, *value.shape) for name, value in start.items()}
        parameters = {name: nn.Parameter(value.clone()) for name, value in start.items()}
        after = {name: [] for name in start}
        optimizer = torch.optim.SGD(parameters.values(), lr=1.0, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr[step].item()
            for name, parameter in parameters.items():
                parameter.grad = grads[name][step].clone()
            optimizer.step()
            for name, parameter in parameters.items():
                after[name].append(parameter.detach().clone())
        for name in start:
            arrays[f"{case}/{name}"] = start[name]
            arrays[f"{case}/{name}_grads"] = grads[name]
            arrays[f"{case}/{name}_after"] = torch.stack(after[name])
        for name, value in dict(lr=lr, momentum=momentum, nesterov=int(nesterov), weight_decay=weight_decay).items():
            arrays[f"{case}/{name}"] = value

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
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith("-")):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    folder = sys.argv[1] if len(sys.argv) == 2 else os.path.dirname(os.path.abspath(__file__))
    for make in norms, ops, optim, resnet8:
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
