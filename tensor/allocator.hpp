#pragma once

#include <cstddef>
#include <limits>
#include <new>

namespace xtg {

namespace memory {

/// A block of at least `bytes` bytes, aligned to 64 (a cache line, and the widest vector register); one of less than
/// 1 KiB to 16, as malloc's are: asking for more takes longer than the arithmetic on so few numbers.
/// Throws std::bad_alloc. Blocks of 64 KiB and more are kept when they are released, and handed out again: a training
/// step asks for the same sizes as the step before, and memory fresh from the kernel costs a page fault every 4 KiB,
/// which for large arrays takes longer than the arithmetic. Safe from several threads. Under AddressSanitizer a block
/// has exactly `bytes` bytes and is not kept, so that it sees every overrun and every use after the release.
void* allocate(std::size_t bytes);

/// Returns a block got from allocate(bytes); the size must be the same.
void release(void* block, std::size_t bytes) noexcept;

/// Bytes that released blocks hold for reuse.
std::size_t cached_bytes();

/// Gives the blocks kept for reuse back to the system.
void release_cache();

}  // namespace memory

/// The allocator of every array in this library. It is ours, and not xtensor's default, so that the type of a Tensor
/// does not depend on compiler flags (with XTENSOR_USE_XSIMD it would, and objects built with other flags do not link).
template <class T>
struct Allocator {
  using value_type = T;

  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}

  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();  // the product would wrap
    return static_cast<T*>(memory::allocate(n * sizeof(T)));
  }
  void deallocate(T* block, std::size_t n) noexcept { memory::release(block, n * sizeof(T)); }

  friend bool operator==(const Allocator&, const Allocator&) { return true; }
  friend bool operator!=(const Allocator&, const Allocator&) { return false; }
};

}  // namespace xtg
