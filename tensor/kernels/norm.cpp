#include "tensor/kernels/norm.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/columns.hpp"

namespace xtg::kernels {
namespace {

/// A sample of at most so many values is one thread's work; larger ones are cut into pieces of rows, for all threads.
/// Which of the two follows from the size of a sample alone, never from how many there are: the order of its sums, and
/// with it its last bits, must not depend on the batch that an image is in.
constexpr std::size_t kWholeSample = 4 * kGrain;
constexpr std::size_t kMostPieces = 64;

/// How the work is cut: samples into pieces of rows, or the samples into runs, each with sums of its own for dgamma.
struct Plan {
  explicit Plan(const NormSets& s)
      : sets(s), matrix(s.rows, s.channels), width(s.channels / s.groups), sample(s.rows * s.channels) {
    const std::size_t rows = std::max<std::size_t>(matrix.rows, 1);
    if (sample > kWholeSample)
      piece_rows = std::max(rows_per_piece(matrix.columns), (rows + kMostPieces - 1) / kMostPieces);
    else
      piece_rows = rows;
    pieces = (rows + piece_rows - 1) / piece_rows;
    // At most 64 runs, and not more than 2^21 sums between them, but for eight runs.
    const std::size_t most = std::clamp<std::size_t>((std::size_t{1} << 21) / s.channels, 8, kMostPieces);
    run = pieces > 1
              ? std::max<std::size_t>(s.samples, 1)
              : std::max({std::size_t{1}, kGrain / std::max<std::size_t>(sample, 1), (s.samples + most - 1) / most});
    runs = (s.samples + run - 1) / run;
  }

  /// body(piece, first row, last row) for the pieces of a sample.
  template <class Body>
  void for_each_piece(const Body& body) const {
    parallel_for(pieces, [&](std::size_t p) { body(p, p * piece_rows, std::min((p + 1) * piece_rows, matrix.rows)); });
  }

  /// body(run, first sample, last sample) for the runs of samples; there is one if samples are cut into pieces.
  template <class Body>
  void for_each_run(const Body& body) const {
    parallel_ranges(sets.samples, run, [&](std::size_t begin, std::size_t end) { body(begin / run, begin, end); });
  }

  /// A value per group -> a value per column.
  template <class Value, class Of>
  void spread(Value* by_column, const Of& of_group) const {
    for (std::size_t k = 0; k < sets.groups; ++k)
      std::fill_n(by_column + k * width, width, static_cast<Value>(of_group(k)));
    for (std::size_t i = 1; i < matrix.repeats; ++i)
      std::copy_n(by_column, sets.channels, by_column + i * sets.channels);
  }

  const NormSets& sets;
  WideMatrix matrix;               // of one sample; a column is a channel, several times over where there are few
  std::size_t width, sample;       // channels of a group, values of a sample
  std::size_t piece_rows, pieces;  // rows of a piece, pieces of a sample
  std::size_t run, runs;           // samples of a run, runs
};

double rstd_of(const NormStatistics& statistics, std::size_t set, double eps) {
  return 1 / std::sqrt(statistics.m2[set] / statistics.count + eps);
}

// Statistics

/// Moments of each group over some rows of a sample; `columns` has room for two numbers per column.
void piece_moments(const Plan& plan, const Scalar* x, std::size_t first, std::size_t last, double* columns,
                   Moments* groups) {
  const WideMatrix& m = plan.matrix;
  if (plan.sets.groups == 1) {
    groups[0] = run_moments(x + first * m.columns, (last - first) * m.columns);
    return;
  }
  double *const mean = columns, *const squares = columns + m.columns;
  column_moments(x, first, last, m.columns, mean, squares);
  const double rows = static_cast<double>(last - first);
  for (std::size_t k = 0; k < plan.sets.groups; ++k) {
    if (plan.width == 1) {  // a channel, in each of its columns
      groups[k] = of_equal(rows, mean + k, squares + k, m.repeats, m.channels);
      continue;
    }
    groups[k] = Moments{};
    for (std::size_t i = 0; i < m.repeats; ++i)
      groups[k].add(of_equal(rows, mean + i * m.channels + k * plan.width, squares + i * m.channels + k * plan.width,
                             plan.width));
  }
}

/// Finds the statistics of samples, one after the other.
class StatisticsFinder {
 public:
  StatisticsFinder(const Plan& plan, const Tensor& x, NormStatistics& statistics)
      : plan_(plan),
        x_(x.data()),
        statistics_(statistics),
        columns_(plan.pieces * 2 * plan.matrix.columns),
        groups_(plan.pieces * plan.sets.groups) {}

  void find(std::size_t sample) {
    const std::size_t G = plan_.sets.groups;
    plan_.for_each_piece([&](std::size_t p, std::size_t first, std::size_t last) {
      piece_moments(plan_, x_ + sample * plan_.sample, first, last, columns_.data() + p * 2 * plan_.matrix.columns,
                    groups_.data() + p * G);
    });
    for (std::size_t k = 0; k < G; ++k) {
      Moments& total = groups_[k];
      for (std::size_t p = 1; p < plan_.pieces; ++p) total.add(groups_[p * G + k]);
      const bool centred = plan_.sets.centred;
      statistics_.mean[sample * G + k] = centred ? total.mean : 0;
      statistics_.m2[sample * G + k] = total.squares + (centred ? 0 : total.count * total.mean * total.mean);
    }
  }

 private:
  const Plan& plan_;
  const Scalar* x_;
  NormStatistics& statistics_;
  std::vector<double> columns_;
  std::vector<Moments> groups_;
};

NormStatistics empty_statistics(const NormSets& sets) {
  return {static_cast<double>(sets.values()), std::vector<double>(sets.count()), std::vector<double>(sets.count())};
}

// One number for all columns of a sample, or one for each. With one group it is the former: a scalar in a register.

struct Same {
  Scalar value;
  Scalar operator[](std::size_t) const { return value; }
};

/// Numbers of a sample's groups, as the loops want them: use(Same…) or use(const Scalar*…) for `Count` numbers of each.
template <std::size_t Count>
class ByGroup {
 public:
  explicit ByGroup(const Plan& plan) : plan_(plan), columns_(plan.sets.groups == 1 ? 0 : Count * plan.matrix.columns) {}

  /// of_group(k) -> the Count numbers of group k.
  template <class Of>
  void set(const Of& of_group) {
    if (plan_.sets.groups == 1) {
      same_ = of_group(0);
      return;
    }
    groups_.resize(plan_.sets.groups);
    for (std::size_t k = 0; k < plan_.sets.groups; ++k) groups_[k] = of_group(k);
    for (std::size_t j = 0; j < Count; ++j)
      plan_.spread(columns_.data() + j * plan_.matrix.columns, [&](std::size_t k) { return groups_[k][j]; });
  }

  /// use(get), where get(j) is the j-th number, by column or the same for all.
  template <class Use>
  void with(const Use& use) const {
    if (plan_.sets.groups == 1)
      use([this](std::size_t j) { return Same{same_[j]}; });
    else
      use([this](std::size_t j) { return static_cast<const Scalar*>(columns_.data() + j * plan_.matrix.columns); });
  }

 private:
  const Plan& plan_;
  std::array<Scalar, Count> same_{};
  std::vector<std::array<Scalar, Count>> groups_;
  std::vector<Scalar> columns_;
};

// Forward: the epilogues make the result of element i from norm = gamma·x_hat + beta.

struct KeepNorm {
  Scalar operator()(Scalar norm, std::size_t) const { return norm; }
};
struct ReluNorm {
  Scalar operator()(Scalar norm, std::size_t) const { return norm <= 0 ? Scalar{0} : norm; }
};
struct AddReluNorm {
  const Scalar* residual;
  Scalar operator()(Scalar norm, std::size_t i) const {
    const Scalar z = norm + residual[i];
    return z <= 0 ? Scalar{0} : z;
  }
};

template <class Finish>
NormForward forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormSets& sets, double eps,
                    const Finish& finish, const NormStatistics* given) {
  const Plan plan(sets);
  NormForward f{Tensor(x.shape()), given ? *given : empty_statistics(sets)};
  const auto gammas = plan.matrix.repeated(gamma.data()), betas = plan.matrix.repeated(beta.data());
  const Scalar *in = x.data(), *g = gammas.data(), *b = betas.data();
  Scalar* y = f.y.data();
  plan.for_each_run([&](std::size_t, std::size_t begin, std::size_t end) {
    StatisticsFinder statistics(plan, x, f.statistics);
    ByGroup<2> numbers(plan);  // mean and rstd
    for (std::size_t n = begin; n < end; ++n) {
      if (!given) statistics.find(n);
      numbers.set([&](std::size_t k) -> std::array<Scalar, 2> {
        const std::size_t set = n * sets.groups + k;
        return {static_cast<Scalar>(f.statistics.mean[set]), static_cast<Scalar>(rstd_of(f.statistics, set, eps))};
      });
      numbers.with([&](const auto& get) {
        const auto mu = get(0), r = get(1);
        const std::size_t start = n * plan.matrix.rows;
        plan.for_each_piece([&](std::size_t, std::size_t first, std::size_t last) {
          for_each_element(start + first, start + last, plan.matrix.columns, [=](std::size_t i, std::size_t c) {
            const Scalar x_hat = (in[i] - mu[c]) * r[c];
            y[i] = finish(g[c] * x_hat + b[c], i);
          });
        });
      });
    }
  });
  return f;
}

// Backward: the gradient dz of norm at element i of column c, behind the epilogue. The loops ask twice: `first` for the
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
    ByGroup<2> numbers(plan);
    for (std::size_t n = begin; n < end; ++n) {
      numbers.set([&](std::size_t k) -> std::array<Scalar, 2> {
        const std::size_t set = n * plan.sets.groups + k;
        return {static_cast<Scalar>(u.statistics.mean[set]), static_cast<Scalar>(rstd_of(u.statistics, set, eps))};
      });
      numbers.with([&](const auto& get) { sums.find(n, u.x.data(), get(0), get(1), dz); });
      visit(run, n, sums, numbers);
    }
  });
}

template <class Upstream>
NormSums sums_of_sets(const NormUpstream& u, const NormSets& sets, double eps, const Upstream& dz) {
  NormSums found{std::vector<double>(sets.count()), std::vector<double>(sets.count())};
  const auto visit = [&](std::size_t, std::size_t n, const ChannelSums& sums, const ByGroup<2>&) {
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
void write_dx(const Plan& plan, std::size_t sample, const Scalar* in, const Scalar* g, const ByGroup<2>& statistics,
              const ByGroup<2>& means, const Upstream& dz, Scalar* dx) {
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
  const auto visit = [&](std::size_t run, std::size_t n, const ChannelSums& sums, const ByGroup<2>& statistics) {
    double *const dbeta = parameters.data() + run * 2 * C, *const dgamma = dbeta + C;
    for (std::size_t c = 0; c < C; ++c) {
      dbeta[c] += sums.dz()[c];
      dgamma[c] += sums.dz_x_hat()[c];
    }
    ByGroup<2> means(plan);
    means.set([&](std::size_t k) -> std::array<Scalar, 2> {
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

NormStatistics norm_statistics(const Tensor& x, const NormSets& sets) {
  const Plan plan(sets);
  NormStatistics found = empty_statistics(sets);
  plan.for_each_run([&](std::size_t, std::size_t begin, std::size_t end) {
    StatisticsFinder statistics(plan, x, found);
    for (std::size_t n = begin; n < end; ++n) statistics.find(n);
  });
  return found;
}

NormForward norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormSets& sets, double eps,
                         Epilogue epilogue, const Tensor* residual, const NormStatistics* given) {
  switch (epilogue) {
    case Epilogue::Relu:
      return forward(x, gamma, beta, sets, eps, ReluNorm{}, given);
    case Epilogue::AddRelu:
      return forward(x, gamma, beta, sets, eps, AddReluNorm{residual->data()}, given);
    case Epilogue::None:
      break;
  }
  return forward(x, gamma, beta, sets, eps, KeepNorm{}, given);
}

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
