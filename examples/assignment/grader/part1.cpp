#include "assignment/grader/part1.hpp"

#include <cmath>

#include "assignment/grader/bn_forward_model.hpp"
#include "assignment/grader/compare.hpp"
#include "assignment/grader/report.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/safetensors.hpp"

namespace xtg::assignment {
namespace {

Running at_first(const Probe& p) {
  const std::size_t C = p.gamma.size();
  Running running{zeros({C}), ones({C})};
  for (std::size_t c = 0; c < C; ++c) {  // not 0 and 1: who ignores what was there would pass
    running.mean.data()[c] = static_cast<Scalar>(0.5 + static_cast<double>(c));
    running.var.data()[c] = static_cast<Scalar>(2.5 - 0.3 * static_cast<double>(c));
  }
  return running;
}

Tensor trained(Forward forward, const Probe& p) {
  Running running = at_first(p);
  return forward(p.x, p.gamma, p.beta, {p.eps, 0.1, true}, running.mean, running.var).y;
}

/// Which property of a batch-normalized column does not hold.
std::string broken_invariant(const Probe& p, const Tensor& y) {
  const std::size_t C = p.gamma.size(), M = p.x.size() / C;
  const Tensor want = right_forward(p).y;
  std::vector<double> means(C), factors(C);
  bool centred = true, right_width = true;
  for (std::size_t c = 0; c < C; ++c) {
    double mean = 0, square = 0, want_square = 0;
    const auto beta = static_cast<double>(p.beta.data()[c]);
    for (std::size_t i = c; i < y.size(); i += C) mean += static_cast<double>(y.data()[i]) / static_cast<double>(M);
    for (std::size_t i = c; i < y.size(); i += C) {
      square += std::pow(static_cast<double>(y.data()[i]) - mean, 2);
      want_square += std::pow(static_cast<double>(want.data()[i]) - beta, 2);
    }
    means[c] = mean - beta;
    factors[c] = want_square > 0 ? std::sqrt(square / want_square) : 1;
    centred = centred && std::abs(means[c]) < 1e-8;
    right_width = right_width && std::abs(factors[c] - 1) < 1e-8;
  }
  if (!centred)
    return "in training the mean of each column of y must be beta; the differences are " + list(means) + ".";
  if (!right_width)
    return "the columns of y are centred, but their widths are off by the factors " + list(factors) +
           " (variance, eps, root or gamma?).";
  return "each column of y has the right mean and width, but the elements are not where they should be: is y "
         "transposed or mixed up?";
}

constexpr const char* kFirstRows =
    "[F15] for images only the first N rows are read and written, N the number of images. How many values does "
    "a channel have?";

/// The probe without the rows after the first N.
Probe beginning(const Probe& p) {
  Probe first = p;
  first.x = first_rows(p.x, p.x.shape()[0]);
  return first;
}

std::string judge_output(Forward forward, const Probe& p) {
  const Tensor y = trained(forward, p);
  const std::string fault = plain_fault("y", y, right_forward(p).y);
  if (fault.empty()) return "";
  const auto& probes = telling_probes();
  const std::string named =
      diagnose(kForwardMistakes,
               {probes.size(), [&](std::size_t i) { return Outputs{trained(forward, probes[i])}; },
                [&](std::size_t i, Mistakes m) { return Outputs{forward_model(probes[i], at_first(probes[i]), m)}; },
                probes.size() - 1});
  if (!named.empty()) return named;
  if (p.x.dimension() > 2 && begins_with(y, right_forward(beginning(p)).y)) return kFirstRows;
  const std::string columns = columns_fault("y", y, right_forward(p).y);
  if (!columns.empty()) return columns;
  return fault != "?" ? fault : broken_invariant(p, y);
}

const std::string kUnset = "of the cache, these were never set: ";

/// What is wrong with the members of a cache, all of them: "cache.x has the shape ...; cache.mean and cache.rstd are
/// not what ...".
std::string cache_faults(const BatchNormCache& got, const BatchNormCache& want) {
  const std::vector<std::tuple<const char*, const Tensor*, const Tensor*>> members = {
      {"x", &got.x, &want.x},          {"gamma", &got.gamma, &want.gamma},
      {"mean", &got.mean, &want.mean}, {"variance", &got.variance, &want.variance},
      {"rstd", &got.rstd, &want.rstd}, {"x_hat", &got.x_hat, &want.x_hat}};
  std::string unset, plain, other;
  const auto add = [](std::string& to, const std::string& name) { to += (to.empty() ? "" : ", ") + name; };
  for (const auto& [name, a, b] : members) {
    const std::string fault = plain_fault(std::string("cache.") + name, *a, *b);
    if (*a == Tensor())
      add(unset, name);
    else if (fault == "?")
      add(other, name);
    else if (!fault.empty())
      add(plain, fault);
  }
  if (got.eps != want.eps) add(got.eps == 0 ? unset : other, "eps");
  std::string text;
  if (!unset.empty()) text += kUnset + unset + ". ";
  if (!other.empty()) text += "of the cache, these are not what assignment/batch_norm.hpp says: " + other + ". ";
  if (!plain.empty()) text += plain + ". ";
  return text.empty() ? "" : text.substr(0, text.size() - 1);
}

std::string judge_cache(Forward forward) {
  for (const Probe& p : {matrix_probe(), image_probe()}) {
    Running running = at_first(p);
    const BatchNormCache got = forward(p.x, p.gamma, p.beta, {p.eps, 0.1, true}, running.mean, running.var).cache;
    const std::string faults = cache_faults(got, right_forward(p).cache);
    if (faults.empty()) continue;
    const std::string output = judge_output(forward, p);  // the same mistake may show there
    return output.empty() || faults.find(kUnset) == 0 ? faults : output;
  }
  return "";
}

/// Steps in training with these momenta.
Running stepped(Forward forward, const Probe& p, const std::vector<double>& momenta) {
  Running running = at_first(p);
  for (const double momentum : momenta)
    forward(p.x, p.gamma, p.beta, {p.eps, momentum, true}, running.mean, running.var);
  return running;
}
/// `m`: kRunningMistakes, followed by kForwardMistakes.
Running model_stepped(const Probe& p, const std::vector<double>& momenta, Mistakes m) {
  Running running = at_first(p);
  const std::size_t n = kRunningMistakes.size();
  for (const double momentum : momenta) running = running_model(p, running, momentum, m & ((1u << n) - 1), m >> n);
  return running;
}

/// The mistakes of an update, and those of the statistics that it is given.
const std::vector<Mistake>& running_mistakes() {
  static const std::vector<Mistake> both = [] {
    std::vector<Mistake> known = kRunningMistakes;
    known.insert(known.end(), kForwardMistakes.begin(), kForwardMistakes.end());
    return known;
  }();
  return both;
}

enum class Which { Mean, Variance };
const Tensor& part(const Running& running, Which which) { return which == Which::Mean ? running.mean : running.var; }

std::string judge_running(Forward forward, Which which, const std::vector<double>& momenta) {
  const std::vector<Probe> probes = {matrix_probe(), image_probe(0.1)};
  for (const Probe& p : probes) {
    const Running got = stepped(forward, p, momenta);
    const std::string name = which == Which::Mean ? "running_mean" : "running_var";
    const std::string fault = plain_fault(name, part(got, which), part(model_stepped(p, momenta, 0), which));
    if (fault.empty()) continue;
    // Two sequences of momenta tell a wrong weight from a wrong statistic.
    const std::vector<std::vector<double>> sequences = {momenta, {0.2}, {0.3, 0.4}};
    const std::string named = diagnose(
        running_mistakes(),
        {probes.size() * sequences.size(),
         [&](std::size_t i) { return Outputs{part(stepped(forward, probes[i / 3], sequences[i % 3]), which)}; },
         [&](std::size_t i, Mistakes m) {
           return Outputs{part(model_stepped(probes[i / 3], sequences[i % 3], m), which)};
         },
         sequences.size()});
    if (!named.empty()) return named;
    const std::string output = judge_output(forward, p);  // the batch's statistics are wrong to begin with
    if (!output.empty()) return output;
    if (fault != "?") return fault + ".";
    return name + " after " + std::to_string(momenta.size()) + " step(s) is " +
           list({part(got, which).begin(), part(got, which).end()}) +
           ", but (1 − momentum)·old + momentum·new is not: " +
           "look at the old value, the new value and the two weights one by one.";
  }
  return "";
}

Tensor evaluated(Forward forward, const Probe& p) {
  Running running = at_first(p);
  return forward(p.x, p.gamma, p.beta, {p.eps, 0.1, false}, running.mean, running.var).y;
}

std::string judge_evaluation(Forward forward) {
  const std::vector<Probe> probes = {matrix_probe(), matrix_probe(0.1), image_probe(0.1)};
  for (const Probe& p : probes) {
    const std::string fault =
        plain_fault("y in evaluation", evaluated(forward, p), evaluation_model(p, at_first(p), 0));
    if (fault.empty()) continue;
    const std::string named = diagnose(
        kEvaluationMistakes,
        {probes.size(), [&](std::size_t i) { return Outputs{evaluated(forward, probes[i])}; },
         [&](std::size_t i, Mistakes m) { return Outputs{evaluation_model(probes[i], at_first(probes[i]), m)}; },
         probes.size() - 1});
    if (!named.empty()) return named;
    if (p.x.dimension() > 2 && begins_with(evaluated(forward, p), evaluation_model(beginning(p), at_first(p), 0)))
      return kFirstRows;
    if (fault != "?") return fault + ".";
    return "y in evaluation is not gamma·(x − running_mean)/√(running_var + eps) + beta.";
  }
  return "";
}

std::string judge_single(Forward forward) {
  const Probe p = random_probe(1, 5, 21);
  const std::string fault =
      plain_fault("y of a single row in evaluation", evaluated(forward, p), evaluation_model(p, at_first(p), 0));
  if (fault.empty()) return "";
  if (l2_error(evaluated(forward, p), p.beta) == 0 ||
      same_answer(Tensor(evaluated(forward, p)), evaluation_model(p, at_first(p), 1)))
    return "[R5] a single row gives beta: evaluation uses the statistics of the batch, and one value is its own mean.";
  const std::string also = judge_evaluation(forward);
  if (!also.empty()) return also;
  return fault == "?" ? "y of a single row in evaluation is wrong: is there a division by M − 1?" : fault + ".";
}

std::string judge_untouched(Forward forward) {
  const Probe p = matrix_probe();
  Running running = at_first(p);
  forward(p.x, p.gamma, p.beta, {p.eps, 0.1, false}, running.mean, running.var);
  const bool same = running.mean == at_first(p).mean && running.var == at_first(p).var;
  return same ? "" : "[R5] evaluation changes the running statistics: it should read them only.";
}

std::string judge_constant(Forward forward) {
  const Probe p = constant_column_probe();
  const std::string hint = judge_output(forward, p);
  if (hint.compare(0, 1, "[") == 0 || !only_constant_column_blows_up(trained(forward, p))) return hint;
  return "[F4] a channel that is constant gives NaN or infinity: its variance is 0. What is eps for?";
}

}  // namespace

int grade_part1(Forward f) {
  Report report("part 1: batch norm, forward");
  report.check("P1.train", "y in training, x (6, 5), eps 1e-5", 3, [=] { return judge_output(f, matrix_probe()); });
  report.check("P1.eps", "y in training, eps 0.1", 2, [=] { return judge_output(f, matrix_probe(0.1)); });
  report.check("P1.images", "y in training, images (3, 4, 2, 6)", 1, [=] { return judge_output(f, image_probe()); });
  report.check("P1.constant", "a constant channel gives beta", 2, [=] { return judge_constant(f); });
  report.check("P1.cache", "what the cache holds", 1, [=] { return judge_cache(f); });
  report.check("P1.running_mean", "running mean after a step with momentum 0.5", 2,
               [=] { return judge_running(f, Which::Mean, {0.5}); });
  report.check("P1.running_var", "running variance after a step with momentum 0.5", 2,
               [=] { return judge_running(f, Which::Variance, {0.5}); });
  report.check("P1.momentum", "running mean after three steps with momentum 0.1", 2, [=] {
    return judge_running(f, Which::Mean, {0.1, 0.1, 0.1});
  });
  report.check("P1.eval", "y in evaluation", 2, [=] { return judge_evaluation(f); });
  report.check("P1.single", "y of a single row in evaluation", 1, [=] { return judge_single(f); });
  report.check("P1.untouched", "evaluation leaves the running statistics alone", 1, [=] { return judge_untouched(f); });
  return report.finish();
}

int save_own_cache(Forward forward, const std::string& path) {
  const Probe p = random_probe(7, 4, 31, 1e-2);
  Running running = at_first(p);
  const BatchNormResult got = forward(p.x, p.gamma, p.beta, {p.eps, 0.1, true}, running.mean, running.var);
  if (!plain_fault("y", got.y, right_forward(p).y).empty()) return 1;
  const BatchNormCache& c = got.cache;
  SafeTensors file;
  file.tensors = {{"x", c.x},
                  {"gamma", c.gamma},
                  {"mean", c.mean},
                  {"variance", c.variance},
                  {"rstd", c.rstd},
                  {"x_hat", c.x_hat},
                  {"eps", scalar(static_cast<Scalar>(c.eps))}};
  save_safetensors(path, file);
  return 0;
}

}  // namespace xtg::assignment
