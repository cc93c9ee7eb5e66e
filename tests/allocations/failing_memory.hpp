/// The C library's memory with failures on order: include in exactly one file of a program. Linux with glibc.
///
/// Every block that the program, the C++ library or a C library (PCRE2, stdio, threads) asks for counts as one
/// allocation; the n-th, or every one from the n-th on, is refused.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace failing_memory {

inline std::atomic<long> live{0};                                     // blocks
inline std::atomic<long> left{std::numeric_limits<long>::max()};      // allocations until the refused one
inline std::atomic<bool> lasts{false};                                // whether all later ones are refused too
inline std::atomic<long> refused{0};                                  // since `order`

/// After `n` more allocations one is refused, or all that follow.
inline void order(long n, bool lasting) {
  lasts = lasting;
  refused = 0;
  left = n;
}
/// No more refusals. The number of those that were.
inline long cancel() {
  left = std::numeric_limits<long>::max();
  return refused;
}

inline bool refuse() {
  const long before = left.fetch_sub(1, std::memory_order_relaxed);
  if (before > 0 || (before < 0 && !lasts)) return false;
  refused.fetch_add(1, std::memory_order_relaxed);
  errno = ENOMEM;
  return true;
}

inline void* counted(void* block) {
  if (block != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return block;
}

}  // namespace failing_memory

extern "C" {
void* malloc(std::size_t size) noexcept {
  return failing_memory::refuse() ? nullptr : failing_memory::counted(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return failing_memory::refuse() ? nullptr : failing_memory::counted(__libc_calloc(count, size));
}
void* realloc(void* block, std::size_t size) noexcept {
  if (failing_memory::refuse()) return nullptr;
  void* const moved = __libc_realloc(block, size);
  return block == nullptr ? failing_memory::counted(moved) : moved;
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return failing_memory::refuse() ? nullptr : failing_memory::counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  void* const made = memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}
void free(void* block) noexcept {
  if (block != nullptr) failing_memory::live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(block);
}
}
