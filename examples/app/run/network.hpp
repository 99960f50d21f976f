#pragma once

#include <memory>

#include "examples/app/settings/settings.hpp"
#include "nn/module.hpp"
#include "nn/train/trainer.hpp"

namespace xtg::app {

/// The network that the settings ask for, initialized from their seed.
std::unique_ptr<nn::Module> make_network(const Settings& settings, std::size_t classes);

/// The same with the weights of the checkpoint: the average of the weights if the training kept one.
std::unique_ptr<nn::Module> trained_network(const Settings& settings, const nn::Checkpoint& checkpoint,
                                            std::size_t classes);

nn::TrainerOptions trainer_options(const Settings& settings);

/// Makes the library compute as the settings say: threads, precision, convolutions. Where this build or processor has
/// no bf16, settings.precision becomes fp32, and the result is false.
bool prepare_arithmetic(Settings& settings);

}  // namespace xtg::app
