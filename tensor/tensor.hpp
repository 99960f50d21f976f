#pragma once

// tensor/ is arithmetic on arrays; nothing here knows about gradients. This is the folder's first file and the only
// header of the library that names xtensor. Read on in create.hpp, elementwise.hpp, reduce.hpp and linalg.hpp;
// kernels/ holds the fast loops and can be skipped on a first reading.

#include <cstdint>
#include <vector>

#include <xtensor/xarray.hpp>

#include "tensor/allocator.hpp"
#include "tensor/error.hpp"

#ifdef XTENSOR_USE_XSIMD
#error "xtgrad: do not define XTENSOR_USE_XSIMD, it changes the type of every array with the compiler's flags"
#endif

namespace xtg {

/// The one scalar type of a build: float in the library `xtgrad`, double in `xtgrad64` (compile with -DXTGRAD_DOUBLE;
/// pkg-config does). Same sources, same names.
#ifdef XTGRAD_DOUBLE
using Scalar = double;
#else
using Scalar = float;
#endif

/// A dense array of Scalar, contiguous and row-major, of any number of axes. Copying copies the numbers.
/// Do arithmetic with the functions of this library: an xtensor expression is lazy, and one that is kept with `auto`
/// or nested in a reduction can silently read memory that is gone.
using Tensor = xt::xarray<Scalar, xt::layout_type::row_major, Allocator<Scalar>>;

/// Integer arrays: class labels, positions. Never stored as floating point.
using Indices = xt::xarray<std::int64_t, xt::layout_type::row_major, Allocator<std::int64_t>>;

/// Sizes along the axes, outermost first; {} is the shape of a scalar.
using Shape = Tensor::shape_type;

/// The result of a comparison: 1 where it holds, else 0. A type of our own, since xtensor's free functions `where`,
/// `greater` and so on would otherwise be found for it, and they are lazy.
struct Mask {
  Shape shape;
  std::vector<unsigned char, Allocator<unsigned char>> values;
};

/// Axis numbers; a negative one counts from the end.
using Axes = std::vector<int>;

// Linking the float library into a program compiled for double (or the reverse) fails with this name.
#ifdef XTGRAD_DOUBLE
extern const int xtgrad64_is_built_for_double;
[[gnu::used]] static const int* const xtgrad_link_guard = &xtgrad64_is_built_for_double;
#else
extern const int xtgrad_is_built_for_float;
[[gnu::used]] static const int* const xtgrad_link_guard = &xtgrad_is_built_for_float;
#endif

}  // namespace xtg
