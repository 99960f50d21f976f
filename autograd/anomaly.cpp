#include "autograd/anomaly.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

/// "nan at (0, 2) of shape (4, 5)": the first element that is not finite.
std::string first_bad(const Tensor& x) {
  const Scalar* bad = std::find_if(x.begin(), x.end(), [](Scalar v) { return !std::isfinite(v); });
  std::vector<std::size_t> index(x.dimension());
  auto rest = static_cast<std::size_t>(bad - x.begin());
  for (std::size_t k = x.dimension(); k-- > 0; rest /= x.shape()[k]) index[k] = rest % x.shape()[k];
  return fmt::format("{} at ({}) of shape {}",
                     std::isnan(*bad) ? "nan"
                     : *bad < 0       ? "-inf"
                                      : "inf",
                     fmt::join(index, ", "), to_string(x.shape()));
}

}  // namespace

void require_finite_value(const char* name, const Variable& result, const Inputs& inputs) {
  if (all_finite(result.value())) return;
  const std::string scope = Scope::path();
  const std::string what = result.requires_grad()
                               ? result.node()->description()
                               : fmt::format("{} (not recorded{})", name, scope.empty() ? "" : ", in " + scope);
  std::string before;
  std::size_t i = 0;
  for (const Variable& input : inputs) {
    if (input.defined() && !all_finite(input.value())) before += fmt::format("; its input {} was not finite before", i);
    ++i;
  }
  throw ValueError(fmt::format("DetectAnomaly: the value of {} is {}{}", what, first_bad(result.value()), before));
}

void require_finite_seed(const Variable& dy) {
  if (!all_finite(dy.value()))
    throw ValueError("DetectAnomaly: the gradient given for the output is " + first_bad(dy.value()));
}

void require_finite_gradients(const Node& node, const Variables& gradients) {
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (gradients[i].defined() && !all_finite(gradients[i].value()))
      throw ValueError(fmt::format("DetectAnomaly: the gradient of input {} of {} is {}", i, node.description(),
                                   first_bad(gradients[i].value())));
}

}  // namespace xtg
