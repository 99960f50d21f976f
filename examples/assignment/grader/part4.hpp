#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/random.hpp"

namespace xtg::assignment {

/// What a student writes in part 4.
struct Part4 {
  std::function<std::unique_ptr<nn::Module>(nn::NormKind kind, std::size_t classes, Generator& generator)> network;
  double (*effective_beta)(nn::Module& network, const Tensor& images, const Indices& labels,
                           const std::vector<double>& rates);
  double (*batch_sensitivity)(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second);
};

/// The environment variable XTGRAD_FOLDER names the folder with p4_answers.json and p4_log.csv.
int grade_part4(const Part4& part);

/// Trains at all rates, writes the log to `path`, and prints what the student's functions measure.
int measure_part4(const Part4& part, const std::string& path);

}  // namespace xtg::assignment
