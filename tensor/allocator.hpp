#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <new>

namespace xtg {

/// There is not as much memory as an array or a library below needs. The message says who wanted how many bytes, how
/// many the arrays have (those of 64 KiB and more), and the limit of the process if it has one (ulimit -v).
class OutOfMemoryError : public std::bad_alloc {
 public:
  OutOfMemoryError(const char* who, std::size_t wanted) noexcept;
  const char* what() const noexcept override { return message_.data(); }

 private:
  std::array<char, 240> message_{};
};

namespace memory {

/// A block of at least `bytes` bytes, aligned to 64 (a cache line, and the widest vector register); one of less than
/// 1 KiB to 16, as malloc's are: asking for more takes longer than the arithmetic on so few numbers.
/// Throws OutOfMemoryError. Safe from several threads.
///
/// Blocks of 64 KiB and more are kept when they are released, and handed out again, for at least half of what they have
/// room for: a training step asks for the same sizes as the step before, and memory fresh from the kernel costs a page
/// fault every 4 KiB, which for large arrays takes longer than the arithmetic. All blocks together, in use and kept,
/// have at most twice as many bytes as were ever in use at once; beyond that the sizes that were not used for longest
/// go back to the system. Where it has no memory, all that are kept go back, and it is asked once more.
///
/// Under AddressSanitizer a block has exactly `bytes` bytes and is not kept, so that it sees every overrun and every
/// use after the release.
void* allocate(std::size_t bytes);

/// Returns a block got from allocate(bytes); the size must be the same.
void release(void* block, std::size_t bytes) noexcept;

/// Bytes in blocks of 64 KiB and more that are in use.
std::size_t bytes_in_use();

/// Bytes that released blocks hold for reuse.
std::size_t cached_bytes();

/// Gives the blocks kept for reuse back to the system; what was in use before no longer counts for how much is kept.
void release_cache();

/// Throws OutOfMemoryError, which says that `who` wants it, unless the system has `times` pieces of `bytes` bytes to
/// give at this moment; blocks that are kept go back to it if need be. It is for what crashes, or tries for ever, where
/// it gets none.
void require_room(const char* who, std::size_t bytes, std::size_t times = 1);

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
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    if (n > most / sizeof(T)) throw OutOfMemoryError("an array", most);  // the product would wrap
    return static_cast<T*>(memory::allocate(n * sizeof(T)));
  }
  void deallocate(T* block, std::size_t n) noexcept { memory::release(block, n * sizeof(T)); }

  friend bool operator==(const Allocator&, const Allocator&) { return true; }
  friend bool operator!=(const Allocator&, const Allocator&) { return false; }
};

}  // namespace xtg
