#pragma once

// What is compared in part 4, and how it is measured.

#include "assignment/grader/mistakes.hpp"
#include "assignment/grader/part4.hpp"
#include "assignment/grader/training.hpp"

namespace xtg::assignment {

constexpr double kRates[] = {0.01, 0.03, 0.1, 0.3, 1};
constexpr nn::NormKind kCompared[] = {nn::NormKind::Batch, nn::NormKind::None};
constexpr std::size_t kBatchSizes[] = {2, 8, 32};
constexpr std::size_t kSteps = 40, kTail = kSteps / 4, kClasses = 10;
constexpr double kLearned = 2;  // a final loss below it counts as learned; undecided is ln 10 = 2.303

std::unique_ptr<nn::Module> network_of(const Part4& part, nn::NormKind kind);

/// The losses of a run of `steps` at this rate, on the same 32 images at every step.
std::vector<double> run_at(const Part4& part, nn::NormKind kind, double rate, std::size_t steps = kSteps);

struct Pictures {
  Tensor images;
  Indices labels;
};
/// Images first … first + n − 1 of the drawn figures, standardized.
Pictures pictures(std::size_t first, std::size_t n);

const std::vector<double>& beta_rates();

extern const std::vector<Mistake> kTurnMistakes, kSensitivityMistakes;

/// The two measures, with some of the mistakes. The first restores the parameters.
double beta_model(nn::Module& network, const Pictures& batch, const std::vector<double>& rates, Mistakes mistakes);
double sensitivity_model(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second,
                         Mistakes mistakes);

/// Of the first image in a batch of this size, whose other images are exchanged.
double sensitivity_at(nn::Module& network, std::size_t batch_size,
                      double (*measure)(nn::Module&, const Tensor&, const Tensor&, const Tensor&));

}  // namespace xtg::assignment
