#include "examples/app/run/machine.hpp"

#include <sys/utsname.h>

#include <fstream>
#include <thread>

#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

std::string processor(const utsname& system) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return system.machine;
}

#ifdef __clang__
const char* const compiler = "clang " __clang_version__;
#else
const char* const compiler = "g++ " __VERSION__;
#endif

}  // namespace

std::string describe_machine() {
  utsname system = {};
  uname(&system);
  return fmt::format("{}, {}, {} {}, {}", processor(system), count(std::thread::hardware_concurrency(), "thread"),
                     system.sysname, system.machine, compiler);
}

}  // namespace xtg::app
