#pragma once

#include "tensor/precision.hpp"

namespace xtg::testing {

/// A precision for its own lifetime; afterwards the one before.
class MatmulPrecision {
 public:
  explicit MatmulPrecision(Precision precision) : before_(matmul_precision()) { set_matmul_precision(precision); }
  ~MatmulPrecision() { set_matmul_precision(before_); }
  MatmulPrecision(const MatmulPrecision&) = delete;
  MatmulPrecision& operator=(const MatmulPrecision&) = delete;

 private:
  Precision before_;
};

}  // namespace xtg::testing
