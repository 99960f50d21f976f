#pragma once

// Rows of comma-separated values: of metrics.csv, and of a grid's results.

#include <string>
#include <vector>

#include "nn/train/checkpoint.hpp"

namespace xtg::app {

/// The columns of metrics.csv: "epoch,train_loss,…,images_per_second".
extern const char* const metrics_columns;

std::string metrics_row(const nn::EpochResult& epoch);

/// The lines of a CSV text, each as its fields; "…" around a field is taken away. Throws FormatError that names
/// `source` and the line if a line has not as many fields as the first, or a quote is not closed.
std::vector<std::vector<std::string>> parse_csv(const std::string& text, const std::string& source);

/// A field's number, and its epoch from `first` on. Throw FormatError that begins with `where` for anything else.
double parse_number(const std::string& text, const std::string& where);
std::size_t parse_epoch(const std::string& text, std::size_t first, const std::string& where);

/// The epoch in the eight fields from `first` on. Throws FormatError that begins with `where` for a field that is
/// no such number.
nn::EpochResult parse_metrics(const std::vector<std::string>& fields, std::size_t first, const std::string& where);

}  // namespace xtg::app
