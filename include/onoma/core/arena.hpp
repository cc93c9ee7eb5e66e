/// A bump allocator over one block of memory: last in, first out, with a mode that only counts.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// Hands out 64-byte-aligned pieces of a block that the owner provides (host or device memory).
///
/// Without a block the arena *measures*: it returns null pointers and records the peak. Running
/// the code that will use the arena once in this mode, with a backend that skips its kernels,
/// gives the size of the block; nothing is computed twice by hand.
class arena {
 public:
  static constexpr index_t alignment = 64;  ///< bytes: one cache line, one 512-bit vector

  arena() = default;
  /// Over `bytes` bytes at `block`, which must outlive the arena.
  arena(std::byte* block, index_t bytes) noexcept : block_(block), capacity_(bytes) {}

  /// Without a block: only counts.
  [[nodiscard]] bool measuring() const noexcept { return block_ == nullptr; }
  /// Bytes in use now.
  [[nodiscard]] index_t used() const noexcept { return used_; }
  /// The most bytes that were in use at once since construction.
  [[nodiscard]] index_t peak() const noexcept { return peak_; }

  /// Uninitialised memory for `count` elements. @throws onoma::error (out_of_range) if full.
  template <class T>
  [[nodiscard]] vec<T> take(index_t count) {
    const index_t bytes = whole_lines(count * static_cast<index_t>(sizeof(T)));
    if (!measuring() && used_ + bytes > capacity_) {
      fail(error_code::out_of_range, "arena::take",
           "at most " + std::to_string(capacity_) + " bytes in use",
           std::to_string(used_ + bytes));
    }
    T* data = measuring() ? nullptr : reinterpret_cast<T*>(block_ + used_);
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    return {data, count};
  }

  /// An uninitialised matrix whose rows are `stride >= cols` apart (0: exactly `cols`).
  template <class T>
  [[nodiscard]] mat<T> take(index_t rows, index_t cols, index_t stride = 0) {
    const index_t row = std::max(stride, cols);
    return {take<T>(rows * row).data, rows, cols, row};
  }

  /// `bytes` rounded up to whole cache lines.
  [[nodiscard]] static constexpr index_t whole_lines(index_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  /// `release(mark())` frees everything that was taken in between.
  [[nodiscard]] index_t mark() const noexcept { return used_; }
  /// See `mark`.
  void release(index_t to) noexcept { used_ = to; }

 private:
  std::byte* block_ = nullptr;
  index_t capacity_ = 0;
  index_t used_ = 0;
  index_t peak_ = 0;
};

/// Releases what was taken from an arena during a scope.
class arena_scope {
 public:
  /// Takes the mark to which the end of the scope releases.
  explicit arena_scope(arena& a) noexcept : arena_(a), mark_(a.mark()) {}
  ~arena_scope() { arena_.release(mark_); }
  arena_scope(const arena_scope&) = delete;
  arena_scope& operator=(const arena_scope&) = delete;

 private:
  arena& arena_;
  index_t mark_;
};

}  // namespace onoma::inline ONOMA_ABI
