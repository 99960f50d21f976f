#pragma once

// The types that parts 1 and 2 of the assignment pass around. M is the number of values of a channel (rows of x, if x
// is read as a matrix with one column a channel), C the number of channels.

#include "tensor/tensor.hpp"

namespace xtg::assignment {

struct BatchNormSettings {
  double eps = 1e-5;
  double momentum = 0.1;  // the weight of the NEW statistic in the running one
  bool training = true;   // false: evaluation
};

/// What the forward keeps for the backward. It holds more than one needs: choose.
struct BatchNormCache {
  Tensor x;         // (…, C), the input
  Tensor gamma;     // (C)
  double eps = 0;   // as in the settings
  Tensor mean;      // (C), of each channel
  Tensor variance;  // (C), biased: divided by M; without eps
  Tensor rstd;      // (C), 1/√(variance + eps)
  Tensor x_hat;     // (…, C), (x − mean)·rstd
};

struct BatchNormResult {
  Tensor y;              // (…, C)
  BatchNormCache cache;  // looked at after training steps only
};

struct BatchNormGradients {
  Tensor dx;      // (…, C)
  Tensor dgamma;  // (C)
  Tensor dbeta;   // (C)
};

}  // namespace xtg::assignment
