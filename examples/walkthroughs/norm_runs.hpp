#pragma once

// The trainings that page 10 compares, and the table that they are kept in: docs/results/norms-on-shapes.csv. They take
// about ten minutes, so they were run once; `walk_10 measure …` runs them again.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>
#include <xtgrad.hpp>

#include "tensor/excerpt.hpp"

using namespace xtg;
using namespace xtg::nn;

const std::vector<NormKind> kNorms = {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group,
                                      NormKind::None};

// region: network
/// A ResNet-8 with 8, 16 and 32 channels. The same seed gives the same convolutions, whatever the norm.
inline std::unique_ptr<Module> make_network(NormKind norm, std::uint64_t seed) {
  Generator random(seed, 1);
  ResNetOptions options;
  options.depth = 8;
  options.width = 8;
  options.norm = norm;
  options.groups = 4;
  return std::make_unique<CifarResNet>(options, random);
}
// end region

/// A row of the table. experiment: "train" (one an epoch), "range" (one a step).
struct Row {
  std::string experiment, norm;
  double rate = 0;  // the peak; in "range" that of the step
  int batch = 0, seed = 0, step = 0;
  double loss = 0, accuracy = 0;  // training loss, test accuracy in percent (0 in "range")
};

inline void print(const Row& r) {
  std::printf("%s,%s,%.4g,%d,%d,%d,%.4f,%.1f\n", r.experiment.c_str(), r.norm.c_str(), r.rate, r.batch, r.seed, r.step,
              r.loss, r.accuracy);
  std::fflush(stdout);
}

inline std::vector<Row> read_rows(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<Row> rows;
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    Row r;
    words >> r.experiment >> r.norm >> r.rate >> r.batch >> r.seed >> r.step >> r.loss >> r.accuracy;
    if (!words || !(words >> std::ws).eof()) throw std::runtime_error("not a row: " + excerpt(line));
    rows.push_back(r);
  }
  return rows;
}

// region: training
/// 20 epochs of 1,000 drawn images, a test on 500 others after each.
inline void train(NormKind norm, double rate, std::size_t batch, std::uint64_t seed) {
  const Dataset images = make_shapes(1000, 1, true), others = make_shapes(500, 1, false);
  const std::unique_ptr<Module> network = make_network(norm, seed);
  TrainerOptions options;
  options.epochs = 20;
  options.batch_size = batch;
  options.peak_learning_rate = rate;  // one cycle: up over the first fifth, then down to 0
  options.seed = seed;                // the order of the images
  Trainer trainer(*network, images, others, measure(images), options);
  // end region
  const auto row = [&](int epoch, double loss, double accuracy) {
    print({"train", to_string(norm), rate, static_cast<int>(batch), static_cast<int>(seed), epoch, loss, accuracy});
  };
  trainer.on_epoch = [&](const EpochResult& r) { row(static_cast<int>(r.epoch), r.train_loss, r.test_accuracy); };
  try {
    trainer.run();
  } catch (const DivergedError&) {
    row(20, 99, 10);  // the loss became infinite; one class in ten is chance
  }
}

// region: range
/// The range test on 64 images, all of them in each step.
inline std::vector<RangePoint> range_of(NormKind norm, std::uint64_t seed) {
  const Dataset images = make_shapes(64, 1, true);
  LoaderOptions all;
  all.batch_size = 64;
  Loader loader(images, measure(images), all);
  RangeOptions options;
  options.from = 0.01;  // the rate of the first step, and of the last
  options.to = 10;
  options.steps = 100;
  options.sgd.weight_decay = 0;
  options.smoothing = 0.8;
  return learning_rate_range(*make_network(norm, seed), loader, options);
}

/// The rate at which the smoothed loss was lowest.
inline RangePoint lowest(const std::vector<RangePoint>& points) {
  return *std::min_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.loss < b.loss; });
}
// end region

/// One part of the table, on stdout: `rates`, `seeds` (at RATE), `batches` (with RATE at batch 32) or `range`.
inline int measure_part(const std::string& part, NormKind norm, double rate) {
  if ((part == "seeds" || part == "batches") && !(rate > 0 && std::isfinite(rate)))
    return std::fprintf(stderr, "measure: %s needs a learning rate above 0\n", part.c_str()), 2;
  if (part == "rates") {
    for (const double r : {0.05, 0.1, 0.2, 0.4, 0.8}) train(norm, r, 32, 1);
  } else if (part == "seeds") {
    for (const int seed : {2, 3, 4, 5}) train(norm, rate, 32, seed);
  } else if (part == "batches") {
    for (const int batch : {2, 4, 8, 16, 64}) train(norm, rate * batch / 32, batch, 1);
  } else if (part == "range") {
    for (const int seed : {1, 2, 3}) {
      const std::vector<RangePoint> points = range_of(norm, seed);
      for (std::size_t i = 0; i < points.size(); i += 2)
        print({"range", to_string(norm), points[i].learning_rate, 64, seed, static_cast<int>(i), points[i].loss, 0});
    }
  } else {
    return std::fprintf(stderr, "measure: no part %s\n", excerpt(part).c_str()), 2;
  }
  return 0;
}
