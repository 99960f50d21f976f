#include "assignment/grader/comparison.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/data/loader.hpp"
#include "nn/data/shapes.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/shaping.hpp"

namespace xtg::assignment {
namespace {

enum Beta : std::size_t {
  Accumulated,
  NotDivided,
  DividedByRate,
  Upwards,
  Smallest,
  LastOne,
  Averaged,
  NotMovedBack,
  SquaredNorms,
  Relative,
  LargestElement,
  NormsByParameter
};
enum Sensitivity : std::size_t { WholeBatch, NoRoot, NotRelative, OfSecond, RelativeToDifference, Absolute };

using Vectors = std::vector<Tensor>;

Vectors gradient(nn::Module& network, const Pictures& batch) {
  network.zero_grad();
  cross_entropy(network(Variable(batch.images)), batch.labels).backward();
  Vectors g;
  for (const Variable& parameter : network.parameters())
    g.push_back(parameter.has_grad() ? parameter.grad() : 0 * parameter.value());
  network.zero_grad();
  return g;
}

void move(nn::Module& network, double factor, const Vectors& direction) {
  Variables parameters = network.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    add_in_place(parameters[i].mutable_value(), static_cast<Scalar>(factor), direction[i]);
}

double norm(const Vectors& v, Mistakes m) {
  double squares = 0, largest = 0, sum = 0;
  for (const Tensor& t : v) {
    double own = 0;
    for (const Scalar x : t) {
      own += static_cast<double>(x) * static_cast<double>(x);
      largest = std::max(largest, std::abs(static_cast<double>(x)));
    }
    squares += own;
    sum += std::sqrt(own);
  }
  if (made(m, LargestElement)) return largest;
  if (made(m, NormsByParameter)) return sum;
  return made(m, SquaredNorms) ? squares : std::sqrt(squares);
}

}  // namespace

const std::vector<Mistake> kTurnMistakes = {
    {"E1",
     "the second gradient has the first one in it: backward() adds to grad(). What has to be done between two of "
     "them?"},
    {"T1", "the change of the gradient is not divided by the length of the step."},
    {"T1", "the change of the gradient is divided by the rate alone. How long is a step of rate·g?"},
    {"T2", "the step goes up the gradient: θ − rate·g."},
    {"T3", "this is the smallest over the rates, not the largest."},
    {"T3", "this is the value of the last rate, not the largest."},
    {"T3", "this is the mean over the rates, not the largest."},
    {"T4", "the second rate starts where the first one ended: every step starts at θ."},
    {"T5", "the norms are squared."},
    {"T1", "the change of the gradient is divided by the length of the gradient, not by that of the step."},
    {"T5", "this is the largest element, not the Euclidean norm."},
    {"T5", "the norms of the parameters are added up: all of them are one long vector."},
};

const std::vector<Mistake> kSensitivityMistakes = {
    {"T6",
     "the logits of the whole batch are compared: the exchanged images differ, of course. Which rows are those of "
     "`images`?"},
    {"T5", "the root is missing."},
    {"T7", "the difference is not divided by the size of the logits."},
    {"T7", "the difference is divided by the logits of the second batch."},
    {"T7", "the difference is divided by itself."},
    {"T7", "this is the mean of absolute values, not the root of the mean square."},
};

std::unique_ptr<nn::Module> network_of(const Part4& part, nn::NormKind kind) {
  Generator generator(0);
  return part.network(kind, kClasses, generator);
}

std::vector<double> run_at(const Part4& part, nn::NormKind kind, double rate, std::size_t steps) {
  const std::unique_ptr<nn::Module> network = network_of(part, kind);
  return train(*network, {rate, 32, steps, 32});
}

Pictures pictures(std::size_t first, std::size_t n) {
  static const nn::Dataset dataset = nn::make_shapes(256, 0, true);
  nn::Dataset part = dataset;
  part.images.assign(dataset.images.begin() + static_cast<std::ptrdiff_t>(first * dataset.image_size()),
                     dataset.images.begin() + static_cast<std::ptrdiff_t>((first + n) * dataset.image_size()));
  part.labels.assign(dataset.labels.begin() + static_cast<std::ptrdiff_t>(first),
                     dataset.labels.begin() + static_cast<std::ptrdiff_t>(first + n));
  nn::LoaderOptions options;
  options.batch_size = n;
  nn::Loader loader(part, nn::measure(dataset), options);
  loader.start(0);
  nn::Batch batch;
  loader.next(batch);
  return {batch.images, batch.labels};
}

const std::vector<double>& beta_rates() {
  static const std::vector<double> rates = {0.01, 0.03, 0.1};
  return rates;
}

double beta_model(nn::Module& network, const Pictures& batch, const std::vector<double>& rates, Mistakes m) {
  const SafeTensors state = network.state_dict();
  const Vectors g = gradient(network, batch);
  std::vector<double> values;
  Vectors before = g;  // what the next gradient is compared with, or, accumulated, added to
  for (Tensor& t : before) multiply_in_place(t, made(m, Accumulated) ? 0 : -1);
  for (const double rate : rates) {
    move(network, made(m, Upwards) ? rate : -rate, g);
    Vectors change = gradient(network, batch);
    if (!made(m, NotMovedBack)) network.load_state_dict(state);
    for (std::size_t i = 0; i < g.size(); ++i) add_in_place(change[i], before[i]);
    if (made(m, Accumulated)) before = change;
    const double step = made(m, SquaredNorms) ? rate * rate * norm(g, m) : rate * norm(g, m);
    values.push_back(norm(change, m) / (made(m, NotDivided)      ? 1
                                        : made(m, DividedByRate) ? rate
                                        : made(m, Relative)      ? norm(g, m)
                                                                 : step));
  }
  network.load_state_dict(state);
  if (made(m, Smallest)) return *std::min_element(values.begin(), values.end());
  if (made(m, LastOne)) return values.back();
  double sum = 0;
  for (const double value : values) sum += value / static_cast<double>(values.size());
  return made(m, Averaged) ? sum : *std::max_element(values.begin(), values.end());
}

double sensitivity_model(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second,
                         Mistakes m) {
  const NoGrad off;
  const Tensor a = network(Variable(concatenate({images, first}, 0))).value();
  const Tensor b = network(Variable(concatenate({images, second}, 0))).value();
  const std::size_t n = made(m, WholeBatch) ? a.size() : images.shape()[0] * a.shape()[1];
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    const double own = made(m, OfSecond) ? y : x;
    difference += made(m, Absolute) ? std::abs(x - y) : (x - y) * (x - y);
    size += made(m, Absolute) ? std::abs(own) : own * own;
  }
  if (made(m, NotRelative)) size = static_cast<double>(n);
  if (made(m, RelativeToDifference)) size = difference;
  return made(m, NoRoot) || made(m, Absolute) ? difference / size : std::sqrt(difference / size);
}

double sensitivity_at(nn::Module& network, std::size_t batch_size,
                      double (*measure)(nn::Module&, const Tensor&, const Tensor&, const Tensor&)) {
  const std::size_t others = batch_size - 1;
  return measure(network, pictures(0, 1).images, pictures(1, others).images, pictures(1 + others, others).images);
}

}  // namespace xtg::assignment
