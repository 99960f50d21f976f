#include "examples/app/terminal/options.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"
#include "tests/temporary_directory.hpp"

using namespace xtg::app;

namespace {

struct Given {
  bool flip = false, fast = true;
  std::string name = "default", out;
  std::int64_t count = -1, few = -1;
  double rate = -1;
  std::vector<std::string> words;
};

/// What comes of these words; nothing for --help.
std::optional<Given> parse(std::vector<std::string> words, bool takes_words = true) {
  Given given;
  Options options;
  if (takes_words) options.words(given.words);
  options.flag("--flip", given.flip);
  options.flag("--fast", given.fast);
  options.text("--name", given.name);
  options.output("--out", given.out);
  options.whole("--count", [&](std::int64_t value) { given.count = value; });
  options.whole(
      "--few", [&](std::int64_t value) { given.few = value; }, 1, 9);
  options.real("--rate", [&](double value) { given.rate = value; });
  words.insert(words.begin(), "program");
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  if (!options.parse(static_cast<int>(pointers.size()), pointers.data())) return std::nullopt;
  return given;
}

std::string refused(const std::vector<std::string>& words, bool takes_words = true) {
  try {
    parse(words, takes_words);
  } catch (const xtg::ValueError& error) {
    return error.what();
  }
  return "(taken)";
}

}  // namespace

TEST_CASE("options: values behind their options and behind =") {
  const Given given =
      parse({"--name", "a b", "one", "--count=010", "--rate", "-1e-3", "two", "--flip", "--fast=false"}).value();
  CHECK(given.name == "a b");
  CHECK(given.count == 10);
  CHECK(given.rate == -1e-3);
  CHECK(given.flip);
  CHECK_FALSE(given.fast);
  CHECK(given.words == std::vector<std::string>{"one", "two"});
  CHECK(parse({"--name", ""}).value().name == "");
  CHECK(parse({"--name=a=b"}).value().name == "a=b");
  for (const std::string value : {"[a,b]", "{}", "a,b", "%%", "\"a b\"", "#a", "\\n"}) {
    CHECK(parse({"--name", value}).value().name == value);
    CHECK(parse({"--name=" + value}).value().name == value);
    CHECK(parse({value}).value().words == std::vector<std::string>{value});
  }
  CHECK(parse({"--name", "-x"}).value().name == "-x");
  CHECK(parse({"-"}).value().words == std::vector<std::string>{"-"});
  CHECK(parse({"--", "--flip", "-x"}).value().words == std::vector<std::string>{"--flip", "-x"});
}

TEST_CASE("options: the last one counts, and help comes before all") {
  CHECK(parse({"--count", "1", "--count", "2"}).value().count == 2);
  CHECK_FALSE(parse({"--flip", "--flip=false"}).value().flip);
  CHECK_FALSE(parse({"--nope", "--help"}).has_value());
  CHECK_FALSE(parse({"-h"}).has_value());
  CHECK(parse({"--", "-h"}).has_value());
}

TEST_CASE("options: what is not a value is refused") {
  CHECK(refused({"--count", ""}) == "--count: expected a whole number, got ''");
  CHECK(refused({"--count=", "5"}) == "--count= has nothing behind its = (see --help)");
  CHECK(refused({"--count=1.5"}) == "--count: expected a whole number, got '1.5'");
  CHECK(refused({"--count", "99999999999999999999"}) ==
        "--count: expected a whole number up to 9223372036854775807, got '99999999999999999999'");
  CHECK(refused({"--few", "10"}) == "--few: expected a whole number from 1 to 9, got '10'");
  CHECK(refused({"--few", "0"}) == "--few: expected a whole number from 1 to 9, got '0'");
  CHECK(refused({"--rate", ""}) == "--rate: expected a number, got ''");
  CHECK(refused({"--rate", "1,5"}) == "--rate: expected a number, got '1,5'");
  CHECK(refused({"--flip=2x"}) == "--flip takes no value, or =true or =false, got '2x' (see --help)");
  CHECK(refused({"--flip="}) == "--flip= has nothing behind its = (see --help)");
  CHECK(refused({"--flip=1"}) == "--flip takes no value, or =true or =false, got '1' (see --help)");
  CHECK(refused({"--name"}) == "--name: 1 required value missing (see --help)");
  CHECK(refused({"--name", "--flip"}) == "--name needs a value behind it, got --flip (see --help)");
  CHECK(refused({"--name=--flip"}) == "--name needs a value behind it, got --flip (see --help)");
  CHECK(refused({""}) == "expected a name, got an empty one (see --help)");
  CHECK(refused({"word"}, false) == "expected only options, got 'word' (see --help)");
  CHECK(refused({"--out", ""}) == "--out needs the name of a file, got an empty one (see --help)");
  const xtg::testing::TemporaryDirectory directory;
  CHECK(refused({"--out", directory.path.string()}) ==
        "--out needs the name of a file, and " + directory.path.string() + " is a directory");
  CHECK(refused({"--out", directory / "new/"}).find("is a directory") != std::string::npos);
  CHECK(parse({"--out", directory / "new"}).value().out == directory / "new");
}

TEST_CASE("options: an unknown one is quoted, and the nearest one named") {
  CHECK(refused({"--nmae", "x"}) == "there is no option --nmae: did you mean --name? (see --help)");
  CHECK(refused({"--coutn=3"}) == "there is no option --coutn: did you mean --count? (see --help)");
  CHECK(refused({"--fl"}) == "there is no option --fl: did you mean --flip? (see --help)");
  CHECK(refused({"-rate"}) == "there is no option -rate: did you mean --rate? (see --help)");
  CHECK(refused({"--hlep"}) == "there is no option --hlep: did you mean --help? (see --help)");
  CHECK(refused({"--zzzzzz"}) == "there is no option --zzzzzz (see --help)");
  CHECK(refused({"-5"}) == "there is no option -5 (see --help)");
  CHECK(refused({"--\x1b[31m"}) == "there is no option --\\x1b[31m (see --help)");
  CHECK(refused({"--" + std::string(5000, 'x')}).size() < 200);
}

TEST_CASE("did_you_mean: by letters put in, taken out, changed or swapped") {
  const std::vector<std::string> known = {"norm", "stem", "schedule", "epochs"};
  CHECK(did_you_mean("nrom", known) == ": did you mean norm?");
  CHECK(did_you_mean("sch", known) == ": did you mean schedule?");
  CHECK(did_you_mean("shedul", known) == ": did you mean schedule?");
  CHECK(did_you_mean("epoch", known) == ": did you mean epochs?");
  CHECK(did_you_mean("sterm", known) == ": did you mean stem?");
  CHECK(did_you_mean("lr", known) == "");
  CHECK(did_you_mean("", known) == "");
  CHECK(did_you_mean("norm", {}) == "");
}
