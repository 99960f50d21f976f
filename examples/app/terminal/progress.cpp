#include "examples/app/terminal/progress.hpp"

#include <unistd.h>

#include <cstdio>

#include "examples/app/terminal/terminal.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

Progress::Progress() : terminal_(isatty(STDOUT_FILENO) != 0) {}

void Progress::begin(std::size_t steps_done, std::size_t steps_total) {
  start_ = std::chrono::steady_clock::now();
  steps_before_ = steps_done;
  steps_total_ = steps_total;
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::step(const nn::StepReport& report) {
  if (!terminal_) return;
  const std::size_t done = (report.epoch - 1) * report.steps + report.step;
  // What has been left behind here took seconds(), evaluations included; the rest will take in proportion.
  const double per_step = seconds() / static_cast<double>(done - steps_before_);
  const double left = per_step * static_cast<double>(steps_total_ - done);
  epoch_ = fmt::format("epoch {:>{}}/{}", report.epoch, std::to_string(report.epochs).size(), report.epochs);
  show(fmt::format("{} {} loss {:.3f}  accuracy {:.1f} %  {:.0f} images/s  {} left", epoch_,
                   progress_bar(report.step, report.steps), report.loss, report.accuracy, report.images_per_second,
                   duration(left)));
}

void Progress::evaluation(std::size_t done, std::size_t total) {
  if (terminal_) show(fmt::format("{} {} test images", epoch_, progress_bar(done, total)));
}

void Progress::work(std::size_t done, std::size_t total, const char* what) {
  if (terminal_) show(fmt::format("{} {}", progress_bar(done, total), what));
}

void Progress::epoch(const nn::EpochResult& r, std::size_t epochs) {
  clear();
  fmt::print("epoch {:>{}}/{}  training loss {:.4f}, {:5.2f} %  test loss {:.4f}, {:5.2f} %  {}, {:.0f} images/s\n",
             r.epoch, std::to_string(epochs).size(), epochs, r.train_loss, r.train_accuracy, r.test_loss,
             r.test_accuracy, duration(r.seconds), r.images_per_second);
  std::fflush(stdout);
}

void Progress::clear() {
  if (shown_ >= 0) fmt::print("\r\033[K");
  shown_ = -1;
  std::fflush(stdout);
}

void Progress::show(const std::string& line) {
  const double now = seconds();
  if (shown_ >= 0 && now - shown_ < 0.1) return;
  shown_ = now;
  fmt::print("\r{}\033[K", line.substr(0, terminal_size().columns - 1));
  std::fflush(stdout);
}

}  // namespace xtg::app
