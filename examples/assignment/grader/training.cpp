#include "assignment/grader/training.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/ops/loss.hpp"
#include "nn/data/loader.hpp"
#include "nn/data/shapes.hpp"
#include "nn/optim/sgd.hpp"

namespace xtg::assignment {

std::vector<double> train(nn::Module& network, const TrainingSettings& settings) {
  const nn::Dataset dataset = nn::make_shapes(settings.images, 0, true);
  nn::LoaderOptions options;
  options.batch_size = settings.batch_size;
  options.shuffle = options.drop_last = true;
  nn::Loader loader(dataset, nn::measure(dataset), options);
  nn::Sgd optimizer(network.named_parameters(), {0.9});
  network.train();
  std::vector<double> losses;
  for (std::size_t epoch = 0; losses.size() < settings.steps; ++epoch) {
    loader.start(epoch);
    for (nn::Batch batch; losses.size() < settings.steps && loader.next(batch);) {
      optimizer.zero_grad();
      const Variable loss = cross_entropy(network(Variable(batch.images)), batch.labels);
      losses.push_back(static_cast<double>(loss.item()));
      if (!std::isfinite(losses.back())) return losses;
      loss.backward();
      optimizer.step(settings.lr);
    }
  }
  return losses;
}

double tail_mean(const std::vector<double>& losses) {
  const std::size_t n = std::max<std::size_t>(1, losses.size() / 4);
  double sum = 0;
  for (std::size_t i = losses.size() - n; i < losses.size(); ++i) sum += losses[i];
  return sum / static_cast<double>(n);
}

}  // namespace xtg::assignment
