#include "autograd/ops/conv2d.hpp"

#include "autograd/ops/pool2d.hpp"
#include "tests/proofs/table.hpp"

namespace xtg::proofs {
namespace {

/// x, weight and, if there are three inputs, bias.
Function convolution(std::size_t stride, std::size_t padding, std::size_t dilation = 1, std::size_t groups = 1,
                     bool relu_follows = false) {
  return [=](V v) {
    return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), stride, padding, dilation, groups, relu_follows);
  };
}

/// Images (2, 4, 5, 3) under a 3×2 kernel, stride 2, padding 1: 2·3 places in each.
Conv2dGeometry geometry() { return conv2d_geometry({2, 4, 5, 3}, {1, 3, 2, 3}, 2, 1); }

}  // namespace

std::vector<Proof> conv2d_rows() {
  constexpr Domain distinct = Domain::Distinct;
  return {
      {"conv2d 3x3, bias", convolution(1, 1), {{{2, 4, 5, 3}}, {{6, 3, 3, 3}}, {{6}}}},
      {"conv2d 1x1, stride 2", convolution(2, 0), {{{2, 5, 4, 3}}, {{4, 1, 1, 3}}}},
      {"conv2d 3x2, stride 2, padding 1", convolution(2, 1), {{{2, 4, 5, 3}}, {{4, 3, 2, 3}}}},
      {"conv2d 2x3, dilation 2, bias", convolution(1, 0, 2), {{{2, 5, 6, 3}}, {{4, 2, 3, 3}}, {{4}}}},
      {"conv2d 3x2, stride 2, dilation 2", convolution(2, 2, 2), {{{2, 5, 6, 3}}, {{4, 3, 2, 3}}}},
      {"conv2d two groups, bias", convolution(1, 1, 1, 2), {{{2, 3, 5, 4}}, {{6, 3, 2, 2}}, {{6}}}},
      {"conv2d depthwise, stride 2", convolution(2, 1, 1, 3), {{{2, 5, 4, 3}}, {{6, 3, 3, 1}}}},
      {"conv2d image and kernel of one shape", convolution(1, 1), {{{2, 3, 4, 5}}, {{2, 3, 4, 5}}}},
      {"conv2d with relu, bias", convolution(1, 1, 1, 1, true), {{{2, 4, 5, 3}}, {{6, 3, 3, 3}}, {{6}}}},
      {"conv2d with relu, stride 2", convolution(2, 1, 1, 1, true), {{{2, 5, 4, 3}}, {{4, 3, 2, 3}}}},
      {"conv2d with relu, two groups, bias", convolution(1, 1, 1, 2, true), {{{2, 3, 5, 4}}, {{6, 3, 2, 2}}, {{6}}}},
      {"unfold", [](V v) { return unfold(v[0], geometry()); }, {{{2, 4, 5, 3}}}},
      {"fold", [](V v) { return fold(v[0], geometry()); }, {{{12, 18}}}},
      {"max_pool2d 3, stride 2, padding 1", [](V v) { return max_pool2d(v[0], 3, 2, 1); }, {{{2, 5, 4, 3}, distinct}}},
      {"max_pool2d 2, stride 2", [](V v) { return max_pool2d(v[0], 2, 2); }, {{{2, 5, 4, 3}, distinct}}},
      {"max_pool2d with ties", [](V v) { return max_pool2d(v[0], 3, 2, 1); }, {{{2, 5, 4, 3}}}, 1, kKink},
      {"avg_pool2d 3, stride 2, padding 1", [](V v) { return avg_pool2d(v[0], 3, 2, 1); }, {{{2, 5, 4, 3}}}},
      {"avg_pool2d 2, stride 2", [](V v) { return avg_pool2d(v[0], 2, 2); }, {{{2, 5, 4, 3}}}},
      {"global_avg_pool2d", of(global_avg_pool2d), {{{2, 4, 5, 3}}}},
  };
}

}  // namespace xtg::proofs
