#include "tensor/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("random: the numbers are SplitMix64's") {
  // From the algorithm's published reference implementation (prng.di.unimi.it/splitmix64.c), states 0 and 1234567.
  Generator g(0);
  g.set_state(0);
  CHECK(g.next() == 0xe220a8397b1dcdafu);
  CHECK(g.next() == 0x6e789e6aa1b965f4u);
  CHECK(g.next() == 0x06c45d188009454fu);
  g.set_state(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u, 16408922859458223821u})
    CHECK(g.next() == expected);
}

TEST_CASE("random: uniform numbers are the top 53 bits") {
  Generator g(7), h(7);
  for (int i = 0; i < 100; ++i) {
    const double u = g.uniform();
    CHECK(u == static_cast<double>(h.next() >> 11) / 9007199254740992.0);
    CHECK(u >= 0);
    CHECK(u < 1);
  }
}

TEST_CASE("random: state goes into a checkpoint and back") {
  Generator g(3, 1, 4, 1);
  g.normal();
  Generator h(99);
  h.set_state(g.state());
  for (int i = 0; i < 10; ++i) CHECK(g.next() == h.next());
}

TEST_CASE("random: every key makes a stream of its own") {
  std::set<std::uint64_t> first;
  std::size_t made = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed)
    for (std::uint64_t stream = 0; stream < 6; ++stream)
      for (std::uint64_t epoch = 0; epoch < 6; ++epoch)
        for (std::uint64_t sample = 0; sample < 6; ++sample, ++made)
          first.insert(Generator(seed, stream, epoch, sample).next());
  CHECK(first.size() == made);
  CHECK(Generator(5, 2).next() == Generator(5, 2).next());
  // Neighbouring streams are not shifted copies of each other, and not correlated.
  Generator a(1, 0), b(1, 1);
  double product = 0;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t u = a.next(), v = b.next();
    seen.insert(u);
    seen.insert(v);
    product += (static_cast<double>(u) * 0x1p-64 - 0.5) * (static_cast<double>(v) * 0x1p-64 - 0.5);
  }
  CHECK(seen.size() == 40000);
  CHECK(std::abs(product / 20000 * 12) < 0.03);  // the correlation; its standard deviation is 0.007
}

TEST_CASE("random: moments of the distributions") {
  const std::size_t n = 200000;
  Generator g(11);
  double u1 = 0, u2 = 0, z1 = 0, z2 = 0, z3 = 0, z4 = 0, lag = 0, before = 0, low = 1, high = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double u = g.uniform(), z = g.normal();
    low = std::min(low, u);
    high = std::max(high, u);
    u1 += u;
    u2 += (u - 0.5) * (u - 0.5);
    z1 += z;
    z2 += z * z;
    z3 += z * z * z;
    z4 += z * z * z * z;
    lag += z * before;
    before = z;
  }
  const double m = static_cast<double>(n);
  CHECK(std::abs(u1 / m - 0.5) < 0.003);  // four to five standard deviations each
  CHECK(std::abs(u2 / m - 1.0 / 12) < 0.001);
  CHECK(std::abs(z1 / m) < 0.01);
  CHECK(std::abs(z2 / m - 1) < 0.015);
  CHECK(std::abs(z3 / m) < 0.04);
  CHECK(std::abs(z4 / m - 3) < 0.1);
  CHECK(std::abs(lag / m) < 0.01);
  CHECK(low < 1e-4);
  CHECK(high > 1 - 1e-4);
  for (int i = 0; i < 1000; ++i) {
    const double v = g.uniform(-3, 5);
    CHECK(v >= -3);
    CHECK(v < 5);
  }
}

TEST_CASE("random: below(n) is uniform") {
  Generator g(12);
  const std::size_t n = 13, draws = 130000;
  std::vector<double> hits(n, 0.0);
  for (std::size_t i = 0; i < draws; ++i) {
    const std::uint64_t r = g.below(n);
    REQUIRE(r < n);
    ++hits[r];
  }
  double chi2 = 0;
  for (const double h : hits) chi2 += (h - draws / n) * (h - draws / n) / (draws / n);
  CHECK(chi2 < 32.9);  // 12 degrees of freedom, p = 0.001
  CHECK(g.below(1) == 0);
  // 2^64 mod n is large here: without rejection the lower third would be drawn twice as often.
  const std::uint64_t big = 0xc000000000000000u;
  int lowest = 0;
  for (int i = 0; i < 3000; ++i) lowest += g.below(big) < 0x4000000000000000u;
  CHECK(lowest > 880);
  CHECK(lowest < 1120);
  CHECK(error_of([&] { g.below(0); }) == "ValueError: Generator::below: expected n > 0");
}

TEST_CASE("random: a permutation has every number once, at every place equally often") {
  Generator g(13);
  const std::size_t n = 5, rounds = 20000;
  std::vector<double> at(n * n, 0.0);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::uint32_t> p = g.permutation(n);
    for (std::size_t i = 0; i < n; ++i) ++at[i * n + p[i]];
    std::sort(p.begin(), p.end());
    for (std::size_t i = 0; i < n; ++i) REQUIRE(p[i] == i);
  }
  for (const double hits : at) CHECK(std::abs(hits / rounds - 0.2) < 0.014);  // five standard deviations
  CHECK(g.permutation(0).empty());
  CHECK(g.permutation(1) == std::vector<std::uint32_t>{0});
}

TEST_CASE("random: arrays hold the generator's numbers in order, drawn in double") {
  Generator g(14), h(14);
  const Tensor x = random_normal({3, 4}, g, 2.5);
  for (std::size_t i = 0; i < 12; ++i) CHECK(x.data()[i] == static_cast<Scalar>(2.5 * h.normal()));
  const Tensor y = random_uniform({2, 3}, g, -1, 4);
  for (std::size_t i = 0; i < 6; ++i) CHECK(y.data()[i] == static_cast<Scalar>(h.uniform(-1, 4)));
  CHECK(g.state() == h.state());
  CHECK(random_normal({0}, g).size() == 0);
  CHECK(random_normal({}, g).shape() == Shape{});
}

TEST_CASE("random: uniform arrays stay below the upper end, after rounding too") {
  Generator g(15);
  const Tensor x = random_uniform({100000}, g, 1, 1.0001);
  double top = 0;
  for (std::size_t i = 0; i < x.size(); ++i) top = std::max(top, static_cast<double>(x.data()[i]));
  CHECK(top < static_cast<double>(static_cast<Scalar>(1.0001)));
}
