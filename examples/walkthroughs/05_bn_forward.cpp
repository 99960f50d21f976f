// The program of docs/05-bn-forward.md: batch normalization forward, its statistics, and what it remembers.

#include <cmath>
#include <string>
#include <xtgrad.hpp>

#include "examples/walkthroughs/walkthrough.hpp"

using namespace xtg;

namespace {

const double kEps = 1e-5;

/// Rounded to eight digits after the point, so that a zero is printed as one.
void show(const char* name, Tensor x) {
  for (Scalar& v : x) v = std::round(v * 1e8) / 1e8 + 0.0;
  std::printf("%-10s %s\n", name, to_string(x, 4).c_str());
}

void statistics() {
  const Tensor x = tensor({1, 50, 2, 30, 3, 10, 6, 30}, {4, 2});
  const Tensor gamma = tensor({1, 0.5}, {2}), beta = tensor({0, 3}, {2});
  const Scalar eps = 1e-5;
  // region: forward
  const Tensor mu = mean(x, {0});               // x (M, C) -> (C)
  const Tensor centred = x - mu;                // (M, C)
  const Tensor v = mean(square(centred), {0});  // (C)
  const Tensor r = rsqrt(v + eps);              // (C), rsqrt is one over the root
  const Tensor x_hat = centred * r;             // (M, C)
  const Tensor y = gamma * x_hat + beta;        // (M, C)
  // end region
  show("gamma", gamma), show("beta", beta), show("x", x), show("mu", mu), show("v", v), show("rstd", r);
  show("x_hat", x_hat), show("y", y);
  show("mean of y", mean(y, {0}));
  show("var of y", variance(Variable(y), {0}, false, false).value());
  const Tensor library = nn::batch_norm_forward(x, gamma, beta, eps).y;
  std::printf("equal to the library's to 1e-12: %s\n", max(abs(y - library)).item() < 1e-12 ? "yes" : "no");
}

void images() {
  Generator random(5);
  // region: images
  const Tensor x = random_normal({8, 4, 4, 3}, random);  // 8 images of 4 x 4 places, 3 channels
  const Tensor matrix = reshape(x, {8 * 4 * 4, 3});      // the same numbers in the same order
  const Tensor y = nn::batch_norm_forward(x, ones({3}), zeros({3}), kEps).y;
  const Tensor rows = nn::batch_norm_forward(matrix, ones({3}), zeros({3}), kEps).y;
  std::printf("the same: %s\n", reshape(y, {8 * 4 * 4, 3}) == rows ? "yes" : "no");
  // end region
}

void eps() {
  std::printf("column          v         x_hat with eps = 1e-5\n");
  for (const double spread : {1.0, 0.01, 0.001, 0.0}) {
    const Tensor x = tensor({7 - spread, 7 + spread}, {2, 1});
    const Tensor x_hat = nn::batch_norm_forward(x, ones({1}), zeros({1}), kEps).y;
    std::printf("7 -+ %-9g %9.0e   -+ %.4f\n", spread, spread * spread, std::abs(x_hat.data()[1]));
  }
}

void biased() {
  std::printf("     M   M/(M-1)   std of x_hat with M-1\n");
  for (const double M : {2.0, 6.0, 32.0, 128.0, 1000.0})
    std::printf("%6g    %.4f    %.4f\n", M, M / (M - 1), std::sqrt((M - 1) / M));
}

/// 16 rows of one column, normal with mean 5 and variance 9.
Tensor batch(Generator& random) { return random_normal({16, 1}, random, 3) + 5; }

// region: update
struct Running {
  double mean = 0, var = 1;  // where they start

  void update(const Tensor& x, double momentum) {
    const double mu = mean_of(x), v = mean_of(square(x - mu));
    const double M = static_cast<double>(x.size());
    mean = (1 - momentum) * mean + momentum * mu;
    var = (1 - momentum) * var + momentum * v * M / (M - 1);
  }
  static double mean_of(const Tensor& t) { return xtg::mean(t).item(); }
};
// end region

void running() {
  Generator random(6);
  Running by_hand;
  nn::BatchNorm layer(1);  // one column, momentum 0.1
  std::printf("batches   running mean   running var   the layer's\n");
  for (int n = 1; n <= 100; ++n) {
    const Tensor x = batch(random);
    by_hand.update(x, 0.1);
    layer(Variable(x));
    const auto buffers = layer.named_buffers();  // running_mean, running_var
    if (n == 1 || n == 3 || n == 10 || n == 30 || n == 100)
      std::printf("%7d %14.4f %13.4f   %.4f, %.4f\n", n, by_hand.mean, by_hand.var, buffers[0].second->item(),
                  buffers[1].second->item());
  }
}

void momentum() {
  std::printf("momentum   running var, typically\n");
  for (const double m : {0.01, 0.1, 0.9}) {
    Generator random(11);
    Running r;
    double sum = 0, squares = 0;
    const int count = 4000;
    for (int n = -1000; n < count; ++n) {  // the first thousand are for getting away from the start
      r.update(batch(random), m);
      if (n >= 0) sum += r.var, squares += r.var * r.var;
    }
    const double average = sum / count;
    std::printf("%8g   %.1f -+ %.1f\n", m, average, std::sqrt(squares / count - average * average));
  }
}

/// running_var after n batches whose variance is 1, from this start.
double after(int n, double start) {
  double var = start;
  for (int i = 0; i < n; ++i) var = 0.9 * var + 0.1 * 1;
  return var;
}

void start() {
  std::printf("           from 1              from 0\n");
  std::printf("batches    var    std of y    var    std of y\n");
  for (const int n : {1, 3, 10, 50})
    std::printf("%7d %8.4f %8.3f %10.4f %8.3f\n", n, after(n, 1), 1 / std::sqrt(after(n, 1)), after(n, 0),
                1 / std::sqrt(after(n, 0)));
}

void eval() {
  Generator random(6);
  nn::BatchNorm layer(1);
  for (int n = 0; n < 100; ++n) layer(Variable(batch(random)));
  // region: eval
  const Tensor first = tensor({8, 5, 2}, {3, 1}), second = tensor({8, 20, 9}, {3, 1});  // both begin with 8
  const auto y0 = [&](const Tensor& x) { return layer(Variable(x)).value().data()[0]; };
  const double in_first = y0(first), in_second = y0(second);
  std::printf("training:   8 becomes %.4f in the first batch, %.4f in the second\n", in_first, in_second);
  layer.eval();
  std::printf("evaluation: 8 becomes %.4f in the first batch, %.4f in the second, %.4f alone\n", y0(first), y0(second),
              y0(tensor({8}, {1, 1})));
  // end region
  layer.train();
  try {
    y0(tensor({8}, {1, 1}));
  } catch (const ValueError& error) {
    std::printf("training, alone: %s\n", error.what());
  }
}

/// 1024 numbers around `offset`, made without rounding that depends on the machine; their variance is near 1.
std::vector<float> numbers(double offset) {
  Generator random(8);
  std::vector<float> x(1024);
  for (float& v : x) v = static_cast<float>(offset + 3.4641016 * (random.uniform() - 0.5));
  return x;
}

// region: float
double mean_square_minus_square_mean(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (const float v : x) sum += v, squares += v * v;
  const float M = static_cast<float>(x.size()), mu = sum / M;
  return squares / M - mu * mu;
}

double about_the_mean(const std::vector<float>& x) {
  double sum = 0, squares = 0;  // the sums in double; the numbers stay float
  for (const float v : x) sum += v;
  const float mu = static_cast<float>(sum / static_cast<double>(x.size()));
  for (const float v : x) squares += (v - mu) * (v - mu);
  return squares / static_cast<double>(x.size());
}
// end region

void in_float() {
  std::printf("  offset   variance   <x*x> - mu*mu   <(x - mu)^2>\n");
  for (const double offset : {0.0, 100.0, 1000.0, 10000.0, 100000.0}) {
    const std::vector<float> x = numbers(offset);
    double mu = 0, v = 0;
    for (const float value : x) mu += value / 1024.0;
    for (const float value : x) v += (value - mu) * (value - mu) / 1024;
    std::printf("%8g   %8.5f %12.5f %16.5f\n", offset, v, mean_square_minus_square_mean(x), about_the_mean(x));
  }
}

/// Three columns as they come, and normalized.
void effect_figure() {
  Generator random(9);
  const Tensor scale = tensor({0.5, 3, 1}, {3}), shift = tensor({-2, 4, 9}, {3});
  const Tensor x = random_normal({40, 3}, random) * scale + shift;
  const Tensor y = nn::batch_norm_forward(x, ones({3}), zeros({3}), kEps).y;
  std::string rows;
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      rows += fmt::format("{:.3f} {:.3f} {:.3f}\n", static_cast<double>(c) + 0.012 * (static_cast<double>(i) - 20),
                          x(i, c), y(i, c));
  gnuplot("$rows << end\n" + rows + R"(end
set multiplot layout 1,2
set xrange [-0.6:2.6]
set yrange [-6:14]
set xtics ('column 0' 0, 'column 1' 1, 'column 2' 2)
set title 'x'
plot $rows using 1:2 with points pt 7 ps 0.4 lc rgb '#1f5fa8' notitle
set title 'x_hat' noenhanced
plot $rows using 1:3 with points pt 7 ps 0.4 lc rgb '#c44e24' notitle
unset multiplot
)",
          720, 340);
}

void running_figure() {
  Generator random(6);
  Running slow, fast;
  std::string rows = fmt::format("0 {} {} {} NaN\n", slow.mean, slow.var, fast.var);
  for (int n = 1; n <= 60; ++n) {
    const Tensor x = batch(random);
    Running batch_only;
    batch_only.update(x, 1);
    slow.update(x, 0.1), fast.update(x, 0.9);
    rows += fmt::format("{} {:.4f} {:.4f} {:.4f} {:.4f}\n", n, slow.mean, slow.var, fast.var, batch_only.var);
  }
  gnuplot("$rows << end\n" + rows + R"(end
set xlabel 'batches'
set ylabel 'running variance'
set yrange [0:26]
set ytics 5
set key top right
plot 9 with lines lc rgb '#888888' dt 2 title 'true variance', \
     $rows using 1:5 with points pt 7 ps 0.4 lc rgb '#888888' title 'of each batch', \
     $rows using 1:4 with lines lw 1.5 lc rgb '#7f9fbf' title 'momentum 0.9', \
     $rows using 1:3 with lines lw 2.5 lc rgb '#c44e24' title 'momentum 0.1'
)",
          720, 360);
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"statistics", "four rows, two columns", statistics},
               {"images", "images are a matrix, too", images},
               {"eps", "columns that hardly vary", eps},
               {"biased", "M or M - 1", biased},
               {"running", "what the layer remembers", running},
               {"momentum", "the weight of the new statistic", momentum},
               {"start", "where running_var starts", start},
               {"eval", "training and evaluation mode", eval},
               {"float", "the variance in float", in_float}},
              {{"effect", "columns before and after", effect_figure},
               {"running", "the running variance over 60 batches", running_figure}});
}
