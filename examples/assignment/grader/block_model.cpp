#include "assignment/grader/block_model.hpp"

#include <cmath>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/random.hpp"

namespace xtg::assignment {
namespace {

enum Block : std::size_t {
  NoFirstRelu,
  NoSecondRelu,
  ReluBeforeAdd,
  ReluTwice,
  NoLastRelu,
  StrideFirst,
  StrideLast,
  NoShortcut,
  NoNorm1,
  NoNorm2,
  NoNorm3,
  NoShortcutNorm,
  NormAfterRelu,
  ReluOnShortcut,
  Norm1Twice,
  NoBranch,
  AddedInside
};
enum Stem : std::size_t { BatchStem, NoStemNorm, NoStemRelu, StemNormLast, NoPool };

Variable normalized(const Variable& x, const Parameters& p, const std::string& name, nn::NormKind kind,
                    std::size_t groups) {
  const Variable &gamma = p.at(name + ".weight"), &beta = p.at(name + ".bias");
  switch (kind) {
    case nn::NormKind::Batch:
      return nn::batch_norm(x, gamma, beta, 1e-5);
    case nn::NormKind::Layer:
      return nn::layer_norm(x, gamma, beta, 3, 1e-5);
    case nn::NormKind::Instance:
      return nn::instance_norm(x, gamma, beta, 1e-5);
    case nn::NormKind::Group:
      return nn::group_norm(x, gamma, beta, groups, 1e-5);
    case nn::NormKind::None:
      break;
  }
  return x;
}

void add_convolution(Parameters& p, const std::string& name, const Shape& shape, Generator& generator) {
  const double fan_in = static_cast<double>(shape[1] * shape[2] * shape[3]);
  p[name + ".weight"] = Variable(random_normal(shape, generator, 1 / std::sqrt(fan_in)), true);
}

void add_norm(Parameters& p, const std::string& name, std::size_t channels, Generator& generator) {
  p[name + ".weight"] = Variable(random_uniform({channels}, generator, 0.5, 2), true);
  p[name + ".bias"] = Variable(random_normal({channels}, generator, 0.5), true);
}

}  // namespace

const std::vector<Mistake> kBlockMistakes = {
    {"D1", "the relu after the first norm is missing."},
    {"D1", "the relu after the second norm is missing."},
    {"D2", "the last relu acts on the branch, before the sum: where does it stand in relu(branch(x) + shortcut(x))?"},
    {"D2", "the branch ends with a relu of its own: there is one after the sum only."},
    {"D2", "the relu after the sum is missing."},
    {"D3",
     "the stride is in the first 1×1 convolution: it would skip three of four pixels. Which convolution sees their "
     "neighbours?"},
    {"D3", "the stride is in the last convolution."},
    {"D4", "the shortcut is missing: y is the branch alone."},
    {"D5", "norm1 is not used."},
    {"D5", "norm2 is not used."},
    {"D5", "norm3 is not used: the branch ends with a norm."},
    {"D6", "the shortcut's norm is not used: its convolution is followed by one, too."},
    {"D7", "norm and relu have changed places: convolution, norm, relu."},
    {"D8", "there is a relu on the shortcut."},
    {"D5", "norm1 is used twice, and norm2 not at all."},
    {"D4", "the branch is missing: y is the shortcut alone."},
    {"D4", "the shortcut is added before the last norm."},
};

const std::vector<Mistake> kStemMistakes = {
    {"S1",
     "the stem has a batch norm, whatever is asked for: a network \"with layer norm\" would still mix its images."},
    {"S2", "the stem's norm is not used."},
    {"S3", "the stem's relu is missing."},
    {"S4", "norm and relu have changed places in the stem."},
    {"S6", "the max-pooling is missing: the shape is twice as large as expected."},
};

Parameters block_parameters(const BlockSizes& s) {
  Generator generator(71);
  Parameters p;
  add_convolution(p, "conv1", {s.width, 1, 1, s.in}, generator);
  add_convolution(p, "conv2", {s.width, 3, 3, s.width}, generator);
  add_convolution(p, "conv3", {4 * s.width, 1, 1, s.width}, generator);
  add_norm(p, "norm1", s.width, generator);
  add_norm(p, "norm2", s.width, generator);
  add_norm(p, "norm3", 4 * s.width, generator);
  if (!s.projects()) return p;
  add_convolution(p, "shortcut_conv", {4 * s.width, 1, 1, s.in}, generator);
  add_norm(p, "shortcut_norm", 4 * s.width, generator);
  return p;
}

Parameters stem_parameters(std::size_t channels) {
  Generator generator(72);
  Parameters p;
  add_convolution(p, "conv", {channels, 7, 7, 3}, generator);
  add_norm(p, "norm", channels, generator);
  return p;
}

Variable block_model(const Variable& x, const Parameters& p, const BlockSizes& s, nn::NormKind kind, std::size_t groups,
                     Mistakes m) {
  const auto norm = [&](const Variable& h, const char* name, Block skipped) {
    return made(m, skipped) ? h : normalized(h, p, name, kind, groups);
  };
  const auto activated = [&](const Variable& h, const char* name, Block skipped, Block no_relu) {
    if (made(m, no_relu)) return norm(h, name, skipped);
    return made(m, NormAfterRelu) ? norm(relu(h), name, skipped) : relu(norm(h, name, skipped));
  };
  const std::size_t first = made(m, StrideFirst) ? s.stride : 1, last = made(m, StrideLast) ? s.stride : 1;
  Variable shortcut = x;
  if (s.projects())
    shortcut = norm(conv2d(x, p.at("shortcut_conv.weight"), {}, s.stride), "shortcut_norm", NoShortcutNorm);
  if (made(m, ReluOnShortcut)) shortcut = relu(shortcut);
  Variable h = activated(conv2d(x, p.at("conv1.weight"), {}, first), "norm1", NoNorm1, NoFirstRelu);
  h = conv2d(h, p.at("conv2.weight"), {}, first * last == 1 ? s.stride : 1, 1);
  h = activated(h, made(m, Norm1Twice) ? "norm1" : "norm2", NoNorm2, NoSecondRelu);
  h = conv2d(h, p.at("conv3.weight"), {}, last);
  if (made(m, AddedInside)) return relu(norm(h + shortcut, "norm3", NoNorm3));
  h = norm(h, "norm3", NoNorm3);
  if (made(m, NoShortcut)) return relu(h);
  if (made(m, NoBranch)) return relu(shortcut);
  if (made(m, ReluBeforeAdd)) return relu(h) + shortcut;
  if (made(m, ReluTwice)) h = relu(h);
  return made(m, NoLastRelu) ? h + shortcut : relu(h + shortcut);
}

Variable stem_model(const Variable& x, const Parameters& p, nn::NormKind kind, std::size_t groups, Mistakes m) {
  Variable h = conv2d(x, p.at("conv.weight"), {}, 2, 3);
  if (made(m, BatchStem)) kind = nn::NormKind::Batch;
  if (made(m, StemNormLast))
    h = normalized(relu(h), p, "norm", kind, groups);
  else if (!made(m, NoStemNorm))
    h = normalized(h, p, "norm", kind, groups);
  if (!made(m, NoStemRelu) && !made(m, StemNormLast)) h = relu(h);
  return made(m, NoPool) ? h : max_pool2d(h, 3, 2, 1);
}

std::string load(nn::Module& module, const Parameters& parameters) {
  std::string missing, extra, shapes;
  std::map<std::string, Variable> there;
  for (const auto& [name, parameter] : module.named_parameters()) there[name] = parameter;
  for (const auto& [name, parameter] : parameters) {
    const auto found = there.find(name);
    if (found == there.end())
      missing += " " + name;
    else if (found->second.shape() != parameter.shape())
      shapes += " " + name;
    else
      found->second.mutable_value() = parameter.value();
  }
  for (const auto& [name, parameter] : there)
    if (parameters.count(name) == 0) extra += " " + name;
  std::string text;
  if (!missing.empty()) text += "no parameter is called" + missing + ". ";
  if (!extra.empty()) text += "there should be no parameter" + extra + ". ";
  if (!shapes.empty()) text += "of another shape than expected:" + shapes + ". ";
  return text;
}

}  // namespace xtg::assignment
