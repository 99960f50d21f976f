// Prints the table of proofs: for every operation, each way it can be called, the largest error of its derivatives.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>

#include "tests/proofs/table.hpp"

namespace {

using namespace xtg::proofs;

constexpr int success = 0, failure = 1, user_error = 2;

const char* const kUsage = R"(usage: prove [OPERATION…]

Proves the gradients of every operation, or of those that are named, and prints a table; tools/prove --help explains it.
  --list           prints the names of the operations in the table
  --forms          prints which operation has several forms: definition, by hand, fused
  -h, --help       prints this
Exit status: 0 if all is proven, 1 if not, 2 for a wrong option or name.
)";

/// "1.2e-11", "0", "-".
std::string text(const std::optional<double>& error) {
  return !error ? "-" : *error == 0 ? "0" : fmt::format("{:.1e}", *error);
}

std::optional<double> worst(std::initializer_list<std::optional<double>> errors) {
  std::optional<double> result;
  for (const std::optional<double>& error : errors)
    if (error && !(result && *result >= *error)) result = error;
  return result;
}

/// "1 row", "3 rows".
std::string counted(std::size_t n, const char* thing) { return fmt::format("{} {}{}", n, thing, n == 1 ? "" : "s"); }

/// A line on how far it is, on a terminal, if it takes more than two seconds.
class Progress {
 public:
  explicit Progress(std::size_t rows) : rows_(rows) {}

  void show(const std::string& label) {
    ++row_;
    if (!terminal_ || std::chrono::steady_clock::now() - start_ < std::chrono::seconds(2)) return;
    fmt::print(stderr, "{} of {}: {}", row_, rows_, label);
    shown_ = true;
  }

  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
  }

 private:
  const std::size_t rows_;
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::size_t row_ = 0;
  bool shown_ = false;
};

/// Proves and prints the rows; returns the exit status.
int print_table(const std::vector<Proof>& rows) {
  const xtg::Reference reference("table.safetensors");
  std::size_t first = 9, second = 3;  // widths of the first two columns
  for (const Proof& proof : rows) {
    first = std::max(first, proof.operation().size());
    second = std::max(second, proof.label.size() - proof.operation().size());
  }
  const auto print = [=](const std::string& operation, const std::string& how, const std::string& order,
                         const std::string& by_hand, const std::string& fused, const std::string& differences,
                         const std::string& torch) {
    fmt::print("{:<{}}  {:<{}}  {:>5}  {:>8}  {:>8}  {:>11}  {:>8}\n", operation, first, how, second, order, by_hand,
               fused, differences, torch);
  };
  print("operation", "how", "order", "by hand", "fused", "differences", "PyTorch");
  std::set<std::string> operations;
  std::vector<std::string> failures;
  std::string previous;
  Progress progress(rows.size());
  for (const Proof& proof : rows) {
    progress.show(proof.label);
    const Result r = prove(proof, reference);
    progress.clear();
    const std::string operation = proof.operation();
    const std::size_t how = std::min(proof.label.size(), operation.size() + 1);
    print(operation == previous ? "" : operation, proof.label.substr(how),
          r.failure.empty() ? std::to_string(proof.order) : "FAIL", text(r.by_hand_against_derived),
          text(r.fused_against_derived),
          text(worst({r.analytic_against_numeric, r.derived_against_numeric, r.higher_order})),
          text(worst({r.torch_value, r.torch_gradient})));
    operations.insert(operation);
    previous = operation;
    if (!r.failure.empty()) failures.push_back(proof.label + "\n" + r.failure);
  }
  for (const std::string& f : failures) fmt::print("\nnot proven: {}", f);
  fmt::print("\n{}, {}, {} proven\n", counted(operations.size(), "operation"), counted(rows.size(), "row"),
             failures.empty() ? "all" : fmt::format("{} not", failures.size()));
  return failures.empty() ? success : failure;
}

/// A line for each operation that has several forms.
void print_forms(const std::vector<Proof>& rows) {
  std::map<std::string, std::string> forms;
  for (const Proof& proof : rows)
    if (proof.order > 0 && !forms.count(proof.operation())) forms[proof.operation()] = forms_of(proof);
  std::size_t width = 0, single = 0;
  for (const auto& [operation, text] : forms) width = std::max(width, operation.size());
  for (const auto& [operation, text] : forms)
    text == "one" ? void(++single) : fmt::print("{:<{}}  {}\n", operation, width, text);
  fmt::print("{} others: one\n", single);
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> names(arguments + 1, arguments + count);
  std::vector<Proof> all, chosen;
  for (const Family& family : table()) all.insert(all.end(), family.rows.begin(), family.rows.end());
  if (std::find(names.begin(), names.end(), "--list") != names.end()) {
    std::set<std::string> operations;
    for (const Proof& proof : all)
      if (operations.insert(proof.operation()).second) fmt::print("{}\n", proof.operation());
    return success;
  }
  if (std::find(names.begin(), names.end(), "--forms") != names.end()) return print_forms(all), success;
  for (const std::string& name : names) {
    if (name == "-h" || name == "--help") {
      fmt::print("{}", kUsage);
      return success;
    }
    const std::size_t before = chosen.size();
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](const Proof& proof) { return proof.operation() == name; });
    if (chosen.size() > before) continue;
    fmt::print(stderr, "prove: no operation or option '{}' (see --list and --help)\n", name);
    return user_error;
  }
  try {
    return print_table(names.empty() ? all : chosen);
  } catch (const std::exception& error) {
    fmt::print(stderr, "prove: {}\n", error.what());
    return failure;
  }
}
