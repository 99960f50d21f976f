#include "examples/app/report/png.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/error.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/testing.hpp"

using namespace xtg::app;
using namespace xtg::testing;

namespace {

using Bytes = std::vector<int>;

std::string big_endian(std::size_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}

std::string chunk(const std::string& name, const std::string& data) {
  const std::string checked = name + data;
  return big_endian(data.size()) + checked +
         big_endian(crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size())));
}

std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

/// A PNG file; `rows` as they are compressed, each with its filter byte. Colour types: 0 grey, 2 RGB, 3 palette, 4 grey
/// with alpha, 6 RGB with alpha.
std::string png(std::size_t width, std::size_t height, int bits, int colour_type, const Bytes& rows,
                const std::string& before_rows = "", int interlaced = 0) {
  const std::string raw = text(rows);
  uLongf size = compressBound(static_cast<uLong>(raw.size()));
  std::string compressed(size, '\0');
  compress(reinterpret_cast<Bytef*>(compressed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
           static_cast<uLong>(raw.size()));
  compressed.resize(size);
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(width) + big_endian(height) + text({bits, colour_type, 0, 0, interlaced})) +
         before_rows + chunk("IDAT", compressed) + chunk("IEND", "");
}

struct Files {
  TemporaryDirectory directory;

  std::string write(const std::string& bytes) const {
    const std::string path = directory / "a.png";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  RgbImage read(const std::string& bytes) const { return read_png(write(bytes)); }
  /// The error's text without the path.
  std::string refusal(const std::string& bytes) const {
    const std::string path = write(bytes);
    try {
      read_png(path);
    } catch (const xtg::FormatError& error) {
      const std::string message = error.what();
      CHECK(starts_with(message, path + ": "));
      CHECK(!contains(message, "\n"));
      return message.substr(path.size() + 2);
    }
    return "no FormatError";
  }
};

void check_pixels(const RgbImage& image, std::size_t height, std::size_t width, const Bytes& expected) {
  CHECK(image.height == height);
  CHECK(image.width == width);
  CHECK(Bytes(image.pixels.begin(), image.pixels.end()) == expected);
}

}  // namespace

TEST_CASE("png: every kind of pixel becomes 8-bit RGB") {
  const Files files;
  const Bytes rgb = {10, 20, 30, 0, 128, 255, 1, 2, 3, 200, 100, 50};
  check_pixels(files.read(png(2, 2, 8, 2, {0, 10, 20, 30, 0, 128, 255, 0, 1, 2, 3, 200, 100, 50})), 2, 2, rgb);
  // The first row as it is, the second as differences to it.
  check_pixels(files.read(png(2, 2, 8, 2, {0, 10, 20, 30, 0, 128, 255, 2, 247, 238, 229, 200, 228, 51})), 2, 2, rgb);
  // Grey in one bit, and in 16, of which the upper eight count.
  check_pixels(files.read(png(3, 1, 1, 0, {0, 0xa0})), 1, 3, {255, 255, 255, 0, 0, 0, 255, 255, 255});
  check_pixels(files.read(png(2, 1, 16, 0, {0, 80, 80, 255, 255})), 1, 2, {80, 80, 80, 255, 255, 255});
  check_pixels(files.read(png(1, 1, 16, 2, {0, 7, 7, 77, 77, 177, 177})), 1, 1, {7, 77, 177});
  // A palette of three colours, two bits a pixel, the last colour transparent.
  const std::string palette = chunk("PLTE", text({9, 8, 7, 60, 50, 40, 1, 1, 1})) + chunk("tRNS", text({255, 255, 0}));
  check_pixels(files.read(png(4, 1, 2, 3, {0, 0x46}, palette)), 1, 4, {60, 50, 40, 9, 8, 7, 60, 50, 40, 255, 255, 255});
  // Alpha: all, nothing.
  check_pixels(files.read(png(2, 1, 8, 6, {0, 1, 2, 3, 255, 1, 2, 3, 0})), 1, 2, {1, 2, 3, 255, 255, 255});
  check_pixels(files.read(png(2, 1, 8, 4, {0, 90, 255, 90, 0})), 1, 2, {90, 90, 90, 255, 255, 255});
  // Half of black on white is somewhere between.
  const int half = files.read(png(1, 1, 8, 4, {0, 0, 128})).pixels.at(0);
  CHECK(half > 100);
  CHECK(half < 200);
  // Interlaced, 2×2: pixel (0, 0), then (0, 1), then the second row.
  check_pixels(files.read(png(2, 2, 8, 0, {0, 1, 0, 2, 0, 3, 4}, "", 1)), 2, 2, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4});
}

TEST_CASE("png: what is written is read") {
  const Files files;
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < 5 * 7 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 89));
  const RgbImage image = files.read(write_png(pixels.data(), 5, 7));
  CHECK(image.height == 5);
  CHECK(image.width == 7);
  CHECK(image.pixels == pixels);
  CHECK(error_of([&] { write_png(pixels.data(), 0, 7); }) ==
        "ValueError: write_png: expected 1 to 64000000 pixels, got 7x0");
  CHECK(error_of([&] { write_png(pixels.data(), 70'000, 70'000); }) ==
        "ValueError: write_png: expected 1 to 64000000 pixels, got 70000x70000");
}

TEST_CASE("png: files that are none are refused") {
  const Files files;
  const std::string good = png(2, 2, 8, 2, {0, 10, 20, 30, 0, 128, 255, 0, 1, 2, 3, 200, 100, 50});
  CHECK(files.refusal("") == "not a PNG file");
  CHECK(files.refusal(good.substr(0, 7)) == "not a PNG file");
  CHECK(files.refusal("GIF89a, and so on, and so on") == "not a PNG file");
  for (std::size_t size = 8; size + 12 < good.size(); ++size)  // the end chunk may be missing
    CHECK(starts_with(files.refusal(good.substr(0, size)), "a damaged PNG file: "));
  for (std::size_t at = 8; at + 12 < good.size(); ++at) {
    CAPTURE(at);
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(starts_with(files.refusal(damaged), "a damaged PNG file: "));
  }
  CHECK(files.refusal(png(8001, 8001, 8, 2, {0})) == "8001x8001 pixels are too many, expected at most 64000000");
  CHECK(starts_with(files.refusal(png(2, 2, 8, 2, {0, 10, 20})), "a damaged PNG file: "));
  CHECK(starts_with(files.refusal(png(2, 2, 9, 2, {0, 10, 20})), "a damaged PNG file: "));

  const std::string large = files.write(good);
  std::filesystem::resize_file(large, 512'000'001);
  const auto refusal = [&](const std::string& path) {
    try {
      read_png(path);
    } catch (const xtg::FormatError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal(large) == large + ": 512000001 bytes are too many for an image, expected at most 512000000");
  CHECK(starts_with(refusal(files.directory / "none.png"), (files.directory / "none.png") + ": cannot open: "));
  CHECK(starts_with(refusal(files.directory.path.string()), files.directory.path.string() + ": cannot "));
}
