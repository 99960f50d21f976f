// One reader, READER, for libFuzzer (https://llvm.org/docs/LibFuzzer.html). With the option -Dfuzz=true of a build by
// clang there is a program for each reader:
//
//     build-fuzz/tests/fuzz/fuzz_png -max_total_time=300 NEW_INPUTS tests/fuzz/corpus/png

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Reader& reader = reader_of(READER);
  const int file = memfd_create("input", 0);  // a file in memory
  if (file < 0 || write(file, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  // What it throws besides ends the program, which libFuzzer reports.
  takes(reader, "/proc/self/fd/" + std::to_string(file));
  close(file);
  return 0;
}
