// Checks exercise 02. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_02.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "assignment/grader/report.hpp"

namespace {

using Graph = std::vector<std::vector<int>>;
using Order = std::vector<int>;

std::string step(int i) { return "step " + std::to_string(i); }

/// The steps that `output` depends on, in the order in which they are reached: first come, first served, or, with
/// `last_first`, the latest found goes first.
Order reached(const Graph& inputs, int output, bool last_first) {
  std::vector<bool> seen(inputs.size(), false);
  Order waiting{output}, order;
  while (!waiting.empty()) {
    const auto next = last_first ? waiting.end() - 1 : waiting.begin();
    const int i = *next;
    waiting.erase(next);
    if (seen[i]) continue;
    seen[i] = true;
    order.push_back(i);
    const std::vector<int>& found = inputs[i];
    if (last_first)
      waiting.insert(waiting.end(), found.rbegin(), found.rend());
    else
      waiting.insert(waiting.end(), found.begin(), found.end());
  }
  return order;
}

/// The first step that comes before one that uses it, as a text; "" if there is none.
std::string too_early(const Graph& inputs, const Order& order) {
  std::vector<int> place(inputs.size(), -1);
  for (std::size_t k = 0; k < order.size(); ++k) place[order[k]] = static_cast<int>(k);
  for (const int user : order)
    for (const int used : inputs[user])
      if (place[used] >= 0 && place[used] < place[user])
        return step(used) + " comes before " + step(user) +
               ", which uses it: when it hands on its gradient, a share is still missing";
  return "";
}

/// "" if the order is right, else what is wrong with it.
std::string judge(const Graph& inputs, int output) {
  const Order order = student::backward_order(inputs, output);
  Order needed = inputs.size() > 1000 ? Order() : reached(inputs, output, false);
  if (needed.empty())
    for (std::size_t i = 0; i < inputs.size(); ++i) needed.push_back(static_cast<int>(i));  // the long ones need all
  std::vector<int> times(inputs.size(), 0);
  for (const int i : order) {
    if (i < 0 || static_cast<std::size_t>(i) >= inputs.size()) return "there is no " + step(i);
    if (++times[i] == 2) return step(i) + " is in the list twice: mark the steps that you have taken";
  }
  for (const int i : needed)
    if (times[i] == 0)
      return step(i) + " is missing: the output depends on it (the numbers of the steps say nothing about their order)";
  if (order.size() > needed.size())
    return "the list has steps that the output does not depend on: begin at the output, and follow the inputs";
  const std::string early = too_early(inputs, order);
  if (early.empty()) return "";
  if (too_early(inputs, Order(order.rbegin(), order.rend())).empty())
    return "this is the order of the forward: reverse it";
  if (order == reached(inputs, output, false))
    return "this is the order in which steps are reached, first come, first served; " + early;
  if (order == reached(inputs, output, true))
    return "this goes down one branch to its end before it takes up the next (depth first, each step when it is first "
           "reached); " +
           early;
  return early;
}

Graph ladder(int rungs) {  // step i uses i + 1 and i + 2: as many ways down as Fibonacci's numbers
  Graph inputs(rungs);
  for (int i = 0; i + 1 < rungs; ++i) inputs[i] = {i + 1, std::min(i + 2, rungs - 1)};
  return inputs;
}

Graph chain(int length) {
  Graph inputs(length);
  for (int i = 0; i + 1 < length; ++i) inputs[i] = {i + 1};
  return inputs;
}

}  // namespace

int main() {
  xtg::assignment::Report report("exercise 02: an order for the backward");
  report.check("E2.chain", "a chain without forks: 2 uses 0, and 0 uses 1", 1, [] { return judge({{1}, {}, {0}}, 2); });
  report.check("E2.fork", "a fork: 0 uses 1 and 2, 2 uses 3, 3 uses 1", 2, [] {
    return judge({{1, 2}, {}, {3}, {1}}, 0);
  });
  // a b c p s q t r y of page 01 are the steps 4 7 2 0 8 3 6 1 5.
  report.check("E2.page", "the six steps of page 01, with other numbers", 2, [] {
    return judge({{4, 7}, {6}, {}, {8, 8}, {}, {4, 1}, {3, 0}, {}, {0, 2}}, 5);
  });
  report.check("E2.needed", "only what the output depends on: 1 uses 0 and so does 2; the output is 1", 1, [] {
    return judge({{3}, {0}, {0, 1}, {}}, 1);
  });
  report.check("E2.ladder", "60 steps, each using two: taking a step once for every way to it would take centuries", 1,
               [] { return judge(ladder(60), 0); });
  report.check("E2.deep", "a chain of 1,000,000 steps: a function that calls itself for each runs out of stack", 1,
               [] { return judge(chain(1000000), 0); });
  return report.finish();
}
