// Batch, layer, instance, group norm and none, compared fairly. The page: docs/10-compare-norms.md.

#include <cmath>
#include <optional>
#include <xtgrad.hpp>

#include "examples/app/terminal/number.hpp"
#include "norm_runs.hpp"
#include "overview.hpp"
#include "walkthrough.hpp"

namespace {

const char* yes_or_stop(bool holds, const char* claim) {
  if (!holds) throw std::runtime_error(std::string("not true: ") + claim);
  return "yes";
}

double number(const Tensor& x) { return static_cast<double>(x.item()); }
double norm(const Tensor& x) { return std::sqrt(number(sum(square(x)))); }
double l2_error(const Tensor& a, const Tensor& b) { return norm(a - b) / norm(b); }

/// The first `n` drawn images as a batch.
Batch batch_of(std::size_t n) {
  const Dataset images = make_shapes(n, 1, true);
  LoaderOptions all;
  all.batch_size = n;
  Loader loader(images, measure(images), all);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  return batch;
}

void same_start() {
  const std::unique_ptr<Module> reference = make_network(NormKind::Batch, 1);
  std::printf("  norm      parameters   convolutions as with batch norm\n");
  for (const NormKind kind : kNorms) {
    const std::unique_ptr<Module> network = make_network(kind, 1);
    std::map<std::string, Variable> theirs;
    for (const auto& [name, parameter] : reference->named_parameters()) theirs[name] = parameter;
    bool equal = true;
    for (const auto& [name, parameter] : network->named_parameters())
      if (parameter.shape().size() == 4) equal = equal && parameter.value() == theirs.at(name).value();
    std::printf("  %-9s %-12zu %s\n", to_string(kind).c_str(), network->parameter_count(),
                yes_or_stop(equal, "the same convolutions"));
  }
}

// Weights ten times too large, or too small: what does the network say?
void scale() {
  const Batch batch = batch_of(64);
  std::printf("  loss with all convolutions times 0.1, 1 and 10\n");
  for (const NormKind kind : kNorms) {
    std::printf("  %-9s", to_string(kind).c_str());
    for (const double factor : {0.1, 1.0, 10.0}) {
      const std::unique_ptr<Module> network = make_network(kind, 1);
      for (const auto& [name, parameter] : network->named_parameters())
        if (parameter.shape().size() == 4)
          multiply_in_place(Variable(parameter).mutable_value(), static_cast<Scalar>(factor));
      const double loss = number(cross_entropy((*network)(Variable(batch.images)), batch.labels).value());
      std::printf(" %-14s", loss > 1000 ? "above 1000" : fmt::format("{:.2f}", loss).c_str());
    }
    std::puts("");
  }
}

// How much the result of a norm for one image changes with its neighbours in the batch.
void neighbours() {
  constexpr std::size_t features = 64, times = 50;
  std::printf("  change of y with other neighbours, mean of %zu\n  batch size   batch norm   group norm\n", times);
  double before = INFINITY;
  for (const std::size_t size : {2, 8, 32, 128, 512}) {
    double batch_change = 0, group_change = 0;
    for (std::size_t i = 0; i < times; ++i) {
      Generator random(i);
      // region: neighbours
      const Variable image(random_normal({1, features}, random));
      const Variable some(random_normal({size - 1, features}, random)),
          others(random_normal({size - 1, features}, random));
      const Variable a = concatenate({image, some}, 0), b = concatenate({image, others}, 0);
      const auto change = [&](const Variable& y_a, const Variable& y_b) {  // of the image, row 0
        return l2_error(slice(y_b, {{0, 1}, {}}).value(), slice(y_a, {{0, 1}, {}}).value());
      };
      batch_change += change(batch_norm(a, {}, {}, 1e-5), batch_norm(b, {}, {}, 1e-5)) / times;
      group_change += change(group_norm(a, {}, {}, 4, 1e-5), group_norm(b, {}, {}, 4, 1e-5)) / times;
      // end region
    }
    yes_or_stop(batch_change < before && group_change == 0, "less with more images, and none with group norm");
    before = batch_change;
    std::printf("  %-12zu %-12s 0\n", size, fmt::format("{:.0f} %", 100 * batch_change).c_str());
  }
}

void range() {
  for (const NormKind kind : {NormKind::Batch, NormKind::None}) {
    std::vector<double> rates, losses;
    for (const int seed : {1, 2, 3}) {
      const RangePoint best = lowest(range_of(kind, seed));
      rates.push_back(best.learning_rate);
      losses.push_back(best.loss);
    }
    std::sort(rates.begin(), rates.end());
    const bool batch = kind == NormKind::Batch;
    const double worst = *std::max_element(losses.begin(), losses.end()),
                 best = *std::min_element(losses.begin(), losses.end());
    std::printf("%s, 3 seeds: median of the best rates %s: %s, lowest loss %s: %s\n",
                batch ? "batch norm" : "no norm   ", batch ? "above 0.2" : "below 0.2",
                yes_or_stop(batch ? rates[1] > 0.2 : rates[1] < 0.2, "best rate"), batch ? "below 1.5" : "above 1.7",
                yes_or_stop(batch ? worst < 1.5 : best > 1.7, "lowest loss"));
  }
}

const std::vector<Row>& table() {
  static const std::vector<Row> rows = read_rows(XTGRAD_RESULTS "/norms-on-shapes.csv");
  return rows;
}

/// The last epochs of the trainings with this norm, batch size, and (unless 0) rate.
std::vector<Row> last_epochs(NormKind norm, int batch, double rate) {
  std::vector<Row> found;
  for (const Row& r : table())
    if (r.experiment == "train" && r.norm == to_string(norm) && r.batch == batch && r.step == 20 &&
        (rate == 0 || r.rate == rate))
      found.push_back(r);
  return found;
}

/// The rate whose training (seed 1) ended with the lowest training loss. The test images have no say in it.
double best_rate(NormKind norm) {
  double loss = INFINITY, rate = 0;
  for (const Row& r : last_epochs(norm, 32, 0))
    if (r.seed == 1 && r.loss < loss) loss = r.loss, rate = r.rate;
  return rate;
}

void rates() {
  std::printf("  training loss after 20 epochs, seed 1\n  peak rate");
  for (const double rate : {0.05, 0.1, 0.2, 0.4, 0.8}) std::printf("%7.2f", rate);
  std::puts("");
  for (const NormKind kind : kNorms) {
    std::printf("  %-9s", to_string(kind).c_str());
    for (const double rate : {0.05, 0.1, 0.2, 0.4, 0.8})
      for (const Row& r : last_epochs(kind, 32, rate))
        if (r.seed == 1) std::printf("%7.2f", r.loss);
    std::puts("");
  }
}

void seeds() {
  std::printf("  test accuracy in %% after 20 epochs, 5 seeds\n  norm       rate     mean    from      to\n");
  for (const NormKind kind : kNorms) {
    const double rate = best_rate(kind);
    const std::vector<Row> runs = last_epochs(kind, 32, rate);
    double total = 0, low = 100, high = 0;
    for (const Row& r : runs) total += r.accuracy, low = std::min(low, r.accuracy), high = std::max(high, r.accuracy);
    std::printf("  %-9s  %-5g  %6.1f  %6.1f  %6.1f\n", to_string(kind).c_str(), rate,
                total / static_cast<double>(runs.size()), low, high);
  }
}

void batches() {
  std::printf("  after 20 epochs, seed 1        batch size");
  for (const int batch : {2, 4, 8, 16, 32, 64}) std::printf("%7d", batch);
  std::puts("");
  for (const NormKind kind : {NormKind::Batch, NormKind::Group}) {
    for (const bool accuracy : {false, true}) {
      std::printf("  %-5s norm, %-29s", to_string(kind).c_str(), accuracy ? "test accuracy in %" : "training loss");
      for (const int batch : {2, 4, 8, 16, 32, 64})
        for (const Row& r : last_epochs(kind, batch, best_rate(kind) * batch / 32))
          if (r.seed == 1) std::printf(accuracy ? "%7.1f" : "%7.2f", accuracy ? r.accuracy : r.loss);
      std::puts("");
    }
  }
}

/// gnuplot's data block for a norm: the rows that are wanted, seeds apart.
std::string block(NormKind norm, const std::function<std::string(const Row&)>& line) {
  std::string text = "$" + to_string(norm) + " << end\n";
  int seed = 0;
  for (const Row& r : table()) {
    const std::string words = r.norm == to_string(norm) ? line(r) : "";
    if (words.empty()) continue;
    if (seed != 0 && r.seed != seed) text += "\n";  // an empty line breaks the curve
    seed = r.seed;
    text += words + "\n";
  }
  return text + "end\n";
}

const std::map<NormKind, const char*> kColours = {{NormKind::Batch, "#2f6db3"},
                                                  {NormKind::Layer, "#8550a0"},
                                                  {NormKind::Instance, "#c44e24"},
                                                  {NormKind::Group, "#3a8a3a"},
                                                  {NormKind::None, "#888888"}};

std::string plot_all(int column) {
  std::string text = "plot ";
  for (const NormKind kind : kNorms)
    text += fmt::format("${0} using 1:{1} with lines linewidth 2 linecolor rgb '{2}' title '{0}'{3}", to_string(kind),
                        column, kColours.at(kind), kind == NormKind::None ? "\n" : ", ");
  return text;
}

void curves() {
  std::string text;
  for (const NormKind kind : kNorms)
    text += block(kind, [&](const Row& r) {
      return r.experiment == "train" && r.batch == 32 && r.rate == best_rate(kind)
                 ? fmt::format("{} {} {}", r.step, r.loss, r.accuracy)
                 : "";
    });
  gnuplot(text + "set multiplot layout 1,2\nset xlabel 'epoch'\nset xrange [1:20]\nset yrange [0:2.6]\n" +
              "set ylabel 'training loss (nats)'\nset key bottom left\n" + plot_all(2) +
              "set ylabel 'test accuracy (%)'\nset yrange [0:100]\nunset key\n" + plot_all(3),
          860, 400);
}

void range_figure() {
  std::string text;
  for (const NormKind kind : kNorms)
    text +=
        block(kind, [&](const Row& r) { return r.experiment == "range" ? fmt::format("{} {}", r.rate, r.loss) : ""; });
  gnuplot(text + "set logscale x\nset xlabel 'learning rate'\nset ylabel 'smoothed loss (nats)'\nset yrange [0:4]\n" +
          "set arrow from graph 0, first 2.3026 to graph 1, first 2.3026 nohead front dashtype 3\n" +
          "set key bottom left\n" + plot_all(2));
}

void overview() { draw_overview(XTGRAD_RESULTS "/../experiments/norms.csv"); }

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(1);
  if (argc >= 4 && std::strcmp(argv[1], "measure") == 0) {  // measure PART NORM [RATE]: rows for the table
    const std::optional<double> rate = argc > 4 ? xtg::app::real_number(argv[4]) : 0.0;
    if (argc > 5 || !rate) return std::fprintf(stderr, "measure: expected PART NORM [RATE]\n"), 2;
    try {
      return measure_part(argv[2], parse_norm(argv[3]), *rate);
    } catch (const xtg::ValueError& error) {
      return std::fprintf(stderr, "measure: %s\n", error.what()), 2;
    }
  }
  return walk(argc, argv,
              {{"start", "the same beginning", same_start},
               {"scale", "weights too large or too small", scale},
               {"neighbours", "an image among others", neighbours},
               {"range", "the learning-rate range test", range},
               {"rates", "measured: five learning rates", rates},
               {"seeds", "measured: five seeds", seeds},
               {"batches", "measured: six batch sizes", batches}},
              {{"curves", "measured: loss and accuracy", curves},
               {"range", "measured: range tests", range_figure},
               {"overview", "the picture of README.md", overview}});
}
