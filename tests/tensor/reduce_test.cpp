#include "tensor/reduce.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "tensor/parallel.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// The elements that are reduced to each element of the result, in row-major order; from index arithmetic alone.
std::vector<std::vector<double>> groups(const Tensor& x, const std::vector<bool>& reduced) {
  Shape kept;
  for (std::size_t k = 0; k < reduced.size(); ++k) kept.push_back(reduced[k] ? 1 : x.shape()[k]);
  std::vector<std::vector<double>> result(count(kept));
  for (std::size_t i = 0; i < x.size(); ++i)
    result[broadcast_offset(i, x.shape(), kept)].push_back(static_cast<double>(x.data()[i]));
  return result;
}

template <class F>
Tensor by_groups(const Tensor& x, const std::vector<bool>& reduced, const Shape& shape, const F& f) {
  std::vector<double> values;
  for (const std::vector<double>& group : groups(x, reduced)) values.push_back(f(group));
  return tensor(values, shape);
}

double naive_sum(const std::vector<double>& v) {
  double total = 0;
  for (const double e : v) total += e;
  return total;
}
double naive_mean(const std::vector<double>& v) { return naive_sum(v) / static_cast<double>(v.size()); }
double naive_max(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
double naive_min(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }

/// x summed to `kept`, whose axes are as many; without divisions, for large arrays.
Tensor plain_sum(const Tensor& x, const Shape& kept) {
  std::vector<double> total(count(kept), 0.0);
  std::vector<std::size_t> index(kept.size(), 0);
  for (const Scalar v : x) {
    std::size_t at = 0;
    for (std::size_t k = 0; k < kept.size(); ++k) at = at * kept[k] + (kept[k] == 1 ? 0 : index[k]);
    total[at] += static_cast<double>(v);
    for (std::size_t k = kept.size(); k-- > 0 && ++index[k] == x.shape()[k];) index[k] = 0;
  }
  return tensor(total, kept);
}

}  // namespace

TEST_CASE("reduce: sum, mean, max and min over every subset of axes") {
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{3, 1, 17, 1}, Shape{1, 6, 1, 9}}) {
    const Tensor x = normal(shape, 1);
    for (unsigned subset = 1; subset < 16; ++subset)
      for (const bool negative : {false, true})
        for (const bool keepdims : {false, true}) {
          Axes axes;
          std::vector<bool> reduced(4);
          Shape result;
          for (int k = 0; k < 4; ++k) {
            reduced[static_cast<std::size_t>(k)] = (subset >> k & 1) != 0;
            if (reduced[static_cast<std::size_t>(k)]) axes.insert(axes.begin(), negative ? k - 4 : k);  // descending
            if (!reduced[static_cast<std::size_t>(k)])
              result.push_back(shape[static_cast<std::size_t>(k)]);
            else if (keepdims)
              result.push_back(1);
          }
          CAPTURE(subset);
          CHECK(max_error(xtg::sum(x, axes, keepdims), by_groups(x, reduced, result, naive_sum)) < kRounding);
          CHECK(max_error(xtg::mean(x, axes, keepdims), by_groups(x, reduced, result, naive_mean)) < kRounding);
          CHECK(identical(xtg::max(x, axes, keepdims), by_groups(x, reduced, result, naive_max)));
          CHECK(identical(xtg::min(x, axes, keepdims), by_groups(x, reduced, result, naive_min)));
        }
  }
}

TEST_CASE("reduce: every subset of five axes, whose sizes take every way through the loops") {
  // Short and long runs, one and several pieces, tiles that are full and that are not.
  const std::vector<Shape> shapes = {{2, 17, 3, 8, 1}, {17, 2, 8, 3, 2}, {3, 8, 17, 2, 3}, {8, 3, 2, 17, 8},
                                     {1, 8, 3, 2, 17}, {2, 2, 2, 2, 2},  {5, 7, 1, 67, 2}, {3, 1, 19, 27, 1}};
  for (const Shape& shape : shapes) {
    const Tensor x = normal(shape, 4);
    for (unsigned subset = 1; subset < 32; ++subset) {
      Axes axes;
      std::vector<bool> reduced(5);
      Shape kept = shape;
      for (std::size_t k = 0; k < 5; ++k)
        if ((subset >> k & 1) != 0) {
          axes.push_back(static_cast<int>(k));
          reduced[k] = true;
          kept[k] = 1;
        }
      CAPTURE(to_string(shape));
      CAPTURE(subset);
      const Tensor total = by_groups(x, reduced, kept, naive_sum);
      CHECK(max_error(xtg::sum(x, axes, true), total) < kRounding);
      CHECK(identical(xtg::sum_to(x, kept), xtg::sum(x, axes, true)));
      CHECK(max_error(xtg::mean(x, axes, true), by_groups(x, reduced, kept, naive_mean)) < kRounding);
      CHECK(identical(xtg::max(x, axes, true), by_groups(x, reduced, kept, naive_max)));
      CHECK(identical(xtg::min(x, axes, true), by_groups(x, reduced, kept, naive_min)));
    }
  }
}

TEST_CASE("reduce: large arrays, along each axis, the same bits for every number of threads") {
  const std::vector<Shape> shapes = {{300007},    {100003, 3},      {3, 100003},      {1001, 515},
                                     {517, 1003}, {2003, 2, 17, 5}, {40, 1027, 8, 2}, {3, 70001, 1, 2}};
  const int before = num_threads();
  for (const Shape& shape : shapes) {
    const Tensor x = normal(shape, 5);
    for (unsigned subset = 1; subset < 1u << shape.size(); ++subset) {
      Axes axes;
      Shape kept = shape;
      for (std::size_t k = 0; k < shape.size(); ++k)
        if ((subset >> k & 1) != 0) {
          axes.push_back(static_cast<int>(k));
          kept[k] = 1;
        }
      CAPTURE(to_string(shape));
      CAPTURE(subset);
      set_num_threads(1);
      const Tensor total = xtg::sum(x, axes, true), mean = xtg::mean(x, axes, true), largest = xtg::max(x, axes, true);
      CHECK(max_error(total, plain_sum(x, kept)) < 10 * kRounding);
      for (const int threads : {2, 3, 7}) {
        set_num_threads(threads);
        CHECK(identical(xtg::sum(x, axes, true), total));
        CHECK(identical(xtg::mean(x, axes, true), mean));
        CHECK(identical(xtg::max(x, axes, true), largest));
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("reduce: a mean divides, for multiplying by 1/49 makes 49 ones a little less than 1") {
  for (const std::size_t n : {3, 49, 98, 1000}) {
    CHECK(identical(xtg::mean(ones({n, 2}), {0}), ones({2})));
    CHECK(identical(xtg::mean(ones({2, n}), {1}), ones({2})));
  }
}

TEST_CASE("reduce: the mean of equal numbers is that number, along all axes") {
  const std::vector<Shape> shapes = {{3},         {49},      {300007},     {3, 49},      {49, 3},       {1001, 515},
                                     {7, 700, 3}, {2, 1, 6}, {40, 130, 7}, {5, 3, 2, 9}, {70001, 1, 2}, {3, 17, 64}};
  for (const double value : {0.1, -1e6 - 0.1, 1.7e38, -1e-38, 1e16 + 2})
    for (const Shape& shape : shapes) {
      const Tensor x(shape, static_cast<Scalar>(value));
      for (unsigned subset = 1; subset < 1u << shape.size(); ++subset) {
        Axes axes;
        for (std::size_t k = 0; k < shape.size(); ++k)
          if ((subset >> k & 1) != 0) axes.push_back(static_cast<int>(k));
        CAPTURE(value);
        CAPTURE(to_string(shape));
        CAPTURE(subset);
        const Tensor found = xtg::mean(x, axes);
        CHECK(identical(found, Tensor(found.shape(), static_cast<Scalar>(value))));
      }
    }
}

TEST_CASE("reduce: sums and means are rounded once, with an offset and where large numbers cancel") {
  const auto right = [](Scalar found, long double expected) {
    return std::abs(static_cast<long double>(found) - expected) <=
           std::abs(expected) * std::numeric_limits<Scalar>::epsilon();
  };
  for (const double offset : {0.0, 1e6, -1e12}) {
    Tensor x = normal({500000, 2}, 7);
    for (Scalar& v : x) v = static_cast<Scalar>(static_cast<double>(v) + offset);
    long double total[2] = {0, 0}, about[2] = {0, 0};
    const long double first = static_cast<long double>(x.data()[0]);  // about it, long double has digits enough
    for (std::size_t i = 0; i < x.size(); ++i) {
      total[i % 2] += static_cast<long double>(x.data()[i]);
      about[i % 2] += static_cast<long double>(x.data()[i]) - first;
    }
    const Tensor mean = xtg::mean(x, {0}), sum = xtg::sum(x, {0});
    for (std::size_t c : {0, 1}) {
      CAPTURE(offset);
      CHECK(right(mean.data()[c], offset == 0 ? total[c] / 500000 : first + about[c] / 500000));
      CHECK(right(sum.data()[c], total[c]));
    }
  }
  const Scalar large = sizeof(Scalar) == 8 ? Scalar(1e17) : Scalar(1e9);
  for (const std::size_t copies : {1, 100}) {
    Tensor x({copies, 3});
    for (std::size_t i = 0; i < copies; ++i) {
      x(i, 0) = large;
      x(i, 1) = 1;
      x(i, 2) = -large;
    }
    CHECK(xtg::sum(x).item() == static_cast<Scalar>(copies));
    CHECK(identical(xtg::mean(x, {1}), Tensor(Shape{copies}, Scalar(1) / Scalar(3))));
  }
}

TEST_CASE("reduce: sums and means of infinities, NaN and numbers near the limits are those of plain sums") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN(),
               huge = static_cast<double>(std::numeric_limits<Scalar>::max());
  const std::vector<std::vector<double>> rows = {
      {1, infinity, 2}, {infinity, 1, 2},       {1, 2, -infinity}, {infinity, infinity, 0}, {infinity, -infinity, 1},
      {1, nan, 2},      {nan, infinity, 1},     {huge, -huge, 3},  {huge, -huge, -1},       {-huge, huge / 2, huge / 2},
      {0, -0.0, 0},     {huge / 2, huge / 2, 0}};
  for (const std::vector<double>& row : rows) {
    CAPTURE(row[0]);
    CAPTURE(row[1]);
    const Scalar sum = xtg::sum(tensor(row, {3})).item(), mean = xtg::mean(tensor(row, {1, 3}), {1}).item();
    const double expected = row[0] + row[1] + row[2];
    CHECK((std::isnan(expected) ? std::isnan(sum) : sum == static_cast<Scalar>(expected)));
    CHECK((std::isnan(expected) ? std::isnan(mean) : mean == static_cast<Scalar>(expected / 3)));
    const Tensor columns = xtg::sum(tensor(row, {3, 1}), {0});
    CHECK((std::isnan(expected) ? std::isnan(columns.item()) : columns.item() == sum));
  }
}

TEST_CASE("reduce: along axes of size 1 the elements stay, also infinities and NaN") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = tensor({1, -infinity, 0, nan, infinity, -3}, {2, 1, 3}),
               y = tensor({1, -infinity, 0, nan, infinity, -3}, {2, 3});
  CHECK(identical(xtg::sum(x, {1}), y));
  CHECK(identical(xtg::mean(x, {1}), y));
  CHECK(identical(xtg::max(x, {1}), y));
  CHECK(identical(xtg::min(x, {1}), y));
}

TEST_CASE("reduce: no axes means all of them, also of a scalar") {
  const Tensor x = normal({3, 7, 5}, 2);
  const std::vector<bool> all(3, true);
  CHECK(max_error(xtg::sum(x), by_groups(x, all, {}, naive_sum)) < 10 * kRounding);
  CHECK(xtg::sum(x, {}, true).shape() == Shape{1, 1, 1});
  CHECK(xtg::mean(scalar(4)).item() == 4);
  CHECK(xtg::sum(scalar(4)).shape() == Shape{});
  CHECK(xtg::max(scalar(-4)).item() == -4);
  CHECK(xtg::min(scalar(4)).item() == 4);
}

TEST_CASE("reduce: sums are accurate in every direction") {
  const std::size_t n = 2000000;
  const double tenth = static_cast<double>(static_cast<Scalar>(0.1));
  const auto off = [](double found, double expected) { return std::abs(found / expected - 1); };
  CHECK(off(static_cast<double>(xtg::sum(full({n}, Scalar(0.1))).item()), tenth * static_cast<double>(n)) < 1e-6);
  CHECK(off(static_cast<double>(xtg::mean(full({n}, Scalar(0.1))).item()), tenth) < 1e-6);
  const Tensor columns = xtg::sum(full({n / 4, 4}, Scalar(0.1)), {0}),
               rows = xtg::sum(full({4, n / 4}, Scalar(0.1)), {1});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(off(static_cast<double>(columns.data()[i]), tenth * static_cast<double>(n / 4)) < 1e-6);
    CHECK(off(static_cast<double>(rows.data()[i]), tenth * static_cast<double>(n / 4)) < 1e-6);
  }
  const Tensor back = xtg::sum_to(full({n / 4, 4}, Scalar(0.1)), {4});
  CHECK(off(static_cast<double>(back.data()[3]), tenth * static_cast<double>(n / 4)) < 1e-6);
  CHECK(off(static_cast<double>(xtg::mean(full({n / 4, 4}, Scalar(10000.1)), {0}).data()[0]),
            static_cast<double>(Scalar(10000.1))) < 1e-6);
}

TEST_CASE("reduce: over no elements, a sum is 0 and a mean or maximum is refused") {
  CHECK(identical(xtg::sum(zeros({0, 3}), {0}), zeros({3})));
  CHECK(xtg::sum(zeros({0, 3}), {1}).shape() == Shape{0});
  CHECK(identical(xtg::sum(zeros({0, 3})), zeros({})));
  CHECK(xtg::mean(zeros({0, 3}), {1}).shape() == Shape{0});
  CHECK(xtg::max(zeros({0, 3}), {1}, true).shape() == Shape{0, 1});
  CHECK(xtg::min(zeros({0, 3}), {1}).shape() == Shape{0});
  CHECK(error_of([] {
          xtg::mean(zeros({0, 3}), {0});
        }) == "ShapeError: mean: no elements along the reduced axes of (0, 3)");
  CHECK(error_of([] { xtg::mean(zeros({0, 3})); }) == "ShapeError: mean: no elements along the reduced axes of (0, 3)");
  CHECK(error_of([] {
          xtg::max(zeros({2, 0}), {-1});
        }) == "ShapeError: max: no elements along the reduced axes of (2, 0)");
  CHECK(error_of([] { xtg::min(zeros({2, 0})); }) == "ShapeError: min: no elements along the reduced axes of (2, 0)");
}

TEST_CASE("reduce: bad axes are refused by name") {
  CHECK(error_of([] { xtg::sum(zeros({2, 3}), {2}); }) == "ValueError: sum: axis 2 is out of range for 2 axes");
  CHECK(error_of([] { xtg::mean(zeros({2, 3}), {-3}); }) == "ValueError: mean: axis -3 is out of range for 2 axes");
  CHECK(error_of([] { xtg::max(zeros({2, 3}), {0, 0}); }) == "ValueError: max: an axis is named twice in (0, 0)");
  CHECK(error_of([] { xtg::min(zeros({2, 3}), {0, 0}); }) == "ValueError: min: an axis is named twice in (0, 0)");
  CHECK(error_of([] { xtg::argmax(zeros({2, 3}), 2); }) == "ValueError: argmax: axis 2 is out of range for 2 axes");
  CHECK(error_of([] { xtg::argmax(zeros({2, 0}), 1); }) == "ShapeError: argmax: no elements along axis 1 of (2, 0)");
}

TEST_CASE("reduce: extremes of numbers of one sign, of infinities, and of a NaN") {
  CHECK(xtg::max(tensor({-5, -2, -9}, {3})).item() == -2);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(xtg::max(full({3}, static_cast<Scalar>(-infinity))).item() == static_cast<Scalar>(-infinity));
  CHECK(xtg::min(tensor({5, 2, 9}, {3})).item() == 2);
  CHECK(xtg::min(full({3}, static_cast<Scalar>(infinity))).item() == static_cast<Scalar>(infinity));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t at = 0; at < 4; ++at) {  // a NaN must not be lost, wherever it stands
    Tensor x = tensor({1, 4, 2, 3}, {2, 2});
    x.data()[at] = static_cast<Scalar>(nan);
    CAPTURE(at);
    CHECK(std::isnan(xtg::max(x).item()));
    CHECK(std::isnan(xtg::max(x, {0}).data()[at % 2]));
    CHECK(std::isnan(xtg::max(x, {1}).data()[at / 2]));
    CHECK(std::isnan(xtg::min(x).item()));
    CHECK(std::isnan(xtg::min(x, {0}).data()[at % 2]));
    CHECK(std::isnan(xtg::min(x, {1}).data()[at / 2]));
    CHECK(!std::isnan(xtg::min(x, {1}).data()[1 - at / 2]));
  }
}

TEST_CASE("reduce: a NaN is not lost in any of the loops") {
  for (const Shape& shape : {Shape{50, 3}, Shape{3, 50}, Shape{20, 40}, Shape{3, 700}, Shape{700, 2}, Shape{9, 3, 5}}) {
    Tensor x = normal(shape, 6);
    for (std::size_t at = 0; at < x.size(); at += 7) {
      const Scalar before = x.data()[at];
      x.data()[at] = std::numeric_limits<Scalar>::quiet_NaN();
      for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
        const Tensor largest = xtg::max(x, {axis}, true), smallest = xtg::min(x, {axis}, true);
        const auto is_nan = [](Scalar v) { return std::isnan(v); };
        const std::size_t place = broadcast_offset(at, shape, largest.shape());
        CHECK(std::isnan(largest.data()[place]));
        CHECK(std::isnan(smallest.data()[place]));
        CHECK(std::count_if(largest.begin(), largest.end(), is_nan) == 1);
        CHECK(std::count_if(smallest.begin(), smallest.end(), is_nan) == 1);
      }
      x.data()[at] = before;
    }
  }
}

TEST_CASE("reduce: elements that tie for an extreme have equal shares, NaN among them") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = tensor({1, 4, 4, 2, 2, 2, 7, nan, nan}, {3, 3});
  const Tensor shares = tie_shares(x, xtg::max(x, {1}, true)), third = full({1}, Scalar(1) / 3);
  const double t = static_cast<double>(third.data()[0]);
  CHECK(identical(shares, tensor({0, 0.5, 0.5, t, t, t, 0, 0.5, 0.5}, {3, 3})));
  CHECK(tie_shares(zeros({0, 3}), zeros({0, 1})).shape() == Shape{0, 3});
}

TEST_CASE("reduce: reduced_count multiplies the reduced sizes and names the operation") {
  CHECK(reduced_count("f", {2, 3, 4}, {0, 2}) == 8);
  CHECK(reduced_count("f", {2, 0, 4}, {0, 2}) == 8);
  CHECK(reduced_count("f", {2, 3, 4}, {}) == 1);
  CHECK(error_of([] {
          reduced_count("f", {2, 0, 4}, {1, 2});
        }) == "ShapeError: f: no elements along the reduced axes of (2, 0, 4)");
}

TEST_CASE("reduce: argmax finds the first of the largest, along each axis") {
  const Tensor x = tensor({1, 5, 5, 2, 0, 0, 7, 7, 7, -1, -2, -1}, {2, 2, 3});
  const Indices last = xtg::argmax(x, -1);
  CHECK(last.shape() == Shape{2, 2});
  CHECK(equals(last, {1, 0, 0, 0}, {2, 2}));
  CHECK(equals(xtg::argmax(x, 0), {1, 1, 1, 0, 0, 0}, {2, 3}));
  CHECK(equals(xtg::argmax(x, 1), {1, 0, 0, 0, 0, 0}, {2, 3}));
  CHECK(xtg::argmax(tensor({3, 9, 2}, {3}), 0).shape() == Shape{});
  CHECK(xtg::argmax(tensor({3, 9, 2}, {3}), 0).data()[0] == 1);
  CHECK(xtg::argmax(zeros({0, 3}), 1).shape() == Shape{0});
  const double nan = std::numeric_limits<double>::quiet_NaN();  // as in max, a NaN wins, and the first one of several
  CHECK(equals(xtg::argmax(tensor({1, nan, nan, nan, 9, 2, 3, 1, nan}, {3, 3}), 1), {1, 0, 2}, {3}));
}

TEST_CASE("reduce: sum_to undoes a broadcast") {
  const std::vector<std::pair<Shape, Shape>> cases = {
      {{2, 3, 4}, {4}},       {{2, 3, 4}, {3, 1}},       {{2, 3, 4}, {}},
      {{2, 3, 4}, {1, 1, 4}}, {{2, 3, 4}, {2, 1, 4}},    {{2, 3, 4}, {2, 3, 4}},
      {{1, 1}, {}},           {{2, 1, 4}, {1, 4}},       {{0, 3}, {3}},
      {{0, 3}, {1, 1}},       {{5, 2, 3, 4}, {2, 1, 4}}, {{60013, 3}, {3}},
  };
  for (const auto& shapes : cases) {
    const Shape &from = shapes.first, &to = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(from));
    CAPTURE(to_string(to));
    const Tensor x = normal(from, 3);
    CHECK(max_error(xtg::sum_to(x, to), naive_sum_to(x, to)) < kRounding);
  }
  CHECK(error_of([] {
          xtg::sum_to(zeros({2, 3}), {1, 2, 3});
        }) == "ShapeError: sum_to: (1, 2, 3) does not broadcast to (2, 3)");
  CHECK(error_of([] {
          xtg::sum_to(zeros({2, 1}), {2, 3});
        }) == "ShapeError: sum_to: (2, 3) does not broadcast to (2, 1)");
  CHECK(starts_with(error_of([] { xtg::sum_to(zeros({2, 3}), {2}); }), "ShapeError: sum_to: "));
}
