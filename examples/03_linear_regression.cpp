// Learning, in its smallest form. Numbers y_i were made from pairs x_i by y = x_1*w_1 + x_2*w_2 + b plus noise; we look
// for w and b. The loss L is the mean of (prediction - y)^2, and every step moves w and b against their gradients:
//
//   w <- w - rate * dL/dw,   b <- b - rate * dL/db        (gradient descent)
//
// Nothing more happens when a deep network is trained: only the function in the middle is longer.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

double largest_magnitude(const Tensor& x) {
  double result = 0;
  for (const Scalar value : x) result = std::max(result, std::abs(static_cast<double>(value)));
  return result;
}

}  // namespace

int main() {
  const std::size_t N = 100;
  Generator random(1);  // every random number comes from a generator with a seed: the same run everywhere
  const Tensor x = random_normal({N, 2}, random), noise = random_normal({N, 1}, random, 0.1);
  const Tensor true_w = tensor({3, -2}, {2, 1});
  const Tensor y = matmul(x, true_w) + Scalar{0.5} + noise;  // (N, 2)·(2, 1) -> (N, 1)

  // A Variable wants a gradient if its second argument says so: these two are what is learned.
  Variable w(zeros({2, 1}), true), b(zeros({1}), true);
  const Variable inputs(x), targets(y);
  const auto loss_now = [&] { return mean(square(matmul(inputs, w) + b - targets)); };

  // The gradient on paper: with the errors e_i = prediction_i - y_i, dL/dw = 2/N * sum of e_i*x_i, dL/db = 2/N * sum of
  // e_i. The tape's must be the same.
  loss_now().backward();
  const Tensor errors = -y;  // w and b are 0 at the start, and so is every prediction
  const Tensor by_hand = Scalar{2} / N * matmul(x, errors, true, false);  // xᵀ·e: (2, N)·(N, 1) -> (2, 1)
  std::printf("dL/dw at the start: by hand {%.4f, %.4f}, by the tape {%.4f, %.4f}\n", by_hand(0, 0), by_hand(1, 0),
              w.grad()(0, 0), w.grad()(1, 0));
  std::printf("dL/db at the start: by hand %.4f, by the tape %.4f\n\n", 2 * mean(errors).item(), b.grad()(0));

  std::printf("step   loss       w_1      w_2      b\n");
  const Scalar rate = 0.1;
  for (int step = 0; step <= 200; ++step) {
    w.zero_grad();  // backward() adds to what is there, so a new step begins with nothing
    b.zero_grad();
    const Variable loss = loss_now();  // forward: recorded on the tape
    loss.backward();                   // backward: fills w.grad() and b.grad()
    if (step == 0 || step == 5 || step == 10 || step == 20 || step == 40 || step == 200)
      std::printf("%4d   %.5f  %7.4f  %7.4f  %7.4f\n", step, loss.item(), w.value()(0, 0), w.value()(1, 0),
                  b.value()(0));
    add_in_place(w.mutable_value(), -rate, w.grad());
    add_in_place(b.mutable_value(), -rate, b.grad());
  }

  // Where the gradient is 0, nothing can be gained by a small change. The noise remains: 0.1^2 = 0.01, or a little
  // less, for w and b bend towards it.
  std::printf("\nThe gradient is 0 to 1e-10: %s\n",
              std::max(largest_magnitude(w.grad()), largest_magnitude(b.grad())) < 1e-10 ? "yes" : "no");
}
