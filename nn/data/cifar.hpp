#pragma once

#include <string>

#include "../../tensor/tensor.hpp"
#include "dataset.hpp"

namespace xtg::nn {

/// CIFAR-10: 50,000 training and 10,000 test photographs, 32×32, in ten classes (Krizhevsky, "Learning Multiple Layers
/// of Features from Tiny Images", 2009). Reads the official binary files data_batch_1.bin … data_batch_5.bin, or
/// test_batch.bin, from `dir` or from its folder cifar-10-batches-bin. Class names come from batches.meta.txt if it is
/// there. `tools/get-cifar 10` fetches the files.
/// Throws FormatError, naming the file, if one is missing, has not exactly 10,000 records, or holds a label out of
/// range.
Dataset load_cifar10(const std::string& dir, bool train);

/// CIFAR-100: as many photographs, each with a fine label (100 classes) and a coarse one (20 superclasses); `coarse`
/// says which becomes the label. Reads train.bin (50,000 records) or test.bin (10,000) from `dir` or from its folder
/// cifar-100-binary, and the names from fine_label_names.txt or coarse_label_names.txt if they are there.
/// `tools/get-cifar 100` fetches the files. Throws FormatError as load_cifar10 does.
Dataset load_cifar100(const std::string& dir, bool train, bool coarse);

/// The official names of CIFAR-10's classes, in the order of the labels.
std::vector<std::string> cifar10_names();

/// The official names of CIFAR-100's 20 superclasses, or of its 100 classes, in the order of the labels.
std::vector<std::string> cifar100_names(bool coarse);

/// The superclass (0 … 19) of a class of CIFAR-100 (0 … 99); each has five (the table in Krizhevsky's report, and every
/// record's two labels). Throws ValueError for another label.
std::int64_t cifar100_coarse(std::int64_t fine);

/// How often a classifier of CIFAR-100's fine labels is right about the superclass, in percent: a wrong class of the
/// right superclass counts. Predictions (N) and labels (N), both fine. Throws ShapeError unless they are lists of equal
/// size, ValueError if they are empty or not in 0 … 99.
double superclass_accuracy(const Indices& predictions, const Indices& labels);

/// One record of these files: some bytes of labels, then a 32×32 image as three planes: red, green, blue.
struct CifarRecord {
  std::string name;         // of the data set, for messages
  std::size_t label_bytes;  // 1 in CIFAR-10; 2 in CIFAR-100, coarse then fine
  std::size_t label;        // which of those bytes becomes the label
  std::size_t classes;
};

/// Appends the images of one binary file to `dataset`, their planes woven into (H, W, C), and returns how many.
/// `expected_records` is what the file must hold exactly; 0 stands for any whole number of records, at least one.
/// Throws FormatError if the file is missing, of another size, or has a label that is not below `record.classes`.
std::size_t read_cifar_file(const std::string& path, const CifarRecord& record, std::size_t expected_records,
                            Dataset& dataset);

}  // namespace xtg::nn
