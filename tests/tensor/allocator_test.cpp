#include "tensor/allocator.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tensor/create.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using xtg::testing::contains;

// AddressSanitizer builds keep no blocks, and do not round them up.
#if defined(__SANITIZE_ADDRESS__)
#define XTGRAD_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define XTGRAD_ADDRESS_SANITIZER
#endif
#endif

TEST_CASE("allocator: every block is aligned to 64 bytes, a small one to 16, and can be written to its end") {
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 1000, 65535, 65536, 65537, 100000, 131071, 131072, 1000003}) {
    void* block = memory::allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % (bytes < 961 ? 16 : 64) == 0);
    std::memset(block, 0xab, bytes);
    memory::release(block, bytes);
  }
  for (std::size_t n = 128; n < 160; ++n) CHECK(reinterpret_cast<std::uintptr_t>(zeros({n, 3}).data()) % 64 == 0);
}

#ifndef XTGRAD_ADDRESS_SANITIZER
TEST_CASE("allocator: a released large block is handed out again, a small one is not kept") {
  memory::release_cache();
  REQUIRE(memory::cached_bytes() == 0);
  void* const small = memory::allocate(1000);
  memory::release(small, 1000);
  CHECK(memory::cached_bytes() == 0);

  void* const first = memory::allocate(1000000);
  memory::release(first, 1000000);
  const std::size_t kept = memory::cached_bytes();
  CHECK(kept >= 1000000);
  CHECK(kept < 1150000);
  void* const second = memory::allocate(1000001);  // close sizes share blocks
  CHECK(second == first);
  CHECK(memory::cached_bytes() == 0);
  void* const third = memory::allocate(1000000);
  CHECK(third != second);
  memory::release(second, 1000001);
  memory::release(third, 1000000);
  CHECK(memory::cached_bytes() == 2 * kept);
  void* const other = memory::allocate(3000000);
  CHECK(memory::cached_bytes() == 2 * kept);
  memory::release(other, 3000000);
  memory::release_cache();
  CHECK(memory::cached_bytes() == 0);
}
#endif

#ifndef XTGRAD_ADDRESS_SANITIZER
namespace {

/// The arrays of a training step with n images, some for all of it and some for a moment; returns how many bytes were
/// in use at most.
std::size_t step(std::size_t n) {
  std::size_t most = 0;
  std::vector<Tensor> live;
  for (const std::size_t channels : {16, 16, 16, 32, 32, 64}) {
    live.push_back(zeros({n, 512 / channels, 32, channels}));
    const Tensor temporary = zeros({n, 32, 32, channels});
    most = std::max(most, memory::bytes_in_use());
  }
  return most;
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

}  // namespace

TEST_CASE("allocator: sixty batch sizes hold at most twice as much as the largest alone") {
  memory::release_cache();
  const std::size_t before = memory::bytes_in_use(), peak = step(120);
  for (std::size_t n = 119; n >= 60; --n) {
    CHECK(step(n) <= peak);
    CHECK(memory::bytes_in_use() == before);
    CHECK(before + memory::cached_bytes() <= 2 * peak);
  }
  memory::release_cache();
}

TEST_CASE("allocator: two batch sizes in turn take nothing from the system, once both were there") {
  memory::release_cache();
  for (std::size_t n = 100; n > 70; --n) step(n);  // what came before does not matter
  for (int round = 0; round < 3; ++round)
    for (const std::size_t n : {128, 128, 100}) step(n);
  const std::size_t kept = memory::cached_bytes();
  const long faults = page_faults();
  for (int round = 0; round < 3; ++round)
    for (const std::size_t n : {128, 128, 100}) step(n);
  CHECK(page_faults() - faults < 100);  // each array has more than 100 pages
  CHECK(memory::cached_bytes() == kept);
  memory::release_cache();
}

TEST_CASE("allocator: a kept block serves what takes at least half of it") {
  memory::release_cache();
  void* const large = memory::allocate(2'000'000);
  memory::release(large, 2'000'000);
  const std::size_t size = memory::cached_bytes();
  void* const small = memory::allocate(size / 2 - 200'000);
  CHECK(small != large);
  void* const half = memory::allocate(size / 2);
  CHECK(half == large);
  CHECK(memory::cached_bytes() == 0);
  memory::release(half, size / 2);
  CHECK(memory::cached_bytes() == size);  // all of it
  memory::release(small, size / 2 - 200'000);
  memory::release_cache();
}

#ifndef __SANITIZE_THREAD__
namespace {

/// In a process of its own that may have only `more` bytes of address space above what it has: what `body` returns.
int with_room(std::size_t more, const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    std::size_t pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%zu", &pages) != 1) _exit(100);
    std::fclose(file);
    const rlim_t bytes = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + more;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(101);
    _exit(body());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("allocator: where the system has no memory the kept blocks go back to it, and it is asked again") {
  memory::release_cache();
  memory::release(memory::allocate(400'000'000), 400'000'000);
  REQUIRE(memory::cached_bytes() >= 400'000'000);
  CHECK(with_room(20'000'000, [] {  // 150 MB are too few for the kept block to serve, and too many for the room
          memory::release(memory::allocate(150'000'000), 150'000'000);
          if (memory::cached_bytes() < 150'000'000 || memory::cached_bytes() > 200'000'000) return 1;
          memory::require_room("somebody", 350'000'000);
          return memory::cached_bytes() == 0 ? 0 : 2;
        }) == 0);
  CHECK(with_room(20'000'000, [] {
          try {
            memory::allocate(900'000'000);
          } catch (const OutOfMemoryError& error) {
            const std::string start = "not enough memory: an array wants 900000000 bytes, arrays have ";
            const bool says = contains(error.what(), start) && contains(error.what(), ", and the process may have ") &&
                              contains(error.what(), " (ulimit -v)");
            if (!says) return 1;
          }
          try {
            memory::require_room("somebody", 90'000'000, 10);
          } catch (const OutOfMemoryError& error) {
            return contains(error.what(), "not enough memory: somebody wants 900000000 bytes") ? 0 : 2;
          }
          return 3;
        }) == 0);
  memory::release_cache();
}
#endif
#endif

TEST_CASE("allocator: two live blocks never overlap, from several threads") {
  const auto work = [](unsigned char mark, bool& intact) {
    intact = true;
    for (int round = 0; round < 200; ++round) {
      std::vector<std::pair<unsigned char*, std::size_t>> blocks;
      for (const std::size_t bytes : {70000, 70000, 200000, 64}) {
        auto* block = static_cast<unsigned char*>(memory::allocate(bytes));
        block[0] = block[bytes / 2] = block[bytes - 1] = mark;
        blocks.emplace_back(block, bytes);
      }
      for (const auto& [block, bytes] : blocks) {
        intact = intact && block[0] == mark && block[bytes / 2] == mark && block[bytes - 1] == mark;
        memory::release(block, bytes);
      }
    }
  };
  bool intact[3] = {};
  std::vector<std::thread> threads;
  for (unsigned char i = 0; i < 3; ++i)
    threads.emplace_back(work, static_cast<unsigned char>(i + 1), std::ref(intact[i]));
  for (std::thread& thread : threads) thread.join();
  for (const bool ok : intact) CHECK(ok);
}

TEST_CASE("allocator: a size that cannot be had is std::bad_alloc") {
  CHECK_THROWS_AS(memory::allocate(static_cast<std::size_t>(-1)), std::bad_alloc);
  CHECK_THROWS_AS(memory::allocate(static_cast<std::size_t>(1) << 60), std::bad_alloc);
  // 2^61 + 1 numbers of 8 bytes: 8 bytes in 64 bits
  CHECK_THROWS_AS(Allocator<double>().allocate((static_cast<std::size_t>(1) << 61) + 1), std::bad_alloc);
  std::string message;
  try {
    memory::allocate(static_cast<std::size_t>(1) << 60);
  } catch (const OutOfMemoryError& error) {
    message = error.what();
  }
  CHECK(contains(message, "not enough memory: an array wants 1152921504606846976 bytes, arrays have "));
}

#ifdef XTGRAD_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>

TEST_CASE("allocator: under AddressSanitizer a block ends where it was asked to end") {
  for (const std::size_t n : {1, 3, 7, 8, 100, 127, 128, 129, 1000, 8191, 8192, 8193, 100001}) {
    const Tensor x = zeros({n});
    CHECK(!__asan_address_is_poisoned(x.end() - 1));
    CHECK(__asan_address_is_poisoned(x.end()));
    CHECK(__asan_address_is_poisoned(x.begin() - 1));
  }
}
#endif
