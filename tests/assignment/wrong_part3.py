"""Part 3: wrong group norms, choices of a norm, blocks and stems."""

FORWARD = """  const Variable grouped = reshape(x, grouped_shape(x.shape(), groups));
  const Variable centred = grouped - mean(grouped, {1, 3}, true);
  const Variable variance = mean(square(centred), {1, 3}, true);"""
SHAPE = "return {s[0], s[1] * s[2], groups, s[3] / groups};"
OVER_SET = "return mean(t, {1, 3}, true);"
D = "const Tensor d = reshape(gamma * dy, shape);"
DX = "const Tensor dx = rstd * (d - by_mean - by_variance);"
FIRST = "Variable h = relu((*norm1_)((*conv1_)(x)));"
SECOND = "h = relu((*norm2_)((*conv2_)(h)));"
LAST = "return relu(h + shortcut);"
STEM = "return max_pool2d(relu(norm_(conv_(x))), 3, 2, 1);"


def wrong(name, cause, points, *edits, says=""):
    return {"name": name, "cause": cause, "points": points, "edits": edits, "says": says}


def sets(name, cause, axes):
    return wrong(name, cause, 17, (FORWARD, FORWARD.replace("{1, 3}", axes)))


ANSWERS = [
    wrong("gamma pulled out", "G1", 17, (D, "const Tensor d = reshape(dy, shape);"),
          (DX, DX.replace("rstd *", "rstd * reshape(broadcast_to(gamma, x.shape()), shape) *"))),
    wrong("strided groups", "G2", 17,
          (FORWARD, FORWARD.replace("groups));", "s[3] / groups));").replace(
              "grouped_shape(x.shape(), s[3] / groups)",
              "Shape{x.shape()[0], x.shape()[1] * x.shape()[2], x.shape()[3] / groups, groups}").replace("{1, 3}", "{1, 2}"))),
    sets("batch axis in the sets", "G3", "{0, 1, 3}"),
    wrong("counts all channels", "G4", 17,
          (FORWARD, FORWARD.replace("mean(grouped, {1, 3}, true)", "mean(grouped, {1, 3}, true) / Scalar(groups)")
           .replace("mean(square(centred), {1, 3}, true)", "mean(square(centred), {1, 3}, true) / Scalar(groups)"))),
    sets("layer norm's sets", "G5", "{1, 2, 3}"),
    sets("instance norm's sets", "G5", "{1}"),
    sets("batch norm's sets", "G5", "{0, 1}"),
    wrong("memory cut into groups", "G6", 17,
          (FORWARD, FORWARD.replace("grouped_shape(x.shape(), groups)",
                                    "{static_cast<std::ptrdiff_t>(x.shape()[0]), static_cast<std::ptrdiff_t>(groups), -1}")
           .replace("{1, 3}", "{2}"))),
    sets("sets of a pixel", "G8", "{3}"),
    wrong("no eps in group norm", "F4", 17, ("rsqrt(variance + Scalar(eps))", "rsqrt(variance)")),
    wrong("xtg::variance", "F1", 17, ("variance = mean(square(centred), {1, 3}, true)", "variance = xtg::variance(grouped, {1, 3}, true)")),
    wrong("off the tape", None, 17, ("return gamma * reshape(x_hat, x.shape()) + beta;",
                                     "return Variable((gamma * reshape(x_hat, x.shape()) + beta).value());"), says="tape"),
    wrong("mean as a constant", None, 17, ("grouped - mean(grouped, {1, 3}, true)", "grouped - mean(grouped, {1, 3}, true).detach()"),
          says="gradient is not"),
    wrong("no path through the variance", "B1", 17, (DX, "(void)by_variance; const Tensor dx = rstd * (d - by_mean);")),
    wrong("sets without places in the backward", "G8", 17, (OVER_SET, "return mean(t, {3}, true);"),
          ("sum(dy * reshape(x_hat, x.shape()), {0, 1, 2})", "Tensor(gamma.shape())")),
    wrong("dgamma divided", "G9", 17, ("sum(dy * reshape(x_hat, x.shape()), {0, 1, 2})",
                                       "mean(dy * reshape(x_hat, x.shape()), {0, 1, 2})")),
    wrong("layer norm over channels", "G5", 16, ("std::make_unique<nn::LayerNorm>(channels, 3)",
                                                "std::make_unique<nn::LayerNorm>(channels, 1)"), says="channels alone"),
    wrong("layer norm for one size", "G7", 16, ("std::make_unique<nn::LayerNorm>(channels, 3)",
                                               "std::make_unique<nn::LayerNorm>(Shape{4, 7, channels})")),
    wrong("instance for group", "G5", 16, ("std::make_unique<nn::GroupNorm>(groups, channels)",
                                          "std::make_unique<nn::InstanceNorm>(channels)"), says="instance"),
    wrong("size for number of groups", "G5", 16, ("std::make_unique<nn::GroupNorm>(groups, channels)",
                                                 "std::make_unique<nn::GroupNorm>(channels / groups, channels)")),
    wrong("first relu", "D1", 12, (FIRST, FIRST.replace("relu(", "("))),
    wrong("second relu", "D1", 12, (SECOND, SECOND.replace("relu(", "("))),
    wrong("relu before the sum", "D2", 11, (LAST, "return relu(h) + shortcut;")),
    wrong("two relus", "D2", 12, (LAST, "return relu(relu(h) + shortcut);")),
    wrong("no last relu", "D2", 12, (LAST, "return h + shortcut;")),
    wrong("stride in the first convolution", "D3", 15, ('conv("conv1", in, width, 1, 1)', 'conv("conv1", in, width, 1, stride)'),
          ('conv("conv2", width, width, 3, stride)', 'conv("conv2", width, width, 3, 1)')),
    wrong("no shortcut", "D4", 12, (LAST, "return relu(h);")),
    wrong("norm2 unused", "D5", 12, (SECOND, "h = relu((*conv2_)(h));")),
    wrong("shortcut without norm", "D6", 15, ("(*shortcut_norm_)((*shortcut_conv_)(x))", "(*shortcut_conv_)(x)")),
    wrong("relu before norm", "D7", 12, (FIRST, "Variable h = (*norm1_)(relu((*conv1_)(x)));"),
          (SECOND, "h = (*norm2_)(relu((*conv2_)(h)));")),
    wrong("biases before norms", "D9", 11, ("{step, kernel / 2, false}", "{step, kernel / 2, true}")),
    wrong("batch norm whatever is asked", "D10", 18, ("add_module(name, choose_norm(kind, channels, groups))",
                                                     "add_module(name, choose_norm(nn::NormKind::Batch, channels, groups))")),
    wrong("batch norm in the stem", "S1", 19, ('add_module("norm", choose_norm(kind,', 'add_module("norm", choose_norm(nn::NormKind::Batch,')),
    wrong("no relu in the stem", "S3", 19, (STEM, "return max_pool2d(norm_(conv_(x)), 3, 2, 1);")),
    wrong("no pooling in the stem", "S6", 19, (STEM, "return relu(norm_(conv_(x)));")),
]
