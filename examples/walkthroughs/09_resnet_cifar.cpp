// A residual network for 32×32 images. The page: docs/09-resnet-cifar.md.

#include <cmath>
#include <xtgrad.hpp>

#include "network_drawing.hpp"
#include "resnet8.hpp"
#include "walkthrough.hpp"

namespace {

const char* yes_or_stop(bool holds, const char* claim) {
  if (!holds) throw std::runtime_error(std::string("not true: ") + claim);
  return "yes";
}

double number(const Tensor& x) { return static_cast<double>(x.item()); }
double norm(const Tensor& x) { return std::sqrt(number(sum(square(x)))); }
double l2_error(const Tensor& a, const Tensor& b) { return norm(a - b) / norm(b); }

// region: loops
/// x (H, W, I), weight (O, K, K, I), K odd, stride 1, zeros around -> (H, W, O).
Tensor convolution(const Tensor& x, const Tensor& weight) {
  const std::size_t H = x.shape()[0], W = x.shape()[1], I = x.shape()[2], O = weight.shape()[0], K = weight.shape()[1];
  Tensor y = zeros({H, W, O});
  for (std::size_t h = 0; h < H; ++h)
    for (std::size_t w = 0; w < W; ++w)
      for (std::size_t o = 0; o < O; ++o)
        for (std::size_t a = 0; a < K; ++a)  // a row down and b columns across in the kernel
          for (std::size_t b = 0; b < K; ++b) {
            const std::size_t row = h + a - K / 2, column = w + b - K / 2;
            if (row >= H || column >= W) continue;  // outside (below 0 an unsigned number is huge): a zero
            for (std::size_t i = 0; i < I; ++i) y(h, w, o) += x(row, column, i) * weight(o, a, b, i);
          }
  return y;
}
// end region

void convolutions() {
  const Tensor x = tensor({0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}, {3, 4, 1});    // dark left, bright right
  const Tensor weight = tensor({-1, 0, 1, -1, 0, 1, -1, 0, 1}, {1, 3, 3, 1});  // right minus left
  const Tensor y = convolution(x, weight);
  std::printf("  image         result\n");
  for (int h = 0; h < 3; ++h) {
    for (int w = 0; w < 4; ++w) std::printf("%3.0f", static_cast<double>(x(h, w, 0)));
    std::printf("  ");
    for (int w = 0; w < 4; ++w) std::printf("%3.0f", static_cast<double>(y(h, w, 0)));
    std::puts("");
  }
  Generator random(1);
  const Tensor image = random_normal({5, 7, 3}, random), filters = random_normal({4, 3, 3, 3}, random);
  // region: matrix
  const Variable batch(reshape(image, {1, 5, 7, 3}));
  const Variable by_library = conv2d(batch, Variable(filters), Variable(), 1, 1);                 // stride 1, padding 1
  const Variable patches = unfold(batch, conv2d_geometry(batch.shape(), filters.shape(), 1, 1));  // (35, 27)
  const Variable by_matrix = matmul(patches, reshape(Variable(filters), {4, 27}), false, true);   // (35, 4)
  // end region
  const Tensor by_loops = reshape(convolution(image, filters), {1, 5, 7, 4});
  std::printf("the library's convolution is these loops, to 1e-5:     %s\n",
              yes_or_stop(l2_error(by_library.value(), by_loops) < 1e-5, "loops"));
  std::printf("and the matrix of patches times weights, to 1e-5:     %s\n",
              yes_or_stop(l2_error(reshape(by_matrix.value(), by_loops.shape()), by_loops) < 1e-5, "matrix"));
}

void network() {
  Generator random(1), other(2);
  ResNet8 ours(random);
  CifarResNet library({8}, other);
  std::printf("parameters: ours %zu, the library's ResNet-8 %zu\n", ours.parameter_count(), library.parameter_count());
  const Variables from = library.parameters(), to = ours.parameters();
  for (std::size_t i = 0; i < to.size(); ++i) Variable(to[i]).mutable_value() = from[i].value();
  const Variable x(random_normal({4, 32, 32, 3}, random));
  std::printf("with the same weights the same logits, to 1e-4: %s\n",
              yes_or_stop(l2_error(ours(x).value(), library(x).value()) < 1e-4, "the same network"));
}

// A chain of small convolutions, each with half the weights that would keep the size of the numbers.
void shortcuts() {
  std::printf("  blocks   size of the gradient that arrives at the input\n           without shortcuts   with\n");
  for (const int blocks : {1, 10, 20}) {
    std::printf("  %-8d", blocks);
    for (const bool shortcut : {false, true}) {
      Generator random(3);
      const Variable x(random_normal({2, 8, 8, 8}, random), true);
      Variable h = x;
      for (int i = 0; i < blocks; ++i) {
        const Variable weight(random_normal({8, 3, 3, 8}, random, 0.5 * std::sqrt(2. / (9 * 8))));
        const Variable branch = relu(conv2d(h, weight, Variable(), 1, 1));
        h = shortcut ? h + branch : branch;
      }
      const Tensor dy = random_normal(h.shape(), random);
      h.backward(dy);
      const double ratio = norm(x.grad()) / norm(dy);
      std::printf(ratio < 1 ? " %-19.1g" : " %-19.0f", ratio);
    }
    std::puts("");
  }
}

std::string sizes(Stem stem, std::string& instance) {
  Generator random(1);
  ImageNetResNetOptions options;
  options.width = 8;
  options.stem = stem;
  ImageNetResNet network(options, random);
  std::string text;
  for (const SummaryRow& row : summary(network, {1, 32, 32, 3}).rows)
    if (row.path == "conv1" || (row.path.size() == 6 && row.path.compare(0, 5, "layer") == 0))
      text += fmt::format("{:>9}", fmt::format("{0}x{0}", row.output[1]));
  options.norm = NormKind::Instance;
  ImageNetResNet with_instance(options, random);
  try {
    with_instance(Variable(random_normal({2, 32, 32, 3}, random)));
    instance = "works";
  } catch (const ValueError& error) {
    instance = error.what();
  }
  return text;
}

void stems() {
  std::string cifar_instance, imagenet_instance;
  const std::string cifar = sizes(Stem::Cifar, cifar_instance), imagenet = sizes(Stem::ImageNet, imagenet_instance);
  std::printf("  ResNet-18       conv1   stage 1        2        3        4\n");
  std::printf("  CIFAR stem %s\n  ImageNet's %s\n\n", cifar.c_str(), imagenet.c_str());
  std::printf("  instance norm, CIFAR stem:  %s\n  instance norm, ImageNet's:  %s\n", cifar_instance.c_str(),
              imagenet_instance.c_str());
}

/// The whole data set as one batch, standardized.
Batch all_images(const Dataset& data) {
  LoaderOptions options;
  options.batch_size = data.size();
  Loader loader(data, measure(data), options);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  return batch;
}

void first_loss() {
  const Batch batch = all_images(make_shapes(64, 1, true));
  Generator random(1);
  CifarResNet network({8}, random);
  // region: loss
  const double fresh = number(cross_entropy(network(Variable(batch.images)), batch.labels).value());
  for (auto& [name, parameter] : network.named_parameters())
    if (name.compare(0, 6, "linear") == 0) Variable(parameter).mutable_value() = zeros(parameter.shape());
  const double undecided = number(cross_entropy(network(Variable(batch.images)), batch.labels).value());
  // end region
  std::printf("ln 10 = %.4f\n", std::log(10.0));
  std::printf("last layer 0:    loss %.4f\n", undecided);
  std::printf("fresh network:   loss between 2.2 and 2.8: %s\n", yes_or_stop(fresh > 2.2 && fresh < 2.8, "first loss"));
}

void overfit() {
  // region: overfit
  const Batch batch = all_images(make_shapes(64, 1, true));
  Generator random(1);
  CifarResNet network({8}, random);
  Sgd sgd(network.parameters(), {0.9, 0, true});  // momentum 0.9, no weight decay, Nesterov
  double loss = 0;
  for (int step = 0; step < 100; ++step) {
    const Variable l = cross_entropy(network(Variable(batch.images)), batch.labels);
    loss = number(l.value());
    sgd.zero_grad();
    l.backward();
    sgd.step(0.1);
  }
  // end region
  const Indices answers = argmax(network(Variable(batch.images)), 1);
  int right = 0;
  for (std::size_t i = 0; i < 64; ++i) right += answers.data()[i] == batch.labels.data()[i];
  std::printf("after 100 steps: loss below 0.2: %s, %d of 64 images right\n", yes_or_stop(loss < 0.2, "overfits"),
              right);
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(1);
  return walk(argc, argv,
              {{"convolution", "loops, patches and the library", convolutions},
               {"network", "our ResNet-8 and the library's", network},
               {"shortcuts", "a long chain with and without them", shortcuts},
               {"stem", "two stems on 32 x 32 images", stems},
               {"loss", "the loss before training", first_loss},
               {"overfit", "64 images by heart", overfit}},
              {{"block", "a residual block", draw_block}, {"stem", "the sizes of the maps", draw_stems}});
}
