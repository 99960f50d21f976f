#include "tensor/allocator.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/create.hpp"

using namespace xtg;

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
