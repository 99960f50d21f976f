// The format: 8 bytes with the header's length N (little-endian), N bytes of JSON, then the arrays' bytes, row-major,
// little-endian.
//
//     {"__metadata__":{"epoch":"3"}, "linear.weight":{"dtype":"F32","shape":[10,64],"data_offsets":[0,2560]}, …}
//
// The offsets count from the end of the header; the arrays fill the rest of the file without gaps or overlaps.
#include "tensor/safetensors.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "safetensors files are little-endian: this machine would have to swap bytes");

namespace xtg {

namespace {

using nlohmann::json;

const char* const scalar_type = sizeof(Scalar) == 4 ? "F32" : "F64";
const std::size_t length_bytes = 8;
const std::size_t longest_header = 100'000'000;  // the format's own limit
const std::size_t most_axes = 64, most_elements = std::size_t{1} << 48;

// A second key says that a checksum must be there: one damaged byte in the name of the first cannot make it go
// unnoticed.
const char* const checksum_key = "xtgrad.crc32";
const char* const checked_key = "xtgrad.checked";
const std::string checksum_text =
    "\"xtgrad.crc32\":\"";  // as it stands in the header; no string in JSON can contain it unescaped
const std::size_t digits = 8;

/// Where in the header text the checksum's hexadecimal digits stand; npos if nowhere.
std::size_t find_digits(const std::string& header) {
  const std::size_t at = header.find(checksum_text);
  return at == std::string::npos || at + checksum_text.size() + digits > header.size() ? std::string::npos
                                                                                       : at + checksum_text.size();
}

unsigned long add_to_crc(unsigned long crc, const void* bytes, std::size_t n) {
  return n == 0 ? crc : crc32_z(crc, static_cast<const unsigned char*>(bytes), n);
}

/// The checksum of the length and the header, whose own digits count as zeros; the data are added to it.
unsigned long header_crc(std::string header) {
  header.replace(find_digits(header), digits, digits, '0');
  const std::uint64_t length = header.size();
  return add_to_crc(add_to_crc(crc32_z(0, nullptr, 0), &length, sizeof length), header.data(), header.size());
}

// ---------------------------------------------------------------------------------------------------------- writing

/// Adds one array's entry to the header; its data take the bytes from `offset` on, which moves behind them.
template <class Array>
void describe(json& header, const std::string& name, const Array& array, const char* type, std::size_t& offset) {
  require(name != "__metadata__" && !header.contains(name),
          "save_safetensors: two arrays (or the metadata) share the name '{}'", name);
  const std::size_t end = offset + array.size() * sizeof(typename Array::value_type);
  header[name] = {{"dtype", type}, {"shape", array.shape()}, {"data_offsets", {offset, end}}};
  offset = end;
}

/// The header's text, padded with spaces so that the data start at a multiple of 8; the checksum's digits are zeros.
std::string make_header(const SafeTensors& contents) {
  for (const char* reserved : {checksum_key, checked_key})
    require(contents.metadata.count(reserved) == 0, "save_safetensors: the metadata's name '{}' is reserved", reserved);
  json header = json::object();
  std::size_t offset = 0;
  for (const auto& [name, array] : contents.integers)
    describe(header, name, array, "I64", offset);  // 8-byte types first: aligned
  for (const auto& [name, array] : contents.tensors) describe(header, name, array, scalar_type, offset);
  header["__metadata__"] = contents.metadata;
  header["__metadata__"][checksum_key] = std::string(digits, '0');
  header["__metadata__"][checked_key] = "yes";
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw ValueError("save_safetensors: a name or a metadata string is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  require(text.size() <= longest_header, "save_safetensors: the header would take {} bytes, the format allows {}",
          text.size(), longest_header);
  return text;
}

// ---------------------------------------------------------------------------------------------------------- reading

/// The header as JSON. Beyond what the parser refuses, names that come twice and deep nesting are errors.
json parse_header(const std::string& path, const std::string& text) {
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    require<FormatError>(depth <= 4, "{}: the header is nested too deeply", path);
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& name = value.get_ref<const std::string&>();
      require<FormatError>(names.back().insert(name).second, "{}: the name '{}' comes twice in the header", path,
                           excerpt(name));
    }
    return true;
  };
  json header;
  try {
    header = json::parse(text, watch);
  } catch (const json::parse_error& error) {
    throw FormatError(
        fmt::format("{}: the header is not valid JSON (at its byte {} of {})", path, error.byte, text.size()));
  } catch (const json::out_of_range&) {
    throw FormatError(fmt::format("{}: the header has a number that no double can hold", path));
  }
  require<FormatError>(header.is_object(), "{}: the header is JSON but not an object", path);
  return header;
}

std::map<std::string, std::string> parse_metadata(const std::string& path, const json& metadata) {
  require<FormatError>(metadata.is_object(), "{}: __metadata__ is not an object of strings", path);
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : metadata.items()) {
    require<FormatError>(value.is_string(), "{}: metadata '{}' is not a string", path, excerpt(name));
    result[name] = value.get<std::string>();
  }
  return result;
}

struct Entry {
  std::string name, type;
  bool known = true;  // the type
  Shape shape;
  std::size_t elements = 1, begin = 0, end = 0;
};

std::size_t bytes_per_element(const std::string& type) {
  if (type == "F16" || type == "BF16") return 2;
  if (type == "F32") return 4;
  if (type == "F64" || type == "I64") return 8;
  return 0;
}

/// An unknown type is an error unless `others` are wanted.
Entry parse_entry(const std::string& path, const std::string& name, const json& description, bool others) {
  const auto is_sizes = [](const json& value) {
    return value.is_array() &&
           std::all_of(value.begin(), value.end(), [](const json& i) { return i.is_number_unsigned(); });
  };
  const auto field = [&](const char* key) {  // null where there is none, which no field may be
    return description.is_object() && description.contains(key) ? description[key] : json();
  };
  const json type = field("dtype"), shape = field("shape"), offsets = field("data_offsets");
  const auto refuse = [&](const std::string& why) {
    throw FormatError(fmt::format("{}: tensor '{}' {}", path, excerpt(name), why));
  };
  if (!type.is_string() || !is_sizes(shape) || !is_sizes(offsets) || offsets.size() != 2)
    refuse("needs a dtype, a shape and two data_offsets, found " + excerpt(description.dump()));
  if (shape.size() > most_axes) refuse(fmt::format("has {} axes, expected at most {}", shape.size(), most_axes));
  Entry entry;
  entry.name = name;
  entry.type = type.get<std::string>();
  entry.begin = offsets[0].get<std::size_t>();
  entry.end = offsets[1].get<std::size_t>();
  const std::size_t width = bytes_per_element(entry.type);
  entry.known = width > 0;
  if (!entry.known && !others)
    refuse(fmt::format("has type {}, expected F16, BF16, F32, F64 or I64", excerpt(entry.type)));

  std::size_t room = most_elements;  // for the sizes still to come; a 0 among them must not hide an overflow
  for (const json& item : shape) {
    const std::size_t size = item.get<std::size_t>();
    if (size > room) refuse(fmt::format("has shape {}, expected at most 2^48 elements", excerpt(shape.dump())));
    room /= std::max<std::size_t>(size, 1);
    entry.elements *= size;
    entry.shape.push_back(size);
  }
  if (!entry.known && entry.begin > entry.end)  // how many bytes it should have, only others know
    refuse(fmt::format("has offsets that go backwards, {} to {}", entry.begin, entry.end));
  if (entry.known && (entry.begin > entry.end || entry.end - entry.begin != entry.elements * width))
    refuse(fmt::format("of type {} and shape {}: expected {} bytes, found offsets {} to {}", entry.type,
                       excerpt(shape.dump()), entry.elements * width, entry.begin, entry.end));
  return entry;
}

/// The entries in the order of their data, which must fill `data_size` bytes.
std::vector<Entry> parse_entries(const std::string& path, const json& header, std::size_t data_size, bool others) {
  std::vector<Entry> entries;
  for (const auto& [name, description] : header.items())
    if (name != "__metadata__") entries.push_back(parse_entry(path, name, description, others));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::size_t filled = 0;
  for (const Entry& entry : entries) {
    require<FormatError>(entry.begin >= filled,
                         "{}: tensor '{}' begins at byte {} of the data and overlaps another that ends at {}", path,
                         excerpt(entry.name), entry.begin, filled);
    require<FormatError>(entry.begin == filled,
                         "{}: tensor '{}' begins at byte {} of the data, expected {}: no tensor fills the gap", path,
                         excerpt(entry.name), entry.begin, filled);
    filled = entry.end;
  }
  require<FormatError>(filled <= data_size, "{}: truncated: expected {} bytes of data, found {}", path, filled,
                       data_size);
  require<FormatError>(filled == data_size, "{}: expected {} bytes of data, found {}: no tensor fills the rest", path,
                       filled, data_size);
  return entries;
}

void verify_checksum(const std::string& path, const std::map<std::string, std::string>& metadata,
                     const std::string& header, const char* data, std::size_t data_size) {
  const auto stored = metadata.find(checksum_key);
  if (stored == metadata.end()) {
    require<FormatError>(metadata.count(checked_key) == 0, "{}: checksum missing: the file is damaged", path);
    return;
  }
  const std::size_t at = find_digits(header);
  std::string found = "none";
  if (at != std::string::npos) found = fmt::format("{:08x}", add_to_crc(header_crc(header), data, data_size));
  require<FormatError>(found == stored->second, "{}: checksum mismatch: expected {}, found {}: the file is damaged",
                       path, excerpt(stored->second), found);
}

/// IEEE 754 binary16: a sign, 5 bits of exponent with bias 15, 10 bits of fraction.
float from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude;
  if (exponent == 31)
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  else if (exponent == 0)
    magnitude = std::ldexp(static_cast<float>(fraction), -24);  // subnormal: no leading 1
  else
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return std::copysign(magnitude, bits & 0x8000 ? -1.0f : 1.0f);
}

/// bfloat16: the upper half of a float.
float from_bfloat(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

/// Copies `n` elements stored as Stored, which need not be aligned in the file.
template <class Stored, class Element, class Convert>
void convert(const char* from, Element* to, std::size_t n, Convert element) {
  for (std::size_t i = 0; i < n; ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof stored, sizeof stored);
    to[i] = static_cast<Element>(element(stored));
  }
}

Tensor read_tensor(const Entry& entry, const char* from) {
  Tensor result = Tensor(entry.shape);
  Scalar* to = result.data();
  const auto as_is = [](auto value) { return value; };
  if (entry.type == "F16") convert<std::uint16_t>(from, to, entry.elements, from_half);
  if (entry.type == "BF16") convert<std::uint16_t>(from, to, entry.elements, from_bfloat);
  if (entry.type == "F32") convert<float>(from, to, entry.elements, as_is);
  if (entry.type == "F64") convert<double>(from, to, entry.elements, as_is);
  return result;
}

}  // namespace

void save_safetensors(const std::string& path, const SafeTensors& contents) {
  std::string header = make_header(contents);
  unsigned long crc = header_crc(header);
  const auto for_each_array = [&](auto function) {  // in the order of make_header
    for (const auto& [name, array] : contents.integers) function(array.data(), array.size() * sizeof(std::int64_t));
    for (const auto& [name, array] : contents.tensors) function(array.data(), array.size() * sizeof(Scalar));
  };
  for_each_array([&](const void* bytes, std::size_t n) { crc = add_to_crc(crc, bytes, n); });
  header.replace(find_digits(header), digits, fmt::format("{:08x}", crc));

  AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for_each_array([&](const void* bytes, std::size_t n) { file.write(bytes, n); });
  file.commit();
}

SafeTensors load_safetensors(const std::string& path, std::map<std::string, std::string>* others) {
  const std::string file = read_file(path);
  require<FormatError>(file.size() >= length_bytes, "{}: truncated: expected at least {} bytes, found {}", path,
                       length_bytes, file.size());
  std::uint64_t length;
  std::memcpy(&length, file.data(), sizeof length);
  require<FormatError>(length <= longest_header,
                       "{}: not a safetensors file: its header would take {} bytes, the format allows {}", path, length,
                       longest_header);
  require<FormatError>(length <= file.size() - length_bytes, "{}: truncated: expected a header of {} bytes, found {}",
                       path, length, file.size() - length_bytes);
  const std::string text = file.substr(length_bytes, length);
  const char* const data = file.data() + length_bytes + length;
  const std::size_t data_size = file.size() - length_bytes - length;

  // First what the header says, for "truncated" tells more than "checksum mismatch"; then the checksum; then the data.
  const json header = parse_header(path, text);
  SafeTensors result;
  if (header.contains("__metadata__")) result.metadata = parse_metadata(path, header["__metadata__"]);
  const std::vector<Entry> entries = parse_entries(path, header, data_size, others != nullptr);
  verify_checksum(path, result.metadata, text, data, data_size);
  result.metadata.erase(checksum_key);
  result.metadata.erase(checked_key);

  for (const Entry& entry : entries) {
    const char* const from = data + entry.begin;
    if (!entry.known) {
      (*others)[entry.name] = entry.type;
    } else if (entry.type == "I64") {
      Indices& integers = result.integers[entry.name] = Indices(entry.shape);
      convert<std::int64_t>(from, integers.data(), entry.elements, [](std::int64_t value) { return value; });
    } else {
      result.tensors[entry.name] = read_tensor(entry, from);
    }
  }
  return result;
}

}  // namespace xtg
