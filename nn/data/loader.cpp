#include "nn/data/loader.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <system_error>
#include <utility>

#include "tensor/create.hpp"
#include "tensor/indexing.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

// Keys of the kinds of random numbers.
constexpr std::uint64_t order_stream = 0x6f72, augment_stream = 0x6175, cutout_stream = 0x6375, erasing_stream = 0x6572,
                        mixup_stream = 0x6d69;
constexpr std::ptrdiff_t padding = 4;

void check_augmentation(const Dataset& dataset, const LoaderOptions& options) {
  require(options.cutout <= std::min(dataset.height, dataset.width),
          "loader: a cutout of {} is larger than the images, {} x {}", as_written(options.cutout), dataset.height,
          dataset.width);
  options.erasing.check();
  require(options.mixup >= 0 && std::isfinite(options.mixup),
          "loader: mixup's alpha must be finite and at least 0, got {}", options.mixup);
  if (options.mixup == 0) return;
  const auto classes = static_cast<std::int64_t>(dataset.classes());
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const std::int64_t label = dataset.labels[i];
    require(label >= 0 && label < classes,
            "loader: mixup needs labels below the number of classes, {}; image {} has {}", classes, i, label);
  }
}

}  // namespace

Loader::Loader(const Dataset& dataset, const Standardization& standardization, const LoaderOptions& options)
    : dataset_(dataset), options_(options), order_(dataset.size()) {
  const std::size_t n = dataset.size();
  require(n > 0, "loader: the dataset is empty");
  require(dataset.images.size() == n * dataset.image_size(), "loader: {} labels need {} bytes of images, got {}", n,
          n * dataset.image_size(), dataset.images.size());
  require(dataset.channels <= 3, "loader: expected at most 3 channels, got {}", dataset.channels);
  require(options.batch_size > 0, "loader: the batch size must be at least 1, got 0");
  require(options.ahead > 0, "loader: at least 1 batch must be prepared ahead, got 0");
  require_size("loader", "batch size", options.batch_size);
  require_size("loader", "batches ahead", options.ahead);
  require(!options.drop_last || n >= options.batch_size,
          "loader: {} samples do not fill one batch of {}, and the incomplete batch is dropped", n, options.batch_size);

  for (std::size_t c = 0; c < dataset.channels; ++c) {
    const double mean = standardization.mean[c], stddev = standardization.stddev[c];
    require(stddev > 0, "loader: the standard deviation of channel {} must be positive, got {}", c, stddev);
    for (int value = 0; value < 256; ++value) {
      standardized_[c][value] = static_cast<Scalar>((value / 255.0 - mean) / stddev);
    }
  }
  check_augmentation(dataset, options);
}

Loader::~Loader() { stop(); }

std::size_t Loader::batches() const {
  const std::size_t full = order_.size() / options_.batch_size;
  const bool incomplete = order_.size() % options_.batch_size > 0;
  return incomplete && !options_.drop_last ? full + 1 : full;
}

void Loader::start(std::size_t epoch, std::size_t first_batch) {
  require(first_batch <= batches(), "loader: cannot start at batch {} of {}", as_written(first_batch), batches());
  stop();
  epoch_ = epoch;
  if (options_.shuffle) {
    order_ = Generator(options_.seed, order_stream, epoch).permutation(order_.size());
  } else {
    std::iota(order_.begin(), order_.end(), 0u);
  }
  try {
    thread_ = std::thread(&Loader::prepare, this, first_batch);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "loader: cannot start its thread");
  }
}

bool Loader::next(Batch& batch) {
  if (!thread_.joinable()) return false;  // not started
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || finished_; });
  if (!ready_.empty()) {
    batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return true;
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return false;
}

void Loader::prepare(std::size_t first_batch) {
  std::exception_ptr error;
  try {
    for (std::size_t number = first_batch; number < batches(); ++number) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ready_.size() < options_.ahead || stopping_; });
      if (stopping_) return;
      lock.unlock();
      Batch batch = make_batch(number);  // the work, with the mutex free
      lock.lock();
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);  // the last reference: it is the consumer who destroys the exception
  finished_ = true;
  changed_.notify_all();
}

/// Ends the thread, after the batch that it is making, and forgets what it has prepared.
void Loader::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
  ready_.clear();
  error_ = nullptr;
  stopping_ = false;
  finished_ = false;
}

Batch Loader::make_batch(std::size_t number) const {
  const std::size_t first = number * options_.batch_size;
  const std::size_t count = std::min(options_.batch_size, order_.size() - first);
  Batch batch;
  batch.images = empty({count, dataset_.height, dataset_.width, dataset_.channels});
  batch.labels = Indices({count});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t sample = order_[first + i];
    Scalar* image = batch.images.data() + i * dataset_.image_size();
    copy_image(sample, image);
    erase_parts(sample, image);
    batch.labels.data()[i] = dataset_.labels[sample];
  }
  if (options_.mixup > 0) {
    Generator random(options_.seed, mixup_stream, epoch_, number);
    const Mixing mixing = random_mixing(options_.mixup, count, random);
    batch.images = mixed(batch.images, mixing);
    batch.targets = mixed(one_hot("loader", batch.labels, dataset_.classes()), mixing);
  }
  return batch;
}

void Loader::copy_image(std::size_t sample, Scalar* out) const {
  const std::uint8_t* image = dataset_.image(sample);
  const auto height = static_cast<std::ptrdiff_t>(dataset_.height);
  const auto width = static_cast<std::ptrdiff_t>(dataset_.width);
  const std::size_t channels = dataset_.channels;

  std::ptrdiff_t down = 0, across = 0;  // where the crop begins, as seen from the image without padding
  bool mirror = false;
  if (options_.augment) {
    Generator random(options_.seed, augment_stream, epoch_, sample);
    down = static_cast<std::ptrdiff_t>(random.below(2 * padding + 1)) - padding;
    across = static_cast<std::ptrdiff_t>(random.below(2 * padding + 1)) - padding;
    mirror = random.below(2) == 1;
  }

  for (std::ptrdiff_t y = down; y < down + height; ++y) {
    for (std::ptrdiff_t column = 0; column < width; ++column) {
      const std::ptrdiff_t x = across + (mirror ? width - 1 - column : column);
      const bool inside = y >= 0 && y < height && x >= 0 && x < width;
      const std::uint8_t* pixel = inside ? image + (y * width + x) * channels : nullptr;
      for (std::size_t c = 0; c < channels; ++c) *out++ = inside ? standardized_[c][pixel[c]] : Scalar(0);
    }
  }
}

void Loader::erase_parts(std::size_t sample, Scalar* image) const {
  const std::size_t height = dataset_.height, width = dataset_.width;
  if (options_.cutout > 0) {
    Generator random(options_.seed, cutout_stream, epoch_, sample);
    erase(image, width, dataset_.channels, random_cutout(height, width, options_.cutout, random));
  }
  if (options_.erasing.probability > 0) {
    Generator random(options_.seed, erasing_stream, epoch_, sample);
    erase(image, width, dataset_.channels, random_erasing(height, width, options_.erasing, random));
  }
}

}  // namespace xtg::nn
