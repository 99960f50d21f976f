#pragma once

// Everything that reads files or words from outside, for tests that hand it damaged ones.

#include <string>
#include <vector>

struct Reader {
  const char* name;  // of its folder in corpus/
  /// Reads the file, or what stands in it. Throws as the reader does.
  void (*read)(const std::string& path);
};

const std::vector<Reader>& readers();

/// The one of this name. Throws std::logic_error if there is none.
const Reader& reader_of(const std::string& name);

/// Whether the reader took the file; if not, it threw one of our errors, in words that may be shown. Throws
/// std::logic_error, with what is wrong, for any other answer.
bool takes(const Reader& reader, const std::string& path);
