#include "assignment/grader/part4.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "assignment/grader/compare.hpp"
#include "assignment/grader/comparison.hpp"
#include "assignment/grader/report.hpp"
#include "assignment/grader/tape.hpp"
#include "examples/app/terminal/number.hpp"
#include "tensor/create.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::assignment {
namespace {

using nn::NormKind;

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// 4.1: the network.

std::size_t count_norms(nn::Module& network, std::string& first) {
  std::size_t n = 0;
  for (const auto& [path, module] : network.named_modules())
    if (contains(module->type_name(), "Norm") && module->named_modules().size() == 1) {
      if (n++ == 0) first = path;
    }
  return n;
}

std::string judge_no_norms(const Part4& part) {
  const std::unique_ptr<nn::Module> plain = network_of(part, NormKind::None);
  const std::unique_ptr<nn::Module> batch = network_of(part, NormKind::Batch);
  std::string path;
  if (const std::size_t n = count_norms(*plain, path); n > 0)
    return "[N1] with None there are still " + std::to_string(n) + " norms in the network; the first is " + path +
           ". One batch norm is enough to change what you want to measure.";
  const Variable y = (*plain)(Variable(pictures(0, 4).images));
  for (const std::string& name : operations(y))
    if (contains(name, "norm"))
      return "[N2] with None the operation " + name + " is on the tape: something is still normalized.";
  if (y.shape() != Shape{4, kClasses}) return "the logits of 4 images should have the shape (4, 10).";
  const std::size_t n = count_norms(*batch, path);
  return n == 9 ? ""
                : "[N3] with Batch there are " + std::to_string(n) +
                      " norms, expected 9: one behind each convolution, those of the two shortcuts included.";
}

std::string judge_biases(const Part4& part) {
  for (const NormKind kind : kCompared) {
    const std::unique_ptr<nn::Module> network = network_of(part, kind);
    std::size_t convolutions = 0;
    for (const auto& [path, module] : network->named_modules()) {
      if (module->type_name() != "Conv2d") continue;
      ++convolutions;
      const bool bias = module->own_parameters().size() == 2;
      if (kind == NormKind::None && !bias)
        return "[N4] without a norm the convolution " + path +
               " needs a bias: which layer shifted its result before, and what is left if it is gone?";
      if (kind == NormKind::Batch && bias)
        return "[N5] the convolution " + path + " has a bias and a batch norm behind it. What does the norm do to it?";
    }
    if (convolutions != 9) return "the network has " + std::to_string(convolutions) + " convolutions, expected 9.";
  }
  return "";
}

std::vector<Tensor> kernels(const nn::Module& network) {
  std::vector<Tensor> result;
  for (const Variable& parameter : network.parameters())
    if (parameter.shape().size() == 4) result.push_back(parameter.value());
  return result;
}

std::string judge_same_start(const Part4& part) {
  const std::vector<Tensor> a = kernels(*network_of(part, NormKind::Batch)),
                            b = kernels(*network_of(part, NormKind::None));
  if (a.size() != b.size()) return "the two networks have different numbers of convolutions.";
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i])
      return "[N6] with the same seed the two networks start with different weights, from convolution number " +
             std::to_string(i + 1) + " on: what draws from the generator in one and not in the other?";
  return "";
}

// 4.2: the measures.

std::string judge_beta(const Part4& part) {
  for (const NormKind kind : kCompared) {
    const std::unique_ptr<nn::Module> network = network_of(part, kind);
    const Pictures batch = pictures(0, 8);
    const SafeTensors before = network->state_dict();
    const std::vector<double> rates = {0.02, 0.005, 0.05, 0.01};
    const double want = beta_model(*network, batch, rates, 0);
    const double got = part.effective_beta(*network, batch.images, batch.labels, rates);
    for (const auto& [name, value] : before.tensors)
      if (!contains(name, "running") && l2_error(network->state_dict().tensors.at(name), value) > 1e-9)
        return "[T4] afterwards " + name + " has other values than before: restore θ.";
    network->load_state_dict(before);
    if (std::abs(got - want) <= 1e-6 * want) continue;
    const auto value = [](double x) { return Outputs{full({1}, x)}; };
    const std::string named = diagnose(
        kTurnMistakes, {1, [&](std::size_t) { return value(got); },
                        [&](std::size_t, Mistakes m) { return value(beta_model(*network, batch, rates, m)); }});
    if (!named.empty()) return named;
    return "effective_beta gives " + list({got}) + ", expected " + list({want}) + " (rates 0.02, 0.005, 0.05, 0.01).";
  }
  return "";
}

std::string judge_sensitivity(const Part4& part) {
  const std::unique_ptr<nn::Module> network = network_of(part, NormKind::Batch);
  const Tensor images = pictures(0, 3).images, first = pictures(3, 5).images, second = pictures(8, 5).images;
  const double want = sensitivity_model(*network, images, first, second, 0);
  const double got = part.batch_sensitivity(*network, images, first, second);
  if (std::abs(got - want) <= 1e-6 * want) {
    const std::unique_ptr<nn::Module> plain = network_of(part, NormKind::None);
    const double none = part.batch_sensitivity(*plain, images, first, second);
    return none < 1e-12 ? "" : "[N1] without norms it should be 0, and is " + list({none}) + ": is there one left?";
  }
  if (got == 0) return "[T8] it is 0: is the network in evaluation mode, or are both batches the same?";
  const auto value = [](double x) { return Outputs{full({1}, x)}; };
  const std::string named =
      diagnose(kSensitivityMistakes,
               {1, [&](std::size_t) { return value(got); },
                [&](std::size_t, Mistakes m) { return value(sensitivity_model(*network, images, first, second, m)); }});
  if (!named.empty()) return named;
  return "batch_sensitivity gives " + list({got}) + ", expected " + list({want}) + ".";
}

// The log and the answers.

std::string folder() {
  const char* path = std::getenv("XTGRAD_FOLDER");
  return path != nullptr ? path : ".";
}

/// The losses of each run, by "kind,rate".
using Log = std::map<std::string, std::vector<double>>;

std::string key(NormKind kind, double rate) { return to_string(kind) + "," + fmt::format("{:g}", rate); }

/// Throws ValueError for a log that is not there or not complete.
Log read_log() {
  std::ifstream file(folder() + "/p4_log.csv");
  require(file.good(), "there is no p4_log.csv: tools/assignment measure DIR writes it");
  Log log;
  std::string line;
  std::getline(file, line);
  require(line == "kind,rate,step,loss", "p4_log.csv should begin with the line kind,rate,step,loss");
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string kind, rate, step, loss;
    std::getline(fields, kind, ',');
    std::getline(fields, rate, ',');
    std::getline(fields, step, ',');
    std::getline(fields, loss, ',');
    const std::optional<double> number = app::real_number(loss);
    require(number.has_value(), "p4_log.csv: expected a loss, got '{}'", excerpt(loss));
    log[kind + "," + rate].push_back(*number);
  }
  for (const NormKind kind : kCompared)
    for (const double rate : kRates) {
      const std::vector<double>& losses = log[key(kind, rate)];
      require(losses.size() == kSteps || (!losses.empty() && !std::isfinite(losses.back())),
              "p4_log.csv: the run {} has {} steps, expected {}", key(kind, rate), losses.size(), kSteps);
    }
  return log;
}

double final_loss(const std::vector<double>& losses) {
  double sum = 0;
  for (std::size_t i = losses.size() - std::min(kTail, losses.size()); i < losses.size(); ++i) sum += losses[i];
  return losses.size() < kSteps ? NAN : sum / static_cast<double>(kTail);
}

nlohmann::json read_answers() {
  std::ifstream file(folder() + "/p4_answers.json");
  require(file.good(), "there is no p4_answers.json");
  return nlohmann::json::parse(file);
}

/// The number, NaN for null. Throws NotImplemented if the list is not there or holds nothing but null.
std::vector<double> numbers(const nlohmann::json& answers, const char* name, NormKind kind) {
  const nlohmann::json& value = answers.at(name).at(to_string(kind));
  std::vector<double> result;
  bool any = false;
  for (const nlohmann::json& entry : value.is_array() ? value : nlohmann::json::array({value})) {
    result.push_back(entry.is_number() ? entry.get<double>() : NAN);
    any = any || entry.is_number();
  }
  if (!any) throw NotImplemented(std::string("p4_answers.json: ") + name);
  return result;
}

bool near(double got, double want, double relative) {
  return std::isnan(want) ? std::isnan(got) : std::abs(got - want) <= relative * std::abs(want) + 0.002;
}

std::string judge_log(const Part4& part) {
  const Log log = read_log();
  for (const auto& [kind, rate] : {std::pair<NormKind, double>{NormKind::Batch, 0.1}, {NormKind::None, 0.03}}) {
    const std::vector<double> again = run_at(part, kind, rate, 3);
    for (std::size_t i = 0; i < again.size(); ++i)
      if (!near(log.at(key(kind, rate))[i], again[i], 1e-3))
        return "[L1] the run " + key(kind, rate) + " begins with the losses " + list(again) +
               " now, and with others in p4_log.csv: measure again after changing the network.";
  }
  return "";
}

std::string judge_table() {
  const Log log = read_log();
  const nlohmann::json answers = read_answers();
  for (const NormKind kind : kCompared) {
    const std::vector<double> got = numbers(answers, "final_loss", kind);
    if (got.size() != std::size(kRates)) return "final_loss should have five numbers, one for each of the rates.";
    for (std::size_t i = 0; i < std::size(kRates); ++i) {
      const std::vector<double>& losses = log.at(key(kind, kRates[i]));
      const double want = final_loss(losses);
      if (near(got[i], want, 0.01)) continue;
      std::string cause;
      if (near(got[i], losses.back(), 0.005)) cause = " This is the last loss, not the mean of the last ten.";
      if (std::isnan(want)) cause = " The loss of this run ended as NaN: null stands for that.";
      return "[L2] final_loss of " + key(kind, kRates[i]) + " is not the mean of the last ten losses in p4_log.csv." +
             cause;
    }
  }
  return "";
}

std::string judge_stable(const Part4& part) {
  const Log log = read_log();
  const nlohmann::json answers = read_answers();
  for (const NormKind kind : kCompared) {
    const double got = numbers(answers, "max_stable_rate", kind).at(0);
    double want = NAN;
    for (const double rate : kRates)
      if (final_loss(log.at(key(kind, rate))) < kLearned) want = rate;
    if (!near(got, want, 1e-6))
      return "[L3] max_stable_rate of " + to_string(kind) + " is not the largest rate with a final loss below 2 nats.";
    if (!std::isnan(want) && !(final_loss(run_at(part, kind, want)) < kLearned))
      return "[L1] a run of " + key(kind, want) + " now does not end below 2 nats: measure again.";
  }
  return "";
}

double right_sensitivity(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second) {
  return sensitivity_model(network, images, first, second, 0);
}

std::string judge_claims(const Part4& part) {
  const nlohmann::json answers = read_answers();
  for (const NormKind kind : kCompared) {
    const std::unique_ptr<nn::Module> network = network_of(part, kind);
    const double want = beta_model(*network, pictures(0, 32), beta_rates(), 0);
    if (!near(numbers(answers, "effective_beta", kind).at(0), want, 0.02))
      return "[L4] effective_beta of " + to_string(kind) + " is not what is measured now, " + list({want}) + ".";
    const std::vector<double> got = numbers(answers, "batch_sensitivity", kind);
    for (std::size_t i = 0; i < 3; ++i) {
      const double now = sensitivity_at(*network, kBatchSizes[i], right_sensitivity);
      if (got.size() != 3 || !near(got[i], now, 0.02))
        return "[L4] batch_sensitivity of " + to_string(kind) + " at batch size " + std::to_string(kBatchSizes[i]) +
               " is not what is measured now, " + list({now}) + ".";
    }
  }
  return "";
}

}  // namespace

int grade_part4(const Part4& part) {
  Report report("part 4: without normalization");
  report.check("P4.no_norms", "no norm anywhere, or one behind each convolution", 3,
               [&] { return judge_no_norms(part); });
  report.check("P4.biases", "biases where no norm follows, and only there", 2, [&] { return judge_biases(part); });
  report.check("P4.same_start", "both networks start from the same weights", 3, [&] { return judge_same_start(part); });
  report.check(
      "P4.beta", "effective_beta", 2, [&] { return judge_beta(part); }, 20);
  report.check(
      "P4.sensitivity", "batch_sensitivity", 2, [&] { return judge_sensitivity(part); }, 20);
  report.check(
      "P4.log", "p4_log.csv is of this network", 2, [&] { return judge_log(part); }, 20);
  report.check("P4.table", "the final losses follow from the log", 2, [&] { return judge_table(); });
  report.check(
      "P4.stable", "the largest stable rates, and they hold", 2, [&] { return judge_stable(part); }, 40);
  report.check(
      "P4.claims", "effective beta and batch sensitivity, measured again", 2, [&] { return judge_claims(part); }, 40);
  return report.finish();
}

int measure_part4(const Part4& part, const std::string& path) {
  std::ofstream file(path);
  file << "kind,rate,step,loss\n";
  for (const NormKind kind : kCompared)
    for (const double rate : kRates) {
      const std::vector<double> losses = run_at(part, kind, rate);
      for (std::size_t i = 0; i < losses.size(); ++i)
        file << key(kind, rate) << fmt::format(",{},{:.6g}\n", i + 1, losses[i]);
      std::printf("trained: norm %s, rate %g\n", to_string(kind).c_str(), rate);
      std::fflush(stdout);
    }
  file.close();
  for (const NormKind kind : kCompared) {
    const std::unique_ptr<nn::Module> network = network_of(part, kind);
    const Pictures batch = pictures(0, 32);
    std::printf("effective_beta, %s: %.4g\n", to_string(kind).c_str(),
                part.effective_beta(*network, batch.images, batch.labels, beta_rates()));
    const std::unique_ptr<nn::Module> fresh = network_of(part, kind);
    for (const std::size_t size : kBatchSizes)
      std::printf("batch_sensitivity, %s, batch size %zu: %.4g\n", to_string(kind).c_str(), size,
                  sensitivity_at(*fresh, size, part.batch_sensitivity));
  }
  return 0;
}

}  // namespace xtg::assignment
