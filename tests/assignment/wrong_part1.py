"""Part 1: wrong forwards of batch norm."""

VARIANCE = "mean(square(centred), axes)"
RSTD = "rsqrt(variance + eps)"
Y = "  result.y = gamma * x_hat + beta;"
UPDATE = "return (1 - momentum) * running + momentum * fresh;"
EVAL = "const Tensor scaled = (x - running_mean) / sqrt(running_var + eps);"
EVAL_Y = "    result.y = gamma * scaled + beta;"
RUNNING_VAR = "running_var = averaged(running_var, unbiased, settings.momentum);"
RUNNING_MEAN = "running_mean = averaged(running_mean, batch_mean, settings.momentum);"
UNBIASED = "variance * (Scalar(rows) / Scalar(rows - 1))"
AXES = "axes.push_back(i);"
MEAN = "= mean(x, axes)"
EPS = "const Scalar eps = settings.eps;"
Y_TO_RETURN = ["return result;\n  }", "return result;\n}"]  # in evaluation, in training


def wrong(name, cause, points, *edits, says=""):
    return {"name": name, "cause": cause, "points": points, "edits": edits,
            "says": says}


def other_x(name, cause, points, x, y):
    """Computes with x, made from `given`, and returns y, made from result.y."""
    return wrong(name, cause, points, ("forward(const Tensor& x,", "forward(const Tensor& given,"),
                 (EPS, EPS + "const std::size_t N = given.shape()[0], C = gamma.size(), M = given.size() / C; (void)N, (void)M;"
                  + x), *((old, f"{y} {old}") for old in Y_TO_RETURN))


ANSWERS = [
    wrong("unbiased variance", "F1", 10, (VARIANCE, f"{VARIANCE} * (Scalar(rows) / Scalar(rows - 1))"),
          (UNBIASED, "variance")),
    wrong("no root", "F2", 10, (RSTD, "pow(variance + eps, -1)")),
    wrong("eps outside", "F3", 10, (RSTD, "pow(sqrt(variance) + eps, -1)")),
    wrong("no eps", "F4", 10, (RSTD, "rsqrt(variance)")),
    wrong("eps of its own", "F4", 7, ("const Scalar eps = settings.eps;", "const Scalar eps = 0;")),
    wrong("global statistics", "F5", 4, (AXES, "axes = {};")),
    wrong("second moment", "F6", 8, (VARIANCE, "mean(square(x), axes)")),
    wrong("absolute deviation", "F6", 8, (VARIANCE, "square(mean(abs(centred), axes))")),
    wrong("gamma and beta swapped", "F7", 11, (Y, "  result.y = beta * x_hat + gamma;")),
    wrong("no gamma", "F9", 11, (Y, "  result.y = x_hat + beta;")),
    wrong("no beta", "F10", 11, (Y, "  result.y = gamma * x_hat;")),
    wrong("not centred", "F11", 10, ("centred * rstd", "x * rstd")),
    wrong("multiplied by σ", "F12", 10, ("centred * rstd", "centred * sqrt(variance + eps)")),
    wrong("sum for variance", "F13", 8, (VARIANCE, "sum(square(centred), axes)")),
    wrong("sum for mean", "F14", 4, ("= mean(x, axes)", "= sum(x, axes)")),
    wrong("first axis only", "F16", 11, ("i + 1 < x.dimension()", "i < 1")),
    wrong("shifted first", "F18", 11, (Y, "  result.y = gamma * (x_hat + beta);")),
    wrong("eps missing and γ forgotten", "F4+F9", 10, (RSTD, "rsqrt(variance)"), (Y, "  result.y = x_hat + beta;")),
    wrong("first axis only and momentum reversed", "F16,R1+F16", 11, ("i + 1 < x.dimension()", "i < 1"),
          (UPDATE, "return momentum * running + (1 - momentum) * fresh;")),
    wrong("sum for mean and eps in the running variance", "F14,R11+F14", 4, ("= mean(x, axes)", "= sum(x, axes)"),
          (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "unbiased + eps"))),
    wrong("no gamma, and images of their own", "F9", 11,
          (Y, "  result.y = x_hat + beta; if (x.dimension() > 2) result.y = result.y + 1;"),
          says="for images something else is wrong"),
    wrong("running statistics in training", "R6", 8, ("x - batch_mean", "x - running_mean"),
          (RSTD, "rsqrt(running_var + eps)")),
    wrong("updated running statistics in training", "R6", 11,
          (Y, "const Tensor m = averaged(running_mean, batch_mean, settings.momentum), "
              f"v = averaged(running_var, {UNBIASED}, settings.momentum);"
              "result.y = gamma * ((x - m) / sqrt(v + eps)) + beta;")),
    other_x("columns as neighbours", "F19", 2, "const Tensor x = transpose(reshape(given, {int(C), int(M)}));",
            "result.y = reshape(transpose(result.y), given.shape());"),
    other_x("only the first N rows", "F15", 9, "Tensor x(Shape{N, C}); std::copy_n(given.data(), N * C, x.data());",
            "Tensor y(given.shape(), 7); std::copy_n(result.y.data(), N * C, y.data()); result.y = y;"),
    wrong("mean times 1 / M", "F14,F6", 4, (MEAN, "= sum(x, axes) * (1 / rows)"), says="Of two integers that is 0"),
    wrong("mean and variance times 1 / M", "F14", 4, (MEAN, "= sum(x, axes) * (1 / rows)"),
          (VARIANCE, "sum(square(centred), axes) * (1 / rows)"), says="mean and variance are both 0"),
    wrong("a column of sums that do not start at 0", None, 11,
          (Y, Y + "for (std::size_t i = 1; i < x.size(); i += gamma.size()) result.y.data()[i] += 3;"),
          says="y is right in columns 0, 2, 3, 4, wrong in 1: do your sums start at 0?"),
    wrong("a column of NaN", None, 11,
          (Y, Y + "for (std::size_t i = 2; i < x.size(); i += gamma.size()) result.y.data()[i - 1] = result.y.data()[i] = NAN;"),
          says="y is right in columns 0, 3, 4, wrong in 1, 2"),
    wrong("momentum reversed", "R1", 17, (UPDATE, "return momentum * running + (1 - momentum) * fresh;")),
    wrong("biased running variance", "R2", 17, (UNBIASED, "variance")),
    wrong("M / (M − 1) of integers", "R2", 17, (UNBIASED, "variance * (rows / (rows - 1))"),
          says="M / (M − 1) of two integers is 1"),
    wrong("old statistic forgotten", "R3", 13, (UPDATE, "(void)running; return momentum * fresh;")),
    wrong("stores σ", "R4", 17, (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "sqrt(unbiased)"))),
    wrong("overwrites", "R4", 13, (UPDATE, "(void)running, (void)momentum; return fresh;")),
    wrong("never updates", "R9", 13, (RUNNING_MEAN, ""), (RUNNING_VAR, "(void)unbiased;")),
    wrong("adds up", "R10", 13, (UPDATE, "return running + momentum * fresh;")),
    wrong("stores eps", "R11", 17, (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "unbiased + eps"))),
    wrong("corrects by images", "R13", 17, (UNBIASED, "variance * (Scalar(x.shape()[0]) / Scalar(x.shape()[0] - 1))")),
    wrong("corrects by all elements", "R13", 17, (UNBIASED, "variance * (Scalar(x.size()) / Scalar(x.size() - 1))")),
    wrong("evaluation of the batch", "R5", 16, ("if (!settings.training)", "if (false)"),
          ("running_mean = averaged", "if (settings.training) running_mean = averaged"),
          ("running_var = averaged", "if (settings.training) running_var = averaged")),
    wrong("evaluation updates", "R5", 18, (EVAL, EVAL + " running_mean = 0.9 * running_mean;")),
    wrong("evaluation without eps", "F4", 16, ("sqrt(running_var + eps)", "sqrt(running_var)")),
    wrong("evaluation takes variance for σ", "R4", 16, ("sqrt(running_var + eps)", "sqrt(square(running_var) + eps)")),
    wrong("evaluation without root", "F2", 16, ("sqrt(running_var + eps)", "(running_var + eps)")),
    wrong("evaluation without gamma", "F9", 16, (EVAL_Y, "    result.y = scaled + beta;")),
    wrong("evaluation without running mean", "F11", 16, ("x - running_mean", "x")),
]
