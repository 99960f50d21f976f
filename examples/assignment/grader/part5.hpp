#pragma once

#include <functional>
#include <memory>

#include "nn/module.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/random.hpp"

namespace xtg::assignment {

using MakeNetwork = std::function<std::unique_ptr<nn::Module>(std::size_t width, std::size_t classes, nn::NormKind kind,
                                                              std::size_t groups, Generator& generator)>;

int grade_part5(const MakeNetwork& make);

}  // namespace xtg::assignment
