#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.hpp"

namespace xtg::assignment {

/// ‖a − b‖₂/‖b‖₂, b the reference; infinite for another shape or a value of `a` that is not finite. Against zeros the
/// norm of `a` itself.
double l2_error(const Tensor& a, const Tensor& b);

/// The same shape, and the same numbers to 1e-8 (relative L2) with NaN and infinities at the same places.
bool same_answer(const Tensor& a, const Tensor& b);

/// "" if `a` is right: of b's shape, finite, and within `tolerance` (relative L2) of it. Otherwise what is plainly
/// wrong with it, beginning with `name`: the shape, a NaN, zeros only. Or "?" if it is just other numbers.
std::string plain_fault(const std::string& name, const Tensor& a, const Tensor& b, double tolerance = 1e-9);

/// The first n rows of t (…, C), as a matrix (n, C).
Tensor first_rows(const Tensor& t, std::size_t n);

/// Whether a begins with the numbers of b, in row-major order.
bool begins_with(const Tensor& a, const Tensor& b);

/// "dx is right in columns 0, 3, wrong in 1, 2: …"; "" if all columns are right, or all wrong. Column c is what has the
/// index c on the last axis.
std::string columns_fault(const std::string& name, const Tensor& a, const Tensor& b, double tolerance = 1e-9);

/// "0.5, 2, −1": a few digits each, of all or the first six.
std::string list(const std::vector<double>& values);

}  // namespace xtg::assignment
