#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "tensor/error.hpp"
#include "tensor/safetensors.hpp"

#ifndef XTGRAD_REFERENCE_DIR
#error "XTGRAD_REFERENCE_DIR must be defined as the folder tests/reference, in quotes"
#endif

namespace xtg {

/// Values made with PyTorch, for tests to compare the library with. What the files hold is said in make_reference.py.
///
///     const Reference norms("norms.safetensors");
///     const Reference::Case at = norms["batch_norm_train_nhwc"];
///     CHECK(relative_error(batch_norm_backward(at("dy"), at("x"), …), at("dx")) < 1e-6);
///
/// A file that cannot be read gives FormatError; a key that is not there, ValueError with file and key.
struct Reference {
  /// The arrays whose keys begin with "<name>/". Valid as long as its Reference.
  struct Case {
    const Tensor& operator()(const std::string& key) const { return (*reference)(name + "/" + key); }
    const Indices& integers(const std::string& key) const { return reference->integers(name + "/" + key); }
    double number(const std::string& key) const { return reference->number(name + "/" + key); }
    int integer(const std::string& key) const { return reference->integer(name + "/" + key); }
    bool has(const std::string& key) const { return reference->has(name + "/" + key); }

    const Reference* reference;
    std::string name;
  };

  explicit Reference(const std::string& file)
      : path(std::string(XTGRAD_REFERENCE_DIR) + "/" + file), contents(load_safetensors(path)) {}

  const Tensor& operator()(const std::string& key) const { return find(contents.tensors, key, "tensor"); }
  const Indices& integers(const std::string& key) const { return find(contents.integers, key, "integers"); }

  /// A setting, an array of shape (): eps, momentum, label_smoothing, …
  double number(const std::string& key) const { return static_cast<double>(single((*this)(key), key)); }

  /// A setting that is a whole number or a flag: groups, stride, padding, nesterov, …
  int integer(const std::string& key) const { return static_cast<int>(single(integers(key), key)); }

  bool has(const std::string& key) const { return contents.tensors.count(key) + contents.integers.count(key) > 0; }

  Case operator[](const std::string& name) const { return {this, name}; }

  std::string path;
  SafeTensors contents;

 private:
  template <class Array>
  const Array& find(const std::map<std::string, Array>& arrays, const std::string& key, const char* kind) const {
    const auto found = arrays.find(key);
    if (found == arrays.end()) throw ValueError(fmt::format("{}: no {} '{}'", path, kind, key));
    return found->second;
  }

  template <class Array>
  typename Array::value_type single(const Array& array, const std::string& key) const {
    if (array.size() != 1) throw ValueError(fmt::format("{}: '{}' is not a single value", path, key));
    return array.data()[0];
  }
};

/// max|found − expected| / max|expected|. Infinite, and so above any tolerance, when the shapes differ, a value is not
/// finite, or `expected` is zero throughout and `found` is not.
inline double relative_error(const Tensor& found, const Tensor& expected) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (found.shape() != expected.shape()) return infinity;
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double f = found.data()[i], e = expected.data()[i];
    if (!std::isfinite(f) || !std::isfinite(e)) return infinity;
    difference = std::max(difference, std::abs(f - e));
    largest = std::max(largest, std::abs(e));
  }
  if (difference == 0) return 0;
  return largest == 0 ? infinity : difference / largest;
}

}  // namespace xtg
