// A network that draws a curve between two clouds of points. The clouds are half-moons that interlock, so no straight
// line parts them; a network with one hidden layer does:
//
//   h = tanh(x*W1 + b1)   (N, 2) -> (N, 16)
//   z = h*W2 + b2         (N, 16) -> (N, 1)       p = 1/(1 + e^-z), the probability that the point is of moon 1
//
// Without tanh the two layers would be one, and the boundary p = 1/2 a straight line.
//
//   04_two_moons [DIRECTORY]      leaves two_moons.svg there, drawn by gnuplot, and two_moons.gnuplot, its script

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

struct Points {
  Tensor x;     // (N, 2)
  Tensor moon;  // (N, 1), 0 or 1
};

/// Point i is of moon i mod 2: half a circle of radius 1, up or down, with noise.
Points make_moons(std::size_t n, std::uint64_t seed) {
  Generator random(seed);
  Points points{zeros({n, 2}), zeros({n, 1})};
  for (std::size_t i = 0; i < n; ++i) {
    const bool second = i % 2 == 1;
    const double angle = random.uniform(0, 3.14159265358979);
    const double x = second ? 1 - std::cos(angle) : std::cos(angle),
                 y = second ? 0.5 - std::sin(angle) : std::sin(angle);
    points.x(i, 0) = static_cast<Scalar>(x + 0.15 * random.normal());
    points.x(i, 1) = static_cast<Scalar>(y + 0.15 * random.normal());
    points.moon(i, 0) = second ? 1 : 0;
  }
  return points;
}

class Network : public nn::Module {
 public:
  explicit Network(Generator& random)
      : hidden_(add_module("hidden", std::make_unique<nn::Linear>(2, 16, random))),
        out_(add_module("out", std::make_unique<nn::Linear>(16, 1, random))) {}
  Variable forward(const Variable& x) override { return out_(tanh(hidden_(x))); }

 private:
  nn::Linear &hidden_, &out_;
};

/// Percent of the points that lie on their side of the boundary: p > 1/2 is the same as z > 0.
double accuracy(Network& network, const Points& points) {
  const NoGrad off_the_tape;
  const Tensor z = network(Variable(points.x)).value();
  double right = 0;
  for (std::size_t i = 0; i < z.size(); ++i) right += (z.data()[i] > 0) == (points.moon.data()[i] > 0.5);
  return 100 * right / static_cast<double>(z.size());
}

void train(Network& network, const Points& points, const Points& test) {
  const Variable x(points.x), moon(points.moon);
  nn::Adam optimizer(network.named_parameters(), {});  // gradient descent with a rate for each parameter
  std::printf("step   loss    right of 400   of 1000 new points\n");
  for (int step = 0; step <= 400; ++step) {
    // The mean of -log p over the points of moon 1 and of -log(1 - p) over the others, from z, so that nothing
    // overflows.
    const Variable loss = binary_cross_entropy_with_logits(network(x), moon);
    if (step % 100 == 0)
      std::printf("%4d   %.3f   %5.1f %%        %5.1f %%\n", step, loss.item(), accuracy(network, points),
                  accuracy(network, test));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step(0.03);
  }
}

/// The probability on a grid as colours, the line where it is 1/2, and the points.
void write_script(const char* path, Network& network, const Points& points) {
  constexpr int columns = 80, rows = 60;  // cells of 0.05 by 0.05
  const NoGrad off_the_tape;
  std::ofstream file(path);
  file << "set terminal svg size 720,480 font 'Helvetica,Arial,sans-serif,13' noenhanced background rgb 'white'\n"
          "set output 'two_moons.svg'\n$grid << end\n";
  for (int row = 0; row < rows; ++row, file << '\n')
    for (int column = 0; column < columns; ++column) {
      const double a = -1.475 + 0.05 * column, b = -1.175 + 0.05 * row;
      const Variable p = sigmoid(network(Variable(tensor({a, b}, {1, 2}))));
      file << a << ' ' << b << ' ' << p.item() << '\n';
    }
  file << "end\n$points << end\n";
  for (std::size_t i = 0; i < points.x.shape()[0]; ++i)
    file << points.x(i, 0) << ' ' << points.x(i, 1) << ' ' << points.moon(i, 0) << '\n';
  file << "end\nset contour base\nset cntrparam levels discrete 0.5\nunset surface\n"
          "set table $boundary\nsplot $grid using 1:2:3\nunset table\n"
          "set palette defined (0 '#7fa8d9', 0.5 '#ffffff', 1 '#e8a07f')\nset cbrange [0:1]\n"
          "set cblabel 'probability of moon 1'\nset xrange [-1.5:2.5]\nset yrange [-1.2:1.8]\nset size ratio -1\n"
          "plot $grid with image notitle, $boundary with lines linewidth 2.5 linecolor 'black' title 'p = 1/2', \\\n"
          "  $points using 1:($3 < 0.5 ? $2 : NaN) with points pointtype 7 pointsize 0.4 linecolor '#1f4e8c' "
          "title 'moon 0', \\\n"
          "  $points using 1:($3 > 0.5 ? $2 : NaN) with points pointtype 7 pointsize 0.4 linecolor '#b3401a' "
          "title 'moon 1'\n";
  require<FormatError>(bool(file.flush()), "{}: cannot write", path);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    std::fprintf(stderr, "usage: 04_two_moons [DIRECTORY]    trains, and draws two_moons.svg there (default: here)\n");
    return 2;
  }
  if (argc == 2) std::filesystem::current_path(argv[1]);
  const Points points = make_moons(400, 1), test = make_moons(1000, 2);
  Generator random(1);
  Network network(random);
  train(network, points, test);
  write_script("two_moons.gnuplot", network, points);
  if (std::system("timeout --foreground 20 gnuplot two_moons.gnuplot 2> two_moons.errors") == 0) {
    std::filesystem::remove("two_moons.errors");
    std::printf("\nWrote two_moons.svg, the boundary between the moons. A browser shows it.\n");
  } else {
    std::printf(
        "\nNo picture, for gnuplot did not run (apt-get install gnuplot-nox); two_moons.errors says why.\n"
        "Then draw it with   gnuplot two_moons.gnuplot\n");
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "04_two_moons: %s\n", error.what());
  return 2;
}
