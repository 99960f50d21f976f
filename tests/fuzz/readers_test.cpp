#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tensor/error.hpp"
#include "tests/fuzz/readers.hpp"
#include "tests/temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;

/// What the reader says to this text; "" if it takes it.
std::string answer(const std::string& reader, const std::string& text) {
  const xtg::testing::TemporaryDirectory directory;
  const std::string path = directory / "file";
  std::ofstream(path) << text;
  if (takes(reader_of(reader), path)) return "";  // also checks the words
  try {
    reader_of(reader).read(path);
  } catch (const std::exception& error) {
    const std::string words = error.what();
    const std::size_t at = words.find(path);
    return at == std::string::npos ? words : words.substr(0, at) + words.substr(at + path.size());
  }
  return "";
}

std::string repeated(const std::string& text, std::size_t n) {
  std::string result;
  for (std::size_t i = 0; i < n; ++i) result += text;
  return result;
}

}  // namespace

TEST_CASE("readers: the files of the corpus are taken if they are good, and else refused in words") {
  for (const Reader& reader : readers()) {
    std::size_t good = 0, bad = 0;
    for (const fs::directory_entry& file : fs::directory_iterator(fs::path(XTGRAD_CORPUS_DIR) / reader.name)) {
      const bool is_good = file.path().filename().string().rfind("good", 0) == 0;
      INFO(file.path().string());
      bool taken = !is_good;
      CHECK_NOTHROW(taken = takes(reader, file.path().string()));
      CHECK(taken == is_good);
      ++(is_good ? good : bad);
    }
    INFO(reader.name);
    CHECK(good > 0);
    CHECK(bad > 0);
  }
}

TEST_CASE("readers: damaged in any one byte, or cut anywhere, files are taken or refused in words") {
  const xtg::testing::TemporaryDirectory directory;
  const std::string path = directory / "file";
  for (const Reader& reader : readers()) {
    if (reader.name == std::string("cifar")) continue;  // any byte but the label is as good as another
    for (const fs::directory_entry& file : fs::directory_iterator(fs::path(XTGRAD_CORPUS_DIR) / reader.name)) {
      std::ifstream in(file.path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      for (std::size_t at = 0; at < text.size(); at += 1 + text.size() / 100) {
        INFO(file.path().string(), " at ", at);
        std::string damaged = text;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
        for (const std::string& content : {damaged, text.substr(0, at)}) {
          std::ofstream(path, std::ios::binary) << content;
          CHECK_NOTHROW(takes(reader, path));
        }
      }
    }
  }
}

TEST_CASE("readers: TOML that the parser's stack does not hold is refused before") {
  const std::size_t many = 200'000;
  for (const char* reader : {"config", "grid"}) {
    CHECK(answer(reader, "a" + repeated(".a", many) + " = 1\n") == ":1: a key has more than 16 dots");
    CHECK(answer(reader, "\n\n\"a\"" + repeated(" . 'a'", many / 2) + " = 1\n") == ":3: a key has more than 16 dots");
    CHECK(answer(reader, "[a" + repeated(".a", many) + "]\n") == ":1: a key has more than 16 dots");
    CHECK(answer(reader, "[[a" + repeated(".a", many) + "]]\n") == ":1: a key has more than 16 dots");
    CHECK(answer(reader, "a = { b" + repeated(".b", many) + " = 1 }\n") == ":1: a key has more than 16 dots");
    CHECK(answer(reader, "a = " + repeated("[", many) + "\n") == ":1: brackets are nested more than 16 deep");
    CHECK(answer(reader, "a = " + repeated("{a=", many) + "\n") == ":1: brackets are nested more than 16 deep");
    CHECK(answer(reader, std::string(1'000'001, '\n')) ==
          ": 1000001 bytes are too many for settings, expected at most 1000000");
    CHECK(answer(reader, "# ü\n\n\u0183 = 1\n") ==
          ":3: a letter outside of ASCII, or a damaged one: it can only stand in \"quotes\"");
  }
  for (const char* header : {"[`a]", "[[[a]]]", "[=]", " [ ", "[[", "[]", "[[]]", "[\x01]"})
    CHECK(answer("grid", std::string("# \n") + header + "\n") == ":2: expected a key behind [");
  for (const char* text : {"norm = 2\"\u0183", "norm = 0x'\u0183", "a'b' = 1", "norm = 'a'\"b\"", "norm = 0x&'\u0183'"})
    CHECK(answer("config", text) == ":1: a quote within a word");
  for (const char* text : {"norm = 5.'\u0183'", "norm = 1979-05-27 '\u0183'", "norm = 5 '\u0183'",
                           "norm = [5.'\u0183']", "norm = [1, 5.'\u0183']", "norm = {a = 5.'\u0183'}"})
    CHECK(answer("config", text) == ":1: a quote within a word");
  for (const char* text : {"norm = 5xd='g=d=\u0183'", "norm = 5=d=\"\u0183\"", "norm = [1, 2='\u0183']",
                           "norm = {a = 1=2}", "a = {b = 1} = 'x'"})
    CHECK(answer("config", text) == ":1: a second = behind a key");
  for (const char* text :
       {"norm = \"\"\"a \\\u0183\"\"\"", "norm = \"\\\u0183\"", "\"\\\u0183\" = 1", "norm = \"\\x\"",
        "norm = \"\"\"\\ \n\u0183\"\"\"", "norm = \"\"\"a\\\n\u0183\"\"\"", "norm = \"a\\\n\u0183\""})
    CHECK(answer("config", text) == ":1: in a text, one of b t n f r \" \\ u U must stand behind a \\");
  CHECK(answer("config", "data = \"\"\"\u0183 \\\"\\\\\\u0183\"\"\"") == "");
  CHECK(answer("config", "data = '''\\\u0183'''") == "");
  CHECK(answer("config", std::string("norm = 0\0'\u0183", 12)) == ":1: a quote within a word");
  CHECK(answer("grid", "[[grid]]\nlr = [}1]\n") == ":2: } closes what is not open");
  CHECK(answer("grid", "[[grid]]\nlr = [1, }]\n") == ":2: } closes what is not open");
  CHECK(answer("grid", "[[grid]]\nlr = {a = 1]\n") == ":2: ] closes what is not open");
  CHECK(answer("grid", "[[grid]]]\n") == ":1: ] closes what is not open");
  for (const char* good : {"[ settings ]\nseed = 1\n[[grid]]\nlr = [\n[1]]\n", "\t[[ \"grid\" ]]\r\nlr = [\n+1\n]\n",
                           "\xef\xbb\xbf[[grid]]\nlr = 1\n", "settings = {seed = 1}\n[['grid']]\nlr = [0.1,\n0.2]"})
    CHECK(answer("grid", good) ==
          (good[2] == 's' ? ": [[grid]] 1: lr is neither a text nor a number nor true or false" : ""));
  CHECK(answer("config", "data = \"" + repeated("a.[{", 1000) + "\" # " + repeated("a.[{", 1000)) == "");
  CHECK(answer("config", "data = '\\'\nepochs = 2 # '\n\u0183 = 1\n").find(":3: a letter") == 0);
  CHECK(answer("config", "data = \"\"\"\n\"\" \\\"\"\"\"\"\"\n\u0183 = 1\n").find(":3: a letter") == 0);
}

TEST_CASE("readers: numbers in TOML are what is written there, or refused") {
  for (const char* number : {"1e400", "1e-400", "-1e400", "+1_0e-4_00", "0.000_1e-324", "1e99999999999999999999"})
    CHECK(answer("config", std::string("lr = ") + number + "\n") == ":1: a number that a double cannot hold");
  CHECK(answer("grid", "[[grid]]\nlr = [0.1,1e-400]\n") == ":2: a number that a double cannot hold");
  for (const char* number : {"0", "0.0", "0e-400", "5e-324", "1_0.5e-1", "0x1e", "1e3"})
    CHECK(answer("config", std::string("lr = ") + number + "\n") == "");
  for (const char* number : {"010", "9223372036854775808", "99999999999999999999", "1.0", "1e3", "2_", ""})
    CHECK(answer("config", std::string("epochs = ") + number + "\n") != "");
  CHECK(answer("config", "data = \"1e400\" # 1e400\n") == "");
}

TEST_CASE("readers: layers.csv has whole epochs") {
  const std::string header = "epoch,layer,array,mean,sd,zeros,q1,q5,q25,q50,q75,q95,q99\n";
  const auto row = [&](const std::string& epoch) {
    return header + epoch + ",conv1,convolution,1,1,0,0,0,0,0,0,0,0\n";
  };
  for (const char* epoch : {"0", "1", "1000000"}) CHECK(answer("layers", row(epoch)) == "");
  for (const char* epoch : {"1e41", "-5", "nan", "inf", "0.5", "1000001", "18446744073709551616", "0x1"})
    CHECK(answer("layers", row(epoch)) == std::string(":2: expected an epoch from 0 to 1000000, got '") + epoch + "'");
  CHECK(answer("layers", row("")) == ":2: expected an epoch from 0 to 1000000, got ''");
}

TEST_CASE("readers: messages quote at most a line, without control characters") {
  const std::string key = answer("config", "\"\\u001b[31m" + repeated("x", 10'000) + "\" = 1\n");
  CHECK(key == ": there is no setting '\\x1b[31m" + repeated("x", 92) + "…'");
  CHECK(answer("config", "norm = \"" + repeated("x", 10'000) + "\"\n").size() < 250);
  CHECK(answer("config", "layer-statistics = \"" + repeated("x", 10'000) + "\"\n").size() < 250);
  CHECK(answer("config", repeated("x", 10'000) + " = 1\n" + repeated("x", 10'000) + " = 2\n").size() < 250);
  CHECK(answer("grid", repeated("x", 10'000) + " = 1\n").size() < 250);
  CHECK(answer("grid", "[[grid]]\ndata = \"" + repeated("x", 10'000) + "\"\n").size() < 250);
  CHECK(answer("metrics", repeated("a,", 7) + "\n" + repeated("\x1b", 1000) + ",1,1,1,1,1,1,1\n").size() < 250);
}
