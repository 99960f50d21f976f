#include <cstdio>
#include <xtgrad.hpp>

using namespace xtg;

int main() {
  Generator random(1);
  const Tensor x = random_normal({6, 3}, random), dy = random_normal({6, 3}, random);
  const Tensor gamma = tensor({1.5, -0.7, 2}, {3}), beta = zeros({3});

  for (const bool derived : {false, true}) {  // by hand, then by the tape through the definition
    const GradientMode mode(derived ? GradientForm::Derived : GradientForm::ByHand);
    const Variable vx(x, true), vgamma(gamma, true), vbeta(beta, true);
    const Variable y = nn::batch_norm(vx, vgamma, vbeta, 1e-5);  // normalize the columns of x
    y.backward(dy);
    std::printf("%s: dgamma = %s\n", derived ? "derived " : "analytic", to_string(vgamma.grad(), 4).c_str());
  }
  const auto layer = [](const Variables& v) { return nn::batch_norm(v[0], v[1], v[2], 1e-5); };
  std::printf("finite differences agree: %s\n", check_gradients(layer, {x, gamma, beta}).ok ? "yes" : "no");
}
