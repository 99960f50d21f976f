#include "nn/data/loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "autograd/ops/loss.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

constexpr std::size_t H = 6, W = 5, C = 3;
const Standardization standardization{{0.5, 0.25, 0.4}, {0.2, 0.3, 0.1}};

/// Images whose every byte depends on image, row, column and channel; image i has label 100 + i.
Dataset numbered(std::size_t n) {
  Dataset dataset;
  dataset.height = H;
  dataset.width = W;
  for (std::size_t i = 0; i < n; ++i) {
    dataset.labels.push_back(static_cast<std::int64_t>(100 + i));
    for (std::size_t p = 0; p < H * W * C; ++p) dataset.images.push_back(static_cast<std::uint8_t>(37 * i + 2 * p + 1));
  }
  return dataset;
}

std::vector<Batch> drain(Loader& loader) {
  std::vector<Batch> batches;
  for (Batch batch; loader.next(batch);) batches.push_back(batch);
  return batches;
}

std::vector<Batch> epoch(const Dataset& dataset, const LoaderOptions& options, std::size_t number,
                         std::size_t first = 0) {
  Loader loader(dataset, standardization, options);
  loader.start(number, first);
  return drain(loader);
}

/// The samples' numbers in the order in which they come.
std::vector<std::int64_t> order(const std::vector<Batch>& batches) {
  std::vector<std::int64_t> samples;
  for (const Batch& batch : batches) {
    for (const std::int64_t label : batch.labels) samples.push_back(label - 100);
  }
  return samples;
}

std::vector<std::vector<Scalar>> images(const std::vector<Batch>& batches) {
  std::vector<std::vector<Scalar>> result;
  for (const Batch& batch : batches) {
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      const Scalar* image = batch.images.data() + i * H * W * C;
      result.emplace_back(image, image + H * W * C);
    }
  }
  return result;
}

using Picture = std::vector<std::vector<std::vector<Scalar>>>;  // [row][column][channel]

/// Sample i standardized, inside a frame of four zeros.
Picture padded(const Dataset& dataset, std::size_t i) {
  Picture picture(H + 8, std::vector<std::vector<Scalar>>(W + 8, std::vector<Scalar>(C, 0)));
  for (std::size_t y = 0; y < H; ++y) {
    for (std::size_t x = 0; x < W; ++x) {
      for (std::size_t c = 0; c < C; ++c) {
        const double value = dataset.images[((i * H + y) * W + x) * C + c];
        picture[y + 4][x + 4][c] =
            static_cast<Scalar>((value / 255 - standardization.mean[c]) / standardization.stddev[c]);
      }
    }
  }
  return picture;
}

std::vector<Scalar> crop(const Picture& picture, std::size_t down, std::size_t across, bool mirror) {
  std::vector<Scalar> image;
  for (std::size_t y = 0; y < H; ++y) {
    auto row =
        std::vector<std::vector<Scalar>>(picture[down + y].begin() + across, picture[down + y].begin() + across + W);
    if (mirror) std::reverse(row.begin(), row.end());
    for (const auto& pixel : row) image.insert(image.end(), pixel.begin(), pixel.end());
  }
  return image;
}

LoaderOptions options(std::size_t batch_size, bool shuffle, bool augment, std::uint64_t seed = 1) {
  LoaderOptions o;
  o.batch_size = batch_size;
  o.shuffle = shuffle;
  o.augment = augment;
  o.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("loader: plain batches are the standardized images in order, the last one incomplete") {
  const Dataset dataset = numbered(10);
  const std::vector<Batch> batches = epoch(dataset, options(4, false, false), 3);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].images.shape() == Shape({4, H, W, C}));
  CHECK(batches[2].images.shape() == Shape({2, H, W, C}));
  CHECK(batches[2].labels.size() == 2);
  CHECK(order(batches) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  const auto seen = images(batches);
  for (std::size_t i = 0; i < 10; ++i) CHECK(seen[i] == crop(padded(dataset, i), 4, 4, false));
}

TEST_CASE("loader: drop_last leaves the incomplete batch out, and only that") {
  const Dataset dataset = numbered(10);
  LoaderOptions o = options(4, false, false);
  o.drop_last = true;
  CHECK(Loader(dataset, standardization, o).batches() == 2);
  CHECK(epoch(dataset, o, 0).size() == 2);
  o.batch_size = 5;
  CHECK(epoch(dataset, o, 0).size() == 2);
  o.batch_size = 10;
  CHECK(epoch(dataset, o, 0).size() == 1);
}

TEST_CASE("loader: shuffling is a permutation of its own in each epoch and for each seed") {
  const Dataset dataset = numbered(50);
  const auto first = order(epoch(dataset, options(8, true, false), 0));
  CHECK(first == order(epoch(dataset, options(8, true, false), 0)));
  CHECK(first == order(epoch(dataset, options(3, true, true), 0)));
  CHECK(first != order(epoch(dataset, options(8, true, false), 1)));
  CHECK(first != order(epoch(dataset, options(8, true, false, 2), 0)));
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted != first);
  CHECK(sorted == order(epoch(dataset, options(8, false, false), 0)));
}

TEST_CASE("loader: labels stay with their images when shuffled") {
  const Dataset dataset = numbered(30);
  const std::vector<Batch> batches = epoch(dataset, options(7, true, false), 5);
  const auto samples = order(batches);
  const auto seen = images(batches);
  for (std::size_t i = 0; i < 30; ++i) CHECK(seen[i] == crop(padded(dataset, samples[i]), 4, 4, false));
}

TEST_CASE("loader: augmentation is one of the 9 x 9 x 2 crops and mirror images, each as likely") {
  const Dataset dataset = numbered(20);
  Loader loader(dataset, standardization, options(8, true, true));
  std::vector<int> down(9), across(9), mirrored(2);
  for (std::size_t number = 0; number < 60; ++number) {
    loader.start(number);
    const std::vector<Batch> batches = drain(loader);
    const auto samples = order(batches);
    const auto seen = images(batches);
    for (std::size_t i = 0; i < 20; ++i) {
      const Picture picture = padded(dataset, samples[i]);
      int found = 0;
      for (int k = 0; k < 9 * 9 * 2; ++k) {
        if (seen[i] != crop(picture, k / 18, k / 2 % 9, k % 2 == 1)) continue;
        ++found;
        ++down[k / 18];
        ++across[k / 2 % 9];
        ++mirrored[k % 2];
      }
      REQUIRE(found == 1);
    }
  }
  for (int k = 0; k < 9; ++k) {  // of 1,200; the standard deviation is 11
    CHECK(std::abs(down[k] - 133) < 50);
    CHECK(std::abs(across[k] - 133) < 50);
  }
  CHECK(std::abs(mirrored[0] - 600) < 80);  // the standard deviation is 17
}

TEST_CASE("loader: augmentation does not depend on the batch size, the order or the batches ahead") {
  const Dataset dataset = numbered(30);
  LoaderOptions far = options(1, true, true);
  far.ahead = 7;
  const auto a = images(epoch(dataset, options(8, true, true), 2)), b = images(epoch(dataset, far, 2));
  CHECK(a == b);
  const auto samples = order(epoch(dataset, far, 2));
  const auto unshuffled = images(epoch(dataset, options(8, false, true), 2));
  for (std::size_t i = 0; i < 30; ++i) CHECK(a[i] == unshuffled[samples[i]]);
  CHECK(unshuffled != images(epoch(dataset, options(8, false, true), 3)));
  CHECK(unshuffled != images(epoch(dataset, options(8, false, true, 2), 2)));
}

TEST_CASE("loader: an epoch resumed in the middle is the tail of the whole one") {
  const Dataset dataset = numbered(30);
  const std::vector<Batch> whole = epoch(dataset, options(4, true, true), 6);
  REQUIRE(whole.size() == 8);
  for (std::size_t first = 0; first <= 8; ++first) {
    const std::vector<Batch> tail = epoch(dataset, options(4, true, true), 6, first);
    const std::vector<Batch> expected(whole.begin() + first, whole.end());
    CHECK(tail.size() == 8 - first);
    CHECK(order(tail) == order(expected));
    CHECK(images(tail) == images(expected));
  }
}

TEST_CASE("loader: can be restarted, left in the middle, and asked after the end") {
  const Dataset dataset = numbered(40);
  const std::vector<Batch> expected = epoch(dataset, options(2, true, true), 4);
  for (int repeat = 0; repeat < 20; ++repeat) {
    Loader loader(dataset, standardization, options(2, true, true));
    Batch batch;
    CHECK_FALSE(loader.next(batch));
    loader.start(9);
    for (int i = 0; i < repeat; ++i) CHECK(loader.next(batch));
    loader.start(4);
    CHECK(images(drain(loader)) == images(expected));
    CHECK_FALSE(loader.next(batch));
    loader.start(5);
    CHECK(loader.next(batch));
  }
}

TEST_CASE("loader: what goes wrong on its thread is thrown by next, after the batches before it") {
  Dataset dataset = numbered(10);
  Loader loader(dataset, standardization, options(4, false, false));
  dataset.limit(6);  // against the rules: the second batch misses images
  loader.start(0);
  Batch batch;
  CHECK(loader.next(batch));
  CHECK_THROWS_WITH_AS(loader.next(batch), "dataset: there is no image 6, the dataset has 6", ValueError);
  CHECK_FALSE(loader.next(batch));
}

TEST_CASE("loader: bad arguments are refused") {
  const Dataset dataset = numbered(10);
  const auto make = [&](const Dataset& data, const Standardization& s, const LoaderOptions& o) { Loader(data, s, o); };
  LoaderOptions o;
  CHECK_THROWS_WITH_AS(make(Dataset{}, standardization, o), "loader: the dataset is empty", ValueError);
  o.batch_size = 0;
  CHECK_THROWS_WITH_AS(make(dataset, standardization, o), "loader: the batch size must be at least 1, got 0",
                       ValueError);
  o.batch_size = 11;
  o.drop_last = true;
  CHECK_THROWS_WITH_AS(make(dataset, standardization, o),
                       "loader: 10 samples do not fill one batch of 11, and the incomplete batch is dropped",
                       ValueError);
  o.drop_last = false;
  o.ahead = 0;
  CHECK_THROWS_WITH_AS(make(dataset, standardization, o), "loader: at least 1 batch must be prepared ahead, got 0",
                       ValueError);
  o.ahead = 1;
  CHECK_THROWS_WITH_AS(make(dataset, {{0, 0, 0}, {1, 0, 1}}, o),
                       "loader: the standard deviation of channel 1 must be positive, got 0", ValueError);
  Dataset broken = numbered(10);
  broken.channels = 5;
  broken.width = 3;
  CHECK_THROWS_WITH_AS(make(broken, standardization, o), "loader: expected at most 3 channels, got 5", ValueError);
  broken = numbered(10);
  broken.images.pop_back();
  CHECK_THROWS_WITH_AS(make(broken, standardization, o), "loader: 10 labels need 900 bytes of images, got 899",
                       ValueError);
  Loader loader(dataset, standardization, o);
  CHECK_THROWS_WITH_AS(loader.start(0, 2), "loader: cannot start at batch 2 of 1", ValueError);
}

TEST_CASE("loader: the order, crops and mirror images of the defaults are pinned") {
  // Pixel values as whole numbers, the same in float and double. The number is from a program that knows only
  // SplitMix64 and what the comments promise.
  const Dataset dataset = numbered(30);
  Loader loader(dataset, {{0, 0, 0}, {1 / 255.0, 1 / 255.0, 1 / 255.0}}, options(7, true, true));
  loader.start(2);
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](std::int64_t value) { hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x100000001b3; };
  for (Batch batch; loader.next(batch);) {
    CHECK(batch.targets.size() == 0);
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      add(batch.labels.data()[i]);
      for (std::size_t p = 0; p < H * W * C; ++p) {
        const double value = static_cast<double>(batch.images.data()[i * H * W * C + p]);
        CHECK(std::abs(value - std::round(value)) < 1e-4);
        add(std::llround(value));
      }
    }
  }
  CHECK(hash == 0x1e75ae23a5d1e15d);
}

namespace {

/// The images, each with a box of it set to zero.
template <class FindBox>
std::vector<std::vector<Scalar>> erased(std::vector<std::vector<Scalar>> images, const FindBox& find_box,
                                        const std::vector<std::int64_t>& samples) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Box box = find_box(static_cast<std::uint64_t>(samples[i]));
    for (std::size_t y = box.top; y < box.bottom; ++y)
      for (std::size_t x = box.left; x < box.right; ++x)
        for (std::size_t c = 0; c < C; ++c) images[i][(y * W + x) * C + c] = 0;
  }
  return images;
}

Dataset classified(std::size_t n, std::size_t classes) {
  Dataset dataset = numbered(n);
  for (std::size_t i = 0; i < n; ++i) dataset.labels[i] = static_cast<std::int64_t>((5 * i + 1) % classes);
  for (std::size_t k = 0; k < classes; ++k) dataset.class_names.push_back(std::to_string(k));
  return dataset;
}

}  // namespace

TEST_CASE("loader: cutout and random erasing take boxes of the sample's own out of the image of the defaults") {
  const Dataset dataset = numbered(30);
  const auto plain_batches = epoch(dataset, options(8, true, true), 2);
  const auto samples = order(plain_batches);
  const auto plain = images(plain_batches);

  LoaderOptions o = options(8, true, true);
  o.cutout = 3;
  const auto cutout = [](std::uint64_t sample) {
    Generator random(1, 0x6375, 2, sample);
    return random_cutout(H, W, 3, random);
  };
  const auto cut = images(epoch(dataset, o, 2));
  CHECK(cut == erased(plain, cutout, samples));
  CHECK(cut != plain);

  o.erasing.probability = 0.5;
  const auto erasing = [&](std::uint64_t sample) {
    Generator random(1, 0x6572, 2, sample);
    return random_erasing(H, W, o.erasing, random);
  };
  const auto both = images(epoch(dataset, o, 2));
  CHECK(both == erased(cut, erasing, samples));
  CHECK(both != cut);
  o.cutout = 0;
  CHECK(images(epoch(dataset, o, 2)) == erased(plain, erasing, samples));
}

TEST_CASE("loader: cutout and random erasing depend on neither batch size nor order") {
  const Dataset dataset = numbered(30);
  LoaderOptions o = options(8, true, false), single = options(1, false, false);
  o.cutout = single.cutout = 4;
  o.erasing.probability = single.erasing.probability = 0.7;
  const auto batches = epoch(dataset, o, 2);
  const auto samples = order(batches);
  const auto a = images(batches), b = images(epoch(dataset, single, 2));
  for (std::size_t i = 0; i < 30; ++i) CHECK(a[i] == b[samples[i]]);
  CHECK(b != images(epoch(dataset, single, 3)));
  single.seed = 2;
  CHECK(b != images(epoch(dataset, single, 2)));
}

TEST_CASE("loader: mixup blends images and targets of a batch") {
  const Dataset dataset = classified(30, 7);
  LoaderOptions o = options(8, true, true);
  o.cutout = 2;
  const auto plain = epoch(dataset, o, 4);
  o.mixup = 0.4;
  const auto batches = epoch(dataset, o, 4);
  REQUIRE(batches.size() == 4);
  std::set<double> weights;
  for (std::size_t b = 0; b < 4; ++b) {
    const std::size_t count = batches[b].labels.size();
    Generator random(1, 0x6d69, 4, b);
    const Mixing mixing = random_mixing(0.4, count, random);
    weights.insert(mixing.weight);
    const double own = mixing.weight;
    Tensor pictures = zeros({count, H, W, C}), targets = zeros({count, 7});
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t partner = mixing.partner[i];
      for (std::size_t p = 0; p < H * W * C; ++p) {
        const double x = static_cast<double>(plain[b].images.data()[i * H * W * C + p]);
        const double y = static_cast<double>(plain[b].images.data()[partner * H * W * C + p]);
        pictures.data()[i * H * W * C + p] = static_cast<Scalar>(own * x + (1 - own) * y);
      }
      targets(i, plain[b].labels.data()[i]) += static_cast<Scalar>(own);
      targets(i, plain[b].labels.data()[partner]) += static_cast<Scalar>(1 - own);
      const Scalar* row = batches[b].targets.data() + i * 7;
      CHECK(row[batches[b].labels.data()[i]] == *std::max_element(row, row + 7));  // the label has the larger share
    }
    CHECK(batches[b].labels == plain[b].labels);
    CHECK(max_error(batches[b].images, pictures) < kRounding);
    CHECK(max_error(batches[b].targets, targets) < kRounding);
  }
  CHECK(weights.size() == 4);
}

TEST_CASE("loader: mixup of a resumed epoch is that of the whole one, and another one in each epoch") {
  const Dataset dataset = classified(30, 7);
  LoaderOptions o = options(4, true, true);
  o.mixup = 1;
  o.erasing.probability = 0.5;
  const auto whole = epoch(dataset, o, 6);
  LoaderOptions far = o;
  far.ahead = 5;
  const auto tail = epoch(dataset, far, 6, 3);
  REQUIRE(tail.size() == whole.size() - 3);
  for (std::size_t b = 0; b < tail.size(); ++b) {
    CHECK(identical(tail[b].images, whole[b + 3].images));
    CHECK(identical(tail[b].targets, whole[b + 3].targets));
    CHECK(tail[b].labels == whole[b + 3].labels);
  }
  o.shuffle = false;  // the same samples in the same batches
  const auto a = epoch(dataset, o, 0), b = epoch(dataset, o, 1);
  o.seed = 2;
  const auto c = epoch(dataset, o, 0);
  CHECK(a[0].targets != b[0].targets);
  CHECK(a[0].targets != c[0].targets);
}

TEST_CASE("loader: the loss of mixed targets is the mixed loss of the two labels") {
  const Dataset dataset = classified(9, 4);
  LoaderOptions o = options(9, true, false);
  o.mixup = 1;
  const Batch batch = epoch(dataset, o, 3)[0];
  Generator random(1, 0x6d69, 3, 0);
  const Mixing mixing = random_mixing(1, 9, random);
  Indices partners({9});
  for (std::size_t i = 0; i < 9; ++i) partners.data()[i] = batch.labels.data()[mixing.partner[i]];
  const Variable logits(normal({9, 4}, 12));
  const double own = static_cast<double>(cross_entropy(logits, batch.labels, 0.1).item());
  const double other = static_cast<double>(cross_entropy(logits, partners, 0.1).item());
  const double mixed_loss = static_cast<double>(cross_entropy(logits, Variable(batch.targets), 0.1).item());
  CHECK(std::abs(mixed_loss - (mixing.weight * own + (1 - mixing.weight) * other)) < 10 * kRounding);
  CHECK(std::abs(own - other) > 0.01);
}

TEST_CASE("loader: bad augmentation is refused") {
  const Dataset dataset = numbered(10);
  const auto error = [](const Dataset& data, const LoaderOptions& o) {
    return error_of([&] { Loader(data, standardization, o); });
  };
  LoaderOptions o;
  o.cutout = 5;
  CHECK(error(dataset, o) == "");
  o.cutout = 6;
  CHECK(error(dataset, o) == "ValueError: loader: a cutout of 6 is larger than the images, 6 x 5");
  o = LoaderOptions();
  o.erasing.probability = 2;
  CHECK(error(dataset, o) == "ValueError: random erasing: the probability must be in [0, 1], got 2");
  o = LoaderOptions();
  const std::string alpha = "ValueError: loader: mixup's alpha must be finite and at least 0, got ";
  o.mixup = -1;
  CHECK(error(dataset, o) == alpha + "-1");
  o.mixup = std::numeric_limits<double>::infinity();
  CHECK(error(dataset, o) == alpha + "inf");
  o.mixup = std::numeric_limits<double>::quiet_NaN();
  CHECK(error(dataset, o) == alpha + "nan");
  o.mixup = 0.2;
  CHECK(error(classified(10, 4), o) == "");
  const std::string classes = "ValueError: loader: mixup needs labels below the number of classes, ";
  CHECK(error(dataset, o) == classes + "0; image 0 has 100");  // no class names
  Dataset broken = classified(10, 4);
  broken.labels[7] = 4;
  CHECK(error(broken, o) == classes + "4; image 7 has 4");
  broken.labels[3] = -1;
  CHECK(error(broken, o) == classes + "4; image 3 has -1");
}
