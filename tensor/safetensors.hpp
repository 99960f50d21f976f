#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tensor.hpp"

namespace xtg {

/// The contents of a safetensors file (https://github.com/huggingface/safetensors): named arrays and named strings.
/// `tensors` is written as F32 or F64 (Scalar's type) and read from F16, BF16, F32, F64 by conversion to Scalar;
/// `integers` is written and read as I64. Names and strings are UTF-8; no name may be in both maps.
struct SafeTensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, Indices> integers;
  std::map<std::string, std::string> metadata;
};

/// Writes the file whole or not at all, as AtomicFile does (file.hpp): under a temporary name in the same directory,
/// flushed to disk, then renamed over `path`. The same contents give the same bytes. In the file the metadata gains
/// "xtgrad.crc32", a checksum of every other byte, and "xtgrad.checked", which says that it must be there;
/// load_safetensors takes both out again.
///
/// Throws FormatError that names the path and the system's reason (`run/checkpoint.safetensors: cannot write: No space
/// left on device`); the old file is untouched then, and the temporary one removed. Throws ValueError for a name that
/// is taken twice or reserved, or is not UTF-8. Of two writers of one path at a time, the last wins.
/// Where a file size limit is set (RLIMIT_FSIZE) the system also sends SIGXFSZ, which ends a program that does not
/// ignore it: that is the program's choice, a library does not touch signal handlers.
void save_safetensors(const std::string& path, const SafeTensors& contents);

/// Reads a file, from this library or another; where it carries "xtgrad.crc32" the checksum is verified, and any one
/// damaged byte is found. (A tool that copies our metadata into a file of its own must leave the two "xtgrad." keys
/// out.) Memory stays proportional to the file's size, whatever its header says.
///
/// Throws FormatError that names the path, the tensor, and what was expected and found: cannot open, truncated, header
/// that is not JSON, unknown type (unless `others` is given: then arrays of unknown types are not read, and their names
/// and types are put there), shape that does not fit its offsets, offsets that overlap, leave gaps or
/// end outside the file, checksum mismatch.
SafeTensors load_safetensors(const std::string& path, std::map<std::string, std::string>* others = nullptr);

}  // namespace xtg
