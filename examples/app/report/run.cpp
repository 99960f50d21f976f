#include <cmath>

#include "examples/app/report/evaluation_text.hpp"
#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/run/data.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/terminal/progress.hpp"
#include "examples/app/terminal/text.hpp"
#include "nn/data/cifar.hpp"
#include "nn/train/metrics.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using namespace nn;

namespace {

std::string judge(const Settings& s) { return s.validation > 0 ? "validation" : "test"; }

std::string curves(const Settings& s, const std::vector<EpochResult>& epochs, Plots& plots) {
  LinePlot loss, accuracy;
  PlotLine train_loss{"training", {}, {}, {}, {}}, test_loss{judge(s), {}, {}, {}, {}};
  PlotLine train_accuracy = train_loss, test_accuracy = test_loss;
  for (const EpochResult& e : epochs) {
    for (PlotLine* line : {&train_loss, &test_loss, &train_accuracy, &test_accuracy})
      line->x.push_back(static_cast<double>(e.epoch));
    train_loss.y.push_back(e.train_loss);
    test_loss.y.push_back(e.test_loss);
    train_accuracy.y.push_back(e.train_accuracy);
    test_accuracy.y.push_back(e.test_accuracy);
  }
  loss.title = fmt::format("loss over the epochs: training ends at {:.3f}, {} at {:.3f}", epochs.back().train_loss,
                           judge(s), epochs.back().test_loss);
  loss.x = accuracy.x = "epoch";
  loss.y = "loss (nats)";
  loss.lines = {train_loss, test_loss};
  accuracy.title = fmt::format("accuracy over the epochs: training ends at {:.2f} %, {} at {:.2f} %",
                               epochs.back().train_accuracy, judge(s), epochs.back().test_accuracy);
  accuracy.y = "accuracy (%)";
  accuracy.lines = {train_accuracy, test_accuracy};
  accuracy.top = 100;
  std::string html = "<div class=\"figures\">\n";
  html += plots.lines(loss, "Loss of each epoch.");
  html += plots.lines(accuracy, "Share of images that were recognized.");
  html += "</div>\n<p class=\"quiet\">Training: the mean over the epoch's steps, on images as augmented. " +
          std::string(judge(s) == "test" ? "Test" : "Validation") + ": after the epoch.</p>\n";
  if (plots.failed()) html = "<p>No curves: gnuplot is not installed, or failed.</p>\n";
  return section("Curves", html);
}

std::string numbers(const Settings& s, const std::vector<EpochResult>& epochs, const Predictions& found,
                    std::size_t parameters) {
  const EpochResult& last = epochs.back();
  double seconds = 0;
  for (const EpochResult& e : epochs) seconds += e.seconds;
  std::vector<std::vector<TableCell>> rows = {
      {text_cell("loss (nats)"), number_cell(fmt::format("{:.4f}", last.train_loss)),
       number_cell(fmt::format("{:.4f}", last.test_loss))},
      {text_cell("accuracy (%)"), number_cell(fmt::format("{:.2f}", last.train_accuracy)),
       number_cell(fmt::format("{:.2f}", last.test_accuracy))},
  };
  std::string html = table("last epoch", {fmt::format("epoch {}", last.epoch), "training", judge(s)}, rows);
  rows.clear();
  const auto say = [&](const std::string& what, const std::string& value) {
    rows.push_back({text_cell(what), number_cell(value)});
  };
  say("accuracy of the checkpoint", fmt::format("{:.2f} %", score(found, parse_loss(s.loss)).accuracy));
  if (has_superclasses(s))
    say("accuracy of the superclass",
        fmt::format("{:.2f} %", superclass_accuracy(predicted_classes(found.logits), found.labels)));
  bool finite = true;
  for (const Scalar x : found.logits) finite = finite && std::isfinite(x);
  if (finite)
    say("calibration error: how far its confidence is from the share of right answers",
        fmt::format("{:.2f} %", expected_calibration_error(found.logits, found.labels).error));
  say("parameters", with_commas(parameters));
  say("training, without evaluation", duration(seconds));
  say("images a second", fmt::format("{:.0f}", last.images_per_second));
  return section("Numbers", html + table("further numbers", {}, rows));
}

}  // namespace

Report report_run(Plan plan, Plots& plots) {
  Settings& s = plan.settings;
  const bool in_bf16 = s.precision == "bf16";
  const bool as_trained = prepare_arithmetic(s);
  const std::vector<EpochResult>& epochs = plan.checkpoint->progress.epochs;
  require(!epochs.empty(), "the run in {} has not finished an epoch", plan.run.path());

  const Data data = load_data(s);
  const auto network = trained_network(s, *plan.checkpoint, data.train.classes());
  Progress progress;
  const Predictions found =
      predict(*network, data.test, data.standardization, s.flip_test,
              [&](std::size_t done, std::size_t total) { progress.work(done, total, "test images"); });
  progress.clear();
  if (in_bf16) s.precision = "bf16";  // what the run was made with

  Report report;
  report.title = fmt::format("{} on {}", describe(s), s.dataset);
  const bool finished = epochs.size() == static_cast<std::size_t>(s.epochs);
  report.lead =
      fmt::format("After {}{} of training on {} images it recognizes {:.2f} % of {} {} images.",
                  count(epochs.size(), "epoch"), finished ? "" : fmt::format(" of {}", s.epochs),
                  with_commas(data.train.size()), epochs.back().test_accuracy, with_commas(data.test.size()), judge(s));
  report.body = curves(s, epochs, plots) + numbers(s, epochs, found, network->parameter_count()) +
                class_section(s, found, data.test.class_names) + image_section(s, found, data.test);
  LayersOf layers;
  if (plan.run.has_layers()) layers.rows = read_layers(plan.run.layers_path());
  report.body += layer_section({layers}, plots);
  report.body += section(
      "How it was made",
      "<h3>Command</h3>\n" + command("xtgrad train" + options_of(s) + " --out DIR") +
          "<p class=\"quiet\">The same build, processor and number of threads give the same numbers, bit for bit. "
          "<code>tools/train</code> takes the same options, and builds and fetches first what is missing.</p>\n"
          "<h3>Machine</h3>\n" +
          machine_table(plan.run.read_machines()) +
          (as_trained ? "" : "<p>The run was in bf16; this report is computed in fp32.</p>\n") +
          details("All settings", settings_table(s)));
  return report;
}

}  // namespace xtg::app
