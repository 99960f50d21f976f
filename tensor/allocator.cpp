#include "tensor/allocator.hpp"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace xtg::memory {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestAligned = 1024;
constexpr std::size_t kSmallestCached = 64 * 1024;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
constexpr bool kCache = !kSanitized;

/// Large blocks are rounded up so that close sizes share a list: to a multiple of an eighth of the power of two below.
std::size_t rounded(std::size_t bytes) {
  if (kSanitized) return bytes;
  std::size_t step = kAlignment;
  if (bytes >= kSmallestCached) {
    step = kSmallestCached / 8;
    while (step * 16 <= bytes) step *= 2;
  }
  return (bytes + step - 1) / step * step;
}

struct Cache {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> blocks;
  std::size_t bytes = 0;
};

/// malloc's block, aligned as allocate() promises; null if there is none.
void* fresh(std::size_t size) {
  if (size < kSmallestAligned && !kSanitized) return std::malloc(size);
  void* block = nullptr;  // aligned_alloc wants sizes that are multiples of the alignment
  return posix_memalign(&block, kAlignment, size) == 0 ? block : nullptr;
}

/// Never destroyed: arrays of static storage duration release their memory after it would be.
Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(-1) / 2) throw std::bad_alloc();
  const std::size_t size = rounded(bytes == 0 ? 1 : bytes);
  if (kCache && size >= kSmallestCached) {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    const auto list = c.blocks.find(size);
    if (list != c.blocks.end() && !list->second.empty()) {
      void* block = list->second.back();
      list->second.pop_back();
      c.bytes -= size;
      return block;
    }
  }
  void* block = fresh(size);
  if (block == nullptr && cached_bytes() > 0) {
    release_cache();
    block = fresh(size);
  }
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  const std::size_t size = rounded(bytes == 0 ? 1 : bytes);
  if (kCache && size >= kSmallestCached) {
    Cache& c = cache();
    const std::lock_guard<std::mutex> lock(c.mutex);
    try {
      c.blocks[size].push_back(block);
      c.bytes += size;
      return;
    } catch (const std::bad_alloc&) {  // no room to remember the block: give it back
    }
  }
  std::free(block);
}

std::size_t cached_bytes() {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  return c.bytes;
}

void release_cache() {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  for (auto& list : c.blocks)
    for (void* block : list.second) std::free(block);
  c.blocks.clear();
  c.bytes = 0;
}

}  // namespace xtg::memory
