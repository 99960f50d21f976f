#include "nn/data/cifar.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t side = 32, plane = side * side, channels = 3;

const char* const names_of_10 = "airplane automobile bird cat deer dog frog horse ship truck";

const char* const coarse_names =
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices "
    "household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees "
    "vehicles_1 vehicles_2";

const char* const fine_names =
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm";

/// The coarse label of each fine one.
constexpr std::int64_t coarse_of[100] = {
    4,  1,  14, 8,  0,  6,  7,  7,  18, 3,  3,  14, 9,  18, 7,  11, 3,  9,  7,  11,   // apple … cattle
    6,  11, 5,  10, 7,  6,  13, 15, 3,  15, 0,  11, 1,  10, 12, 14, 16, 9,  11, 5,    // chair … keyboard
    5,  19, 8,  8,  15, 13, 14, 17, 18, 10, 16, 4,  17, 4,  2,  0,  17, 4,  18, 17,   // lamp … pine_tree
    10, 3,  2,  12, 12, 16, 12, 1,  9,  19, 2,  10, 0,  1,  16, 12, 9,  13, 15, 13,   // plain … spider
    16, 19, 2,  4,  6,  19, 5,  5,  8,  19, 18, 1,  2,  15, 6,  0,  17, 8,  14, 13};  // squirrel … worm

std::int64_t superclass(const char* operation, std::int64_t fine) {
  require(fine >= 0 && fine < 100, "{}: fine label {} is not in 0 to 99", operation, fine);
  return coarse_of[fine];
}

std::vector<std::string> words(std::istream& in) {
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

/// The names in the file, one a line; the official ones if it is not there.
std::vector<std::string> class_names(const fs::path& file, const CifarRecord& record, const char* official) {
  std::error_code error;
  std::istringstream text(fs::exists(file, error) ? read_file(file.string()) : official);
  std::vector<std::string> names = words(text);
  require<FormatError>(names.size() == record.classes, "{}: {} has {} class names, expected {}", record.name,
                       file.string(), names.size(), record.classes);
  for (const std::string& name : names)
    require<FormatError>(excerpt(name) == name,
                         "{}: {} has the class name '{}', expected at most 100 printable letters", record.name,
                         file.string(), excerpt(name));
  return names;
}

/// `dir` itself, or the folder in it that the official archive unpacks to.
fs::path data_folder(const std::string& dir, const std::string& folder, const CifarRecord& record) {
  std::error_code error;
  require<FormatError>(fs::is_directory(dir, error), "{}: there is no directory {}", record.name, dir);
  const fs::path inner = fs::path(dir) / folder;
  return fs::is_directory(inner, error) ? inner : fs::path(dir);
}

/// A file's size in bytes, checked to be a whole number of records, and the expected one.
std::size_t count_records(const std::string& path, const CifarRecord& record, std::size_t expected) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);  // an error for what is not a regular file, too
  require<FormatError>(!error, "{}: there is no file {}", record.name, path);
  const std::size_t record_bytes = record.label_bytes + channels * plane;
  if (expected > 0) {
    require<FormatError>(bytes == expected * record_bytes, "{}: {} has {} bytes, expected {} ({} records of {})",
                         record.name, path, bytes, expected * record_bytes, expected, record_bytes);
  }
  require<FormatError>(bytes > 0 && bytes % record_bytes == 0,
                       "{}: {} has {} bytes, expected a whole number of records of {}", record.name, path, bytes,
                       record_bytes);
  return bytes / record_bytes;
}

}  // namespace

std::size_t read_cifar_file(const std::string& path, const CifarRecord& record, std::size_t expected_records,
                            Dataset& dataset) {
  const std::size_t records = count_records(path, record, expected_records);
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes(record.label_bytes + channels * plane);
  dataset.height = dataset.width = side;
  dataset.channels = channels;
  for (std::size_t r = 0; r < records; ++r) {
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    require<FormatError>(in.good(), "{}: cannot read record {} of {}", record.name, r, path);
    const auto label = static_cast<std::uint8_t>(bytes[record.label]);
    require<FormatError>(label < record.classes, "{}: {}, record {}: label {} is not in 0 to {}", record.name, path, r,
                         label, record.classes - 1);
    dataset.labels.push_back(label);
    const char* planes = bytes.data() + record.label_bytes;
    for (std::size_t pixel = 0; pixel < plane; ++pixel) {
      for (std::size_t c = 0; c < channels; ++c) {
        dataset.images.push_back(static_cast<std::uint8_t>(planes[c * plane + pixel]));
      }
    }
  }
  return records;
}

Dataset load_cifar10(const std::string& dir, bool train) {
  const CifarRecord record{"cifar10", 1, 0, 10};
  const fs::path folder = data_folder(dir, "cifar-10-batches-bin", record);
  Dataset dataset;
  dataset.images.reserve((train ? 50000 : 10000) * channels * plane);
  if (train) {
    for (int batch = 1; batch <= 5; ++batch) {
      read_cifar_file((folder / fmt::format("data_batch_{}.bin", batch)).string(), record, 10000, dataset);
    }
  } else {
    read_cifar_file((folder / "test_batch.bin").string(), record, 10000, dataset);
  }
  dataset.class_names = class_names(folder / "batches.meta.txt", record, names_of_10);
  return dataset;
}

Dataset load_cifar100(const std::string& dir, bool train, bool coarse) {
  const CifarRecord record{"cifar100", 2, coarse ? 0u : 1u, coarse ? 20u : 100u};
  const fs::path folder = data_folder(dir, "cifar-100-binary", record);
  const std::size_t records = train ? 50000 : 10000;
  Dataset dataset;
  dataset.images.reserve(records * channels * plane);
  read_cifar_file((folder / (train ? "train.bin" : "test.bin")).string(), record, records, dataset);
  dataset.class_names = class_names(folder / (coarse ? "coarse_label_names.txt" : "fine_label_names.txt"), record,
                                    coarse ? coarse_names : fine_names);
  return dataset;
}

std::vector<std::string> cifar10_names() {
  std::istringstream names(names_of_10);
  return words(names);
}

std::vector<std::string> cifar100_names(bool coarse) {
  std::istringstream names(coarse ? coarse_names : fine_names);
  return words(names);
}

std::int64_t cifar100_coarse(std::int64_t fine) { return superclass("cifar100_coarse", fine); }

double superclass_accuracy(const Indices& predictions, const Indices& labels) {
  const char* const name = "superclass_accuracy";
  require<ShapeError>(predictions.dimension() == 1 && predictions.shape() == labels.shape(),
                      "{}: expected predictions (N) and labels (N), got {} and {}", name,
                      to_string(predictions.shape()), to_string(labels.shape()));
  require(labels.size() > 0, "{}: expected at least 1 prediction, got 0", name);
  std::size_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    correct += superclass(name, predictions.data()[i]) == superclass(name, labels.data()[i]);
  return 100 * static_cast<double>(correct) / static_cast<double>(labels.size());
}

}  // namespace xtg::nn
