// PNG files by libpng's simplified interface (png_image_…): it reports errors by its return value, where the full one
// jumps out of the caller by longjmp, past every destructor.
#include "examples/app/report/png.hpp"

#include <png.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

constexpr std::size_t most_pixels = 64'000'000, most_bytes = 512'000'000;
constexpr std::size_t signature_size = 8;

/// What libpng holds for an image between the two calls that read it.
struct Reading : png_image {
  Reading() : png_image{} { version = PNG_IMAGE_VERSION; }
  ~Reading() { png_image_free(this); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
};

/// A small file may claim to be a huge image, so this is asked before memory is.
bool fits(std::size_t height, std::size_t width) { return height <= most_pixels / width; }

}  // namespace

RgbImage read_png(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);  // on error, read_file says what is wrong
  require<FormatError>(error || size <= most_bytes, "{}: {} bytes are too many for an image, expected at most {}", path,
                       size, most_bytes);
  const std::string bytes = read_file(path);
  const auto* const data = reinterpret_cast<png_const_bytep>(bytes.data());
  require<FormatError>(bytes.size() >= signature_size && png_sig_cmp(data, 0, signature_size) == 0,
                       "{}: not a PNG file", path);

  Reading image;
  require<FormatError>(png_image_begin_read_from_memory(&image, data, bytes.size()) != 0, "{}: a damaged PNG file: {}",
                       path, image.message);
  require<FormatError>(fits(image.height, image.width), "{}: {}x{} pixels are too many, expected at most {}", path,
                       image.width, image.height, most_pixels);
  image.format = PNG_FORMAT_RGB;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits without a word on their meaning are as bright as 8 bits are
  RgbImage result{image.height, image.width, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(image))};
  const png_color white = {255, 255, 255};
  require<FormatError>(png_image_finish_read(&image, &white, result.pixels.data(), 0, nullptr) != 0,
                       "{}: a damaged PNG file: {}", path, image.message);
  return result;
}

std::string write_png(const std::uint8_t* pixels, std::size_t height, std::size_t width) {
  require(height > 0 && width > 0 && fits(height, width), "write_png: expected 1 to {} pixels, got {}x{}", most_pixels,
          width, height);
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  require<FormatError>(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, nullptr) != 0,
                       "write_png: {}", image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace xtg::app
