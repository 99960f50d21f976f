#include "nn/train/checkpoint.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tensor/create.hpp"
#include "tensor/error.hpp"
#include "tests/temporary_directory.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

Checkpoint example() {
  Checkpoint checkpoint;
  checkpoint.network.tensors = {{"conv1.weight", tensor({1, 2, 3, 4}, {2, 2})}, {"bn1.running_mean", tensor({5}, {1})}};
  checkpoint.network.integers = {{"bn1.num_batches_tracked", indices({7})}};
  checkpoint.optimizer.tensors = {{"velocity/conv1.weight", tensor({-1, -2, -3, -4}, {2, 2})},
                                  {"velocity/linear.bias", zeros({0})}};
  checkpoint.optimizer.integers = {{"steps/linear.bias", Indices(Shape{}, 9)}};
  checkpoint.average.tensors = {{"conv1.weight", tensor({5, 6, 7, 8}, {2, 2})}, {"bn1.running_mean", tensor({9}, {1})}};
  checkpoint.average.integers = {{"bn1.num_batches_tracked", indices({8})}};
  // Doubles that neither a float nor a decimal of a few digits can hold.
  checkpoint.progress.epochs = {{1, 1.0 / 3, 100.0 / 7, 0.1, 50, 1e-300, 12.25, 1e10 / 3},
                                {2, std::numeric_limits<double>::infinity(), 0, std::nan(""), 99.99, 0.4, 0, 1}};
  checkpoint.progress.step = 17;
  checkpoint.progress.images = 17 * 128;
  checkpoint.progress.correct = 1234;
  checkpoint.progress.loss_sum = 2.0 / 3 * 1e5;
  checkpoint.progress.seconds = std::nextafter(3.5, 4);
  checkpoint.notes = {{"settings", "norm = \"batch\"\n# ü\n"}, {"empty", ""}};
  return checkpoint;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

TEST_CASE("checkpoint: what is saved is read back, to the last bit") {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  const Checkpoint saved = example();
  save_checkpoint(path, saved);
  const Checkpoint loaded = load_checkpoint(path);
  CHECK(loaded.network.tensors == saved.network.tensors);
  CHECK(loaded.network.integers == saved.network.integers);
  CHECK(loaded.network.metadata.empty());
  CHECK(loaded.optimizer.tensors == saved.optimizer.tensors);
  CHECK(loaded.optimizer.integers == saved.optimizer.integers);
  CHECK(loaded.optimizer.metadata.empty());
  CHECK(loaded.average.tensors == saved.average.tensors);
  CHECK(loaded.average.integers == saved.average.integers);
  CHECK(loaded.average.metadata.empty());
  CHECK(loaded.notes == saved.notes);
  CHECK(loaded.progress.step == saved.progress.step);
  CHECK(loaded.progress.images == saved.progress.images);
  CHECK(loaded.progress.correct == saved.progress.correct);
  CHECK(loaded.progress.loss_sum == saved.progress.loss_sum);
  CHECK(loaded.progress.seconds == saved.progress.seconds);
  REQUIRE(loaded.progress.epochs.size() == 2);
  for (std::size_t e = 0; e < 2; ++e) {
    const EpochResult &a = loaded.progress.epochs[e], &b = saved.progress.epochs[e];
    CHECK(a.epoch == b.epoch);
    CHECK(same(a.train_loss, b.train_loss));
    CHECK(same(a.train_accuracy, b.train_accuracy));
    CHECK(same(a.test_loss, b.test_loss));
    CHECK(same(a.test_accuracy, b.test_accuracy));
    CHECK(same(a.learning_rate, b.learning_rate));
    CHECK(same(a.seconds, b.seconds));
    CHECK(same(a.images_per_second, b.images_per_second));
  }
}

TEST_CASE("checkpoint: weights have their plain names for other programs") {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  save_checkpoint(path, example());
  const SafeTensors contents = load_safetensors(path);
  CHECK(contents.tensors.count("conv1.weight") == 1);
  CHECK(contents.tensors.count("velocity/conv1.weight") == 1);
  CHECK(contents.tensors.count("average/conv1.weight") == 1);
}

TEST_CASE("checkpoint: one of the first form, of SGD without an average, is read") {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  SafeTensors contents;
  contents.tensors = {{"conv1.weight", ones({2})}, {"velocity/conv1.weight", ones({2})}, {"x.y", zeros({0})}};
  contents.integers = {{"bn1.num_batches_tracked", indices({7})}};
  contents.metadata = {{"format", "xtgrad checkpoint 1"}, {"epochs", ""}, {"epoch_under_way", "1,128,3,2.5,0.25"}};
  save_safetensors(path, contents);
  const Checkpoint loaded = load_checkpoint(path);
  CHECK(loaded.network.tensors.size() == 2);
  CHECK(loaded.network.integers == contents.integers);
  CHECK(loaded.optimizer.tensors.size() == 1);
  CHECK(loaded.optimizer.tensors.at("velocity/conv1.weight") == ones({2}));
  CHECK(loaded.optimizer.integers.empty());
  CHECK(loaded.average.tensors.empty());
  CHECK(loaded.average.integers.empty());
  CHECK(loaded.progress.step == 1);
}

TEST_CASE("checkpoint: other files are refused, by name") {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  const auto message = [&] {
    try {
      load_checkpoint(path);
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };

  CHECK(message().find(path) == 0);  // there is none

  SafeTensors contents{{{"weight", ones({2})}}, {}, {}};
  save_safetensors(path, contents);
  CHECK(message() == path + ": not a checkpoint of a training, it has no entry 'format'");

  contents.metadata["format"] = "xtgrad checkpoint 99";
  save_safetensors(path, contents);
  CHECK(message() == path + ": expected the format 'xtgrad checkpoint 1', found 'xtgrad checkpoint 99'");

  contents.metadata = {{"format", "xtgrad checkpoint 1"}, {"epochs", "1,2,three"}, {"epoch_under_way", "0,0,0,0,0"}};
  save_safetensors(path, contents);
  CHECK(message() == path + ": the entry 'epochs' is not a list of numbers");

  contents.metadata["epochs"] = "1,2.3;10.5;2.2;12;0.1;3.5;100\n";
  save_safetensors(path, contents);
  CHECK(message() == path + ": the entry 'epochs' is not a list of numbers");
  contents.metadata["epochs"] = "1,2,3,4,5,6,7,8\n3,2,3,4,5,6,7,8\n";
  save_safetensors(path, contents);
  CHECK(message() == path + ": the entry 'epochs': expected epoch 2, got 3");

  contents.metadata["epochs"] = "";
  contents.metadata["epoch_under_way"] = "1,2,3";
  save_safetensors(path, contents);
  CHECK(message() == path + ": the entry 'epoch_under_way' is not a list of numbers");

  save_checkpoint(path, example());
  const auto size = std::filesystem::file_size(path);
  {  // one flipped bit
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(size - 5));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(size - 5));
    file.put(static_cast<char>(byte ^ 4));
  }
  CHECK(message().find("checksum") != std::string::npos);
  std::filesystem::resize_file(path, size - 8);
  CHECK(message().find(path) == 0);
}
