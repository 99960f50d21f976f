#pragma once

// How a wrong result gets a name. A model computes the same thing with any of the typical mistakes built in; the
// mistake whose result is the student's on every probe is the one that was made.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/tensor.hpp"

namespace xtg::assignment {

struct Mistake {
  const char* id;          // "F1"
  const char* hint;        // what to think about; never the solution
  const char* alone = "";  // what is true of the numbers besides, if no second mistake is made
};

/// Bit i set: mistake i of a list is made.
using Mistakes = std::uint64_t;
inline bool made(Mistakes mistakes, std::size_t i) { return ((mistakes >> i) & 1) != 0; }

/// What is compared on one probe.
using Outputs = std::vector<Tensor>;

struct Diagnosis {
  std::size_t probes;                                   // how many there are
  std::function<Outputs(std::size_t probe)> student;    // what the student's code gives; may throw
  std::function<Outputs(std::size_t, Mistakes)> model;  // the same with these mistakes
  std::size_t matrices = 0;                             // so many of them are matrices, and come first
};

/// "[F1] hint" of the mistake that explains the student's results on all probes, "[F1+F4] …" if it takes two at once,
/// "" if none does. Probes on which the student's code throws do not count. What explains the results on all matrices,
/// but not on images, is named with a word about that.
std::string diagnose(const std::vector<Mistake>& known, const Diagnosis& diagnosis);

}  // namespace xtg::assignment
