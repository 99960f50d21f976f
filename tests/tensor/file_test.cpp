#include "tensor/file.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "tensor/error.hpp"

using namespace xtg;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/xtgrad-file-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  std::string path;
};

void write(const std::string& path, const std::string& text, bool commit) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  if (commit) file.commit();
}

}  // namespace

TEST_CASE("file: a committed file replaces the old one, an abandoned one leaves it as it was") {
  const Folder folder;
  const std::string path = folder.path + "/a";
  write(path, "first", true);
  CHECK(read_file(path) == "first");
  write(path, "abandoned", false);
  CHECK(read_file(path) == "first");
  write(path, std::string(100000, 'x') + '\0' + "end", true);
  CHECK(read_file(path) == std::string(100000, 'x') + '\0' + "end");
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("file: what cannot be read or written says why") {
  const Folder folder;
  CHECK_THROWS_WITH_AS(read_file(folder.path + "/none"),
                       (folder.path + "/none: cannot open: No such file or directory").c_str(), FormatError);
  CHECK_THROWS_WITH_AS(read_file(folder.path), (folder.path + ": cannot read: not a regular file").c_str(),
                       FormatError);
  CHECK_THROWS_WITH_AS(AtomicFile(folder.path + "/none/a"),
                       (folder.path + "/none/a: cannot write: No such file or directory").c_str(), FormatError);
}
