#include "tensor/kernels/norm_plan.hpp"

namespace xtg::kernels {
namespace {

// The gradient dz of norm at element i of column c, behind the epilogue. The loops ask twice: `first` for the
// sums, `again` for dx.

struct OfNorm {
  const Scalar* dy;
  Scalar first(std::size_t i, std::size_t, Scalar) const { return dy[i]; }
  Scalar again(std::size_t i, std::size_t, Scalar) const { return dy[i]; }
};
/// relu's mask is computed again from x_hat, so that y need not be read. gamma and beta are by column.
struct OfReluNorm {
  const Scalar *dy, *gamma, *beta;
  Scalar first(std::size_t i, std::size_t c, Scalar x_hat) const {
    const Scalar upstream = dy[i];
    return gamma[c] * x_hat + beta[c] <= 0 ? Scalar{0} : upstream;
  }
  Scalar again(std::size_t i, std::size_t c, Scalar x_hat) const { return first(i, c, x_hat); }
};
/// dz is also the gradient of the residual: `first` stores it, `again` reads it.
struct OfAddReluNorm {
  const Scalar *dy, *y;
  Scalar* dz;
  Scalar first(std::size_t i, std::size_t, Scalar) const {
    const Scalar upstream = dy[i];
    return dz[i] = y[i] <= 0 ? Scalar{0} : upstream;
  }
  Scalar again(std::size_t i, std::size_t, Scalar) const { return dz[i]; }
};

/// The rows of a matrix added up, into its first one.
void add_rows(double* matrix, std::size_t rows, std::size_t columns) {
  for (std::size_t i = 1; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) matrix[j] += matrix[i * columns + j];
}

/// The sums of a sample, from which everything else follows: Σ dz and Σ dz·x_hat of its channels, Σ dx_hat and
/// Σ dx_hat·x_hat of its groups, gamma being constant in a channel.
class Sums {
 public:
  Sums(const Plan& plan, const Scalar* gamma)
      : plan_(plan), gamma_(gamma), columns_(plan.pieces * 2 * plan.matrix.columns), groups_(2 * plan.sets.groups) {}

  template <class Upstream, class Number>
  void find(std::size_t sample, const Scalar* in, const Number& mu, const Number& r, const Upstream& dz) {
    const std::size_t columns = plan_.matrix.columns, width = 2 * columns, start = sample * plan_.matrix.rows;
    plan_.for_each_piece([&](std::size_t p, std::size_t first, std::size_t last) {
      double* sums = columns_.data() + p * width;
      column_sums<Scalar>(start + first, start + last, columns, sums, sums + columns,
                          [=](std::size_t i, std::size_t c, Scalar& sum, Scalar& sum_x_hat) {
                            const Scalar x_hat = (in[i] - mu[c]) * r[c], up = dz.first(i, c, x_hat);
                            sum += up;
                            sum_x_hat += up * x_hat;
                          });
    });
    add_rows(columns_.data(), plan_.pieces, width);
    for (const std::size_t j : {0, 1}) {
      double* const of_channel = columns_.data() + j * columns;
      plan_.matrix.fold(of_channel);
      to_groups(of_channel, groups_.data() + j * plan_.sets.groups);
    }
  }

  const double* dz() const { return columns_.data(); }
  const double* dz_x_hat() const { return columns_.data() + plan_.matrix.columns; }
  const double* dx_hat() const { return groups_.data(); }
  const double* dx_hat_x_hat() const { return groups_.data() + plan_.sets.groups; }

 private:
  void to_groups(const double* of_channel, double* of_group) const {
    const std::size_t width = plan_.width, channels = plan_.sets.channels;
    const auto dx_hat = [=](std::size_t c) { return static_cast<double>(gamma_[c]) * of_channel[c]; };
    if (width == 1) {
      for (std::size_t c = 0; c < channels; ++c) of_group[c] = dx_hat(c);
      return;
    }
    for (std::size_t c = 0; c < channels; c += width)
      *of_group++ = sum_of(width, [&](std::size_t i) { return dx_hat(c + i); });
  }

  const Plan& plan_;
  const Scalar* gamma_;
  std::vector<double> columns_, groups_;
};

/// Where a run's walk is: a sample with its sums, and mean and rstd of its groups.
struct Sample {
  std::size_t run, index;
  Sums sums;
  ByGroup statistics, means;  // `means` is for the visitor
};

/// visit(sample) for each sample.
template <class Upstream, class Visit>
void for_each_sample(const Plan& plan, const NormUpstream& u, double eps, const Upstream& dz, const Visit& visit) {
  plan.for_each_run([&](std::size_t run, std::size_t begin, std::size_t end) {
    Sample sample{run, begin, Sums(plan, u.gamma.data()), ByGroup(plan), ByGroup(plan)};
    for (; sample.index < end; ++sample.index) {
      sample.statistics.set(u.statistics, sample.index, eps);
      sample.statistics.with([&](const auto& get) { sample.sums.find(sample.index, u.x.data(), get(0), get(1), dz); });
      visit(sample);
    }
  });
}

template <class Upstream>
NormSums sums_of_sets(const NormUpstream& u, const NormSets& sets, double eps, const Upstream& dz) {
  NormSums found{std::vector<double>(sets.count()), std::vector<double>(sets.count())};
  for_each_sample(Plan(sets), u, eps, dz, [&](const Sample& sample) {
    const std::size_t first = sample.index * sets.groups;
    std::copy_n(sample.sums.dx_hat(), sets.groups, found.dx_hat.data() + first);
    std::copy_n(sample.sums.dx_hat_x_hat(), sets.groups, found.dx_hat_x_hat.data() + first);
  });
  return found;
}

/// dx of one sample, from <dx_hat> and <dx_hat·x_hat> of its groups.
template <class Upstream>
void write_dx(const Plan& plan, const Sample& sample, const Scalar* in, const Scalar* g, const Upstream& dz,
              Scalar* dx) {
  const std::size_t start = sample.index * plan.matrix.rows;
  sample.statistics.with([&](const auto& statistic) {
    sample.means.with([&](const auto& mean) {
      const auto mu = statistic(0), r = statistic(1);
      const auto m1 = mean(0), m2 = mean(1);
      plan.for_each_piece([&](std::size_t, std::size_t first, std::size_t last) {
        for_each_element(start + first, start + last, plan.matrix.columns, [=](std::size_t i, std::size_t c) {
          const Scalar x_hat = (in[i] - mu[c]) * r[c], dx_hat = g[c] * dz.again(i, c, x_hat);
          dx[i] = r[c] * (dx_hat - m1[c] - x_hat * m2[c]);
        });
      });
    });
  });
}

template <class Upstream>
void backward(const Plan& plan, const NormUpstream& u, double eps, const Scalar* gammas, const Upstream& dz,
              const NormSums* given, NormBackward& d) {
  const std::size_t G = plan.sets.groups, C = plan.sets.channels;
  std::vector<double> parameters(plan.runs * 2 * C, 0.0);  // dbeta and dgamma of each run
  for_each_sample(plan, u, eps, dz, [&](Sample& sample) {
    const Sums& sums = sample.sums;
    double *const dbeta = parameters.data() + sample.run * 2 * C, *const dgamma = dbeta + C;
    for (std::size_t c = 0; c < C; ++c) {
      dbeta[c] += sums.dz()[c];
      dgamma[c] += sums.dz_x_hat()[c];
    }
    const double *dx_hat = sums.dx_hat(), *dx_hat_x_hat = sums.dx_hat_x_hat(), count = u.statistics.count;
    if (given) {
      dx_hat = given->dx_hat.data() + sample.index * G;
      dx_hat_x_hat = given->dx_hat_x_hat.data() + sample.index * G;
    }
    const bool centred = plan.sets.centred;
    sample.means.set([=](std::size_t k) { return centred ? dx_hat[k] / count : 0; },
                     [=](std::size_t k) { return dx_hat_x_hat[k] / count; });
    write_dx(plan, sample, u.x.data(), gammas, dz, d.dx.data());
  });
  add_rows(parameters.data(), plan.runs, 2 * C);
  for (std::size_t c = 0; c < C; ++c) {
    d.dbeta.data()[c] = static_cast<Scalar>(parameters[c]);
    d.dgamma.data()[c] = static_cast<Scalar>(parameters[C + c]);
  }
}

/// use(dz) with the upstream functor of the epilogue.
template <class Use>
void with_upstream(const Plan& plan, const NormUpstream& u, Epilogue epilogue, Tensor& dresidual, const Use& use) {
  switch (epilogue) {
    case Epilogue::Relu: {
      const auto gammas = plan.matrix.repeated(u.gamma.data()), betas = plan.matrix.repeated(u.beta.data());
      return use(OfReluNorm{u.dy.data(), gammas.data(), betas.data()});
    }
    case Epilogue::AddRelu:
      dresidual = Tensor(u.x.shape());
      return use(OfAddReluNorm{u.dy.data(), u.y->data(), dresidual.data()});
    case Epilogue::None:
      break;
  }
  use(OfNorm{u.dy.data()});
}

}  // namespace

NormSums norm_sums(const NormUpstream& upstream, const NormSets& sets, double eps, Epilogue epilogue) {
  NormSums found;
  Tensor dresidual;
  with_upstream(Plan(sets), upstream, epilogue, dresidual,
                [&](const auto& dz) { found = sums_of_sets(upstream, sets, eps, dz); });
  return found;
}

NormBackward norm_backward(const NormUpstream& upstream, const NormSets& sets, double eps, Epilogue epilogue,
                           const NormSums* given) {
  const Plan plan(sets);
  const auto gammas = plan.matrix.repeated(upstream.gamma.data());
  NormBackward d{Tensor(upstream.x.shape()), Tensor(upstream.gamma.shape()), Tensor(upstream.gamma.shape()), Tensor()};
  with_upstream(plan, upstream, epilogue, d.dresidual,
                [&](const auto& dz) { backward(plan, upstream, eps, gammas.data(), dz, given, d); });
  if (sets.values() == 1 && sets.centred && given == nullptr)
    for (Scalar& v : d.dx)
      v *= 0;  // y is beta, whatever x is: not what rounding leaves of dx_hat − <dx_hat>, but for NaN
  return d;
}

}  // namespace xtg::kernels
