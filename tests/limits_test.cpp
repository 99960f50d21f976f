// Sizes, counts and ranges at their limits, through all of the library: each is right, or refused by name. A −1 that
// is passed for a std::size_t arrives as 2^64 − 1.

#include <doctest/doctest.h>

#include <array>
#include <functional>

#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/conv2d.hpp"
#include "nn/data/augment.hpp"
#include "nn/data/loader.hpp"
#include "nn/data/shapes.hpp"
#include "nn/init.hpp"
#include "nn/linear.hpp"
#include "nn/models/resnet.hpp"
#include "nn/models/vgg.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "nn/optim/schedule.hpp"
#include "nn/train/evaluation.hpp"
#include "nn/train/learning_rate_range.hpp"
#include "nn/train/metrics.hpp"
#include "nn/train/trainer.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/indexing.hpp"
#include "tensor/pool2d.hpp"
#include "tensor/print.hpp"
#include "tensor/shaping.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr std::size_t kMinusOne = static_cast<std::size_t>(-1);
constexpr std::size_t kHalf = std::size_t{1} << 32;  // kHalf² = 0 in 64 bits
constexpr std::size_t kHuge = std::size_t{1} << 62;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  std::string error;
  std::function<void()> call;
};

void check_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.error);
    CHECK(error_of(c.call) == c.error);
  }
}

std::string too_many(const std::string& shape) {
  return "ShapeError: expected a shape of at most 2^48 elements, got " + shape;
}
std::string no_size(const std::string& subject) { return "ValueError: " + subject + " is not a size (0 … 2^48)"; }

nn::Standardization unit() {
  nn::Standardization s;
  s.stddev = {1, 1, 1};
  return s;
}

/// A "network" that gives the logits it is told to.
class Says : public nn::Module {
 public:
  explicit Says(std::function<Tensor(std::size_t images)> logits) : logits_(std::move(logits)) {
    add_parameter("unused", zeros({1}));  // an optimizer wants one
  }
  Variable forward(const Variable& x) override { return Variable(logits_(x.shape()[0])); }

 private:
  std::function<Tensor(std::size_t)> logits_;
};

}  // namespace

TEST_CASE("limits: an array of more elements than there can be is refused, whatever its product wraps to") {
  check_all({
      {too_many("(-1)"), [] { zeros({kMinusOne}); }},
      {too_many("(4294967296, 4294967296)"),
       [] {
         zeros({kHalf, kHalf});
       }},
      {too_many("(4294967296, 4294967296, 0)"),
       [] {
         zeros({kHalf, kHalf, 0});
       }},
      {too_many("(3, 6148914691236517206)"),
       [] {
         Tensor(Shape{3, 6148914691236517206});
       }},  // 2 in 64 bits
      {too_many("(-1, -1)"),
       [] {
         Indices(Shape{kMinusOne, kMinusOne}, 1);
       }},  // 1
      {too_many("(4294967296, 4294967296)"),
       [] {
         tensor({}, {kHalf, kHalf});
       }},
      {too_many("(4294967296, 4294967296)"),
       [] {
         indices({}, {kHalf, kHalf});
       }},
      {too_many("(4294967296, 4294967296)"),
       [] {
         xtg::reshape(zeros({0}), Shape{kHalf, kHalf});
       }},
      {too_many("(4294967296, 4294967296)"),
       [] {
         reshape(Variable(zeros({0})), Shape{kHalf, kHalf});
       }},
      {too_many("(4294967296, 4294967296)"),
       [] {
         xtg::reshape(zeros({0}), {1L << 32, 1L << 32, -1});
       }},
      {too_many("(-1, 3)"),
       [] {
         broadcast_to(Variable(zeros({1, 3})), {kMinusOne, 3});
       }},
      {too_many("(281474976710657)"), [] { count({(std::size_t{1} << 48) + 1}); }},
      {too_many("(-1, 2)"),
       [] {
         put(Variable(zeros({1})), indices({0}), {kMinusOne, 2});
       }},
  });
  CHECK(count({std::size_t{1} << 24, std::size_t{1} << 24}) == std::size_t{1} << 48);
  CHECK(count({kHalf, 0}) == 0);
  CHECK(zeros({kHalf, 0}).size() == 0);
  CHECK_THROWS_AS(zeros({std::size_t{1} << 48}), std::bad_alloc);
}

TEST_CASE("limits: a negative or huge size of a window is refused by name") {
  const Tensor t = normal({2, 5, 4, 4}, 1), u = normal({6, 3, 3, 4}, 2);
  const Variable x(t, true), w(u, true), none;
  for (const bool derived : {false, true}) {
    const GradientMode mode(derived ? GradientForm::Derived : GradientForm::Fused);
    check_all({
        {no_size("conv2d: stride -1"), [&] { conv2d(x, w, none, -1); }},
        {no_size("conv2d: padding -1"), [&] { conv2d(x, w, none, 1, -1); }},
        {no_size("conv2d: padding 4611686018427387904"), [&] { conv2d(x, w, none, 1, kHuge); }},
        {no_size("conv2d: dilation -2"), [&] { conv2d(x, w, none, 1, 0, -2); }},
        {no_size("conv2d: groups -1"), [&] { conv2d(x, w, none, 1, 0, 1, -1); }},
        {no_size("conv2d: padding -1"), [&] { conv2d_composed(x, w, none, 1, -1); }},
        {no_size("avg_pool2d: padding -1"), [&] { avg_pool2d(x, 2, 2, -1); }},
        {no_size("avg_pool2d: padding 4611686018427387904"), [&] { avg_pool2d(x, 2, 2, kHuge); }},
        {no_size("avg_pool2d: stride -1"), [&] { avg_pool2d(x, 2, -1); }},
        {no_size("avg_pool2d: kernel -1"), [&] { avg_pool2d(x, -1, 1); }},
        {no_size("max_pool2d: padding -1"), [&] { max_pool2d(x, 2, 2, -1); }},
        {no_size("max_pool2d: padding -9223372036854775808"), [&] { max_pool2d(x, 2, 2, std::size_t{1} << 63); }},
        {no_size("max_pool2d: stride -3"), [&] { max_pool2d(x, 2, -3); }},
        {no_size("max_pool2d: kernel -1"), [&] { max_pool2d(x, -1, 1); }},
    });
  }
  check_all({
      {no_size("conv2d: padding 4611686018427387904"), [&] { xtg::conv2d(t, u, nullptr, 1, kHuge); }},
      {no_size("conv2d: padding -1"), [&] { conv2d_geometry(t.shape(), u.shape(), 1, -1); }},
      {no_size("max_pool2d: padding -1"), [&] { xtg::max_pool2d(t, 2, 2, -1); }},
      // padding beyond half the kernel
      {"ValueError: max_pool2d: expected kernel and stride of at least 1 and padding of at most kernel/2, got 3, 1, 2",
       [&] { max_pool2d(x, 3, 1, 2); }},
      // results and patches of more elements than there can be
      {too_many("(2, 1099511627779, 1099511627778, 6)"), [&] { conv2d(x, w, none, 1, std::size_t{1} << 39); }},
      {too_many("(2, 4, 3, 1099511627778, 1099511627778, 4)"),
       [&] { avg_pool2d(x, (std::size_t{1} << 40) + 2, 1, std::size_t{1} << 39); }},
      {"ShapeError: conv2d: expected x of shape (2, 5, 4, 4), got (2, 5, 3, 4)",
       [&] {
         conv2d_by_patches(zeros({2, 5, 3, 4}), u, nullptr, conv2d_geometry(t.shape(), u.shape(), 1, 1));
       }},
      {"ShapeError: conv2d: expected w of shape (6, 3, 3, 4), got (6, 3, 2, 4)",
       [&] {
         conv2d_by_patches(t, zeros({6, 3, 2, 4}), nullptr, conv2d_geometry(t.shape(), u.shape(), 1, 1));
       }},
  });
}

TEST_CASE("limits: windows with a large stride, dilation or padding are right") {
  const std::size_t big = std::size_t{1} << 40;
  const Tensor x = normal({2, 5, 4, 3}, 1), w = normal({7, 1, 1, 3}, 2);
  const Tensor y = xtg::conv2d(x, w, nullptr, big, big, big);  // places -2^40, 0 and 2^40: one of nine sees x
  REQUIRE(y.shape() == Shape{2, 3, 3, 7});
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j)
        for (std::size_t o = 0; o < 7; ++o) {
          double expected = 0;
          for (std::size_t c = 0; i == 1 && j == 1 && c < 3; ++c)
            expected += static_cast<double>(x(n, 0, 0, c)) * static_cast<double>(w(o, 0, 0, c));
          CHECK(static_cast<double>(y(n, i, j, o)) == doctest::Approx(expected).epsilon(1e-5));
        }
  const Tensor v = normal({7, 2, 3, 3}, 3);
  for (const std::size_t padding : {3, 4, 9}) {  // beyond the kernel: whole windows of zeros
    const Conv2dGeometry g = conv2d_geometry(x.shape(), v.shape(), 2, padding);
    CHECK(max_error(xtg::conv2d(x, v, nullptr, 2, padding), conv2d_by_patches(x, v, nullptr, g)) < 1e-5);
    const Tensor dy = normal(g.output_shape(), 4);
    CHECK(max_error(conv2d_backward_input(dy, v, g), conv2d_by_patches_backward_input(dy, v, g)) < 1e-5);
    CHECK(max_error(conv2d_backward_weight(dy, x, g), conv2d_by_patches_backward_weight(dy, x, g)) < 1e-5);
  }
  for (const std::size_t padding : {2, 3, 5}) {  // beyond half the kernel: the mean of the padded image
    const Tensor padded = xtg::pad(x, {0, padding, padding, 0}, {0, padding, padding, 0});
    CHECK(identical(avg_pool2d(Variable(x), 2, 1, padding).value(), avg_pool2d(Variable(padded), 2, 1).value()));
  }
  const Variable pooled = avg_pool2d(Variable(x), 2, big);
  REQUIRE(pooled.shape() == Shape{2, 1, 1, 3});
  const Scalar corner = (x(1, 0, 0, 2) + x(1, 0, 1, 2) + x(1, 1, 0, 2) + x(1, 1, 1, 2)) / 4;
  CHECK(pooled.value()(1, 0, 0, 2) == doctest::Approx(corner));
  CHECK(xtg::max_pool2d(x, 2, big, 1).first(1, 0, 0, 2) == x(1, 0, 0, 2));
}

TEST_CASE("limits: ranges, paddings and pieces that are negative or wrap are refused by name") {
  const Variable x(normal({4, 3}, 1), true);
  const Tensor& t = x.value();
  check_all({
      {"ValueError: slice: range 0:-1:-1 does not lie within axis 0 of (4, 3)",
       [&] {
         slice(x, {{0, -1, kMinusOne}, {}});
       }},
      {"ValueError: slice: range -1:-1:1 does not lie within axis 1 of (4, 3)",
       [&] {
         slice(x, {{}, {kMinusOne, -1, 1}});
       }},
      {"ValueError: slice: range 3:1:1 does not lie within axis 0 of (4, 3)",
       [&] {
         slice(x, {{3, 1, 1}, {}});
       }},
      {no_size("pad: before -1"),
       [&] {
         pad(x, {kMinusOne, 0}, {0, 0});
       }},
      {no_size("pad: after -1"),
       [&] {
         pad(x, {0, 0}, {0, kMinusOne});
       }},
      {no_size("pad: before -1"),
       [&] {
         xtg::pad(t, {kMinusOne, 0}, {0, 0});
       }},
      {too_many("(4294967300, 4294967299)"),
       [&] {
         pad(x, {kHalf, kHalf}, {0, 0});
       }},
      {"ValueError: split: sizes (-1, 5) do not add up to axis 0 of (4, 3)",
       [&] {
         split(x, {kMinusOne, 5}, 0);
       }},
      {"ValueError: split: sizes (5, -1) do not add up to axis 0 of (4, 3)",
       [&] {
         split(x, {5, kMinusOne}, 0);
       }},
      {no_size("arange: length -1"), [] { arange(kMinusOne); }},
      {no_size("one_hot: number of classes -1"), [] { one_hot("one_hot", indices({0}), kMinusOne); }},
      {"ValueError: take: position 12 at 1 is not within 0 … 11",
       [&] {
         xtg::take(t, indices({0, 12}));
       }},
      {"ValueError: take: position -1 at 0 is not within 0 … 11", [&] { xtg::take(t, indices({-1})); }},
      {"ValueError: put: position 6 at 0 is not within 0 … 5",
       [&] {
         xtg::put(zeros({1}), indices({6}), {2, 3});
       }},
      {"ValueError: to_string: expected 0 to 100 significant digits, got -1", [&] { to_string(t, -1); }},
      {"ValueError: to_string: expected 0 to 100 significant digits, got 2147483647",
       [&] { to_string(t, 2147483647); }},
  });
  // A step beyond the end reads one element, whatever it is.
  for (const std::size_t step : {std::size_t{4}, std::size_t{1} << 47, std::size_t{1} << 48}) {
    const Variable y = slice(x, {{1, -1, step}, {}});
    REQUIRE(y.shape() == Shape{1, 3});
    CHECK(y.value()(0, 2) == t(1, 2));
    sum(y).backward();
  }
  CHECK(x.grad()(1, 0) == 3);
  CHECK(x.grad()(0, 0) == 0);
  CHECK(slice(x, {{4, 4, std::size_t{1} << 48}, {}}).shape() == Shape{0, 3});
}

TEST_CASE("limits: a mask of another size than its shape is refused") {
  Mask mask{{2, 3}, {}};
  mask.values.assign(5, 1);
  const Variable x(zeros({2, 3}), true);
  const std::string error = "ShapeError: where: a mask of shape (2, 3) needs 6 values, got 5";
  CHECK(error_of([&] { where(mask, x, x); }) == error);
  CHECK(error_of([&] { where(mask, x.value(), x.value()); }) == error);
}

TEST_CASE("limits: counting goes on beyond 2^24 in float") {
  const std::size_t limit = std::size_t{1} << 24, n = limit + 9;
  const Tensor a = arange(n);
  bool nearest = true;
  for (std::size_t i = limit - 2; i < n; ++i) nearest = nearest && a.data()[i] == static_cast<Scalar>(i);
  CHECK(nearest);
  CHECK(a.data()[limit + 4] == static_cast<Scalar>(16777220));

  const Variable x(ones({n}), true);
  const Variable mean_of_ones = mean(x);
  CHECK(mean_of_ones.item() == 1);
  mean_of_ones.backward();
  CHECK(static_cast<double>(x.grad().data()[n - 1]) ==
        doctest::Approx(1 / static_cast<double>(n)).epsilon(2 * std::numeric_limits<Scalar>::epsilon()));
  CHECK(sum(x).item() == static_cast<Scalar>(n));
  CHECK(take(x, indices({static_cast<std::int64_t>(n) - 1})).item() == 1);
  CHECK(nn::count_correct(Tensor(Shape{n, 1}, Scalar{0}), Indices(Shape{n}, 0)) == n);
}

TEST_CASE("limits: bounds of random numbers, in order and finite") {
  Generator g(1);
  const std::string uniform = "ValueError: random_uniform: expected finite bounds, low ≤ high, got ";
  check_all({
      {uniform + "1 and 0", [&] { random_uniform({2}, g, 1, 0); }},
      {uniform + "nan and 1", [&] { random_uniform({2}, g, kNan, 1); }},
      {uniform + "0 and inf", [&] { random_uniform({2}, g, 0, kInfinity); }},
      {uniform + "-1e+308 and 1e+308", [&] { random_uniform({2}, g, -1e308, 1e308); }},
      {"ValueError: Generator::uniform: expected finite bounds, low ≤ high, got 1 and 0", [&] { g.uniform(1, 0); }},
      {"ValueError: Generator::uniform: expected finite bounds, low ≤ high, got -1e+308 and 1e+308",
       [&] { g.uniform(-1e308, 1e308); }},
      {"ValueError: random_normal: expected a finite standard deviation of at least 0, got -1",
       [&] { random_normal({2}, g, -1); }},
      {"ValueError: random_normal: expected a finite standard deviation of at least 0, got nan",
       [&] { random_normal({2}, g, kNan); }},
      {"ValueError: Generator::permutation: expected at most 2^32 numbers, got -1", [&] { g.permutation(kMinusOne); }},
      {"ValueError: Generator::permutation: expected at most 2^32 numbers, got 4294967297",
       [&] { g.permutation(kHalf + 1); }},
      {"ValueError: Generator::permutation: expected at most 2^32 numbers, got -1",
       [&] { nn::random_mixing(1, kMinusOne, g); }},
  });
  CHECK(random_uniform({3}, g, 2, 2) == full({3}, 2));
  for (int i = 0; i < 1000; ++i) REQUIRE(g.uniform(1, 1 + 0x1p-52) == 1);  // the only number in [1, 1 + 2^-52)
  const Tensor none = random_normal({3}, g, 0);
  CHECK(largest(none) == 0);
}

TEST_CASE("limits: sizes of layers and networks") {
  Generator g(1);
  const auto conv = [&](std::size_t in, std::size_t out, std::size_t kernel, const nn::Conv2dOptions& options = {}) {
    return [=, &g] { nn::Conv2d(in, out, kernel, options, g); };
  };
  const Variable x(normal({2, 3, 3, 4}, 1)), none;
  const Tensor t = x.value(), one = ones({4}), zero = zeros({4});
  check_all({
      {no_size("Conv2d: input channels -1"), conv(kMinusOne, 2, 3)},
      {no_size("Conv2d: output channels -1"), conv(3, kMinusOne, 3)},
      {no_size("Conv2d: kernel -1"), conv(3, 2, kMinusOne)},
      {no_size("Conv2d: stride -1"), conv(3, 2, 3, {kMinusOne})},
      {no_size("Conv2d: padding -1"), conv(3, 2, 3, {1, kMinusOne})},
      {no_size("Conv2d: dilation -1"), conv(3, 2, 3, {1, 0, true, kMinusOne})},
      {no_size("Conv2d: groups -1"), conv(3, 2, 3, {1, 0, true, 1, kMinusOne})},
      {too_many("(4, 16777216, 16777216, 3)"), conv(3, 4, std::size_t{1} << 24)},
      {no_size("Linear: inputs -1"), [&] { nn::Linear(kMinusOne, 2, g); }},
      {no_size("Linear: outputs -1"), [&] { nn::Linear(2, kMinusOne, g); }},
      {no_size("batch_norm: channels -1"), [] { nn::BatchNorm norm(kMinusOne); }},
      {no_size("batch_norm: channels -1"),
       [] {
         nn::BatchNorm norm(kMinusOne, {1e-5, false, 0.1, false});
       }},
      {no_size("instance_norm: channels -1"), [] { nn::InstanceNorm norm(kMinusOne); }},
      {no_size("group_norm: channels -1"), [] { nn::GroupNorm norm(1, kMinusOne); }},
      {no_size("group_norm: groups -1"), [] { nn::GroupNorm norm(kMinusOne, 8); }},
      {no_size("group_norm: groups -1"), [&] { nn::group_norm(x, none, none, kMinusOne); }},
      {no_size("layer_norm: axes -1"), [] { nn::LayerNorm norm(4, kMinusOne); }},
      {no_size("layer_norm: channels -1"), [] { nn::LayerNorm norm(kMinusOne, 1); }},
      {"ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (2, 3, 3, 4), got -1",
       [&] { nn::layer_norm(x, none, none, kMinusOne); }},
      {"ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (2, 3, 3, 4), got -1",
       [&] { nn::layer_norm_composed(x, Variable(one), Variable(zero), kMinusOne); }},
      {"ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (2, 3, 3, 4), got 0",
       [&] { nn::layer_norm_forward(t, one, zero, 0); }},
      {"ValueError: group_norm: 4 channels are not divisible into 0 groups, x is (2, 3, 3, 4)",
       [&] { nn::group_norm_composed(x, Variable(one), Variable(zero), 0); }},
      {"ValueError: group_norm: 4 channels are not divisible into 3 groups, x is (2, 3, 3, 4)",
       [&] { nn::group_norm_forward(t, one, zero, 3); }},
      {"ShapeError: group_norm: expected x (N, …, C) without empty axes, got (0, 4)",
       [&] {
         nn::group_norm_forward(zeros({0, 4}), one, zero, 2);
       }},
      {"ShapeError: group_norm: expected statistics (N, 1, G, 1), got (4)",
       [&] { nn::group_norm_backward(t, t, zero, one, one); }},
      {no_size("resnet: width -1"),
       [&] {
         nn::CifarResNet({8, nn::NormKind::Batch, 8, 10, kMinusOne}, g);
       }},
      {no_size("resnet: classes -1"),
       [&] {
         nn::CifarResNet({8, nn::NormKind::Batch, 8, kMinusOne, 4}, g);
       }},
      {no_size("vgg: width -1"),
       [&] {
         nn::Vgg({11, nn::NormKind::Batch, 8, 10, kMinusOne}, g);
       }},
      {no_size("vgg: classes -1"),
       [&] {
         nn::Vgg({11, nn::NormKind::Batch, 8, kMinusOne, 4}, g);
       }},
      {too_many("(4294967296, 1, 1, 4294967296)"),
       [&] {
         nn::kaiming_normal_fan_out({kHalf, 1, 1, kHalf}, g);
       }},
      {no_size("uniform_fan_in: fan-in -1"), [&] { nn::uniform_fan_in({2}, kMinusOne, g); }},
  });
}

TEST_CASE("limits: a norm's eps and momentum") {
  const Variable x(normal({4, 3, 3, 6}, 1)), none;
  const std::string eps = ": eps must be finite and at least 0, got ";
  for (const double bad : {-1e-5, kNan, kInfinity}) {
    const std::string got = fmt::format("{}", bad);
    CHECK(error_of([&] { nn::batch_norm(x, none, none, bad); }) == "ValueError: batch_norm" + eps + got);
    CHECK(error_of([&] { nn::batch_norm_eval(x, none, none, zeros({6}), ones({6}), bad); }) ==
          "ValueError: batch_norm" + eps + got);
    CHECK(error_of([&] { nn::layer_norm(x, none, none, 3, bad); }) == "ValueError: layer_norm" + eps + got);
    CHECK(error_of([&] { nn::instance_norm(x, none, none, bad); }) == "ValueError: instance_norm" + eps + got);
    CHECK(error_of([&] { nn::group_norm(x, none, none, 2, bad); }) == "ValueError: group_norm" + eps + got);
  }
  CHECK(nn::batch_norm(x, none, none, 0).shape() == x.shape());
  const std::string momentum = "ValueError: batch_norm: the momentum must be within [0, 1], got ";
  for (const double bad : {-0.1, 1.1, kNan}) {
    Tensor mean = zeros({6}), var = ones({6});
    CHECK(error_of([&] {
            nn::batch_norm(x, none, none, 1e-5, nn::RunningStatistics{mean, var, bad});
          }) == momentum + fmt::format("{}", bad));
    CHECK(identical(var, ones({6})));
  }
}

TEST_CASE("limits: sizes and counts of data") {
  nn::Dataset data = nn::make_shapes(6, 1, true);
  Generator g(1);
  const auto loader = [&](const std::function<void(nn::LoaderOptions&)>& set) {
    return [&data, set] {
      nn::LoaderOptions options;
      options.batch_size = 4;
      set(options);
      nn::Loader loader(data, unit(), options);
      loader.start(0, 1);
    };
  };
  check_all({
      {no_size("make_shapes: number of images -1"), [] { nn::make_shapes(kMinusOne, 1, true); }},
      {no_size("make_shapes: number of images 18014398509481984"),
       [] { nn::make_shapes(std::size_t{1} << 54, 1, true); }},  // times 3072 bytes: 0
      {no_size("dataset: limit -1"), [&] { data.limit(kMinusOne); }},
      {no_size("loader: batch size -1"), loader([](nn::LoaderOptions& o) { o.batch_size = kMinusOne; })},
      {no_size("loader: batches ahead -1"), loader([](nn::LoaderOptions& o) { o.ahead = kMinusOne; })},
      {"ValueError: loader: a cutout of -1 is larger than the images, 32 x 32",
       loader([](nn::LoaderOptions& o) { o.cutout = kMinusOne; })},
      {"ValueError: loader: cannot start at batch -1 of 2",
       [&] {
         nn::LoaderOptions options;
         options.batch_size = 4;
         nn::Loader(data, unit(), options).start(0, kMinusOne);
       }},
      {"ValueError: subset: cannot take -1 images of 6", [&] { nn::subset(data, kMinusOne, 1); }},
      {"ValueError: split: -1 validation images of 6 leave none to train on", [&] { nn::split(data, kMinusOne, 1); }},
      {"ValueError: dataset: there is no image -1, the dataset has 6", [&] { data.image(kMinusOne); }},
      {no_size("cutout: side -1"), [&] { nn::random_cutout(4, 4, kMinusOne, g); }},
      {no_size("cutout: height -1"), [&] { nn::random_cutout(kMinusOne, 4, 2, g); }},
      {no_size("random erasing: width -1"), [&] { nn::random_erasing(4, kMinusOne, {}, g); }},
      {"ValueError: measure: 6 labels need 18432 bytes of images, got 18431",
       [&] {
         nn::Dataset cut = data;
         cut.images.pop_back();
         nn::measure(cut);
       }},
      {too_many("(4294967296, 4294967296, 3)"),
       [&] {
         nn::Dataset huge;
         huge.height = huge.width = kHalf;
         huge.labels = {1};
         nn::measure(huge);
       }},
      {"ValueError: measure: the images have no pixels",
       [&] {
         nn::Dataset empty = data;
         empty.height = 0;
         empty.images.clear();
         nn::measure(empty);
       }},
  });
}

TEST_CASE("limits: counts of trainings, schedules and metrics") {
  const nn::Dataset data = nn::make_shapes(6, 1, true);
  Says network([](std::size_t n) { return zeros({n, 10}); });
  const auto trainer = [&](const std::function<void(nn::TrainerOptions&)>& set) {
    return [&, set] {
      nn::TrainerOptions options;
      set(options);
      nn::Trainer(network, data, data, unit(), options);
    };
  };
  const auto rate = [](std::size_t step, std::size_t total, double peak = 0.1) {
    return [=] { nn::learning_rate(nn::ScheduleKind::Cosine, peak, step, total); };
  };
  nn::Loader loader(data, unit(), {});
  check_all({
      {no_size("trainer: epochs -1"), trainer([](nn::TrainerOptions& o) { o.epochs = kMinusOne; })},
      {no_size("loader: batch size -1"), trainer([](nn::TrainerOptions& o) { o.batch_size = kMinusOne; })},
      {no_size("learning_rate: total -1"), rate(0, kMinusOne)},
      {"ValueError: learning_rate: expected a step below 5, got -1", rate(kMinusOne, 5)},
      {"ValueError: learning_rate: the peak must be finite and at least 0, got -0.1", rate(0, 5, -0.1)},
      {"ValueError: learning_rate: the peak must be finite and at least 0, got nan", rate(0, 5, kNan)},
      {no_size("learning_rate_range: steps -1"),
       [&] {
         nn::RangeOptions options;
         options.steps = kMinusOne;
         nn::learning_rate_range(network, loader, options);
       }},
      {no_size("confusion_matrix: classes -1"), [] { nn::confusion_matrix(indices({0}), indices({0}), kMinusOne); }},
      {no_size("expected_calibration_error: bins -1"),
       [] {
         nn::expected_calibration_error(zeros({1, 2}), indices({0}), kMinusOne);
       }},
      {"ShapeError: count_correct: expected logits (N, K) and N labels, got (1, 2) and labels (3)",
       [] {
         nn::count_correct(zeros({1, 2}), indices({0, 1, 1}));
       }},
      {"ShapeError: predict: expected logits (6, K), the same K for all images, got (6)",
       [&] {
         Says odd([](std::size_t n) { return zeros({n}); });
         nn::predict(odd, data, unit());
       }},
      {"ShapeError: predict: expected logits (6, K), the same K for all images, got (6, 3)",
       [&] {
         std::size_t classes = 2;
         Says growing([&](std::size_t n) { return zeros({n, classes++}); });
         nn::predict(growing, data, unit(), true);
       }},
  });
}
