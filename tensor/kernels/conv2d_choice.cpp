#include "tensor/kernels/conv2d_choice.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <sstream>

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tensor/precision.hpp"

namespace xtg::kernels {
namespace {

/// A row of the table: square kernels of 3 with stride 1 and at least so many channels in and out.
struct Row {
  std::size_t channels;
  Conv2dPass pass;
  Conv2dAlgorithm algorithm;
};

// Medians with two threads, reorders of the activations included (docs/performance.md). What is not listed is Direct:
// with fewer channels, larger strides or other kernels the others lose or do not exist.
#if XTGRAD_ONEDNN >= 3
// Intel Xeon, oneDNN 3.7, which has no Winograd. Only with very many channels the blocked layout wins back its
// reorders.
constexpr std::array<Row, 2> kTable = {{
    {512, Conv2dPass::Forward, Conv2dAlgorithm::Blocked},
    {512, Conv2dPass::BackwardInput, Conv2dAlgorithm::Blocked},
}};
#else
// AMD Zen 4 and Zen 5, oneDNN 2.6.
constexpr std::array<Row, 3> kTable = {{
    {32, Conv2dPass::Forward, Conv2dAlgorithm::Winograd},
    {32, Conv2dPass::BackwardInput, Conv2dAlgorithm::Winograd},
    {64, Conv2dPass::BackwardWeight, Conv2dAlgorithm::Winograd},
}};
#endif

/// What a choice is for: everything about a convolution but the number of images.
using Key = std::array<std::size_t, 12>;

Key key_of(const Conv2dGeometry& g, Conv2dPass pass, bool bfloat16) {
  return {
      g.h,     g.w, g.in, g.out, g.kh, g.kw, g.stride, g.padding, g.dilation, g.groups, static_cast<std::size_t>(pass),
      bfloat16};
}

struct Tuned {
  std::mutex mutex;
  std::map<Key, Conv2dAlgorithm> algorithms;
};
Tuned& tuned() {
  static Tuned* const instance = new Tuned;  // never destroyed: operations may run in destructors at exit
  return *instance;
}

}  // namespace

Conv2dAlgorithm table_algorithm(const Conv2dGeometry& g, Conv2dPass pass, bool bfloat16) {
  if (bfloat16 || g.kh != 3 || g.kw != 3 || g.stride != 1 || g.dilation != 1 || g.groups != 1)
    return Conv2dAlgorithm::Direct;
  for (const Row& row : kTable)
    if (row.pass == pass && std::min(g.in, g.out) >= row.channels) return row.algorithm;
  return Conv2dAlgorithm::Direct;
}

Conv2dAlgorithm chosen_algorithm(const Conv2dGeometry& g, Conv2dPass pass, bool bfloat16) {
  Conv2dAlgorithm algorithm = table_algorithm(g, pass, bfloat16);
  Tuned& t = tuned();
  {
    const std::lock_guard<std::mutex> lock(t.mutex);
    const auto found = t.algorithms.find(key_of(g, pass, bfloat16));
    if (found != t.algorithms.end()) algorithm = found->second;
  }
  return algorithm == Conv2dAlgorithm::Winograd && exact_convolutions() ? Conv2dAlgorithm::Direct : algorithm;
}

}  // namespace xtg::kernels

namespace xtg {
namespace {

/// The enumerator of this name, if it is one of the three.
template <class Enum>
std::optional<Enum> named(const std::string& name) {
  for (int i = 0; i < 3; ++i)
    if (to_string(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  return std::nullopt;
}

/// "forward 8x8 64->64 kernel 3x3 stride 1 padding 1 dilation 1 groups 1 fp32: direct"
std::string entry_of(const kernels::Key& k, Conv2dAlgorithm algorithm) {
  return fmt::format("{} {}x{} {}->{} kernel {}x{} stride {} padding {} dilation {} groups {} {}: {}",
                     to_string(static_cast<Conv2dPass>(k[10])), k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8],
                     k[9], k[11] != 0 ? "bf16" : "fp32", to_string(algorithm));
}

}  // namespace

void set_conv2d_algorithm(const Conv2dChoice& choice, Conv2dAlgorithm algorithm) {
  kernels::Tuned& t = kernels::tuned();
  const std::lock_guard<std::mutex> lock(t.mutex);
  t.algorithms[kernels::key_of(choice.geometry, choice.pass, choice.bfloat16)] = algorithm;
}

std::string conv2d_algorithms() {
  kernels::Tuned& t = kernels::tuned();
  const std::lock_guard<std::mutex> lock(t.mutex);
  std::string text;
  for (const auto& [key, algorithm] : t.algorithms) text += (text.empty() ? "" : "; ") + entry_of(key, algorithm);
  return text;
}

std::string missing_conv2d_algorithms(std::size_t n) {
  std::map<kernels::Key, Conv2dAlgorithm> algorithms;
  {
    kernels::Tuned& t = kernels::tuned();
    const std::lock_guard<std::mutex> lock(t.mutex);
    algorithms = t.algorithms;
  }
  std::string text;
  for (const auto& [k, algorithm] : algorithms) {
    const Conv2dGeometry g =
        conv2d_geometry({n, k[0], k[1], k[2]}, {k[3], k[4], k[5], k[2] / k[9]}, k[6], k[7], k[8], k[9]);
    const std::string name = kernels::onednn_implementation(g, static_cast<Conv2dPass>(k[10]), algorithm, k[11] != 0);
    if (name.empty() || kernels::is_reference(name)) text += (text.empty() ? "" : "; ") + entry_of(k, algorithm);
  }
  return text;
}

void set_conv2d_algorithms(const std::string& text) {
  std::map<kernels::Key, Conv2dAlgorithm> algorithms;
  std::istringstream list(text);
  for (std::string entry; std::getline(list, entry, ';');) {
    kernels::Key k{};
    std::array<char, 20> pass{}, precision{}, algorithm{};
    const int fields = std::sscanf(
        entry.c_str(),
        " %19s %zux%zu %zu->%zu kernel %zux%zu stride %zu padding %zu dilation %zu groups %zu %4[a-z0-9]: %19s",
        pass.data(), &k[0], &k[1], &k[2], &k[3], &k[4], &k[5], &k[6], &k[7], &k[8], &k[9], precision.data(),
        algorithm.data());
    const auto p = named<Conv2dPass>(pass.data());
    const auto a = named<Conv2dAlgorithm>(algorithm.data());
    if (fields == 13 && p && a) {
      k[10] = static_cast<std::size_t>(*p);
      k[11] = std::string(precision.data()) == "bf16" ? 1 : 0;
      algorithms[k] = *a;
    }
    // sscanf is lenient, so what was read is written again and compared.
    const std::string trimmed = entry.substr(entry.compare(0, 1, " ") == 0 ? 1 : 0);
    require<FormatError>(fields == 13 && p && a && trimmed == entry_of(k, *a),
                         "set_conv2d_algorithms: expected 'forward 8x8 64->64 kernel …: direct', got '{}'",
                         excerpt(entry));
  }
  kernels::Tuned& t = kernels::tuned();
  const std::lock_guard<std::mutex> lock(t.mutex);
  t.algorithms = std::move(algorithms);
}

std::string to_string(Conv2dPass pass) {
  return pass == Conv2dPass::Forward         ? "forward"
         : pass == Conv2dPass::BackwardInput ? "backward_input"
                                             : "backward_weight";
}

std::string to_string(Conv2dAlgorithm algorithm) {
  return algorithm == Conv2dAlgorithm::Direct    ? "direct"
         : algorithm == Conv2dAlgorithm::Blocked ? "blocked"
                                                 : "winograd";
}

std::vector<std::optional<double>> time_conv2d(const Conv2dChoice& choice, int repetitions) {
  require(repetitions >= 1, "time_conv2d: expected at least 1 repetition, got {}", repetitions);
  const Conv2dGeometry& g = choice.geometry;
  const Tensor x(g.input_shape(), Scalar(0.1)), w(g.weight_shape(), Scalar(0.1)), dy(g.output_shape(), Scalar(0.1));
  std::vector<std::optional<double>> seconds(3);
  const std::string before = conv2d_algorithms();
  const Precision precision = matmul_precision();
  if (choice.bfloat16 && !bfloat16_available()) return seconds;
  set_matmul_precision(choice.bfloat16 ? Precision::BFloat16 : Precision::Full);
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    const auto algorithm = static_cast<Conv2dAlgorithm>(k);
    if (algorithm == Conv2dAlgorithm::Winograd && exact_convolutions()) continue;
    const std::string name = kernels::onednn_implementation(g, choice.pass, algorithm, choice.bfloat16);
    if (name.empty() || kernels::is_reference(name)) continue;
    set_conv2d_algorithm(choice, algorithm);
    std::vector<double> times;
    for (int i = 0; i <= repetitions; ++i) {  // the first is not counted
      const auto start = std::chrono::steady_clock::now();
      if (choice.pass == Conv2dPass::Forward)
        conv2d(x, w, nullptr, g.stride, g.padding, g.dilation, g.groups);
      else
        conv2d_backward(dy, x, w, g, choice.pass == Conv2dPass::BackwardInput,
                        choice.pass == Conv2dPass::BackwardWeight);
      if (i > 0) times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + repetitions / 2, times.end());
    seconds[k] = times[static_cast<std::size_t>(repetitions) / 2];
  }
  set_matmul_precision(precision);
  set_conv2d_algorithms(before);
  return seconds;
}

}  // namespace xtg
