#include "autograd/grad_mode.hpp"

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg {

GradientForm parse_gradient_form(const std::string& name) {
  if (name == "fused") return GradientForm::Fused;
  if (name == "by-hand") return GradientForm::ByHand;
  require(name == "derived", "unknown form of gradients '{}', expected one of fused, by-hand, derived", excerpt(name));
  return GradientForm::Derived;
}

}  // namespace xtg
