#include "autograd/node.hpp"
#include "autograd/operation.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>

#include "autograd/grad_mode.hpp"
#include "autograd/gradcheck.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/variable.hpp"
#include "tensor/elementwise.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// x² as a user would write it, with a backward that is `factor`·x·dy.
Variable user_square(const Variable& x, Scalar factor) {
  return record("user_square", xtg::square(x.value()), {x}, [x = Saved(x), factor](const Variable& dy, const Context&) {
    return Variables{factor * x.get() * dy};
  });
}

/// a·b·b with an analytic backward; the planted mistake scales db.
Variable user_product(const Variable& a, const Variable& b, Scalar factor) {
  const auto definition = [](const Variables& v) { return v[0] * v[1] * v[1]; };
  return operation("user_product", {a, b}, definition, [&] {
    return Computed{a.value() * b.value() * b.value(), [factor](const Tensor& dy, const Arguments& v) {
                      AnalyticGradients d(2);
                      if (v.wants(0)) d[0] = dy * xtg::square(v[1]);
                      if (v.wants(1)) d[1] = dy * (v[0] * v[1]) * factor;
                      return d;
                    }};
  });
}

}  // namespace

TEST_CASE("node: an operation of one's own, with record") {
  const Tensor at = normal({2, 3}, 1);
  const GradientCheck right = check_gradients([](const Variables& v) { return user_square(v[0], 2); }, {at});
  CHECK_MESSAGE(right.ok, right.text());
  const GradientCheck wrong =
      check_gradients([](const Variables& v) { return user_square(v[0], Scalar(2.001)); }, {at});
  CHECK_FALSE(wrong.ok);
  CHECK_FALSE(check_gradients([](const Variables& v) { return user_square(v[0], -2); }, {at}).ok);
  // it can be differentiated again, as it is written with Variables
  const Variable x(at, true), w(normal({2, 3}, 2));
  GradOptions options;
  options.create_graph = true;
  const Variable first = grad({user_square(x, 2)}, {x}, {w}, options)[0];
  const Variable second = grad({first}, {x}, {Variable(ones({2, 3}))})[0];
  CHECK(max_error(second.value(), 2 * w.value()) < 1e-12);
}

TEST_CASE("node: an operation of one's own, with operation") {
  const std::vector<Tensor> at = {normal({4}, 1), normal({4}, 2)};
  const GradientCheck right = check_gradients([](const Variables& v) { return user_product(v[0], v[1], 2); }, at);
  CHECK_MESSAGE(right.ok, right.text());
  for (const Scalar factor : {Scalar(2.001), Scalar(-2), Scalar(1), Scalar(0)})
    CHECK_FALSE(check_gradients([&](const Variables& v) { return user_product(v[0], v[1], factor); }, at).ok);
}

TEST_CASE("node: one Variable in both places of an analytic operation, to second and third order") {
  const Tensor at = positive({5}, 1);
  const Variable x(at, true), w(normal({5}, 2));
  GradOptions options;
  options.create_graph = true;
  const auto weighted = [&](double factor, int power) {
    Tensor y(at.shape());
    for (std::size_t i = 0; i < y.size(); ++i)
      y.data()[i] =
          static_cast<Scalar>(factor) * std::pow(at.data()[i], static_cast<Scalar>(power)) * w.value().data()[i];
    return y;
  };
  const Variable one(ones({5}));
  CHECK(max_error(grad({user_product(x, x, 2)}, {x}, {w})[0].value(), weighted(3, 2)) < 1e-12);
  const Variable first = grad({user_product(x, x, 2)}, {x}, {w}, options)[0];
  CHECK(max_error(first.value(), weighted(3, 2)) < 1e-12);
  const Variable second = grad({first}, {x}, {one}, options)[0];
  CHECK(max_error(second.value(), weighted(6, 1)) < 1e-12);
  CHECK(max_error(grad({second}, {x}, {one})[0].value(), weighted(6, 0)) < 1e-12);
  // One of the two a constant view of the same numbers: its place counts no gradient.
  const Variable half = grad({user_product(x.detach(), x, 2)}, {x}, {w}, options)[0];
  CHECK(max_error(half.value(), weighted(2, 2)) < 1e-12);
}

TEST_CASE("node: a backward that returns the wrong thing is an error that names the operation") {
  Variable x(ones({2, 3}), true);
  const auto user = [&](Backward backward) { return record("user_op", x.value(), {x}, std::move(backward)); };
  CHECK(error_of([&] {
          user([](const Variable&, const Context&) { return Variables{Variable(ones({3}))}; }).backward(ones({2, 3}));
        }) == "ShapeError: user_op: its backward returned a gradient of shape (3) for input 0 of shape (2, 3)");
  CHECK(error_of([&] {
          user([](const Variable&, const Context&) { return Variables{}; }).backward(ones({2, 3}));
        }) == "ValueError: user_op: its backward returned 0 gradients for 1 inputs");
  const auto analytic = [&](const AnalyticBackward& backward) {
    return operation(
        "user_op", {x}, [](const Variables& v) { return v[0]; },
        [&] {
          return Computed{x.value(), backward};
        });
  };
  CHECK(error_of([&] {
          analytic([](const Tensor&, const Arguments&) { return AnalyticGradients{ones({6})}; }).backward(ones({2, 3}));
        }) == "ShapeError: user_op: its backward returned a gradient of shape (6) for input 0 of shape (2, 3)");
  CHECK(error_of([&] {
          analytic([](const Tensor&, const Arguments&) { return AnalyticGradients{}; }).backward(ones({2, 3}));
        }) == "ValueError: user_op: its analytic backward returned 0 gradients for 1 inputs");
  CHECK_FALSE(x.has_grad());
  user([](const Variable&, const Context&) { return Variables(1); }).backward(ones({2, 3}));  // undefined: no gradient
  CHECK_FALSE(x.has_grad());
}

TEST_CASE("node: a backward that asks for what is not there is an error that says what") {
  Variable x(ones({2, 3}), true);
  const Variable shape = record("user_op", x.value(), {x, Variable()}, [](const Variable& dy, const Context& c) {
    return Variables{sum_to(dy, c.input_shape(1)), Variable()};
  });
  CHECK(error_of([&] {
          shape.backward(ones({2, 3}));
        }) == "ValueError: user_op: its backward asks for the shape of input 1, which is absent");
  const Variable value = operation(
      "user_op", {x, Variable()}, [](const Variables& v) { return v[0]; },
      [&] {
        return Computed{x.value(), [](const Tensor& dy, const Arguments& v) {
                          return AnalyticGradients{dy * v[1], std::nullopt};
                        }};
      });
  CHECK(error_of([&] {
          value.backward(ones({2, 3}));
        }) == "ValueError: backward: an operation's backward asks for the value of an argument that is absent");
  CHECK_FALSE(x.has_grad());
}

TEST_CASE("node: a backward that would read modified numbers is an error that names them") {
  const std::string beginning =
      "ValueError: backward: a tensor saved for the backward was modified after the operation ran: ";
  const std::string advice = "; modify parameters after backward(), or work on a copy";
  Variable x(ones({2, 3}), true);
  const Variable square = user_square(x, 2), product = user_product(x, x, 2);
  Variable e = exp(x);
  x.mutable_value();
  x.mutable_value();
  e.mutable_value();
  const std::string leaf = beginning + "leaf of shape (2, 3) is at version 2, saved at 0" + advice;
  CHECK(error_of([&] { square.backward(ones({2, 3})); }) == leaf);   // Saved::get
  CHECK(error_of([&] { product.backward(ones({2, 3})); }) == leaf);  // Saved::value
  CHECK(error_of([&] {
          e.backward(ones({2, 3}));
        }) == beginning + "exp of shape (2, 3) is at version 1, saved at 0" + advice);
}

TEST_CASE("node: a closure knows which gradients are wanted, the shapes, and its output") {
  Variable a(ones({2}), true), b(ones({2}), true), constant(ones({2}));
  std::vector<bool> wanted;
  Tensor seen;
  const auto op = [&](const Variable& u, const Variable& v) {
    return record(
        "probe", u.value() + v.value(), {u, v, Variable()},
        [&](const Variable& dy, const Context& c) {
          wanted = {c.wants(0), c.wants(1), c.wants(2)};
          seen = c.output().value();
          CHECK(c.input_shape(1) == Shape{2});
          return Variables{dy, dy, Variable()};
        },
        Keep::Output);
  };
  using Flags = std::vector<bool>;
  op(a, b).backward(ones({2}));
  CHECK(wanted == Flags{true, true, false});
  CHECK(identical(seen, full({2}, 2)));
  op(a, constant).backward(ones({2}));
  CHECK(wanted == Flags{true, false, false});
  grad({op(a, b)}, {b}, {Variable(ones({2}))});
  CHECK(wanted == Flags{false, true, false});  // a is older than what is asked for
  wanted.clear();
  const Variable result = op(a, b);
  grad({square(result)}, {result}, {Variable(ones({2}))});
  CHECK(wanted.empty());  // the walk stops at the result
}

TEST_CASE("node: under KeepValues results and leaves stay with their nodes, and so does the scope") {
  const Variable x(normal({3}, 1), true), constant(normal({3}, 2)), before = x + constant;
  CHECK(before.node()->output == nullptr);
  CHECK(x.node()->output == nullptr);
  const KeepValues keep;
  const Scope outer("block"), inner("norm");
  const Variable y = before + constant;
  CHECK(y.node()->output == y.storage());
  CHECK(constant.node()->output == constant.storage());
  CHECK(before.node()->output == nullptr);  // recorded earlier, and no leaf
  CHECK(y.node()->description() == fmt::format("add (operation {}, in block.norm)", y.node()->serial));
}

TEST_CASE("node: serial numbers rise, and an operation knows its inputs") {
  const Variable a(ones({2}), true), b(ones({2}), true);
  const Variable y = a * b;
  CHECK(a.node()->serial < b.node()->serial);
  CHECK(b.node()->serial < y.node()->serial);
  REQUIRE(y.node()->inputs.size() == 2);
  CHECK(y.node()->inputs[0].node.get() == a.node().get());
  CHECK(std::string(y.node()->name) == "multiply");
}

TEST_CASE("node: nothing is kept alive that no backward needs") {
  const Variable x(normal({3}, 1), true);
  std::weak_ptr<Storage> sum_storage, product_storage, exp_storage;
  {
    Variable y;
    {
      const Variable s = x + x;       // needed by nobody's backward
      const Variable p = s + x;       // an input of multiply: saved
      const Variable e = exp(p * p);  // its own output: saved
      sum_storage = s.storage();
      product_storage = p.storage();
      exp_storage = e.storage();
      y = sum(e + s);
    }
    CHECK(sum_storage.expired());
    CHECK_FALSE(product_storage.expired());
    CHECK_FALSE(exp_storage.expired());
    y.backward();
    CHECK(product_storage.expired());  // released on the way
    CHECK(exp_storage.expired());
    CHECK(x.has_grad());
  }
  CHECK(x.storage().use_count() == 1);
}

TEST_CASE("node: a factor is not kept when only the other one's gradient could want it") {
  const Variable w(normal({3}, 1), true), constant(normal({3}, 2));
  std::weak_ptr<Storage> intermediate;
  Variable y;
  {
    const Variable h = w + w;
    intermediate = h.storage();
    y = h * constant;  // dh = dy·constant; the constant needs no gradient, so h is not needed
  }
  CHECK(intermediate.expired());
}

TEST_CASE("node: graphs are freed whole: walked, not walked, retained, with graphs of gradients, after an error") {
  std::vector<std::weak_ptr<Storage>> all;
  {
    const Variable x(normal({1, 4, 4, 2}, 1), true), w(normal({3, 3, 3, 2}, 2), true);
    const auto watch = [&](const Variable& v) {
      all.push_back(v.storage());
      return v;
    };
    const auto loss = [&] {
      const Variable c = watch(conv2d(x, w, Variable(), 1, 1));
      return watch(sum(square(watch(tanh(watch(relu(c)))))));
    };
    loss();
    loss().backward();
    loss().backward(true);
    GradOptions options;
    options.create_graph = true;
    for (const bool derived : {false, true}) {
      const DerivedGradients mode(derived);
      const Variables d = grad({loss()}, {x, w}, {}, options);
      watch(d[0]);
      watch(d[1]);
      const Variable again = watch(sum(square(d[0])) + sum(square(d[1])));
      again.backward();
      const Variables unused = grad({loss()}, {w}, {}, options);
      watch(unused[0]);
    }
    const Variable broken =
        watch(record("broken", x.value(), {watch(square(x))},
                     [](const Variable&, const Context&) -> Variables { throw ValueError("broken"); }));
    CHECK(error_of([&] { broken.backward(ones(x.shape())); }) == "ValueError: broken");
    all.push_back(x.storage());
    all.push_back(w.storage());
  }
  CHECK(all.size() > 30);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    CHECK(all[i].expired());
  }
}
