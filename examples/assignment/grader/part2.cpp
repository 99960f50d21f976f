#include "assignment/grader/part2.hpp"

#include <cmath>
#include <cstdlib>

#include "assignment/grader/bn_backward_model.hpp"
#include "assignment/grader/bn_forward_model.hpp"
#include "assignment/grader/compare.hpp"
#include "assignment/grader/report.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/safetensors.hpp"
#include "tensor/shape.hpp"

namespace xtg::assignment {
namespace {

BatchNormCache cache_of(const Probe& p) { return right_forward(p).cache; }

using Model = Tensor (*)(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);

/// The cache without the rows after the first n.
BatchNormCache beginning(const BatchNormCache& k, std::size_t n) {
  BatchNormCache first = k;
  first.x = first_rows(k.x, n);
  first.x_hat = first_rows(k.x_hat, n);
  return first;
}

/// One of the three gradients: its name, how to get it, what can be wrong with it.
struct Gradient {
  const char* name;
  Tensor BatchNormGradients::*member;
  Model model;
  const std::vector<Mistake>& mistakes;
};

const Gradient kDx = {"dx", &BatchNormGradients::dx, dx_model, kInputGradientMistakes};
const Gradient kDgamma = {"dgamma", &BatchNormGradients::dgamma, dgamma_model, kGammaMistakes};
const Gradient kDbeta = {"dbeta", &BatchNormGradients::dbeta, dbeta_model, kBetaMistakes};

/// A formula for the factors of the columns, such as "gamma²·rstd/2"; "" if none is found.
std::string power_of(const std::vector<double>& factors, const BatchNormCache& k) {
  const auto M = static_cast<double>(k.x.size() / k.gamma.size());
  const std::vector<std::string> powers = {"⁻³", "⁻²", "⁻¹", "", "", "²", "³"};
  for (const auto& [text, number] : {std::pair<const char*, double>{"", 1},
                                     {"2", 2},
                                     {"1/2", 0.5},
                                     {"M", M},
                                     {"1/M", 1 / M},
                                     {"M/(M − 1)", M / (M - 1)},
                                     {"(M − 1)/M", (M - 1) / M}})
    for (int a = -3; a <= 3; ++a)
      for (int b = -3; b <= 3; ++b)
        for (const double sign : {1., -1.}) {
          bool all = true;
          for (std::size_t c = 0; c < factors.size(); ++c) {
            const double guess = sign * number * std::pow(static_cast<double>(k.gamma.data()[c]), a) *
                                 std::pow(static_cast<double>(k.rstd.data()[c]), b);
            all = all && std::abs(factors[c] / guess - 1) < 1e-7;
          }
          if (!all) continue;
          std::string formula = text;
          if (a != 0) formula += (formula.empty() ? "gamma" : "·gamma") + powers[static_cast<std::size_t>(a + 3)];
          if (b != 0) formula += (formula.empty() ? "rstd" : "·rstd") + powers[static_cast<std::size_t>(b + 3)];
          return (sign < 0 ? "−" : "") + (formula.empty() ? "1" : formula);
        }
  return "";
}

/// Column sums Σ dx and Σ (dx − right)·x_hat over Σ|right|, and the factor by which each column is off if it is
/// parallel to the right one.
std::string broken_invariant(const BatchNormCache& k, const Tensor& dx, const Tensor& want) {
  const std::size_t C = k.gamma.size(), M = dx.size() / C;
  std::vector<double> sums(C), along_x_hat(C), ratios(C);
  double worst_sum = 0, worst_x_hat = 0;
  bool parallel = true;
  for (std::size_t c = 0; c < C; ++c) {
    double size = 0, aa = 0, ab = 0, bb = 0;
    for (std::size_t i = c; i < dx.size(); i += C) {
      const auto a = static_cast<double>(dx.data()[i]), b = static_cast<double>(want.data()[i]);
      size += std::abs(b);
      sums[c] += a;
      along_x_hat[c] += (a - b) * static_cast<double>(k.x_hat.data()[i]);
      aa += a * a, ab += a * b, bb += b * b;
    }
    ratios[c] = ab / bb;
    parallel = parallel && std::abs(ab * ab - aa * bb) < 1e-12 * aa * bb;
    worst_sum = std::max(worst_sum, std::abs(sums[c]) / size);
    worst_x_hat = std::max(worst_x_hat, std::abs(along_x_hat[c]) / size);
  }
  if (M == 2)
    return "with two rows dx is wrong: x_hat is ±1 then, and but for eps nothing is left of dx. Does your code divide "
           "by M − 1 or M − 2, or subtract what is nearly equal?";
  if (parallel) {
    const std::string factor = power_of(ratios, k);
    return "each column of dx has the right direction, but not the right size: " +
           (factor.empty() ? "the factor differs from column to column, " + list(ratios) +
                                 ". What does every column have of its own?"
                           : "it is " + factor + " times the right one.");
  }
  const std::string sums_text = "Σ dx over each column must be 0 (a shift of all x changes no y), and is " + list(sums);
  const std::string x_hat_text =
      "Σ dx·x_hat over each column must be 0, but for eps (a stretch of all x changes no y), and is off by " +
      list(along_x_hat);
  if (worst_sum > 1e-8 && worst_x_hat > 1e-8)
    return sums_text + "; " + x_hat_text + ". Begin with the path through the mean.";
  if (worst_sum > 1e-8) return sums_text + ". Look at the path through the mean.";
  if (worst_x_hat > 1e-8) return x_hat_text + ". Look at the path through the variance.";
  return "the parts of dx along 1 and along x_hat are right; what is left is the direct path, dx_hat·rstd.";
}

std::string judge_on(Backward backward, const Gradient& g, const Tensor& dy, const BatchNormCache& cache) {
  const Tensor got = backward(dy, cache).*g.member, want = g.model(dy, cache, 0);
  const std::string fault = plain_fault(g.name, got, want);
  if (fault.empty()) return "";
  const auto& probes = telling_probes();
  const std::string named = diagnose(
      g.mistakes,
      {probes.size(), [&](std::size_t i) { return Outputs{backward(probes[i].dy, cache_of(probes[i])).*g.member}; },
       [&](std::size_t i, Mistakes m) { return Outputs{g.model(probes[i].dy, cache_of(probes[i]), m)}; },
       probes.size() - 1});
  if (!named.empty()) return named;
  const std::size_t N = dy.shape()[0];
  for (const Mistakes form : {Mistakes{0}, kStagedOfPart})
    if (dy.dimension() > 2 && begins_with(got, g.model(first_rows(dy, N), beginning(cache, N), form)))
      return "[B21] for images the sums run over the first N rows only, N the number of images. How many values "
             "share a mean?";
  const std::string columns = columns_fault(g.name, got, want);
  if (!columns.empty()) return columns;
  if (fault != "?") return fault + ".";
  if (got.shape() == dy.shape() && g.model == dx_model) return broken_invariant(cache, got, want);
  return std::string(g.name) + " is " + list({got.begin(), got.end()}) + ", a gradient check gives " +
         list({want.begin(), want.end()}) + " (random dy, x " + to_string(dy.shape()) +
         "). Write down one y as a function of it. And do your sums start at 0?";
}

std::string judge(Backward backward, const Gradient& g, const Probe& p) {
  return judge_on(backward, g, p.dy, cache_of(p));
}

/// New shapes each, so that no number of the probes above can be built in.
std::string judge_shapes(Backward backward) {
  for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{9, 2}, {5, 5}, {40, 7}}) {
    const std::string hint = judge(backward, kDx, random_probe(rows, columns, 50 + rows));
    if (!hint.empty()) return hint;
  }
  const std::string hint = judge(backward, kDx, image_probe());
  return hint.empty() ? judge(backward, kDx, random_probe(2, 3, 52)) : hint;
}

std::string judge_parameters(Backward backward, const Gradient& g) {
  for (const Probe& p : {matrix_probe(), matrix_probe(0.1), image_probe()}) {
    const std::string hint = judge(backward, g, p);
    if (!hint.empty()) return hint;
  }
  return "";
}

std::string judge_constant(Backward backward) {
  const Probe p = constant_column_probe();
  if (only_constant_column_blows_up(backward(p.dy, cache_of(p)).dx))
    return "[B10] a channel that is constant gives NaN or infinity: its variance is 0. What is eps for?";
  return judge(backward, kDx, p);
}

std::string judge_own(Backward backward) {
  const char* path = std::getenv("XTGRAD_OWN_CACHE");
  if (path == nullptr || *path == '\0') return judge(backward, kDx, random_probe(7, 4, 31, 1e-2));
  const SafeTensors file = load_safetensors(path);
  const auto& t = file.tensors;
  const BatchNormCache own = {t.at("x"),    t.at("gamma"),    static_cast<double>(t.at("eps").item()),
                              t.at("mean"), t.at("variance"), t.at("rstd"),
                              t.at("x_hat")};
  const Probe p = random_probe(7, 4, 31, 1e-2);
  if (plain_fault("dx", backward(p.dy, own).dx, dx_model(p.dy, cache_of(p), 0)).empty()) return "";
  const std::string also = judge(backward, kDx, p);
  if (!also.empty()) return also;
  return "dx is right with the grader's cache, but not with that of your part 1: which field does your backward read "
         "that your forward does not fill? (See P1.cache.)";
}

}  // namespace

int grade_part2(Backward b) {
  Report report("part 2: batch norm, backward");
  report.check("P2.dx", "dx, x (6, 5), eps 1e-5", 5, [=] { return judge(b, kDx, matrix_probe()); });
  report.check("P2.eps", "dx, eps 0.1", 3, [=] { return judge(b, kDx, matrix_probe(0.1)); });
  report.check("P2.shapes", "dx for other shapes, images too", 3, [=] { return judge_shapes(b); });
  report.check("P2.dgamma", "dgamma", 4, [=] { return judge_parameters(b, kDgamma); });
  report.check("P2.dbeta", "dbeta", 2, [=] { return judge_parameters(b, kDbeta); });
  report.check("P2.constant", "dx with a constant channel", 1, [=] { return judge_constant(b); });
  report.check("P2.own", "dx with the cache of your part 1, if that is right", 2, [=] { return judge_own(b); });
  return report.finish();
}

}  // namespace xtg::assignment
