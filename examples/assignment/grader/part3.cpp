#include "assignment/grader/part3.hpp"

#include <cmath>

#include "assignment/grader/block_model.hpp"
#include "assignment/grader/compare.hpp"
#include "assignment/grader/group_norm_model.hpp"
#include "assignment/grader/report.hpp"
#include "assignment/small_network.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/data/loader.hpp"
#include "nn/data/shapes.hpp"
#include "nn/norm/layer_norm.hpp"
#include "nn/optim/sgd.hpp"
#include "tensor/create.hpp"

namespace xtg::assignment {
namespace {

using nn::NormKind;

constexpr std::size_t kGroups = 2;
constexpr NormKind kKinds[] = {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group};

// 3.1: group norm.

std::string judge_group_forward(const Part3& part) {
  const std::vector<Probe> probes = {group_probe(), group_probe(0.1)};
  const auto student = [&](std::size_t i) {
    const Probe& p = probes[i];
    return part.group_norm(Variable(p.x), Variable(p.gamma), Variable(p.beta), kGroups, p.eps).value();
  };
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const std::string fault = plain_fault("y", student(i), group_forward_model(probes[i], kGroups, 0));
    if (fault.empty()) continue;
    const std::string named =
        diagnose(kGroupForwardMistakes,
                 {probes.size(), [&](std::size_t k) { return Outputs{student(k)}; },
                  [&](std::size_t k, Mistakes m) { return Outputs{group_forward_model(probes[k], kGroups, m)}; }});
    if (!named.empty()) return named;
    return fault != "?" ? fault + "." : "y is not that of group norm: check mean, variance, x_hat one by one.";
  }
  // The tape must be able to follow.
  const Probe& p = probes[0];
  const Variable x(p.x, true);
  const Variable y = part.group_norm(x, Variable(p.gamma), Variable(p.beta), kGroups, p.eps);
  if (!y.requires_grad()) return "y is right, but the tape was left: compute with Variables, not with their values.";
  y.backward(p.dy);
  return l2_error(x.grad(), group_backward_model(p, kGroups, 0)) < 1e-8
             ? ""
             : "y is right, but its gradient is not: a part was computed with values instead of Variables.";
}

std::string judge_group_backward(const Part3& part) {
  const std::vector<Probe> probes = {group_probe(), group_probe(0.1)};
  const auto student = [&](std::size_t i) {
    const Probe& p = probes[i];
    return part.group_norm_backward(p.dy, p.x, p.gamma, kGroups, p.eps);
  };
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const std::string fault = plain_fault("dx", student(i).dx, group_backward_model(probes[i], kGroups, 0));
    if (!fault.empty()) {
      const std::string named =
          diagnose(kGroupBackwardMistakes,
                   {probes.size(), [&](std::size_t k) { return Outputs{student(k).dx}; },
                    [&](std::size_t k, Mistakes m) { return Outputs{group_backward_model(probes[k], kGroups, m)}; }});
      if (!named.empty()) return named;
      return fault != "?" ? fault + "."
                          : "dx is not the gradient of group norm: compare with the tape's, term by term.";
    }
    const auto [dgamma, dbeta] = group_parameter_gradients(probes[i], kGroups);
    const BatchNormGradients got = student(i);
    if (same_answer(got.dgamma, dbeta) && same_answer(got.dbeta, dgamma))
      return "[B13] dgamma and dbeta have changed places.";
    for (const auto& [name, a, b] :
         {std::tuple<const char*, const Tensor&, const Tensor&>{"dgamma", got.dgamma, dgamma},
          {"dbeta", got.dbeta, dbeta}}) {
      const std::string parameter_fault = plain_fault(name, a, b);
      if (parameter_fault == "?")
        return std::string("[G9] dx is right, ") + name +
               " is not: gamma and beta belong to a channel, so their sums are over all images and places of a "
               "channel, "
               "not over a set.";
      if (!parameter_fault.empty()) return parameter_fault + ".";
    }
  }
  return "";
}

// 3.2: choose_norm.

/// Which norm behaves like this, for the hint.
std::string likeness(const Tensor& y, const Tensor& x, std::size_t channels) {
  for (const NormKind kind : kKinds)
    if (same_answer(y, (*nn::make_norm(kind, channels, kGroups))(Variable(x)).value()))
      return "this is " + to_string(kind) + " norm.";
  if (same_answer(y, (*nn::make_norm(NormKind::Group, channels, channels / kGroups))(Variable(x)).value()))
    return "these are groups of " + std::to_string(kGroups) + " channels, not " + std::to_string(kGroups) + " groups.";
  nn::LayerNorm per_place(channels, 1);
  if (same_answer(y, per_place(Variable(x)).value()))
    return "this is layer norm over the channels alone; over how many axes should it be?";
  return "it behaves like none of the four norms.";
}

std::string judge_kind(const Part3& part, NormKind kind) {
  const Probe p = group_probe();
  const std::size_t C = p.gamma.size();
  if (kind == NormKind::Batch && part.choose_norm(NormKind::None, C, kGroups) != nullptr)
    return "[G5] None must give null.";
  const std::unique_ptr<nn::Module> norm = part.choose_norm(kind, C, kGroups);
  if (norm == nullptr) return "choose_norm returns null for " + to_string(kind) + ".";
  const Tensor y = (*norm)(Variable(p.x)).value();
  if (!same_answer(y, (*nn::make_norm(kind, C, kGroups))(Variable(p.x)).value()))
    return "[G5] asked for " + to_string(kind) + " norm: " + likeness(y, p.x, C);
  if (norm->parameter_count() != 2 * C)
    return "[G7] " + std::to_string(norm->parameter_count()) + " parameters for " + std::to_string(C) +
           " channels, expected " + std::to_string(2 * C) + ": gamma and beta have one number a channel.";
  // Larger images must fit, too.
  const Tensor larger = random_probe(2 * 8 * 6, C, 62).x;
  Tensor image(Shape{2, 8, 6, C});
  std::copy(larger.begin(), larger.end(), image.begin());
  try {
    (*norm)(Variable(image));
  } catch (const std::exception& e) {
    return std::string("[G7] it was made for one size of image: ") + e.what();
  }
  return "";
}

// 3.3 and 3.4: blocks and the stem.

Tensor images(std::size_t channels, std::size_t height = 6) {
  Generator generator(73);
  Tensor x = random_normal({3, height, 4, channels}, generator);
  for (std::size_t i = 0; i < x.size(); ++i)  // so that other images are really others
    x.data()[i] = x.data()[i] * static_cast<Scalar>(1 + i / (4 * height * channels)) + static_cast<Scalar>(0.3);
  return x;
}

std::string judge_block(const Part3& part, const BlockSizes& sizes, NormKind kind) {
  Generator generator(1);
  const Parameters parameters = block_parameters(sizes);
  const std::unique_ptr<nn::Module> block =
      part.bottleneck(sizes.in, sizes.width, sizes.stride, kind, kGroups, generator);
  const std::string misfit = load(*block, parameters);
  if (!misfit.empty()) return "[D9] " + misfit + "(A convolution before a norm has no bias.)";
  const Variable x(images(sizes.in));
  const Tensor got = (*block)(x).value(), want = block_model(x, parameters, sizes, kind, kGroups, 0).value();
  const std::string fault = plain_fault("y", got, want);
  if (fault.empty()) return "";
  const std::string named = diagnose(
      kBlockMistakes,
      {1, [&](std::size_t) { return Outputs{got}; },
       [&](std::size_t, Mistakes m) { return Outputs{block_model(x, parameters, sizes, kind, kGroups, m).value()}; }});
  if (!named.empty()) return named;
  for (const NormKind other : kKinds)
    if (other != kind && same_answer(got, block_model(x, parameters, sizes, other, kGroups, 0).value()))
      return "[D10] asked for " + to_string(kind) + " norm, the block has " + to_string(other) + " norm.";
  for (const NormKind other : kKinds)
    for (const char* name : {"norm1", "norm2", "norm3", "shortcut_norm"})
      for (const auto& [path, module] : block->named_modules())
        if (path == name && other != kind && module->type_name() == nn::make_norm(other, 4, 2)->type_name())
          return std::string("[D10] ") + name + " is " + to_string(other) + " norm, asked for was " + to_string(kind) +
                 " norm.";
  return fault != "?" ? fault + "." : "y is not relu(branch(x) + shortcut(x)): compare the order of the layers.";
}

std::string judge_gradients(const Part3& part) {
  const BlockSizes sizes = {6, 4, 2};
  const std::string forward = judge_block(part, sizes, NormKind::Batch);
  if (!forward.empty()) return forward;
  Generator generator(1);
  const Parameters parameters = block_parameters(sizes);
  const std::unique_ptr<nn::Module> block = part.bottleneck(6, 4, 2, NormKind::Batch, kGroups, generator);
  load(*block, parameters);
  const Variable x(images(6), true), x_model(images(6), true);
  const Variable y = (*block)(x), want = block_model(x_model, parameters, sizes, NormKind::Batch, kGroups, 0);
  Generator random(74);
  const Tensor dy = random_normal(want.shape(), random);
  if (!y.requires_grad()) return "y does not hang on the tape: compute with Variables, not with their values.";
  y.backward(dy);
  want.backward(dy);
  if (l2_error(x.grad(), x_model.grad()) > 1e-9) return "the gradient that reaches x is wrong.";
  for (const auto& [name, parameter] : block->named_parameters()) {
    if (!parameter.has_grad()) return "no gradient reaches " + name + ".";
    if (l2_error(parameter.grad(), parameters.at(name).grad()) > 1e-9) return "the gradient of " + name + " is wrong.";
  }
  return "";
}

std::string judge_stem(const Part3& part) {
  for (const NormKind kind : {NormKind::Layer, NormKind::Batch, NormKind::Instance, NormKind::Group}) {
    Generator generator(1);
    const Parameters parameters = stem_parameters(8);
    const std::unique_ptr<nn::Module> stem = part.stem(8, kind, kGroups, generator);
    const std::string misfit = load(*stem, parameters);
    if (!misfit.empty()) {
      const std::string chosen = judge_kind(part, kind);
      return chosen.empty() ? "[S5] " + misfit : chosen;
    }
    const Variable x(images(3, 20));  // 10 × 2 after the convolution, 5 × 1 after pooling
    const Tensor got = (*stem)(x).value(), want = stem_model(x, parameters, kind, kGroups, 0).value();
    const std::string fault = plain_fault("y", got, want);
    if (fault.empty()) continue;
    const std::string named = diagnose(
        kStemMistakes,
        {1, [&](std::size_t) { return Outputs{got}; },
         [&](std::size_t, Mistakes m) { return Outputs{stem_model(x, parameters, kind, kGroups, m).value()}; }});
    if (!named.empty()) return named;
    const std::string chosen = judge_kind(part, kind);
    if (!chosen.empty()) return chosen;
    return fault != "?" ? fault + "." : "y is not max_pool(relu(norm(conv(x)))) with " + to_string(kind) + " norm.";
  }
  return "";
}

/// 20 steps on 32 drawn figures: from about ln 10 to less than 85 % of that.
std::string judge_drop(const Part3& part) {
  Generator generator(2);
  SmallNetwork network(part.stem(16, NormKind::Group, 4, generator),
                       part.bottleneck(16, 4, 1, NormKind::Group, 4, generator),
                       part.bottleneck(16, 8, 2, NormKind::Group, 4, generator), 10, generator);
  const nn::Dataset dataset = nn::make_shapes(32, 0, true);
  nn::LoaderOptions options;
  options.batch_size = 32;
  nn::Loader loader(dataset, nn::measure(dataset), options);
  loader.start(0);
  nn::Batch batch;
  loader.next(batch);
  nn::Sgd optimizer(network.named_parameters(), {0.9});
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    const Variable loss = cross_entropy(network(Variable(batch.images)), batch.labels);
    loss.backward();
    optimizer.step(0.2);
    last = static_cast<double>(loss.item());
    if (step == 0) first = last;
  }
  if (last < 0.85 * first) return "";
  for (const std::string& hint : {judge_kind(part, NormKind::Group), judge_block(part, {16, 4, 1}, NormKind::Group),
                                  judge_block(part, {16, 8, 2}, NormKind::Group), judge_stem(part)})
    if (!hint.empty()) return hint;
  return "20 steps on the same 32 images bring the loss from " + list({first}) + " only to " + list({last}) + ".";
}

}  // namespace

int grade_part3(const Part3& part) {
  Report report("part 3: four norms in a residual network");
  report.check("P3.group_norm", "group norm, forward", 3, [&] { return judge_group_forward(part); });
  report.check("P3.group_backward", "group norm, backward", 3, [&] { return judge_group_backward(part); });
  for (const NormKind kind : kKinds)
    report.check("P3." + to_string(kind), "choose_norm: " + to_string(kind), 1, [&] { return judge_kind(part, kind); });
  report.check("P3.bottleneck", "a bottleneck that keeps its shape", 3, [&] {
    return judge_block(part, {16, 4, 1}, NormKind::Batch);
  });
  report.check("P3.downsample", "a bottleneck with a downsample branch", 2, [&] {
    const std::string same_size = judge_block(part, {6, 4, 1}, NormKind::Batch);
    return same_size.empty() ? judge_block(part, {6, 4, 2}, NormKind::Batch) : same_size;
  });
  report.check("P3.gradients", "gradients reach every parameter", 1, [&] { return judge_gradients(part); });
  report.check("P3.kinds", "the other norms in the bottleneck", 2, [&] {
    for (const NormKind kind : {NormKind::Layer, NormKind::Instance, NormKind::Group}) {
      const std::string chosen = judge_kind(part, kind);
      if (!chosen.empty()) return chosen;
      const std::string hint = judge_block(part, {6, 4, 2}, kind);
      if (!hint.empty()) return hint;
    }
    return std::string();
  });
  report.check("P3.stem", "the stem's norm follows", 1, [&] { return judge_stem(part); });
  report.check(
      "P3.drop", "20 steps lower the loss", 1, [&] { return judge_drop(part); }, 20);
  return report.finish();
}

}  // namespace xtg::assignment
