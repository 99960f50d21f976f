#pragma once

// tensor/ is arithmetic on arrays; nothing here knows about gradients. This is the folder's first file and the only
// header of the library that names xtensor. Read on in create.hpp, elementwise.hpp, reduce.hpp and linalg.hpp;
// kernels/ holds the fast loops and can be skipped on a first reading.

#include <cstdint>
#include <vector>

#if __has_include(<xtensor/containers/xarray.hpp>)  // 0.26 and later; not tried yet
#include <xtensor/containers/xarray.hpp>
#else
#include <xtensor/xarray.hpp>
#endif

#include "allocator.hpp"
#include "error.hpp"

#if defined(XTGRAD_DOUBLE) != defined(xtg)
#error "xtgrad: -DXTGRAD_DOUBLE and -Dxtg=xtg64 go together, for the library xtgrad64; for xtgrad give neither"
#endif
#ifdef XTENSOR_USE_XSIMD
#error "xtgrad: do not define XTENSOR_USE_XSIMD, it changes the type of every array with the compiler's flags"
#endif

namespace xtg {

/// The one scalar type of a build: float in the library `xtgrad`, double in `xtgrad64`. Same sources, same names: those
/// who compile for the latter, with -DXTGRAD_DOUBLE -Dxtg=xtg64 (pkg-config, Meson and CMake say so), write xtg:: all
/// the same; compiler and linker see two namespaces, which cannot be mixed.
#ifdef XTGRAD_DOUBLE
using Scalar = double;
#else
using Scalar = float;
#endif

/// Sizes along the axes, outermost first; {} is the shape of a scalar.
using Shape = xt::xarray<Scalar>::shape_type;

std::size_t count(const Shape& shape);  // shape.hpp

/// A dense array, contiguous and row-major, of any number of axes. Copying copies the numbers. It holds an xtensor
/// array and is deliberately not one: an xtensor expression is lazy, can read memory that is gone when it is kept with
/// `auto`, and sums floats one after the other; and for an argument of its own types the compiler finds xt::sum,
/// xt::exp or xt::where before the functions of this library, without a word.
template <class T>
class Array {
 public:
  using value_type = T;
  using Xtensor = xt::xarray<T, xt::layout_type::row_major, Allocator<T>>;

  /// A scalar, 0.
  Array() : Array(Shape{}, T{0}) {}
  /// The elements are not set. Throws ShapeError, here and below, for more elements than kMostElements (shape.hpp).
  explicit Array(const Shape& shape) : array_(counted(shape)) {}
  Array(const Shape& shape, T value) : array_(counted(shape), value) {}

  const Shape& shape() const { return array_.shape(); }
  std::size_t dimension() const { return array_.dimension(); }
  std::size_t size() const { return array_.size(); }
  T* data() { return array_.data(); }
  const T* data() const { return array_.data(); }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }

  /// The element at these positions along the axes; not checked.
  template <class... Positions>
  T& operator()(Positions... positions) {
    return array_(static_cast<std::size_t>(positions)...);
  }
  template <class... Positions>
  const T& operator()(Positions... positions) const {
    return array_(static_cast<std::size_t>(positions)...);
  }

  /// The number of a one-element array. Throws ShapeError for any other size.
  T item() const {
    require<ShapeError>(size() == 1, "item: expected one element, shape is ({})", fmt::join(shape(), ", "));
    return data()[0];
  }

  /// Shape and every element are equal.
  friend bool operator==(const Array& a, const Array& b) { return a.array_ == b.array_; }
  friend bool operator!=(const Array& a, const Array& b) { return !(a == b); }

  /// For code that wants xtensor's own functions.
  Xtensor& xtensor() { return array_; }
  const Xtensor& xtensor() const { return array_; }

 private:
  static const Shape& counted(const Shape& shape) {
    count(shape);
    return shape;
  }

  Xtensor array_;
};

/// What the library computes with.
using Tensor = Array<Scalar>;

/// Integers: class labels, positions. Never stored as floating point.
using Indices = Array<std::int64_t>;

/// The result of a comparison: 1 where it holds, else 0.
struct Mask {
  Shape shape;
  std::vector<unsigned char, Allocator<unsigned char>> values;
};

/// Axis numbers; a negative one counts from the end.
using Axes = std::vector<int>;

}  // namespace xtg
