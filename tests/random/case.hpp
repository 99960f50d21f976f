#pragma once

// Random cases of every operation, each beside a slow computation of its own: what the operation is, in loops over long
// doubles, which share nothing with the library. The files of the families draw the cases (elementwise.cpp,
// reductions.cpp, …), check.cpp compares, operations_test.cpp runs them.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/functional.hpp"
#include "tensor/random.hpp"
#include "tensor/safetensors.hpp"
#include "tests/testing.hpp"

namespace xtg::random_cases {

using Real = long double;
using V = const Variables&;

/// An array of the slow computation, row-major.
struct Numbers {
  Shape shape;
  std::vector<Real> v;
};

/// Its result. scale_i is the size of the numbers that y_i is made of, such as Σ|x| for a sum, of which rounding errors
/// are a small part; empty for |y|.
struct Answer {
  Shape shape;
  std::vector<Real> y, scale = {};
};

std::vector<Numbers> numbers_of(const std::vector<Tensor>& inputs);

using Reference = std::function<Answer(const std::vector<Numbers>&)>;

/// One call of an operation, and what is claimed of it.
struct Case {
  std::string call;  // as Python would write it, of x0, x1, …: tests/reference/compare_random.py reads it
  Function function;
  Reference reference;
  std::vector<Tensor> inputs;
  /// How far each element must move for the function to bend: differences are taken with a millionth of it.
  std::vector<std::vector<Real>> reach;
  double ulps = 4;  // of scale, that the value may differ from the reference by; 0.501 where it is rounded once
  double gradient_ulps = 32;  // of Σ_i |dy_i·∂y_i/∂x_j|, for the gradient
  /// The size of what cancels inside of the derivatives by each element, for |dy| of about 1; of the first inputs, and
  /// 0 for the others.
  std::vector<std::vector<Real>> slack = {};
  int order = 2;            // of derivatives that are compared; 0: the value alone, which must not be recorded
  bool differences = true;  // false where the derivatives cannot be compared; then the value alone is
};

/// What the numbers of a case are like.
enum class Kind {
  Normal,     // standard normal
  Integers,   // −2 … 2, so that there are ties, and zeros of both signs
  Offset,     // standard normal, far from 0
  Small,      // about 1e-18
  Large,      // about 1e18
  Edges,      // normal, and some of 0, ±1e18, ±1e-18, ±20, ±1000
  NotFinite,  // normal, and some of ±∞ and NaN: the value alone is compared
};

enum class Domain { Any, Positive, AboveMinusOne };

/// A source of random cases; the same seed gives the same case.
class Draw {
 public:
  explicit Draw(std::uint64_t seed);

  std::size_t below(std::size_t n) { return generator.below(n); }
  bool chance(double p) { return generator.uniform() < p; }
  template <class T>
  T one_of(const std::vector<T>& list) {
    return list[below(list.size())];
  }
  /// Kind::Normal in half of the cases, else one of these.
  void choose(const std::vector<Kind>& kinds);
  /// Few elements, mostly; now and then thousands, for the kernels' long loops. Sizes are unequal, 1 often, 0 seldom.
  Shape shape(std::size_t lowest_rank, std::size_t highest_rank, bool may_be_empty = true);
  std::size_t size(std::size_t most = 9);
  /// A shape that broadcasts to this one.
  Shape broadcast_from(const Shape& shape);
  int axis(std::size_t rank);   // from the front or from the back
  Axes axes(std::size_t rank);  // some of them, in any order; {} for all
  Indices positions(const Shape& shape, std::size_t n);
  Tensor values(const Shape& shape, Domain domain = Domain::Any);
  double number() { return generator.uniform(-3, 3); }

  Generator generator;
  Kind kind = Kind::Normal;
  bool large;  // thousands of elements

 private:
  double value();
  double offset_ = 0;
};

struct Operation {
  std::string name;
  std::function<Case(Draw&)> draw;
};

std::vector<Operation> elementwise_operations();
std::vector<Operation> reduction_operations();
std::vector<Operation> shaping_operations();  // other shapes, other places, several inputs, positions
std::vector<Operation> product_operations();
std::vector<Operation> window_operations();  // convolutions and pooling
std::vector<Operation> norm_operations();
std::vector<Operation> loss_operations();  // and softmax and dropout
std::vector<Operation> operations();       // all of them

/// How much was compared.
struct Tally {
  std::size_t cases = 0, values = 0, gradients = 0, kinks = 0, second = 0;
};

/// "" if all is well, else what is not. `seed` is that of the cotangents.
std::string check(const Case& c, std::uint64_t seed, Tally& tally);

/// The case with what the library makes of it, for tests/reference/compare_random.py.
void store(const Case& c, std::uint64_t seed, SafeTensors& file);

// For writing cases.

/// Each element's own size, at most `most`: 1 where a function bends there, as e^x does; 1 for 0.
std::vector<Real> reach_of(const Tensor& x, Real most = HUGE_VALL);
/// The size of the numbers of a kind.
std::vector<Real> reach_of(const Tensor& x, Kind kind);

/// `value` for each element.
inline std::vector<Real> constant_of(const Tensor& x, Real value) { return std::vector<Real>(x.size(), value); }

/// Whether an element is 0 but for rounding, so that a relu behind it may go either way.
bool near_zero(const Answer& z, double ulps);

/// Where an element comes from, or goes to: nowhere is 0.
struct Place {
  std::size_t input = 0, offset = 0;
  bool nowhere = false;
};
/// The elements at these places, rearranged and not changed.
Reference moved(const Shape& shape, std::vector<Place> places);
/// Zeros with each element of the one input added at its place, or at its offset.
Reference added(const Shape& shape, std::vector<Place> places);
Reference added(const Shape& shape, const std::vector<std::size_t>& offsets);

inline std::string text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }
inline std::string text(const Axes& axes) { return fmt::format("[{}]", fmt::join(axes, ", ")); }
inline std::string text(const Indices& indices) {
  return fmt::format("indices([{}], {})", fmt::join(indices.begin(), indices.end(), ", "), text(indices.shape()));
}
inline std::string text(const Tensor& x) {
  const std::vector<double> values(x.begin(), x.end());  // a float in its own digits would be another number in double
  return fmt::format("array([{}], {})", fmt::join(values, ", "), text(x.shape()));
}
/// A number as the library gets it.
inline Real real(Scalar v) { return static_cast<Real>(v); }
inline double exact(Scalar v) { return static_cast<double>(v); }
inline const char* truth(bool b) { return b ? "True" : "False"; }

}  // namespace xtg::random_cases
