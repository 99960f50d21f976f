#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "../../tensor/tensor.hpp"
#include "augment.hpp"
#include "dataset.hpp"

namespace xtg::nn {

struct Batch {
  Tensor images;             // (B, H, W, C), standardized
  Indices labels;            // (B)
  Tensor targets{Shape{0}};  // (B, K), what to train on instead of the labels; with mixup only, else of size 0
};

struct LoaderOptions {
  std::size_t batch_size = 128;
  bool shuffle = false;
  bool augment = false;    // random crop out of the image padded by 4, and mirror image with probability 1/2
  bool drop_last = false;  // leave out the epoch's last batch if it is not full
  std::uint64_t seed = 0;
  std::size_t ahead = 2;  // batches prepared in advance

  std::size_t cutout = 0;  // side in pixels of the square that every image loses, 0 for none; see random_cutout
  RandomErasing erasing;   // off unless its probability is positive
  double mixup = 0;        // alpha of mixup, 0 for none; see random_mixing
};

/// Cuts a dataset into batches, epoch by epoch, and prepares them ahead on a thread of its own:
///
///   for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
///     loader.start(epoch);
///     for (Batch batch; loader.next(batch);) { … }
///   }
///
/// Each value becomes (pixel / 255 − mean) / stddev of its channel. With `augment` the image is then padded with four
/// zeros on every side (zero is the mean colour), cropped to its size at an offset of 0 … 8 down and across, and
/// mirrored or not: the usual recipe for CIFAR (He et al. 2015, arXiv:1512.03385, section 4.2).
///
/// Cutout comes next, then random erasing, then mixup, which blends each image with another of its batch. What a mixed
/// image shows is no longer one class: its row of `targets` holds the shares of all K = dataset.classes(), to be
/// trained on by `cross_entropy(logits, Variable(batch.targets))`, label smoothing as usual; `labels` holds the class
/// of the larger share, or of either if they are equal, to count hits with.
///
/// Everything random has a key: the order (seed, epoch); crop and flip, cutout and erasing of a sample each a stream
/// of (seed, epoch, sample); mixup (seed, epoch, batch number). So a batch depends neither on threads and timing, nor
/// on the batches before it. Use one Loader from one thread.
class Loader {
 public:
  /// Keeps a reference to `dataset`, which must outlive the loader and not change.
  /// Throws ValueError for an empty dataset, one whose images and labels differ in number or that has more than three
  /// channels, a batch size or `ahead` of 0 or that is no size, `drop_last` with fewer samples than one batch, a stddev
  /// that is not positive, a cutout larger than the images, RandomErasing out of range, a mixup that is negative or not
  /// finite, or mixup of labels that are not below dataset.classes().
  Loader(const Dataset& dataset, const Standardization& standardization, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Batches in an epoch.
  std::size_t batches() const;

  /// Begins the epoch, at batch `first_batch` (to resume in the middle); an epoch under way is given up.
  /// Throws ValueError if `first_batch` is more than batches(), std::system_error where no thread can be started.
  void start(std::size_t epoch, std::size_t first_batch = 0);

  /// Moves the next batch into `batch`, waiting for it if need be; false at the end of the epoch, or before any
  /// start(). Rethrows what went wrong on the loader's thread; the epoch has then ended.
  bool next(Batch& batch);

 private:
  void prepare(std::size_t first_batch);  // the thread's work
  Batch make_batch(std::size_t number) const;
  void copy_image(std::size_t sample, Scalar* out) const;
  void erase_parts(std::size_t sample, Scalar* image) const;
  void stop();

  const Dataset& dataset_;
  const LoaderOptions options_;
  std::array<std::array<Scalar, 256>, 3> standardized_;  // by channel and pixel value

  // Written by start() while no thread runs, only read while one does.
  std::size_t epoch_ = 0;
  std::vector<std::uint32_t> order_;

  // Shared with the thread: only touched with the mutex held.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr error_;
  bool stopping_ = false;
  bool finished_ = false;

  std::thread thread_;
};

}  // namespace xtg::nn
