"""Part 4: wrong networks without norms, and wrong measures. The folder has no log: the last three checks get nothing."""

BIAS = "kind == nn::NormKind::None};"
NORM = "if (auto norm = nn::make_norm(kind, out, 4))"
BETA = "largest = std::max(largest, norm(change) / (rate * norm(g)));"
SENSITIVITY = "return std::sqrt(mean(square(a - b)).item()) / std::sqrt(mean(square(a)).item());"


def wrong(name, cause, points, *edits, says=""):
    return {"name": name, "cause": cause, "points": points, "edits": edits, "says": says}


ANSWERS = [
    wrong("norm left in the shortcut", "N1", 7, (NORM, "if (kernel == 1) kind = nn::NormKind::Batch;\n    " + NORM)),
    wrong("no biases", "N4", 10, (BIAS, "false};")),
    wrong("biases everywhere", "N5", 10, (BIAS, "true};")),
    wrong("another start", "N6", 9, (NORM, "if (kind == nn::NormKind::None) generator.normal();\n    " + NORM)),
    wrong("gradients added up", "E1", 10, ("  network.zero_grad();\n  cross_entropy", "  cross_entropy")),
    wrong("not divided by the step", "T1", 10, (BETA, "largest = std::max(largest, norm(change));")),
    wrong("divided by the rate", "T1", 10, (BETA, "largest = std::max(largest, norm(change) / rate);")),
    wrong("up the gradient", "T2", 10, ("mutable_value(), -rate, g[i]", "mutable_value(), rate, g[i]")),
    wrong("last rate", "T3", 10, (BETA, "largest = norm(change) / (rate * norm(g));")),
    wrong("parameters not restored", "T4", 10, ("      parameters[i].mutable_value() = start[i];\n", "")),
    wrong("squared norms", "T5", 10, ("return std::sqrt(squares);", "return squares;"), (BETA, BETA.replace("rate *", "rate * rate *"))),
    wrong("whole batch", "T6", 10, ("static_cast<std::ptrdiff_t>(images.shape()[0])", "-1")),
    wrong("not relative", "T7", 10, (SENSITIVITY, "return std::sqrt(mean(square(a - b)).item());")),
    wrong("no root", "T5", 10, (SENSITIVITY, "return mean(square(a - b)).item() / mean(square(a)).item();")),
    wrong("evaluation mode", "T8", 10, ("const NoGrad off;", "const NoGrad off;\n  network.eval();")),
]
