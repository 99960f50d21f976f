// A residual network learns to tell drawn shapes apart: circles, rings, squares, stars, hearts … in any colour, size
// and place. The images are drawn by the library, so nothing is downloaded. Half a minute on two cores.
//
//   09_train_resnet [batch|layer|instance|group|none]      the normalization in the network, batch if not given

#include <cstdio>
#include <exception>
#include <string>
#include <xtgrad.hpp>

using namespace xtg;

int main(int argc, char** argv) try {
  const std::string norm = argc > 1 ? argv[1] : "batch";

  // 32×32 pixels, three colours, ten kinds. Training images are learned from; test images only measure.
  const nn::Dataset train = nn::make_shapes(5000, 1, true), test = nn::make_shapes(1000, 1, false);

  // Six 3×3 convolutions in three blocks, each with a shortcut around it, after one more convolution; at the end the
  // mean over all places and one matrix, which gives ten numbers (logits) an image. The largest one is the answer.
  nn::ModelOptions model;
  model.name = "resnet8";
  model.norm = nn::parse_norm(norm);
  Generator random(1);
  const auto network = nn::make_model(model, random);
  std::printf("ResNet-8, norm %s: %zu parameters\n", norm.c_str(), network->parameter_count());

  // Each step: 64 images forward, the loss (cross-entropy) of their logits, backward, a step against the gradients.
  nn::TrainerOptions options;
  options.epochs = 6;  // an epoch is every training image once
  options.batch_size = 64;
  options.peak_learning_rate = model.norm == nn::NormKind::None ? 0.05 : 0.4;  // without a norm 0.4 is too much
  nn::Trainer trainer(*network, train, test, nn::measure(train), options);

  trainer.on_step = [](const nn::StepReport& step) {
    if (step.step % 20 > 0) return;
    std::printf("\repoch %zu of %zu, step %2zu of %zu: loss %.3f ", step.epoch, step.epochs, step.step, step.steps,
                step.loss);
    std::fflush(stdout);
  };
  trainer.on_epoch = [](const nn::EpochResult& epoch) {
    std::printf("\repoch %zu: training loss %.3f, accuracy %.1f %%; test loss %.3f, accuracy %.1f %%\n", epoch.epoch,
                epoch.train_loss, epoch.train_accuracy, epoch.test_loss, epoch.test_accuracy);
  };
  trainer.run();

  std::printf("Guessing is right in 10 %% of the cases, the best linear function of the pixels in about 20 %%.\n");
} catch (const std::exception& error) {  // an unknown norm, or a training that diverged
  std::fprintf(stderr, "09_train_resnet: %s\n", error.what());
  return 2;
}
