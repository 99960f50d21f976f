#include "assignment/grader/part5.hpp"

#include <cmath>
#include <map>
#include <set>

#include "assignment/grader/compare.hpp"
#include "assignment/grader/report.hpp"
#include "assignment/grader/tape.hpp"
#include "assignment/grader/training.hpp"
#include "nn/models/resnet.hpp"
#include "tensor/shape.hpp"

namespace xtg::assignment {
namespace {

using nn::NormKind;

constexpr std::size_t kWidth = 8;

std::unique_ptr<nn::Module> make_narrow(const MakeNetwork& make, NormKind kind = NormKind::Batch) {
  Generator generator(3);
  return make(kWidth, 10, kind, 4, generator);
}

Tensor images(std::size_t n) {
  Generator generator(81);
  return random_normal({n, 32, 32, 3}, generator);
}

struct Seen {
  std::map<std::string, Shape> in, out;  // of each direct submodule, by its name
};

Seen run(nn::Module& network, const Tensor& x) {
  Seen seen;
  for (const auto& [path, module] : network.named_modules()) {
    if (path.empty() || path.find('.') != std::string::npos) continue;
    module->add_forward_hook([&seen, path = path](nn::Module&, const Variable& input, const Variable& output) {
      seen.in[path] = input.shape();
      seen.out[path] = output.shape();
    });
  }
  network(Variable(x));
  return seen;
}

std::string judge_stem_size(const MakeNetwork& make) {
  const std::unique_ptr<nn::Module> network = make_narrow(make);
  const Seen seen = run(*network, images(2));
  if (seen.in.count("layer1") == 0) return "no module of the network is called layer1, or it does not run.";
  const Shape got = seen.in.at("layer1"), want = {2, 32, 32, kWidth};
  if (got == want) return "";
  const std::string text = "the first stage sees " + to_string(got) + ", expected " + to_string(want) + ": ";
  if (got.size() == 4 && got[1] == 8) return "[S6] " + text + "the stem divides by 4, as ImageNet's does.";
  if (got.size() == 4 && got[1] == 16) return "[S6] " + text + "something in the stem still halves the image.";
  if (got.size() == 4 && (got[1] == 30 || got[1] == 34 || got[1] == 28 || got[1] == 26))
    return "[S7] " + text + "which padding does a 3×3 convolution need to keep the size?";
  return text + "look at the stem's stride, padding and channels.";
}

std::string judge_sizes(const MakeNetwork& make) {
  const std::unique_ptr<nn::Module> network = make_narrow(make);
  const Seen seen = run(*network, images(2));
  std::vector<double> sides;
  bool right = true;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string name = "layer" + std::to_string(i + 1);
    if (seen.out.count(name) == 0) return "no module of the network is called " + name + ", or it does not run.";
    const Shape got = seen.out.at(name), want = {2, 32u >> i, 32u >> i, kWidth << i};
    sides.push_back(static_cast<double>(got[1]));
    right = right && got == want;
    if (got.size() == 4 && got[3] != want[3])
      return name + " has " + std::to_string(got[3]) + " channels, expected " + std::to_string(want[3]) + ".";
  }
  if (right) return "";
  const std::string text = "the stages give sides " + list(sides) + ", expected 32, 16, 8, 4: ";
  if (seen.in.at("layer1")[1] != 32) return judge_stem_size(make);
  if (sides[0] != 32) return "[S9] " + text + "the first stage has stride 1.";
  return "[S9] " + text + "look at the strides of the stages.";
}

std::string judge_no_pool(const MakeNetwork& make) {
  const std::unique_ptr<nn::Module> network = make_narrow(make);
  const std::set<std::string> names = operations((*network)(Variable(images(2))));
  if (names.count("conv2d") == 0) return "there is no convolution on the tape of the logits.";
  if (names.count("max_pool2d") != 0) return "[S6] there is still a max-pooling on the tape: ImageNet's stem has one.";
  for (const auto& [name, parameter] : network->named_parameters())
    if (name == "conv1.weight" && parameter.shape() != Shape{kWidth, 3, 3, 3})
      return "[S10] the weight of conv1 is " + to_string(parameter.shape()) + ", expected " +
             to_string(Shape{kWidth, 3, 3, 3}) + ".";
  return "";
}

std::string judge_parameters(const MakeNetwork& make, std::size_t classes, long long expected) {
  Generator generator(3);
  const std::unique_ptr<nn::Module> network = make(64, classes, NormKind::Batch, 8, generator);
  const auto got = static_cast<long long>(network->parameter_count());
  if (got == expected) return "";
  const std::string text = std::to_string(got) + " parameters, expected " + std::to_string(expected) + ": ";
  const std::map<long long, const char*> causes = {
      {64, "64 too many, as many as a bias of conv1 has. What does the norm after it do to a bias?"},
      {7680, "7,680 too many, as many as a 7×7 kernel has more than a 3×3 one."},
      {7744, "as many too many as a 7×7 kernel with a bias."},
      {-128, "128 too few, as many as the stem's norm has."},
      {-64, "64 too few: gamma and beta of the stem's norm, but for a bias of conv1?"},
      {-static_cast<long long>(classes), "as many too few as the linear layer's bias has."}};
  const auto cause = causes.find(got - expected);
  return "[S10] " + text +
         (cause != causes.end() ? cause->second : "compare the layers one by one with the list above.");
}

std::string judge_instance(const MakeNetwork& make) {
  const std::unique_ptr<nn::Module> network = make_narrow(make, NormKind::Instance);
  Tensor logits;
  try {
    logits = (*network)(Variable(images(16))).value();
  } catch (const ValueError& e) {
    return std::string("[S8] instance norm refuses (") + e.what() +
           "): a map of one pixel is its own mean. How large are the maps of the last stage?";
  }
  double spread = 0;
  for (std::size_t k = 0; k < 10; ++k) {
    double mean = 0, square = 0;
    for (std::size_t n = 0; n < 16; ++n) mean += static_cast<double>(logits(n, k)) / 16;
    for (std::size_t n = 0; n < 16; ++n) square += std::pow(static_cast<double>(logits(n, k)) - mean, 2) / 16;
    spread += std::sqrt(square) / 10;
  }
  return spread > 1e-3 ? ""
                       : "[S8] with instance norm the logits of 16 images differ by only " + list({spread}) +
                             ": the network says the same to all. How large are the maps of the last stage?";
}

std::string judge_beats(const MakeNetwork& make) {
  const TrainingSettings settings = {0.2, 32, 24, 128};
  Generator generator(3);
  nn::ImageNetResNetOptions options;
  options.width = kWidth;
  options.stem = nn::Stem::ImageNet;
  nn::ImageNetResNet imagenet(options, generator);
  const std::unique_ptr<nn::Module> network = make_narrow(make);
  const double own = tail_mean(train(*network, settings)), other = tail_mean(train(imagenet, settings));
  if (own < other) return "";
  const std::string size = judge_sizes(make);
  if (!size.empty()) return size;
  return "after 24 steps on 128 images the loss is " + list({own}) + ", with ImageNet's stem " + list({other}) +
         ": it should be lower.";
}

}  // namespace

int grade_part5(const MakeNetwork& make) {
  Report report("part 5: the stem for small images");
  report.check("P5.stem", "the stem keeps 32×32", 2, [&] { return judge_stem_size(make); });
  report.check("P5.sizes", "the stages see 32, 16, 8, 4", 4, [&] { return judge_sizes(make); });
  report.check("P5.no_pool", "a 3×3 convolution and no max-pooling", 3, [&] { return judge_no_pool(make); });
  report.check(
      "P5.parameters10", "parameters for 10 classes", 2, [&] { return judge_parameters(make, 10, 11'173'962); }, 20);
  report.check(
      "P5.parameters100", "parameters for 100 classes", 2, [&] { return judge_parameters(make, 100, 11'220'132); }, 20);
  report.check(
      "P5.instance", "with instance norm the logits tell images apart", 3, [&] { return judge_instance(make); }, 20);
  report.check(
      "P5.beats", "learns faster than with ImageNet's stem", 4, [&] { return judge_beats(make); }, 40);
  return report.finish();
}

}  // namespace xtg::assignment
