#include "nn/data/cifar.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/temporary_directory.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;
namespace fs = std::filesystem;

namespace {

/// A byte that differs from its neighbours in row, column, plane and record.
char pixel(std::size_t record, std::size_t plane, std::size_t y, std::size_t x) {
  return static_cast<char>(record * 101 + plane * 67 + y * 7 + x);
}

/// Record r of n, labelled r mod 10 (in CIFAR-100: coarse r mod 20, fine r mod 100).
void write_records(const std::string& path, std::size_t n, std::size_t label_bytes) {
  std::ofstream out(path, std::ios::binary);
  for (std::size_t r = 0; r < n; ++r) {
    if (label_bytes == 2) out.put(static_cast<char>(r % 20));
    out.put(static_cast<char>(r % (label_bytes == 2 ? 100 : 10)));
    std::string planes;
    for (std::size_t i = 0; i < 3072; ++i) planes.push_back(pixel(r, i / 1024, i / 32 % 32, i % 32));
    out.write(planes.data(), 3072);
  }
}

void write_byte(const std::string& path, std::size_t offset, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

/// What the call throws, which must be a FormatError.
template <class Call>
std::string format_error(Call call) {
  try {
    call();
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no FormatError";
}

const CifarRecord cifar10{"cifar10", 1, 0, 10};

}  // namespace

TEST_CASE("cifar: planes become channels, for every pixel") {
  const TemporaryDirectory dir;
  write_records(dir / "a.bin", 3, 1);
  Dataset dataset;
  CHECK(read_cifar_file(dir / "a.bin", cifar10, 3, dataset) == 3);
  CHECK(read_cifar_file(dir / "a.bin", cifar10, 0, dataset) == 3);  // appends
  CHECK(dataset.labels == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
  REQUIRE(dataset.images.size() == 6 * 3072);
  std::size_t wrong = 0, i = 0;
  for (std::size_t r = 0; r < 6; ++r) {
    for (std::size_t y = 0; y < 32; ++y) {
      for (std::size_t x = 0; x < 32; ++x) {
        for (std::size_t c = 0; c < 3; ++c) {
          wrong += dataset.images[i++] != static_cast<std::uint8_t>(pixel(r % 3, c, y, x));
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("cifar: the label bytes of CIFAR-100") {
  const TemporaryDirectory dir;
  write_records(dir / "a.bin", 120, 2);
  Dataset coarse, fine;
  read_cifar_file(dir / "a.bin", {"cifar100", 2, 0, 20}, 120, coarse);
  read_cifar_file(dir / "a.bin", {"cifar100", 2, 1, 100}, 120, fine);
  CHECK(coarse.labels[119] == 19);
  CHECK(coarse.labels[25] == 5);
  CHECK(fine.labels[99] == 99);
  CHECK(fine.labels[119] == 19);
  CHECK(fine.labels[25] == 25);
  CHECK(fine.images == coarse.images);
  CHECK(fine.image(1)[0] == 101);
}

TEST_CASE("cifar: damaged files are named with what is wrong") {
  const TemporaryDirectory dir;
  const std::string path = dir / "a.bin";
  Dataset dataset;
  const auto read = [&](std::size_t expected) {
    return format_error([&] { read_cifar_file(path, cifar10, expected, dataset); });
  };
  CHECK(read(3) == "cifar10: there is no file " + path);
  write_records(path, 3, 1);
  CHECK(read(4) == "cifar10: " + path + " has 9219 bytes, expected 12292 (4 records of 3073)");
  CHECK(read(2) == "cifar10: " + path + " has 9219 bytes, expected 6146 (2 records of 3073)");
  write_byte(path, 9219, 0);  // one byte too many
  CHECK(read(3) == "cifar10: " + path + " has 9220 bytes, expected 9219 (3 records of 3073)");
  CHECK(read(0) == "cifar10: " + path + " has 9220 bytes, expected a whole number of records of 3073");
  fs::resize_file(path, 0);
  CHECK(read(0) == "cifar10: " + path + " has 0 bytes, expected a whole number of records of 3073");
  write_records(path, 3, 1);
  write_byte(path, 2 * 3073, 10);
  CHECK(read(3) == "cifar10: " + path + ", record 2: label 10 is not in 0 to 9");
  write_byte(path, 2 * 3073, static_cast<char>(200));
  CHECK(read(3) == "cifar10: " + path + ", record 2: label 200 is not in 0 to 9");
}

TEST_CASE("cifar: a file that is there but cannot be read") {
  const TemporaryDirectory dir;
  const std::string path = dir / "a.bin";
  write_records(path, 3, 1);
  Dataset dataset;
  // No more open files for a moment: that stops root too, whom permissions do not.
  rlimit files;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  const rlimit none = {0, files.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const std::string message = format_error([&] { read_cifar_file(path, cifar10, 3, dataset); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(message == "cifar10: cannot read record 0 of " + path);
  CHECK(format_error([&] { read_cifar_file(dir.path, cifar10, 3, dataset); }) ==
        "cifar10: there is no file " + dir.path.string());
}

TEST_CASE("cifar10: the official files, in the folder or beside it") {
  const TemporaryDirectory dir;
  const auto load = [&](const std::string& where, bool train) {
    return format_error([&] { load_cifar10(where, train); });
  };
  CHECK(load(dir / "nowhere", true) == "cifar10: there is no directory " + (dir / "nowhere"));
  CHECK(load(dir.path, true) == "cifar10: there is no file " + (dir / "data_batch_1.bin"));

  const std::string folder = dir / "cifar-10-batches-bin";
  fs::create_directory(folder);
  write_records(folder + "/data_batch_1.bin", 10000, 1);
  for (int i = 2; i <= 5; ++i)
    fs::create_hard_link(folder + "/data_batch_1.bin", fmt::format("{}/data_batch_{}.bin", folder, i));
  CHECK(load(dir.path, false) == "cifar10: there is no file " + folder + "/test_batch.bin");
  const Dataset train = load_cifar10(dir.path, true);
  CHECK(train.size() == 50000);
  CHECK(train.image(10001)[0] == 101);
  CHECK(train.class_names[0] == "airplane");
  CHECK(train.class_names[9] == "truck");

  write_text(folder + "/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  fs::rename(folder + "/data_batch_3.bin", folder + "/test_batch.bin");
  const Dataset test = load_cifar10(folder, false);
  CHECK(test.size() == 10000);
  CHECK(test.class_names == std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});

  write_text(folder + "/batches.meta.txt", "a\nb\n");
  CHECK(load(folder, false) == "cifar10: " + folder + "/batches.meta.txt has 2 class names, expected 10");
  write_text(folder + "/batches.meta.txt", "a\nb\nc\nd\n\x1b[31m\nf\ng\nh\ni\nj\n");
  CHECK(load(folder, false) == "cifar10: " + folder +
                                   "/batches.meta.txt has the class name '\\x1b[31m', expected at most 100 printable "
                                   "letters");
  CHECK(load(folder, true) == "cifar10: there is no file " + folder + "/data_batch_3.bin");
  fs::copy_file(folder + "/test_batch.bin", folder + "/data_batch_3.bin");
  fs::resize_file(folder + "/data_batch_3.bin", 30729999);
  CHECK(load(dir.path, true) ==
        "cifar10: " + folder + "/data_batch_3.bin has 30729999 bytes, expected 30730000 (10000 records of 3073)");
}

TEST_CASE("cifar100: fine and coarse labels, with their names") {
  const TemporaryDirectory dir;
  write_records(dir / "test.bin", 10000, 2);
  const Dataset fine = load_cifar100(dir.path, false, false), coarse = load_cifar100(dir.path, false, true);
  CHECK(fine.size() == 10000);
  CHECK(fine.labels[9999] == 99);
  CHECK(coarse.labels[9999] == 19);
  CHECK(std::set<std::string>(fine.class_names.begin(), fine.class_names.end()).size() == 100);
  CHECK(fine.class_names[0] == "apple");
  CHECK(fine.class_names[99] == "worm");
  CHECK(std::set<std::string>(coarse.class_names.begin(), coarse.class_names.end()).size() == 20);
  CHECK(coarse.class_names[19] == "vehicles_2");

  const std::string train = dir / "train.bin";
  write_records(train, 1, 2);
  CHECK(format_error([&] { load_cifar100(dir.path, true, false); }) ==
        "cifar100: " + train + " has 3074 bytes, expected 153700000 (50000 records of 3074)");
  write_byte(dir / "test.bin", 7 * 3074, 20);
  CHECK(format_error([&] { load_cifar100(dir.path, false, true); }) ==
        "cifar100: " + (dir / "test.bin") + ", record 7: label 20 is not in 0 to 19");
  CHECK(load_cifar100(dir.path, false, false).size() == 10000);  // that byte is not the fine label
}

namespace {

/// The published table of the 20 superclasses, in the order of their labels, with the five classes of each.
const char* const superclasses[20] = {"beaver dolphin otter seal whale",
                                      "aquarium_fish flatfish ray shark trout",
                                      "orchid poppy rose sunflower tulip",
                                      "bottle bowl can cup plate",
                                      "apple mushroom orange pear sweet_pepper",
                                      "clock keyboard lamp telephone television",
                                      "bed chair couch table wardrobe",
                                      "bee beetle butterfly caterpillar cockroach",
                                      "bear leopard lion tiger wolf",
                                      "bridge castle house road skyscraper",
                                      "cloud forest mountain plain sea",
                                      "camel cattle chimpanzee elephant kangaroo",
                                      "fox porcupine possum raccoon skunk",
                                      "crab lobster snail spider worm",
                                      "baby boy girl man woman",
                                      "crocodile dinosaur lizard snake turtle",
                                      "hamster mouse rabbit shrew squirrel",
                                      "maple_tree oak_tree palm_tree pine_tree willow_tree",
                                      "bicycle bus motorcycle pickup_truck train",
                                      "lawn_mower rocket streetcar tank tractor"};

/// The superclass in whose row of the table a name stands.
std::int64_t row_of(const std::string& name) {
  for (std::int64_t row = 0; row < 20; ++row) {
    std::istringstream members(superclasses[row]);
    for (std::string member; members >> member;)
      if (member == name) return row;
  }
  return -1;
}

std::string real_records() {
  const char* const folder = std::getenv("XTGRAD_CIFAR100");
  return folder == nullptr ? "" : folder;
}

const CifarRecord coarse_record{"cifar100", 2, 0, 20}, fine_record{"cifar100", 2, 1, 100};

}  // namespace

TEST_CASE("cifar10: names") {
  const std::vector<std::string> names = cifar10_names();
  REQUIRE(names.size() == 10);
  CHECK(names[0] == "airplane");
  CHECK(names[3] == "cat");
  CHECK(names[9] == "truck");
}

TEST_CASE("cifar100: names, and the superclass of every class") {
  const std::vector<std::string> fine = cifar100_names(false), coarse = cifar100_names(true);
  REQUIRE(fine.size() == 100);
  REQUIRE(coarse.size() == 20);
  CHECK(std::is_sorted(fine.begin(), fine.end()));
  CHECK(std::is_sorted(coarse.begin(), coarse.end()));
  for (std::int64_t label = 0; label < 100; ++label) CHECK(cifar100_coarse(label) == row_of(fine[label]));
  CHECK(coarse[static_cast<std::size_t>(row_of("can"))] == "food_containers");
  CHECK(coarse[static_cast<std::size_t>(row_of("whale"))] == "aquatic_mammals");
  CHECK(coarse[static_cast<std::size_t>(row_of("spider"))] == "non-insect_invertebrates");
  CHECK(coarse[static_cast<std::size_t>(row_of("tank"))] == "vehicles_2");
  CHECK(error_of([] { cifar100_coarse(100); }) == "ValueError: cifar100_coarse: fine label 100 is not in 0 to 99");
  CHECK(error_of([] { cifar100_coarse(-1); }) == "ValueError: cifar100_coarse: fine label -1 is not in 0 to 99");
}

TEST_CASE("cifar100: superclass accuracy counts a wrong class of the right superclass") {
  // apple, mushroom and pear are fruit and vegetables; whale is not.
  CHECK(superclass_accuracy(indices({0, 51, 57, 95}), indices({0, 0, 51, 57})) == 75);
  CHECK(superclass_accuracy(indices({95}), indices({0})) == 0);
  const std::string name = "superclass_accuracy: ";
  const auto error = [](const Indices& predictions, const Indices& labels) {
    return error_of([&] { superclass_accuracy(predictions, labels); });
  };
  CHECK(error(Indices({0}), Indices({0})) == "ValueError: " + name + "expected at least 1 prediction, got 0");
  CHECK(error(indices({1, 2}), indices({1})) ==
        "ShapeError: " + name + "expected predictions (N) and labels (N), got (2) and (1)");
  CHECK(error(indices({1, 2}, {1, 2}), indices({1, 2}, {1, 2})) ==
        "ShapeError: " + name + "expected predictions (N) and labels (N), got (1, 2) and (1, 2)");
  CHECK(error(indices({100}), indices({1})) == "ValueError: " + name + "fine label 100 is not in 0 to 99");
  CHECK(error(indices({1}), indices({-3})) == "ValueError: " + name + "fine label -3 is not in 0 to 99");
}

TEST_CASE("cifar100: records of the official format, one of each class") {
  const TemporaryDirectory dir;
  const std::string path = dir / "a.bin";
  write_records(path, 100, 2);
  const std::vector<std::string> names = cifar100_names(false);
  for (std::size_t r = 0; r < 100; ++r) write_byte(path, r * 3074, static_cast<char>(row_of(names[r])));
  CHECK(fs::file_size(path) == 307400);
  Dataset coarse, fine;
  CHECK(read_cifar_file(path, coarse_record, 100, coarse) == 100);
  CHECK(read_cifar_file(path, fine_record, 100, fine) == 100);
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < 100; ++r) {
    CHECK(fine.labels[r] == static_cast<std::int64_t>(r));
    CHECK(coarse.labels[r] == cifar100_coarse(fine.labels[r]));
    for (std::size_t i = 0; i < 3072; ++i)
      wrong += fine.image(r)[i] != static_cast<std::uint8_t>(pixel(r, i % 3, i / 96, i / 3 % 32));
  }
  CHECK(wrong == 0);
  fs::resize_file(path, 307399);
  CHECK(format_error([&] { read_cifar_file(path, fine_record, 0, fine); }) ==
        "cifar100: " + path + " has 307399 bytes, expected a whole number of records of 3074");
}

// XTGRAD_CIFAR100 names a folder with files of real records, *.bin, train.bin for one; any number of records will do.
TEST_CASE("cifar100: the two labels of real records agree" * doctest::skip(real_records().empty())) {
  Dataset coarse, fine;
  for (const fs::directory_entry& file : fs::directory_iterator(real_records())) {
    if (file.path().extension() != ".bin") continue;
    read_cifar_file(file.path().string(), coarse_record, 0, coarse);
    read_cifar_file(file.path().string(), fine_record, 0, fine);
  }
  REQUIRE(fine.size() > 0);
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < fine.size(); ++r) wrong += coarse.labels[r] != cifar100_coarse(fine.labels[r]);
  CHECK(wrong == 0);
  CHECK(fine.images == coarse.images);
  if (fine.size() < 200) return;  // too few for means
  // The published means of the channels, to the spread of so few images; and what is beside it resembles a pixel more
  // than what is far from it, which holds in no other order of planes and rows.
  const Standardization found = measure(fine);
  const double means[] = {0.5071, 0.4865, 0.4409};
  for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(found.mean[c] - means[c]) < 0.03);
  double beside = 0, below = 0, far = 0;
  for (std::size_t i = 0; i < fine.size(); ++i)
    for (std::size_t y = 0; y < 16; ++y)
      for (std::size_t x = 0; x < 16 * 3; ++x) {
        const std::uint8_t* const pixel = fine.image(i) + y * 96 + x;
        beside += std::abs(pixel[0] - pixel[3]);
        below += std::abs(pixel[0] - pixel[96]);
        far += std::abs(pixel[0] - pixel[16 * 96 + 16 * 3]);
      }
  CHECK(beside < 0.4 * far);
  CHECK(below < 0.4 * far);
}
