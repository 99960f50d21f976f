#include "tensor/safetensors.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/create.hpp"
#include "tests/temporary_directory.hpp"

using namespace xtg;
using namespace xtg::testing;
namespace fs = std::filesystem;

namespace {

/// A directory of its own for one test, and how many files are in it.
struct Folder : TemporaryDirectory {
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A file as another tool would write it: length, header, data.
std::string file_of(const std::string& header, const std::string& data = "") {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// The message that loading gives; "" if it loads.
std::string load_error(const std::string& path) {
  try {
    load_safetensors(path);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

/// The message for a file with this header and data, without the path in front.
std::string error_of(const std::string& header, const std::string& data = "") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  write_bytes(path, file_of(header, data));
  const std::string message = load_error(path);
  if (message.empty()) return "";
  REQUIRE(message.substr(0, path.size() + 2) == path + ": ");
  return message.substr(path.size() + 2);
}

SafeTensors example() {
  SafeTensors contents;
  contents.tensors["layer1.0.weight"] = tensor({1, -2, 0.5, 4, 5, 6}, {2, 3});
  contents.tensors["scalar"] = scalar(Scalar(0.1));
  contents.tensors["nothing"] = empty({3, 0, 2});
  contents.integers["labels"] = indices({3, -1, 9'007'199'254'740'993});
  contents.integers["none"] = indices({});
  contents.metadata["epoch"] = "12";
  contents.metadata["quote \" and \\ back"] = "line\nbreak, \"quoted\", tab\t";
  contents.metadata["Größe"] = "π ≈ 3,14 → ∂";
  contents.metadata["empty"] = "";
  return contents;
}

template <class Array>
bool same(const Array& a, const Array& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(a.data()[0])) == 0);
}

void check_same(const SafeTensors& a, const SafeTensors& b) {
  REQUIRE(a.tensors.size() == b.tensors.size());
  REQUIRE(a.integers.size() == b.integers.size());
  for (const auto& entry : a.tensors) {
    CAPTURE(entry.first);
    REQUIRE(b.tensors.count(entry.first) == 1);
    CHECK(same(entry.second, b.tensors.at(entry.first)));
  }
  for (const auto& entry : a.integers) {
    CAPTURE(entry.first);
    REQUIRE(b.integers.count(entry.first) == 1);
    CHECK(same(entry.second, b.integers.at(entry.first)));
  }
  CHECK(a.metadata == b.metadata);
}

}  // namespace

TEST_CASE("safetensors: what is saved is loaded, scalars, empty arrays and odd strings included") {
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  const SafeTensors contents = example();
  save_safetensors(path, contents);
  check_same(contents, load_safetensors(path));
  CHECK(folder.entries() == 1);  // no temporary file is left

  SUBCASE("nothing at all") {
    save_safetensors(path, {});
    check_same({}, load_safetensors(path));
  }
  SUBCASE("the same contents give the same bytes, also after a round trip") {
    const std::string first = read_bytes(path);
    save_safetensors(path, load_safetensors(path));
    CHECK(read_bytes(path) == first);
  }
  SUBCASE("a relative path, and a temporary file that a killed run left") {
    const fs::path before = fs::current_path();
    fs::current_path(folder.path);
    write_bytes("b.safetensors.xtgrad-1.tmp", std::string(10'000, 'x'));
    save_safetensors("b.safetensors", contents);
    check_same(contents, load_safetensors("b.safetensors"));
    fs::current_path(before);
    CHECK(folder.entries() == 2);
  }
  SUBCASE("infinities, not-a-numbers and negative zeros keep their bits") {
    const double inf = std::numeric_limits<double>::infinity();
    SafeTensors odd;
    odd.tensors["x"] = tensor({inf, -inf, std::nan(""), -0.0, std::numeric_limits<Scalar>::denorm_min()}, {5});
    save_safetensors(path, odd);
    check_same(odd, load_safetensors(path));
  }
}

TEST_CASE("safetensors: the bytes are the format's") {
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  save_safetensors(path, example());
  const std::string bytes = read_bytes(path);
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes[8] == '{');
  const std::string header = bytes.substr(8, length);
  const std::string type = sizeof(Scalar) == 4 ? "F32" : "F64";
  CHECK(header.find("\"scalar\":{") != std::string::npos);
  CHECK(header.find("\"dtype\":\"" + type + "\",\"shape\":[2,3]}") != std::string::npos);
  CHECK(header.find("\"labels\":{\"data_offsets\":[0,24],\"dtype\":\"I64\",\"shape\":[3]}") != std::string::npos);
  CHECK(bytes.size() == 8 + length + 3 * 8 + 7 * sizeof(Scalar));

  // The checksum, by its definition: CRC-32 of the file with the eight digits as zeros.
  std::string zeroed = bytes;
  const std::size_t at = bytes.find("\"xtgrad.crc32\":\"") + 16;
  zeroed.replace(at, 8, "00000000");
  const unsigned long crc =
      ::crc32(0, reinterpret_cast<const unsigned char*>(zeroed.data()), static_cast<unsigned>(zeroed.size()));
  CHECK(bytes.substr(at, 8) == fmt::format("{:08x}", crc));
}

TEST_CASE("safetensors: F16, BF16, F32, F64 and I64 are read") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  const double inf = std::numeric_limits<double>::infinity();
  const auto load = [&](const std::string& header, const std::string& data) {
    write_bytes(path, file_of(header, data));
    return load_safetensors(path);
  };
  const auto check = [](const Tensor& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(i);
      if (std::isnan(expected[i])) {
        CHECK(std::isnan(found.data()[i]));
      } else {
        CHECK(found.data()[i] == static_cast<Scalar>(expected[i]));
        CHECK(std::signbit(found.data()[i]) == std::signbit(expected[i]));
      }
    }
  };
  SUBCASE("F16") {
    const std::vector<std::uint16_t> bits = {0x3c00, 0xc000, 0x3555, 0x7bff, 0x0400, 0x03ff, 0x0001,
                                             0x8001, 0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e00};
    check(load(R"({"h":{"dtype":"F16","shape":[13],"data_offsets":[0,26]}})", bytes_of(bits)).tensors.at("h"),
          {1, -2, 0.333251953125, 65504, std::ldexp(1, -14), std::ldexp(1023, -24), std::ldexp(1, -24),
           -std::ldexp(1, -24), 0.0, -0.0, inf, -inf, std::nan("")});
  }
  SUBCASE("BF16") {
    const std::vector<std::uint16_t> bits = {0x3f80, 0xc000, 0x4049, 0x0001, 0x8000, 0x7f80, 0xff80, 0x7fc0};
    check(load(R"({"b":{"dtype":"BF16","shape":[2,4],"data_offsets":[0,16]}})", bytes_of(bits)).tensors.at("b"),
          {1, -2, 3.140625, std::ldexp(1, -133), -0.0, inf, -inf, std::nan("")});
  }
  SUBCASE("all together, unaligned, padded with spaces, keys in any order") {
    const std::string header =
        R"( {"z":{"shape":[1],"dtype":"BF16","data_offsets":[0,2]},"f":{"data_offsets":[2,10],"dtype":"F32","shape":[2,1]},)"
        R"("d":{"dtype":"F64","shape":[],"data_offsets":[10,18]},"i":{"dtype":"I64","shape":[1,1],"data_offsets":[18,26]},)"
        R"("none":{"dtype":"F64","shape":[0],"data_offsets":[18,18]},"__metadata__":{"format":"pt"}}   )";
    const SafeTensors found = load(header, bytes_of<std::uint16_t>({0x4000}) + bytes_of<float>({0.1f, -3}) +
                                               bytes_of<double>({0.1}) + bytes_of<std::int64_t>({-7}));
    check(found.tensors.at("z"), {2});
    check(found.tensors.at("f"), {0.1f, -3});
    check(found.tensors.at("d"), {0.1});
    CHECK(found.tensors.at("d").dimension() == 0);
    CHECK(found.tensors.at("none").size() == 0);
    CHECK(found.integers.at("i").shape() == Shape{1, 1});
    CHECK(found.integers.at("i").data()[0] == -7);
    CHECK(found.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  }
}

TEST_CASE("safetensors: every kind of damage has its message") {
  const auto one = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string data(64, 'x');
  CHECK(error_of("{}") == "");
  CHECK(error_of(one("F32", "[2,8]", "[0,64]"), data) == "");
  CHECK(error_of("{\"w\"") == "the header is not valid JSON (at its byte 5 of 4)");
  CHECK(error_of("") == "the header is not valid JSON (at its byte 1 of 0)");
  CHECK(error_of("{\"\xff\":{}}") == "the header is not valid JSON (at its byte 3 of 8)");
  CHECK(error_of("{\"w\":1e999}") == "the header has a number that no double can hold");
  CHECK(error_of("[1,2]") == "the header is JSON but not an object");
  CHECK(error_of(std::string(100'000, '[')) == "the header is nested too deeply");
  CHECK(
      error_of(
          R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})") ==
      "the name 'w' comes twice in the header");
  CHECK(error_of(R"({"__metadata__":[]})") == "__metadata__ is not an object of strings");
  CHECK(error_of(R"({"__metadata__":{"epoch":3}})") == "metadata 'epoch' is not a string");
  CHECK(error_of(R"({"w":{"dtype":"F32","shape":[0]}})") ==
        R"(tensor 'w' needs a dtype, a shape and two data_offsets, found {"dtype":"F32","shape":[0]})");
  CHECK(error_of(R"({"w":5})") == "tensor 'w' needs a dtype, a shape and two data_offsets, found 5");
  for (const char* shape : {"[-1]", "[2.5]", "\"2\"", "[[2]]", "[18446744073709551616]"})
    CHECK(error_of(one("F32", shape, "[0,64]"), data).substr(0, 53) ==
          "tensor 'w' needs a dtype, a shape and two data_offset");
  CHECK(error_of(one("F32", "[2]", "[0]"), data).substr(0, 16) == "tensor 'w' needs");
  CHECK(error_of(one("U8", "[64]", "[0,64]"), data) == "tensor 'w' has type U8, expected F16, BF16, F32, F64 or I64");
  CHECK(error_of(one("F32", "[3]", "[0,64]"), data) ==
        "tensor 'w' of type F32 and shape [3]: expected 12 bytes, found offsets 0 to 64");
  CHECK(error_of(one("F64", "[2]", "[16,0]"), data) ==
        "tensor 'w' of type F64 and shape [2]: expected 16 bytes, found offsets 16 to 0");
  CHECK(error_of(one("F32", "[4294967296,4294967296,16]", "[0,0]")) ==
        "tensor 'w' has shape [4294967296,4294967296,16], expected at most 2^48 elements");
  CHECK(error_of(one("F32", "[0,9223372036854775807,4]", "[0,0]")) ==
        "tensor 'w' has shape [0,9223372036854775807,4], expected at most 2^48 elements");
  std::string ones = "[1";
  for (int i = 1; i < 65; ++i) ones += ",1";
  CHECK(error_of(one("F32", ones + "]", "[0,4]"), "1234") == "tensor 'w' has 65 axes, expected at most 64");
  CHECK(error_of(one("F32", "[16]", "[4,68]"), data) ==
        "tensor 'w' begins at byte 4 of the data, expected 0: no tensor fills the gap");
  CHECK(error_of(one("F32", "[17]", "[0,68]"), data) == "truncated: expected 68 bytes of data, found 64");
  CHECK(error_of(one("F32", "[281474976710656]", "[0,1125899906842624]"), data) ==
        "truncated: expected 1125899906842624 bytes of data, found 64");
  CHECK(error_of(one("F32", "[15]", "[0,60]"), data) ==
        "expected 60 bytes of data, found 64: no tensor fills the rest");
  CHECK(
      error_of(
          R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[9],"data_offsets":[28,64]}})",
          data) == "tensor 'b' begins at byte 28 of the data and overlaps another that ends at 32");
  CHECK(error_of(R"({"__metadata__":{"xtgrad.crc32":"01234567"}})").substr(0, 44) ==
        "checksum mismatch: expected 01234567, found ");
  CHECK(error_of(R"({"__metadata__":{"xtgrad.crc32": "01234567"}})") ==
        "checksum mismatch: expected 01234567, found none: the file is damaged");
  CHECK(error_of(R"({"__metadata__":{"xtgrad.checked":"yes"}})") == "checksum missing: the file is damaged");

  const Folder folder;
  const std::string path = folder / "x.safetensors";
  CHECK(load_error(path) == path + ": cannot open: No such file or directory");
  CHECK(load_error(folder.path.string()) == folder.path.string() + ": cannot read: not a regular file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(load_error(folder / "pipe") == folder / "pipe" + ": cannot read: not a regular file");
  write_bytes(path, "1234567");
  CHECK(load_error(path) == path + ": truncated: expected at least 8 bytes, found 7");
  write_bytes(path, std::string("\x10\0\0\0\0\0\0\0{}", 10));
  CHECK(load_error(path) == path + ": truncated: expected a header of 16 bytes, found 2");
  write_bytes(path, std::string(8, '\xff') + "{}");
  CHECK(load_error(path) ==
        path +
            ": not a safetensors file: its header would take 18446744073709551615 bytes, the format allows 100000000");
}

TEST_CASE("safetensors: arrays of other types are named, not read, where that is asked for") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  const auto load = [&](const std::string& header, const std::string& data,
                        std::map<std::string, std::string>& others) {
    write_bytes(path, file_of(header, data));
    return load_safetensors(path, &others);
  };
  std::map<std::string, std::string> others;
  const SafeTensors found = load(
      R"({"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]},"f":{"dtype":"F32","shape":[1],"data_offsets":[3,7]},)"
      R"("odd":{"dtype":"F4","shape":[2],"data_offsets":[7,8]}})",
      std::string("\1\0\1", 3) + bytes_of<float>({0.5f}) + "x", others);
  CHECK(others == std::map<std::string, std::string>{{"mask", "BOOL"}, {"odd", "F4"}});
  CHECK(found.tensors.size() == 1);
  CHECK(found.tensors.at("f").data()[0] == Scalar(0.5));
  CHECK(load_error(path) == path + ": tensor 'mask' has type BOOL, expected F16, BF16, F32, F64 or I64");

  const auto error = [&](const std::string& offsets, const std::string& rest = "") {
    try {
      load(R"({"u":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}" + rest + "}", "1234", others);
    } catch (const FormatError& e) {
      return std::string(e.what()).substr(path.size() + 2);
    }
    return std::string();
  };
  CHECK(error("[0,4]") == "");
  CHECK(error("[0,5]") == "truncated: expected 5 bytes of data, found 4");
  CHECK(error("[0,3]") == "expected 3 bytes of data, found 4: no tensor fills the rest");
  CHECK(error("[4,0]") == "tensor 'u' has offsets that go backwards, 4 to 0");
  CHECK(error("[8,0]", R"(,"f":{"dtype":"F64","shape":[1],"data_offsets":[0,8]})") ==
        "tensor 'u' has offsets that go backwards, 8 to 0");
}

TEST_CASE("safetensors: names that cannot be written are refused and nothing is") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  SafeTensors contents = example();
  std::string message;
  SUBCASE("in both maps") {
    contents.integers["scalar"] = indices({1});
    message = "save_safetensors: two arrays (or the metadata) share the name 'scalar'";
  }
  SUBCASE("the metadata's") {
    contents.tensors["__metadata__"] = scalar(1);
    message = "save_safetensors: two arrays (or the metadata) share the name '__metadata__'";
  }
  SUBCASE("reserved for the checksum") {
    contents.metadata["xtgrad.crc32"] = "1";
    message = "save_safetensors: the metadata's name 'xtgrad.crc32' is reserved";
  }
  SUBCASE("reserved for what says that there is one") {
    contents.metadata["xtgrad.checked"] = "no";
    message = "save_safetensors: the metadata's name 'xtgrad.checked' is reserved";
  }
  SUBCASE("a name not in UTF-8") {
    contents.tensors["\xc3("] = scalar(1);
    message = "save_safetensors: a name or a metadata string is not UTF-8";
  }
  SUBCASE("a string not in UTF-8") {
    contents.metadata["x"] = "\xff";
    message = "save_safetensors: a name or a metadata string is not UTF-8";
  }
  SUBCASE("a header larger than the format allows") {
    contents = SafeTensors();
    contents.metadata["x"] = std::string(17'000'000, '\1');  // each is six characters in JSON: \u0001
    message = "save_safetensors: the header would take 102000080 bytes, the format allows 100000000";
  }
  CHECK_THROWS_WITH_AS(save_safetensors(path, contents), message.c_str(), ValueError);
  CHECK(folder.entries() == 0);
}

TEST_CASE("safetensors: every changed byte and every truncation is found") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  save_safetensors(path, example());
  const std::string good = read_bytes(path);
  std::size_t missed = 0;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      write_bytes(path, bad);
      if (!load_error(path).empty()) continue;
      MESSAGE("byte ", i, " changed by ", change, " is not noticed");
      ++missed;
    }
  for (std::size_t n = 0; n < good.size(); ++n) {
    write_bytes(path, good.substr(0, n));
    if (!load_error(path).empty()) continue;
    MESSAGE("truncation to ", n, " bytes is not noticed");
    ++missed;
  }
  write_bytes(path, good + '\0');
  CHECK(load_error(path) != "");
  CHECK(missed == 0);

  // The message for the likely ones.
  std::string bad = good;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  write_bytes(path, bad);
  CHECK(load_error(path).find(": checksum mismatch: expected ") != std::string::npos);
  write_bytes(path, good.substr(0, good.size() - 1));
  CHECK(load_error(path).find(": truncated: expected ") != std::string::npos);
}

TEST_CASE("safetensors: damaged files without a checksum load or are refused, and never more than that") {
  const Folder folder;
  const std::string path = folder / "x.safetensors";
  const std::string good = file_of(
      R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"h":{"dtype":"F16","shape":[3],"data_offsets":[16,22]},)"
      R"("i":{"dtype":"I64","shape":[1],"data_offsets":[22,30]},"__metadata__":{"k":"v"}})",
      "0123456789abcdefghijklmnopqrst");
  write_bytes(path, good);
  REQUIRE(load_error(path) == "");
  std::mt19937 random(7);
  std::size_t refused = 0, tries = 0;
  const auto attempt = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    refused += !load_error(path).empty();  // anything but a FormatError ends the test
    ++tries;
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    attempt(good.substr(0, i));
    for (int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      attempt(bad);
    }
  }
  const std::string alphabet = "0123456789-.e\"\\{}[]:,u ";
  for (int n = 0; n < 2000; ++n) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[8 + random() % (bad.size() - 8)] = alphabet[random() % alphabet.size()];
    attempt(bad);
    for (char& c : bad) c = static_cast<char>(random());
    attempt(n % 2 == 0 ? bad : file_of(bad));
  }
  CHECK(refused > tries / 2);
}

TEST_CASE("safetensors: a write that fails keeps the old file and leaves no temporary one") {
  const Folder folder;
  const std::string path = folder / "checkpoint.safetensors";
  const SafeTensors old = example();
  save_safetensors(path, old);
  const std::string before = read_bytes(path);
  SafeTensors large = old;
  large.tensors["large"] = zeros({100, 100});

  SUBCASE("the file may not become that large") {
    // In a child process, for the limit cannot be raised again. The signal that comes with the error is for the program
    // to ignore, as this one does. The child tells what happened by its exit status, and the message through a file.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit = {20'000, 20'000};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
      try {
        save_safetensors(path, large);
      } catch (const FormatError& error) {
        write_bytes(folder / "message", error.what());
        ::_exit(0);
      } catch (...) {
      }
      ::_exit(1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(read_bytes(folder / "message") == path + ": cannot write: File too large");
    CHECK(folder.entries() == 2);
  }
  SUBCASE("there is no such folder") {
    const std::string elsewhere = folder / "no/checkpoint.safetensors";
    CHECK_THROWS_WITH_AS(save_safetensors(elsewhere, large),
                         (elsewhere + ": cannot write: No such file or directory").c_str(), FormatError);
  }
  SUBCASE("the name is a folder's") {
    const std::string taken = folder / "taken";
    fs::create_directory(taken);
    CHECK_THROWS_WITH_AS(save_safetensors(taken, large), (taken + ": cannot write: Is a directory").c_str(),
                         FormatError);
    CHECK(folder.entries() == 2);
  }
  CHECK(read_bytes(path) == before);
  check_same(load_safetensors(path), old);
}
