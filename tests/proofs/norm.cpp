#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tests/proofs/table.hpp"

namespace xtg::proofs {
namespace {

using namespace xtg::nn;

constexpr double kEps = 0.01;  // large enough to show in every digit

/// f(x, gamma, beta), with undefined gamma and beta where the row has none.
template <class F>
Function affine(F f) {
  return [f](V v) { return v.size() == 3 ? f(v[0], v[1], v[2]) : f(v[0], Variable(), Variable()); };
}

/// relu(f(x, gamma, beta) + residual), without residual where the row has none.
template <class F>
Function with_epilogue(F f) {
  return [f](V v) { return f(v[0], v[1], v[2], Epilogue{true, v.size() > 3 ? v[3] : Variable()}); };
}

Function layer(std::size_t axes) {
  return affine([axes](const auto&... a) { return layer_norm(a..., axes, kEps); });
}

Function group(std::size_t groups) {
  return affine([groups](const auto&... a) { return group_norm(a..., groups, kEps); });
}

}  // namespace

std::vector<Proof> norm_rows() {
  const Function batch = affine([](const auto&... a) { return batch_norm(a..., kEps); });
  const Function instance = affine([](const auto&... a) { return instance_norm(a..., kEps); });
  const Tensor mean = tensor({0.5, -1, 0.25, 2}, {4}), var = tensor({0.75, 1.5, 3, 0.5}, {4});
  const Function eval = affine([=](const auto&... a) { return batch_norm_eval(a..., mean, var, kEps); });
  const Shape image = {2, 3, 5, 4};

  using Args = const Variable&;
  const Function batch_epilogue = with_epilogue([](Args x, Args g, Args b, const Epilogue& epilogue) {
    return batch_norm(x, g, b, kEps, std::nullopt, epilogue);
  });
  const Function eval_epilogue = with_epilogue([=](Args x, Args g, Args b, const Epilogue& epilogue) {
    return batch_norm_eval(x, g, b, mean, var, kEps, epilogue);
  });
  const Function layer_epilogue = with_epilogue(
      [](Args x, Args g, Args b, const Epilogue& epilogue) { return layer_norm(x, g, b, 3, kEps, epilogue); });
  const Function instance_epilogue = with_epilogue([](Args x, Args g, Args b, const Epilogue& epilogue) {
    return instance_norm(x, g, b, kEps, std::nullopt, epilogue);
  });
  const Function group_epilogue = with_epilogue(
      [](Args x, Args g, Args b, const Epilogue& epilogue) { return group_norm(x, g, b, 2, kEps, epilogue); });
  const std::vector<Input> plain = {{image}, {{4}}, {{4}}}, added = {{image}, {{4}}, {{4}}, {image}};
  return {
      {"batch_norm (N,C)", batch, {{{3, 2}}, {{2}}, {{2}}}, 3},
      {"batch_norm (N,H,W,C)", batch, {{image}, {{4}}, {{4}}}},
      {"batch_norm without gamma and beta", batch, {{{5, 4}}}},
      {"batch_norm_eval (N,H,W,C)", eval, {{image}, {{4}}, {{4}}}},
      {"batch_norm_eval without gamma and beta", eval, {{{5, 4}}}},
      {"layer_norm over C", layer(1), {{{3, 5}}, {{5}}, {{5}}}},
      {"layer_norm over L,C, gamma (L,C)", layer(2), {{{2, 3, 4}}, {{3, 4}}, {{3, 4}}}},
      {"layer_norm over H,W,C, gamma (C)", layer(3), {{image}, {{4}}, {{4}}}},
      {"layer_norm without gamma and beta", layer(2), {{{3, 5, 4}}}},
      {"instance_norm (N,L,C)", instance, {{{2, 5, 3}}, {{3}}, {{3}}}},
      {"instance_norm (N,H,W,C)", instance, {{image}, {{4}}, {{4}}}},
      {"instance_norm without gamma and beta", instance, {{{2, 5, 3}}}},
      {"group_norm (N,C)", group(2), {{{3, 6}}, {{6}}, {{6}}}},
      {"group_norm (N,H,W,C)", group(2), {{image}, {{4}}, {{4}}}},
      {"group_norm of one group", group(1), {{image}, {{4}}, {{4}}}},
      {"group_norm without gamma and beta", group(2), {{{3, 5, 4}}}},
      {"batch_norm with relu", batch_epilogue, plain},
      {"batch_norm with residual and relu", batch_epilogue, added},
      {"batch_norm_eval with relu", eval_epilogue, plain},
      {"batch_norm_eval with residual and relu", eval_epilogue, added, 1, kKink},
      {"layer_norm with relu", layer_epilogue, plain},
      {"layer_norm with residual and relu", layer_epilogue, added},
      {"instance_norm with relu", instance_epilogue, plain},
      {"instance_norm with residual and relu", instance_epilogue, added},
      {"group_norm with relu", group_epilogue, plain},
      {"group_norm with residual and relu", group_epilogue, added},
  };
}

}  // namespace xtg::proofs
