#include "tensor/kernels/norm_plan.hpp"

#include <type_traits>

namespace xtg::kernels {
namespace {

/// Moments of each group over some rows of a sample, within blocks in `Sum`; `columns` has room for two numbers per
/// column.
template <class Sum>
void piece_moments(const Plan& plan, const Scalar* x, std::size_t first, std::size_t last, double* columns,
                   Moments* groups) {
  const WideMatrix& m = plan.matrix;
  if (plan.sets.groups == 1) {
    groups[0] = run_moments<Sum>(x + first * m.columns, (last - first) * m.columns);
    return;
  }
  double *const mean = columns, *const squares = columns + m.columns;
  column_moments<Sum>(x, first, last, m.columns, mean, squares);
  const double rows = static_cast<double>(last - first);
  for (std::size_t k = 0; k < plan.sets.groups; ++k)
    groups[k] = of_equal(rows, mean + k * plan.width, squares + k * plan.width, m.repeats, plan.width, m.channels);
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
    // From deviations of 1e18 on, the sum of 64 squares may not fit in a float. That is rare, and so found out behind.
    if (!find_in<Scalar>(sample) && std::is_same_v<Scalar, float>) find_in<double>(sample);
  }

 private:
  /// Whether all squares are finite.
  template <class Sum>
  bool find_in(std::size_t sample) {
    const std::size_t G = plan_.sets.groups;
    plan_.for_each_piece([&](std::size_t p, std::size_t first, std::size_t last) {
      piece_moments<Sum>(plan_, x_ + sample * plan_.sample, first, last, columns_.data() + p * 2 * plan_.matrix.columns,
                         groups_.data() + p * G);
    });
    bool finite = true;
    for (std::size_t k = 0; k < G; ++k) {
      Moments& total = groups_[k];
      for (std::size_t p = 1; p < plan_.pieces; ++p) total.add(groups_[p * G + k]);
      const bool centred = plan_.sets.centred;
      statistics_.mean[sample * G + k] = centred ? total.mean : 0;
      statistics_.m2[sample * G + k] = total.squares + (centred ? 0 : total.count * total.mean * total.mean);
      finite = finite && std::isfinite(total.squares);
    }
    return finite;
  }

  const Plan& plan_;
  const Scalar* x_;
  NormStatistics& statistics_;
  std::vector<double> columns_;
  std::vector<Moments> groups_;
};

NormStatistics empty_statistics(const NormSets& sets) {
  return {static_cast<double>(sets.values()), std::vector<double>(sets.count()), std::vector<double>(sets.count())};
}

// The epilogues make the result of element i from norm = gamma·x_hat + beta.

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
    ByGroup numbers(plan);  // mean and rstd
    for (std::size_t n = begin; n < end; ++n) {
      if (!given) statistics.find(n);
      numbers.set(f.statistics, n, eps);
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

}  // namespace xtg::kernels
