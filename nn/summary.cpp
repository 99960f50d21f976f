#include "nn/summary.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "autograd/grad_mode.hpp"
#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

/// Forward hooks that are gone when this is.
class Hooks {
 public:
  Hooks() = default;
  ~Hooks() {
    for (const auto& [module, id] : hooks_) module->remove_forward_hook(id);
  }
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  void add(Module& module, ForwardHook hook) {
    hooks_.emplace_back(&module, 0);
    hooks_.back().second = module.add_forward_hook(std::move(hook));
  }

 private:
  std::vector<std::pair<Module*, std::size_t>> hooks_;
};

/// "40,551,040"; "-" for 0.
std::string grouped(std::size_t n) {
  if (n == 0) return "-";
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

/// "40 B", "64.0 KiB", "1.3 MiB"; "-" for 0.
std::string bytes_text(std::size_t bytes) {
  if (bytes == 0) return "-";
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; size >= 1024 && unit < 3; ++unit) size /= 1024;
  return fmt::format("{:.1f} {}", size, units[unit]);
}

constexpr std::size_t kColumns = 6;
using Line = std::array<std::string, kColumns>;

}  // namespace

Summary summary(Module& network, const Shape& input_shape) {
  Summary result;
  const auto modules = network.named_modules();
  result.rows.resize(modules.size());
  const Variable x(zeros(input_shape));
  std::set<std::shared_ptr<Storage>> seen = {x.storage()};  // held, so that no address comes twice
  {
    const NoGrad off_the_tape;
    const EvaluationMode mode(network);
    Hooks hooks;
    for (std::size_t i = 0; i < modules.size(); ++i) {
      SummaryRow& row = result.rows[i];
      row.path = modules[i].first;
      row.type = modules[i].second->type_name();
      for (const auto& [name, parameter] : modules[i].second->own_parameters()) row.parameters += parameter.size();
      hooks.add(*modules[i].second, [&row, &seen](Module& module, const Variable&, const Variable& y) {
        row.output = y.shape();
        ++row.calls;
        row.multiply_adds += module.multiply_adds(y.shape());
        if (seen.insert(y.storage()).second) row.activation_bytes += y.size() * sizeof(Scalar);
      });
    }
    network(x);
  }
  for (const SummaryRow& row : result.rows) {
    result.parameters += row.parameters;
    result.multiply_adds += row.multiply_adds;
    result.activation_bytes += row.activation_bytes;
  }
  return result;
}

std::string Summary::text() const {
  std::vector<Line> lines = {{"module", "type", "output", "parameters", "multiply-adds", "activations"}};
  for (const SummaryRow& row : rows)
    lines.push_back({row.path.empty() ? "(all)" : row.path, row.type,
                     row.calls == 0   ? "not called"
                     : row.calls == 1 ? to_string(row.output)
                                      : fmt::format("{} x {}", row.calls, to_string(row.output)),
                     grouped(row.parameters), grouped(row.multiply_adds), bytes_text(row.activation_bytes)});
  lines.push_back({"total", "", "", grouped(parameters), grouped(multiply_adds), bytes_text(activation_bytes)});

  std::array<std::size_t, kColumns> widths = {};
  for (const Line& line : lines)
    for (std::size_t k = 0; k < kColumns; ++k) widths[k] = std::max(widths[k], line[k].size());
  std::string text;
  for (const Line& line : lines)
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>{}}  {:>{}}  {:>{}}\n", line[0], widths[0], line[1], widths[1],
                        line[2], widths[2], line[3], widths[3], line[4], widths[4], line[5], widths[5]);
  return text +
         "A module's numbers are without its submodules'. Multiply-adds are those of convolutions and linear layers; "
         "norms,\nactivations and biases count 0. Activations are the arrays that modules return.\n";
}

}  // namespace xtg::nn
