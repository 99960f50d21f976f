#pragma once

// What every grading program is made of: a list of checks, and the judgement of each.
//
//   int main() {
//     xtg::assignment::Report report("exercise 03");
//     report.check("E3.shape", "the gradient has the shape of x", 2, [] {
//       return student::unbroadcast(…).shape() == x.shape() ? "" : "sum over the axes that were repeated";
//     });
//     return report.finish();
//   }

#include <functional>
#include <string>

#include "assignment/not_implemented.hpp"

namespace xtg::assignment {

/// Runs checks and reports each. Every check runs in a process of its own, forked from this one: whatever the student's
/// code does (crash, endless loop, exit, endless allocation), it costs that check alone. So a check sees what `main`
/// made before it, and whatever it changes is gone after it. Do not start threads, nor compute with several, outside
/// of the checks: a forked process has only one.
///
/// Where the results go: one line of JSON a check to the file descriptor named by XTGRAD_REPORT_FD, which the student's
/// code does not have; without that, text to stdout.
class Report {
 public:
  explicit Report(const std::string& title);
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  /// Runs `judge`, which returns "" if all is right (`points` are given), else the hint to the student (none are). If
  /// it throws NotImplemented the check is "not written yet"; of another exception the text is reported. `seconds` of
  /// processor time are allowed, and four times as long by the clock.
  void check(const std::string& id, const std::string& what, double points, const std::function<std::string()>& judge,
             double seconds = 5);

  /// Ends the report; what main should return: 0 if all checks were passed, 1 if not.
  int finish();

 private:
  int descriptor_ = -1;
  bool all_right_ = true, too_slow_ = false;
  double points_ = 0, possible_ = 0;
};

}  // namespace xtg::assignment
