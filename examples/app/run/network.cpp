#include "examples/app/run/network.hpp"

#include "nn/models/model.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/parallel.hpp"
#include "tensor/precision.hpp"

namespace xtg::app {

using namespace nn;

namespace {

constexpr std::uint64_t initialization_stream = 0x696e;  // of random numbers; the loader and the shapes have their own

}  // namespace

std::unique_ptr<Module> make_network(const Settings& s, std::size_t classes) {
  ModelOptions options;
  options.name = s.arch;
  options.norm = parse_norm(s.norm);
  options.groups = static_cast<std::size_t>(s.groups);
  options.classes = classes;
  options.width = static_cast<std::size_t>(s.width);
  options.stem = parse_stem(s.stem);
  options.zero_init_residual = s.zero_init;
  options.fixup = s.fixup;
  Generator generator(static_cast<std::uint64_t>(s.seed), initialization_stream);
  return make_model(options, generator);
}

std::unique_ptr<Module> trained_network(const Settings& s, const Checkpoint& checkpoint, std::size_t classes) {
  std::unique_ptr<Module> network = make_network(s, classes);
  network->load_state_dict(s.ema > 0 ? checkpoint.average : checkpoint.network);
  return network;
}

TrainerOptions trainer_options(const Settings& s) {
  TrainerOptions options;
  options.epochs = static_cast<std::size_t>(s.epochs);
  options.batch_size = static_cast<std::size_t>(s.batch_size);
  options.peak_learning_rate = s.lr;
  options.schedule = parse_schedule(s.schedule);
  options.optimizer = parse_optimizer(s.optimizer);
  options.sgd = {s.momentum, s.weight_decay, s.nesterov, s.decay_norms};
  options.adam.weight_decay = s.weight_decay;
  options.adam.decay_norms_and_biases = s.decay_norms;
  options.loss = parse_loss(s.loss);
  options.label_smoothing = s.label_smoothing;
  options.clip_norm = s.clip_norm;
  options.ema_decay = s.ema;
  options.augment = s.augment == "crop-flip";
  options.cutout = static_cast<std::size_t>(s.cutout);
  options.erasing = s.erasing;
  options.mixup = s.mixup;
  options.flip_test = s.flip_test;
  options.seed = static_cast<std::uint64_t>(s.seed);
  return options;
}

bool prepare_arithmetic(Settings& s) {
  set_num_threads(static_cast<int>(s.threads));
  set_conv2d_algorithms(s.conv_algorithms);
  set_exact_convolutions(s.convolution == "exact");
  const bool possible = s.precision != "bf16" || bfloat16_available();
  if (!possible) s.precision = "fp32";
  set_matmul_precision(s.precision == "bf16" ? Precision::BFloat16 : Precision::Full);
  return possible;
}

}  // namespace xtg::app
