#pragma once

#include <array>
#include <string>

#include "tensor/conv2d.hpp"

namespace xtg::testing {

constexpr std::array<Conv2dPass, 3> kPasses = {Conv2dPass::Forward, Conv2dPass::BackwardInput,
                                               Conv2dPass::BackwardWeight};
constexpr std::array<Conv2dAlgorithm, 3> kAlgorithms = {Conv2dAlgorithm::Direct, Conv2dAlgorithm::Blocked,
                                                        Conv2dAlgorithm::Winograd};

/// Puts back, at its end, the algorithms that were set at its beginning.
class KeepAlgorithms {
 public:
  KeepAlgorithms() : before_(conv2d_algorithms()) {}
  ~KeepAlgorithms() { set_conv2d_algorithms(before_); }
  KeepAlgorithms(const KeepAlgorithms&) = delete;
  KeepAlgorithms& operator=(const KeepAlgorithms&) = delete;

 private:
  std::string before_;
};

}  // namespace xtg::testing
