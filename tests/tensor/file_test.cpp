#include "tensor/file.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/error.hpp"
#include "tests/temporary_directory.hpp"

using namespace xtg;
using namespace xtg::testing;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& text, bool commit) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  if (commit) file.commit();
}

}  // namespace

TEST_CASE("file: a committed file replaces the old one, an abandoned one leaves it as it was") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  write(path, "first", true);
  CHECK(read_file(path) == "first");
  write(path, "abandoned", false);
  CHECK(read_file(path) == "first");
  write(path, std::string(100000, 'x') + '\0' + "end", true);
  CHECK(read_file(path) == std::string(100000, 'x') + '\0' + "end");
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("file: what cannot be read or written says why") {
  const TemporaryDirectory folder;
  CHECK_THROWS_WITH_AS(read_file(folder / "none"), (folder / "none: cannot open: No such file or directory").c_str(),
                       FormatError);
  CHECK_THROWS_WITH_AS(read_file(folder.path.string()),
                       (folder.path.string() + ": cannot read: not a regular file").c_str(), FormatError);
  CHECK_THROWS_WITH_AS(AtomicFile(folder / "none/a"),
                       (folder / "none/a: cannot write: No such file or directory").c_str(), FormatError);
}
