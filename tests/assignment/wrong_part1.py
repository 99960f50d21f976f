"""Part 1: wrong forwards of batch norm."""

VARIANCE = "mean(square(centred), axes)"
RSTD = "rsqrt(add(variance, eps))"
Y = "  result.y = add(multiply(gamma, x_hat), beta);"
UPDATE = "return add(multiply(running, 1 - momentum), multiply(fresh, momentum));"
EVAL = "const Tensor scaled = divide(subtract(x, running_mean), sqrt(add(running_var, eps)));"
EVAL_Y = "    result.y = add(multiply(gamma, scaled), beta);"
RUNNING_VAR = "running_var = averaged(running_var, unbiased, settings.momentum);"
RUNNING_MEAN = "running_mean = averaged(running_mean, batch_mean, settings.momentum);"
UNBIASED = "multiply(variance, Scalar(rows) / Scalar(rows - 1))"
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
    wrong("unbiased variance", "F1", 10, (VARIANCE, f"multiply({VARIANCE}, Scalar(rows) / Scalar(rows - 1))"),
          (UNBIASED, "variance")),
    wrong("no root", "F2", 10, (RSTD, "pow(add(variance, eps), -1)")),
    wrong("eps outside", "F3", 10, (RSTD, "pow(add(sqrt(variance), eps), -1)")),
    wrong("no eps", "F4", 10, (RSTD, "rsqrt(variance)")),
    wrong("eps of its own", "F4", 7, ("const Scalar eps = settings.eps;", "const Scalar eps = 0;")),
    wrong("global statistics", "F5", 4, (AXES, "axes = {};")),
    wrong("second moment", "F6", 8, (VARIANCE, "mean(square(x), axes)")),
    wrong("absolute deviation", "F6", 8, (VARIANCE, "square(mean(abs(centred), axes))")),
    wrong("gamma and beta swapped", "F7", 11, (Y, "  result.y = add(multiply(beta, x_hat), gamma);")),
    wrong("no gamma", "F9", 11, (Y, "  result.y = add(x_hat, beta);")),
    wrong("no beta", "F10", 11, (Y, "  result.y = multiply(gamma, x_hat);")),
    wrong("not centred", "F11", 10, ("multiply(centred, rstd)", "multiply(x, rstd)")),
    wrong("multiplied by σ", "F12", 10, ("multiply(centred, rstd)", "multiply(centred, sqrt(add(variance, eps)))")),
    wrong("sum for variance", "F13", 8, (VARIANCE, "sum(square(centred), axes)")),
    wrong("sum for mean", "F14", 4, ("= mean(x, axes)", "= sum(x, axes)")),
    wrong("first axis only", "F16", 11, ("i + 1 < x.dimension()", "i < 1")),
    wrong("shifted first", "F18", 11, (Y, "  result.y = multiply(gamma, add(x_hat, beta));")),
    wrong("eps missing and γ forgotten", "F4+F9", 10, (RSTD, "rsqrt(variance)"), (Y, "  result.y = add(x_hat, beta);")),
    wrong("first axis only and momentum reversed", "F16,R1+F16", 11, ("i + 1 < x.dimension()", "i < 1"),
          (UPDATE, "return add(multiply(running, momentum), multiply(fresh, 1 - momentum));")),
    wrong("sum for mean and eps in the running variance", "F14,R11+F14", 4, ("= mean(x, axes)", "= sum(x, axes)"),
          (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "add(unbiased, eps)"))),
    wrong("no gamma, and images of their own", "F9", 11,
          (Y, "  result.y = add(x_hat, beta); if (x.dimension() > 2) result.y = add(result.y, 1);"),
          says="for images something else is wrong"),
    wrong("running statistics in training", "R6", 8, ("subtract(x, batch_mean)", "subtract(x, running_mean)"),
          (RSTD, "rsqrt(add(running_var, eps))")),
    wrong("updated running statistics in training", "R6", 11,
          (Y, "const Tensor m = averaged(running_mean, batch_mean, settings.momentum), "
              f"v = averaged(running_var, {UNBIASED}, settings.momentum);"
              "result.y = add(multiply(gamma, divide(subtract(x, m), sqrt(add(v, eps)))), beta);")),
    other_x("columns as neighbours", "F19", 2, "const Tensor x = transpose(reshape(given, {int(C), int(M)}));",
            "result.y = reshape(transpose(result.y), given.shape());"),
    other_x("only the first N rows", "F15", 9, "Tensor x(Shape{N, C}); std::copy_n(given.data(), N * C, x.data());",
            "Tensor y(given.shape(), 7); std::copy_n(result.y.data(), N * C, y.data()); result.y = y;"),
    wrong("mean times 1 / M", "F14,F6", 4, (MEAN, "= multiply(sum(x, axes), 1 / rows)"), says="Of two integers that is 0"),
    wrong("mean and variance times 1 / M", "F14", 4, (MEAN, "= multiply(sum(x, axes), 1 / rows)"),
          (VARIANCE, "multiply(sum(square(centred), axes), 1 / rows)"), says="mean and variance are both 0"),
    wrong("a column of sums that do not start at 0", None, 11,
          (Y, Y + "for (std::size_t i = 1; i < x.size(); i += gamma.size()) result.y.data()[i] += 3;"),
          says="y is right in columns 0, 2, 3, 4, wrong in 1: do your sums start at 0?"),
    wrong("a column of NaN", None, 11,
          (Y, Y + "for (std::size_t i = 2; i < x.size(); i += gamma.size()) result.y.data()[i - 1] = result.y.data()[i] = NAN;"),
          says="y is right in columns 0, 3, 4, wrong in 1, 2"),
    wrong("momentum reversed", "R1", 17, (UPDATE, "return add(multiply(running, momentum), multiply(fresh, 1 - momentum));")),
    wrong("biased running variance", "R2", 17, (UNBIASED, "variance")),
    wrong("M / (M − 1) of integers", "R2", 17, (UNBIASED, "multiply(variance, rows / (rows - 1))"),
          says="M / (M − 1) of two integers is 1"),
    wrong("old statistic forgotten", "R3", 13, (UPDATE, "(void)running; return multiply(fresh, momentum);")),
    wrong("stores σ", "R4", 17, (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "sqrt(unbiased)"))),
    wrong("overwrites", "R4", 13, (UPDATE, "(void)running, (void)momentum; return fresh;")),
    wrong("never updates", "R9", 13, (RUNNING_MEAN, ""), (RUNNING_VAR, "(void)unbiased;")),
    wrong("adds up", "R10", 13, (UPDATE, "return add(running, multiply(fresh, momentum));")),
    wrong("stores eps", "R11", 17, (RUNNING_VAR, RUNNING_VAR.replace("unbiased", "add(unbiased, eps)"))),
    wrong("corrects by images", "R13", 17, (UNBIASED, "multiply(variance, Scalar(x.shape()[0]) / Scalar(x.shape()[0] - 1))")),
    wrong("corrects by all elements", "R13", 17, (UNBIASED, "multiply(variance, Scalar(x.size()) / Scalar(x.size() - 1))")),
    wrong("evaluation of the batch", "R5", 16, ("if (!settings.training)", "if (false)"),
          ("running_mean = averaged", "if (settings.training) running_mean = averaged"),
          ("running_var = averaged", "if (settings.training) running_var = averaged")),
    wrong("evaluation updates", "R5", 18, (EVAL, EVAL + " running_mean = multiply(running_mean, 0.9);")),
    wrong("evaluation without eps", "F4", 16, ("sqrt(add(running_var, eps))", "sqrt(running_var)")),
    wrong("evaluation takes variance for σ", "R4", 16, ("sqrt(add(running_var, eps))", "sqrt(add(square(running_var), eps))")),
    wrong("evaluation without root", "F2", 16, ("sqrt(add(running_var, eps))", "add(running_var, eps)")),
    wrong("evaluation without gamma", "F9", 16, (EVAL_Y, "    result.y = add(scaled, beta);")),
    wrong("evaluation without running mean", "F11", 16, ("subtract(x, running_mean)", "x")),
]
