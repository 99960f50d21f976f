"""Part 2: wrong backwards of batch norm."""

AXES = "axes.push_back(i);"
DX = "return {dcentred + dmean / m, dgamma, dbeta};"
VARIANCE_PATH = "  dcentred = dcentred + 2 / m * centred * dvariance;"
HALF = "-0.5 * drstd"
DX_HAT = "cache.gamma * dy"
DGAMMA = "sum(dy * cache.x_hat, axes)"
DBETA = "sum(dy, axes)"
DRSTD = "sum(dx_hat * centred, axes)"
IMAGES = ("Scalar m = Scalar(dy.size() / cache.gamma.size())", "Scalar m = Scalar(dy.shape()[0])")
FIRST_AXIS = ("i + 1 < dy.dimension()", "i < 1")

ARGUMENTS = ("backward(const Tensor& dy, const BatchNormCache& cache) {", "backward(const Tensor& dy0, const BatchNormCache& cache0) {")


def wrong(name, cause, points, *edits, says=""):
    return {"name": name, "cause": cause, "points": points, "edits": edits,
            "says": says}


def short(name, cause, points, dx, says=""):
    """dx in the short form; r, d, h, m and avg(·), the mean over the batch, are in scope."""
    return wrong(name, cause, points,
                 (DX, "const Tensor &r = cache.rstd, &d = dx_hat, &h = cache.x_hat, &g = cache.gamma, &x = cache.x;"
                      "const auto avg = [&](const Tensor& t) { return mean(t, axes); };"
                      "(void)r, (void)d, (void)h, (void)g, (void)x, (void)avg;"
                      f"return {{{dx}, dgamma, dbeta}};"), says=says)


ANSWERS = [
    wrong("no path through the variance", "B1", 6, (VARIANCE_PATH, "(void)dvariance;"), says="Σ dx is 0 in every column"),
    wrong("-1 / 2 of integers", "B1", 6, (HALF, "-1 / 2 * drstd"), says="-1 / 2 of integers"),
    wrong("1 / M of integers", "B3", 6, ("2 / m", "2 / int(m)"), ("dmean / m", "1 / int(m) * dmean"), says="1 / M of two integers"),
    wrong("1 / M of integers in dmean", "B2", 6, ("dmean / m", "1 / int(m) * dmean"), says="1 / M of two integers"),
    wrong("dcentred through the squares only", "B27", 6, (VARIANCE_PATH, VARIANCE_PATH.replace("dcentred + ", ""))),
    wrong("dcentred lost in dx", "B28", 6, (DX, DX.replace("dcentred", "0 * dcentred"))),
    wrong("no path through the mean", "B2", 6, (DX, "(void)dmean; return {dcentred, dgamma, dbeta};")),
    wrong("statistics as constants", "B3", 6, (VARIANCE_PATH, "(void)dvariance;"),
          (DX, "(void)dmean; return {dcentred, dgamma, dbeta};")),
    wrong("no gamma", "B4", 6, (DX_HAT, "dy")),
    short("sums for means", "B5", 6, "r * (d - sum(d, axes) - h * sum(d * h, axes))"),
    wrong("dmean without 1/M", "B5", 6, ("dmean / m", "dmean")),
    wrong("dvariance without 1/M", "B5", 6, ("2 / m", "2")),
    short("M − 1 in both", "B6", 6, "r * (d - (avg(d) + h * avg(d * h)) * (m / (m - 1)))"),
    wrong("M − 1 in dvariance", "B6", 6, ("2 / m", "2 / (m - 1)")),
    wrong("M − 1 in dmean", "B6", 6, ("dmean / m", "dmean / (m - 1)")),
    wrong("power −1/2", "B7", 6, ("-1.5", "-0.5")),
    wrong("sign of dvariance", "B8", 6, (HALF, "0.5 * drstd")),
    wrong("factor 2 lost", "B9", 6, ("2 / m", "1 / m")),
    wrong("factor 1/2 lost", "B9", 6, (HALF, "-drstd")),
    short("eps in the backward only", "B10", 6,
          "rsqrt(cache.variance) * (d - avg(d) - h * avg(d * h))"),
    short("no rstd", "B11", 6, "d - avg(d) - h * avg(d * h)"),
    short("rstd squared", "B11", 6,
          "square(r) * (d - avg(d) - h * avg(d * h))"),
    short("divided by rstd", "B11", 6, "(d - avg(d) - h * avg(d * h)) / r"),
    short("x in the sum", "B12", 6, "r * (d - avg(d) - h * avg(d * x))"),
    short("x outside", "B12", 6, "r * (d - avg(d) - x * avg(d * h))"),
    wrong("dgamma with x", "B13", 16, (DGAMMA, "sum(dy * cache.x, axes)")),
    wrong("dgamma a mean", "B13", 16, (DGAMMA, "mean(dy * cache.x_hat, axes)")),
    wrong("dbeta a mean", "B13", 18, (DBETA, "mean(dy, axes)")),
    wrong("dgamma and dbeta swapped", "B13", 14, (DX, DX.replace("dgamma, dbeta", "dbeta, dgamma"))),
    wrong("gamma in dgamma", "B13", 16, (DGAMMA, "cache.gamma * sum(dy * cache.x_hat, axes)")),
    wrong("dgamma without rstd", "B13", 16, (DGAMMA, "sum(dy * centred, axes)")),
    short("dy in the means", "B14", 6, "r * (d - avg(dy) - h * avg(dy * h))"),
    short("x − mean in the sum", "B15", 6, "r * (d - avg(d) - h * avg(d * centred))"),
    short("x − mean twice", "B7", 6,
          "r * (d - avg(d) - centred * avg(d * centred))"),
    wrong("sign of dmean", "B16", 6, ("-sum(dcentred, axes)", "sum(dcentred, axes)")),
    short("rows for columns", "B17", 6,
          "r * (d - mean(d, {-1}, true) - h * mean(d * h, {-1}, true))"),
    short("means over everything", "B17", 6, "r * (d - mean(d) - h * mean(d * h))"),
    wrong("gamma twice", "B18", 6, (DX_HAT, "square(cache.gamma) * dy")),
    short("M forgotten in the closed form", "B19", 6,
          "r / m * (d - sum(d, axes) - h * sum(d * h, axes))"),
    short("1/M forgotten in the closed form", "B20", 6,
          "r * (m * d - sum(d, axes) - h * sum(d * h, axes))"),
    wrong("images counted", "B21", 17, IMAGES),
    wrong("all elements counted", "B21", 6, ("Scalar(dy.size() / cache.gamma.size())", "Scalar(dy.size())")),
    wrong("first axis only", "B26", 11, FIRST_AXIS),
    wrong("first axis only, and its size", "B26", 11, FIRST_AXIS, IMAGES),
    wrong("direct path without rstd", "B11", 6, ("= dx_hat * cache.rstd", "= dx_hat")),
    wrong("x in drstd", "B12", 6, (DRSTD, DRSTD.replace("centred", "cache.x"))),
    wrong("x_hat in drstd", "B15", 6, (DRSTD, DRSTD.replace("centred", "cache.x_hat"))),
    wrong("a factor for every column", None, 6, (DX, DX.replace("{", "{pow(cache.rstd, 2) * (", 1).replace("/ m", "/ m)")),
          says="rstd² times the right one"),
    wrong("no path through the mean, and the factor 2", "B2+B9", 6, ("2 / m", "1 / m"),
          (DX, "(void)dmean; return {dcentred, dgamma, dbeta};"), says="is 0 in C++.) Second:"),
    wrong("dgamma and dbeta swapped, dgamma with x", "B13,B13+B13", 14, (DGAMMA, "sum(dy * cache.x, axes)"),
          (DX, DX.replace("dgamma, dbeta", "dbeta, dgamma"))),
    wrong("a sum that does not start at 0", None, 16,
          (DX, "Tensor unset = dgamma; unset(1) += 7;" + DX.replace("dgamma", "unset")),
          says="dgamma is right in columns 0, 2, 3, 4, wrong in 1: do your sums start at 0?"),
    wrong("a sum that starts at NaN", None, 18, (DX, "Tensor unset = dbeta; unset(0) = NAN;" + DX.replace("dbeta", "unset")),
          says="dbeta is right in columns 1, 2, 3, 4, wrong in 0"),
    wrong("sums that do not start at 0 for images", None, 16,
          (DX, "Tensor unset = dgamma; if (dy.dimension() > 2) for (Scalar& s : unset) s += 7;" + DX.replace("dgamma", "unset")),
          says="x (3, 4, 2, 6)"),
    wrong("only the first N rows", "B21", 11,
          (ARGUMENTS[0], ARGUMENTS[1] + """
           const Shape first = {dy0.shape()[0], cache0.gamma.size()};
           const auto cut = [&](const Tensor& t) { Tensor rows(first); std::copy_n(t.data(), rows.size(), rows.data()); return rows; };
           const Tensor dy = cut(dy0);
           BatchNormCache cache = cache0;
           cache.x = cut(cache0.x), cache.x_hat = cut(cache0.x_hat);"""),
          (DX, "Tensor dx(dy0.shape(), 7); const Tensor rows = dcentred + dmean / m;"
               "std::copy_n(rows.data(), rows.size(), dx.data()); return {dx, dgamma, dbeta};")),
    wrong("gradient of the wrong sign", "B23", 6, ("return {dcentred + dmean / m",
                                                  "return {-(dcentred + dmean / m)")),
    wrong("γ and the factor 2", "B4+B9", 6, (DX_HAT, "dy"), ("2 / m", "1 / m")),
    wrong("images counted, and M − 1 in dmean", "B6+B21", 6, IMAGES, ("dmean / m", "dmean / (m - 1)")),
    wrong("first axis only and no gamma", "B4+B26,B26", 0, FIRST_AXIS, (DX_HAT, "dy")),
    wrong("x_hat in drstd and the factor 2", "B9+B15", 6, (DRSTD, DRSTD.replace("centred", "cache.x_hat")), ("2 / m", "1 / m")),
]
