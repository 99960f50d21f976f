#include "nn/norm/norm.hpp"

#include <cmath>
#include <numeric>

#include "autograd/ops/activation.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/norm.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg::nn {

Axes all_but_last(const Tensor& x) {
  require<ShapeError>(x.dimension() >= 2, "norm: expected x (N, …, C), got {}", to_string(x.shape()));
  Axes axes(x.dimension() - 1);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Axes axes_of_size_1(const Tensor& statistics) {
  Axes axes;
  for (std::size_t i = 0; i < statistics.dimension(); ++i)
    if (statistics.shape()[i] == 1) axes.push_back(static_cast<int>(i));
  return axes;
}

Variable with_epilogue(const Variable& norm, const Epilogue& epilogue) {
  if (!epilogue.relu) return norm;
  return epilogue.residual.defined() ? add_relu(norm, epilogue.residual) : relu(norm);
}

void update_running(const RunningStatistics& running, const MeanAndVariance& batch, std::size_t M) {
  const std::size_t C = running.mean.size();
  const auto per_channel = [C](const Tensor& t) { return mean(reshape(t, Shape{t.size() / C, C}), {0}); };  // (C)
  const auto m = static_cast<Scalar>(running.momentum), kept = static_cast<Scalar>(1 - running.momentum);
  const auto unbiased = static_cast<Scalar>(static_cast<double>(M) / static_cast<double>(M - 1));
  running.mean = kept * running.mean + m * per_channel(batch.mean);
  running.var = kept * running.var + m * (unbiased * per_channel(batch.var));
}

// The layers

Variable Norm::operator()(const Variable& x, const Epilogue& epilogue) {
  if (has_forward_hooks()) return with_epilogue(Module::operator()(x), epilogue);
  const Scope scope(name());
  return forward(x, epilogue);
}

Variable activated(Norm* norm, const Variable& x, const Variable& residual) {
  const Epilogue epilogue{true, residual};
  return norm != nullptr ? (*norm)(x, epilogue) : with_epilogue(x, epilogue);
}

TrackingNorm::TrackingNorm(const char* operation, std::size_t channels, const Options& options)
    : operation_(operation),
      channels_(require_size(operation, "channels", channels)),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones({channels})) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros({channels})) : Variable()) {
  if (!options.track_running_stats) return;
  running_mean_ = &add_buffer("running_mean", zeros({channels}));
  running_var_ = &add_buffer("running_var", ones({channels}));
  num_batches_tracked_ = &add_counter("num_batches_tracked");
}

Variable TrackingNorm::forward(const Variable& x, const Epilogue& epilogue) {
  require<ShapeError>(channels_of(operation_, x.shape()) == channels_, "{}: expected {} channels, x is {}", operation_,
                      channels_, to_string(x.shape()));
  if (!options_.track_running_stats) return normalize(x, gamma_, beta_, std::nullopt, epilogue);
  if (!is_training()) return batch_norm_eval(x, gamma_, beta_, *running_mean_, *running_var_, options_.eps, epilogue);
  const double momentum = options_.momentum.value_or(1 / static_cast<double>(*num_batches_tracked_ + 1));
  const Variable y = normalize(x, gamma_, beta_, RunningStatistics{*running_mean_, *running_var_, momentum}, epilogue);
  ++*num_batches_tracked_;
  return y;
}

// For writing a norm

const char* NormNames::with(const Epilogue& epilogue) const {
  return !epilogue.relu ? plain : epilogue.residual.defined() ? add_relu : relu;
}

void require_eps(const char* name, double eps) {
  require(std::isfinite(eps) && eps >= 0, "{}: eps must be finite and at least 0, got {}", name, eps);
}

std::size_t channels_of(const char* name, const Shape& x) {
  require<ShapeError>(x.size() >= 2 && count(x) > 0, "{}: expected x (N, …, C) without empty axes, got {}", name,
                      to_string(x));
  return x.back();
}

Variables norm_arguments(const char* name, const Variable& x, const Variable& gamma, const Variable& beta,
                         const Shape& shape, const Epilogue& epilogue) {
  const Variable g = gamma.defined() ? gamma : Variable(ones(shape)),
                 b = beta.defined() ? beta : Variable(zeros(shape));
  require<ShapeError>(g.shape() == shape && b.shape() == shape,
                      "{}: expected gamma and beta of shape {} for x {}, got {} and {}", name, to_string(shape),
                      to_string(x.shape()), to_string(g.shape()), to_string(b.shape()));
  const Variable& r = epilogue.residual;
  require(epilogue.relu || !r.defined(), "{}: a residual is for the form with relu", name);
  require<ShapeError>(!r.defined() || r.shape() == x.shape(), "{}: expected a residual of x's shape {}, got {}", name,
                      to_string(x.shape()), r.defined() ? to_string(r.shape()) : "");
  return {x, g, b, r};
}

void require_two_values(const char* name, std::size_t values, const Variable& x) {
  require(values >= 2, "{}: expected more than one value per statistic, x is {}", name, to_string(x.shape()));
}

void require_running_statistics(const char* name, const Tensor& mean, const Tensor& var, std::size_t channels) {
  const Shape expected = {channels};
  require<ShapeError>(mean.shape() == expected && var.shape() == expected,
                      "{}: expected running statistics of shape {}, got {} and {}", name, to_string(expected),
                      to_string(mean.shape()), to_string(var.shape()));
}

void require_running_statistics(const char* name, const RunningStatistics& running, std::size_t channels) {
  require_running_statistics(name, running.mean, running.var, channels);
  require(running.momentum >= 0 && running.momentum <= 1, "{}: the momentum must be within [0, 1], got {}", name,
          running.momentum);
}

Computed norm_by_hand(NormForward f, NormBackward backward, const Epilogue& epilogue) {
  const bool open = epilogue.relu, add = epilogue.residual.defined();
  if (add) f.y = f.y + epilogue.residual.value();
  return {
      open ? relu(f.y) : std::move(f.y),
      [backward, open, add, mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        std::optional<Tensor> masked;
        if (open) masked = relu_backward(dy, a.output());
        NormGradients d = backward(open ? *masked : dy, a[0], mean, rstd, a[1]);
        AnalyticGradients gradients = analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
        gradients.push_back(add ? std::move(masked) : std::nullopt);
        return gradients;
      },
      open ? Keep::Output : Keep::Nothing};
}

namespace {

kernels::Epilogue of_kernel(const Epilogue& epilogue) {
  if (!epilogue.relu) return kernels::Epilogue::None;
  return epilogue.residual.defined() ? kernels::Epilogue::AddRelu : kernels::Epilogue::Relu;
}

MeanAndVariance as_tensors(const kernels::NormStatistics& statistics, const kernels::NormSets& sets) {
  const Shape shape = {sets.samples, sets.groups};
  MeanAndVariance t{Tensor(shape), Tensor(shape)};
  for (std::size_t i = 0; i < sets.count(); ++i) {
    t.mean.data()[i] = static_cast<Scalar>(statistics.mean[i]);
    t.var.data()[i] = static_cast<Scalar>(statistics.m2[i] / statistics.count);
  }
  return t;
}

/// The kernel's form. With given statistics, constants, the gradient has no way through them: their sums are 0.
Computed fused(const Variables& arguments, const kernels::NormSets& sets, double eps, const Epilogue& epilogue,
               const kernels::NormStatistics* given, std::optional<MeanAndVariance>* batch) {
  const kernels::Epilogue kind = of_kernel(epilogue);
  const bool add = kind == kernels::Epilogue::AddRelu;
  kernels::NormForward f = kernels::norm_forward(arguments[0].value(), arguments[1].value(), arguments[2].value(), sets,
                                                 eps, kind, add ? &arguments[3].value() : nullptr, given);
  if (batch) *batch = as_tensors(f.statistics, sets);
  return {std::move(f.y),
          [sets, eps, kind, add, constant = given != nullptr, statistics = std::move(f.statistics)](
              const Tensor& dy, const Arguments& a) {
            const std::vector<double> zeros(constant ? sets.count() : 0);
            const kernels::NormSums none{zeros, zeros};
            kernels::NormBackward d =
                kernels::norm_backward({dy, a[0], statistics, a[1], a[2], add ? &a.output() : nullptr}, sets, eps, kind,
                                       constant ? &none : nullptr);
            AnalyticGradients gradients = analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
            gradients.emplace_back();
            if (add) gradients.back() = std::move(d.dresidual);
            return gradients;
          },
          add ? Keep::Output : Keep::Nothing};
}

}  // namespace

Computed norm_fused(const Variables& arguments, const kernels::NormSets& sets, double eps, const Epilogue& epilogue,
                    std::optional<MeanAndVariance>* batch) {
  return fused(arguments, sets, eps, epilogue, nullptr, batch);
}

Computed norm_fused_with(const MeanAndVariance& given, const Variables& arguments, double eps,
                         const Epilogue& epilogue) {
  const std::size_t C = given.mean.size();
  const kernels::NormStatistics statistics{
      1, {given.mean.begin(), given.mean.end()}, {given.var.begin(), given.var.end()}};
  return fused(arguments, {1, arguments[0].size() / C, C, C}, eps, epilogue, &statistics, nullptr);
}

MeanAndVariance set_statistics(const Tensor& x, const kernels::NormSets& sets) {
  return as_tensors(kernels::norm_statistics(x, sets), sets);
}

}  // namespace xtg::nn
