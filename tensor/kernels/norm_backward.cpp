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

/// The sums of a sample's channels, Σ dz and Σ dz·x_hat, from which everything else follows.
class ChannelSums {
 public:
  explicit ChannelSums(const Plan& plan) : plan_(plan), sums_(plan.pieces * 2 * plan.matrix.columns) {}

  template <class Upstream, class Number>
  void find(std::size_t sample, const Scalar* in, const Number& mu, const Number& r, const Upstream& dz) {
    const std::size_t columns = plan_.matrix.columns, width = 2 * columns, start = sample * plan_.matrix.rows;
    plan_.for_each_piece([&](std::size_t p, std::size_t first, std::size_t last) {
      double* sums = sums_.data() + p * width;
      column_sums<Scalar>(start + first, start + last, columns, sums, sums + columns,
                          [=](std::size_t i, std::size_t c, Scalar& sum, Scalar& sum_x_hat) {
                            const Scalar x_hat = (in[i] - mu[c]) * r[c], up = dz.first(i, c, x_hat);
                            sum += up;
                            sum_x_hat += up * x_hat;
                          });
    });
    for (std::size_t i = width; i < sums_.size(); ++i) sums_[i % width] += sums_[i];
    plan_.matrix.fold(sums_.data());
    plan_.matrix.fold(sums_.data() + columns);
  }

  const double* dz() const { return sums_.data(); }
  const double* dz_x_hat() const { return sums_.data() + plan_.matrix.columns; }

  /// Σ dx_hat and Σ dx_hat·x_hat of group k: gamma is constant in a channel.
  std::array<double, 2> of_group(std::size_t k, const Scalar* gamma) const {
    std::array<double, 2> total{};
    for (std::size_t c = k * plan_.width; c < (k + 1) * plan_.width; ++c) {
      total[0] += static_cast<double>(gamma[c]) * dz()[c];
      total[1] += static_cast<double>(gamma[c]) * dz_x_hat()[c];
    }
    return total;
  }

 private:
  const Plan& plan_;
  std::vector<double> sums_;
};

/// visit(run, sample, sums, numbers) for each sample, with the sums of its channels, and mean and rstd of its groups.
template <class Upstream, class Visit>
void for_each_sample(const Plan& plan, const NormUpstream& u, double eps, const Upstream& dz, const Visit& visit) {
  plan.for_each_run([&](std::size_t run, std::size_t begin, std::size_t end) {
    ChannelSums sums(plan);
    ByGroup numbers(plan);
    for (std::size_t n = begin; n < end; ++n) {
      numbers.set(u.statistics, n, eps);
      numbers.with([&](const auto& get) { sums.find(n, u.x.data(), get(0), get(1), dz); });
      visit(run, n, sums, numbers);
    }
  });
}

template <class Upstream>
NormSums sums_of_sets(const NormUpstream& u, const NormSets& sets, double eps, const Upstream& dz) {
  NormSums found{std::vector<double>(sets.count()), std::vector<double>(sets.count())};
  const auto visit = [&](std::size_t, std::size_t n, const ChannelSums& sums, const ByGroup&) {
    for (std::size_t k = 0; k < sets.groups; ++k) {
      const auto [dx_hat, dx_hat_x_hat] = sums.of_group(k, u.gamma.data());
      found.dx_hat[n * sets.groups + k] = dx_hat;
      found.dx_hat_x_hat[n * sets.groups + k] = dx_hat_x_hat;
    }
  };
  for_each_sample(Plan(sets), u, eps, dz, visit);
  return found;
}

/// dx of one sample, from <dx_hat> and <dx_hat·x_hat> of its groups.
template <class Upstream>
void write_dx(const Plan& plan, std::size_t sample, const Scalar* in, const Scalar* g, const ByGroup& statistics,
              const ByGroup& means, const Upstream& dz, Scalar* dx) {
  const std::size_t start = sample * plan.matrix.rows;
  statistics.with([&](const auto& statistic) {
    means.with([&](const auto& mean) {
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
  const auto visit = [&](std::size_t run, std::size_t n, const ChannelSums& sums, const ByGroup& statistics) {
    double *const dbeta = parameters.data() + run * 2 * C, *const dgamma = dbeta + C;
    for (std::size_t c = 0; c < C; ++c) {
      dbeta[c] += sums.dz()[c];
      dgamma[c] += sums.dz_x_hat()[c];
    }
    ByGroup means(plan);
    means.set([&](std::size_t k) -> ByGroup::Pair {
      const std::size_t set = n * G + k;
      const auto total = given ? std::array<double, 2>{given->dx_hat[set], given->dx_hat_x_hat[set]}
                               : sums.of_group(k, u.gamma.data());
      return {static_cast<Scalar>(plan.sets.centred ? total[0] / u.statistics.count : 0),
              static_cast<Scalar>(total[1] / u.statistics.count)};
    });
    write_dx(plan, n, u.x.data(), gammas, statistics, means, dz, d.dx.data());
  };
  for_each_sample(plan, u, eps, dz, visit);
  for (std::size_t i = 2 * C; i < parameters.size(); ++i) parameters[i % (2 * C)] += parameters[i];
  for (std::size_t c = 0; c < C; ++c) {
    d.dbeta.data()[c] = static_cast<Scalar>(parameters[c]);
    d.dgamma.data()[c] = static_cast<Scalar>(parameters[C + c]);
  }
}

/// use(dz) with the upstream functor of the epilogue.
template <class Use>
void with_upstream(const Plan& plan, const NormUpstream& u, Epilogue epilogue, Tensor& dresidual, const Use& use) {
  if (epilogue == Epilogue::None) {
    use(OfNorm{u.dy.data()});
  } else if (epilogue == Epilogue::Relu) {
    const auto gammas = plan.matrix.repeated(u.gamma.data()), betas = plan.matrix.repeated(u.beta.data());
    use(OfReluNorm{u.dy.data(), gammas.data(), betas.data()});
  } else {
    dresidual = Tensor(u.x.shape());
    use(OfAddReluNorm{u.dy.data(), u.y->data(), dresidual.data()});
  }
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
  return d;
}

}  // namespace xtg::kernels
