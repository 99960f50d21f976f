#include "tensor/allocator.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

namespace xtg {
namespace memory {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestAligned = 1024;
constexpr std::size_t kSmallestCached = 64 * 1024;
constexpr std::size_t kMostSpare = 2;  // a block is at most so many times as large as what it is handed out for
constexpr std::size_t kMostHeld = 2;   // blocks in use and kept: times the peak of those in use

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

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

/// Whether blocks of this (rounded) size go through the cache.
bool is_large(std::size_t size) { return !kSanitized && size >= kSmallestCached; }

/// malloc's block, aligned as allocate() promises; null if there is none.
void* from_system(std::size_t size) {
  if (size < kSmallestAligned && !kSanitized) return std::malloc(size);
  void* block = nullptr;  // aligned_alloc wants sizes that are multiples of the alignment
  return posix_memalign(&block, kAlignment, size) == 0 ? block : nullptr;
}

/// A large block knows its size, as it may be larger than what it was asked for: it stands in the 64 bytes before it.
void* new_large(std::size_t size) {
  char* const start = static_cast<char*>(from_system(kAlignment + size));
  if (start == nullptr) return nullptr;
  *reinterpret_cast<std::size_t*>(start) = size;
  return start + kAlignment;
}
std::size_t size_of_large(const void* block) {
  return *reinterpret_cast<const std::size_t*>(static_cast<const char*>(block) - kAlignment);
}
void free_large(void* block) { std::free(static_cast<char*>(block) - kAlignment); }

/// The large blocks: those in use are counted, those released are kept.
class Cache {
 public:
  /// The smallest kept block that serves `size`; null if there is none.
  void* take(std::size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = sizes_.lower_bound(size); it != sizes_.end() && it->first <= kMostSpare * size; ++it) {
      if (it->second.blocks.empty()) continue;
      void* const block = it->second.blocks.back();
      it->second.blocks.pop_back();
      it->second.used = ++clock_;
      kept_ -= it->first;
      in_use_ += it->first;
      return block;
    }
    return nullptr;
  }

  /// Counts a block that came from the system.
  void add(std::size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    in_use_ += size;
    trim();
  }

  void put(void* block) noexcept {
    const std::size_t size = size_of_large(block);
    const std::lock_guard<std::mutex> lock(mutex_);
    peak_ = std::max(peak_, in_use_);
    in_use_ -= size;
    try {
      Kept& kept = sizes_[size];
      kept.blocks.push_back(block);
      kept.used = ++clock_;
      kept_ += size;
    } catch (const std::bad_alloc&) {  // no room to remember the block: give it back
      free_large(block);
    }
    trim();
  }

  void clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& entry : sizes_)
      for (void* block : entry.second.blocks) free_large(block);
    sizes_.clear();
    kept_ = 0;
    peak_ = in_use_;
  }

  std::size_t kept() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kept_;
  }
  std::size_t in_use() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return in_use_;
  }

 private:
  /// The released blocks of one size.
  struct Kept {
    std::vector<void*> blocks;
    std::uint64_t used = 0;  // when one was last taken or put
  };

  /// Frees blocks, of the size that was not used for longest first, until what is left is within the bound. A loop
  /// whose steps are alike uses all its sizes in each step, so it is what came before the loop that goes.
  void trim() {
    peak_ = std::max(peak_, in_use_);
    while (kept_ > 0 && in_use_ + kept_ > kMostHeld * peak_) {
      auto oldest = sizes_.end();
      for (auto it = sizes_.begin(); it != sizes_.end(); ++it)
        if (!it->second.blocks.empty() && (oldest == sizes_.end() || it->second.used < oldest->second.used))
          oldest = it;
      free_large(oldest->second.blocks.back());
      oldest->second.blocks.pop_back();
      kept_ -= oldest->first;
    }
  }

  std::mutex mutex_;
  std::map<std::size_t, Kept> sizes_;
  std::size_t in_use_ = 0, peak_ = 0, kept_ = 0;  // bytes
  std::uint64_t clock_ = 0;
};

/// Never destroyed: arrays of static storage duration release their memory after it would be.
Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(-1) / 2) throw OutOfMemoryError("an array", bytes);
  const std::size_t size = rounded(bytes == 0 ? 1 : bytes);
  const bool large = is_large(size);
  if (large)
    if (void* const block = cache().take(size)) return block;
  const auto fresh = [&] { return large ? new_large(size) : from_system(size); };
  void* block = fresh();
  if (block == nullptr) {
    release_cache();
    block = fresh();
  }
  if (block == nullptr) throw OutOfMemoryError("an array", bytes);
  if (large) cache().add(size);
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  if (is_large(rounded(bytes == 0 ? 1 : bytes)))
    cache().put(block);
  else
    std::free(block);
}

std::size_t bytes_in_use() { return cache().in_use(); }
std::size_t cached_bytes() { return cache().kept(); }
void release_cache() { cache().clear(); }

void require_room(const char* who, std::size_t bytes, std::size_t times) {
  std::vector<void*> taken;
  taken.reserve(times);
  const auto take_all = [&] {
    while (taken.size() < times) {
      void* const piece = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (piece == MAP_FAILED) return false;
      taken.push_back(piece);
    }
    return true;
  };
  bool room = take_all();
  if (!room) {
    release_cache();
    room = take_all();
  }
  for (void* piece : taken) munmap(piece, bytes);
  if (!room) throw OutOfMemoryError(who, bytes * times);
}

}  // namespace memory

OutOfMemoryError::OutOfMemoryError(const char* who, std::size_t wanted) noexcept {
  char* const text = message_.data();
  const std::size_t room = message_.size();
  int length = std::snprintf(text, room, "not enough memory: %s wants %zu bytes, arrays have %zu", who, wanted,
                             memory::bytes_in_use());
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && length > 0 &&
      static_cast<std::size_t>(length) < room)
    std::snprintf(text + length, room - static_cast<std::size_t>(length), ", and the process may have %zu (ulimit -v)",
                  static_cast<std::size_t>(limit.rlim_cur));
}

}  // namespace xtg
