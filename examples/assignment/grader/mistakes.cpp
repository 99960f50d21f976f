#include "assignment/grader/mistakes.hpp"

#include <algorithm>
#include <exception>

#include "assignment/grader/compare.hpp"

namespace xtg::assignment {
namespace {

bool same_outputs(const Outputs& a, const Outputs& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_answer);
}

/// Whether these mistakes give `answers` (empty where the student's code threw), and are not without any effect.
bool explains(const Diagnosis& diagnosis, const std::vector<Outputs>& answers, Mistakes mistakes) try {
  bool any = false, effect = false;
  for (std::size_t p = 0; p < answers.size(); ++p) {
    if (answers[p].empty()) continue;
    const Outputs outputs = diagnosis.model(p, mistakes);
    if (!same_outputs(answers[p], outputs)) return false;
    any = true;
    effect = effect || !same_outputs(outputs, diagnosis.model(p, 0));
  }
  return any && effect;
} catch (const std::exception&) {
  return false;  // two mistakes that do not go together, such as two strides
}

/// "[F1] hint", "[F1+F4] …", or "".
std::string named(const std::vector<Mistake>& known, const Diagnosis& diagnosis, const std::vector<Outputs>& answers) {
  const auto bit = [](std::size_t i) { return Mistakes{1} << i; };
  for (std::size_t i = 0; i < known.size(); ++i)
    if (explains(diagnosis, answers, bit(i)))
      return std::string("[") + known[i].id + "] " + known[i].hint + (*known[i].alone == '\0' ? "" : " ") +
             known[i].alone;
  for (std::size_t i = 0; i < known.size(); ++i)
    for (std::size_t j = i + 1; j < known.size(); ++j)
      if (explains(diagnosis, answers, bit(i) | bit(j)))
        return std::string("[") + known[i].id + "+" + known[j].id + "] two mistakes at once. First: " + known[i].hint +
               " Second: " + known[j].hint;
  return "";
}

}  // namespace

std::string diagnose(const std::vector<Mistake>& known, const Diagnosis& diagnosis) {
  std::vector<Outputs> answers(diagnosis.probes);
  for (std::size_t p = 0; p < diagnosis.probes; ++p) try {
      answers[p] = diagnosis.student(p);
    } catch (const std::exception&) {
      answers[p].clear();
    }
  const std::string all = named(known, diagnosis, answers);
  if (!all.empty() || diagnosis.matrices == 0) return all;
  answers.resize(diagnosis.matrices);
  const std::string on_matrices = named(known, diagnosis, answers);
  return on_matrices.empty() ? "" : on_matrices + " (So it is for matrices; for images something else is wrong, too.)";
}

}  // namespace xtg::assignment
