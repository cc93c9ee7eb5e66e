/// Zeroed, aligned memory; large blocks come from the system, with huge pages where it has them.
#pragma once

#include <onoma/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// Owns a block that is zero at first. On Linux, blocks of 2 MiB and more are mapped: the system's
/// pages are zero and appear when first touched, by the thread that touches them, so that weights
/// packed in parallel are never cleared beforehand. They are aligned to 2 MiB and advised to use huge
/// pages: panels of weights then need few TLB entries.
class aligned_memory {
 public:
  /// Owns nothing.
  aligned_memory() = default;

  /// @throws std::bad_alloc
  /// `bytes` zero bytes.
  explicit aligned_memory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    if (is_mapped(bytes)) {
      data_ = map(bytes);
      return;
    }
    data_ = static_cast<std::byte*>(::operator new(bytes, alignment));
    std::memset(data_, 0, bytes);
  }

  ~aligned_memory() { release(); }
  aligned_memory(const aligned_memory&) = delete;
  aligned_memory& operator=(const aligned_memory&) = delete;
  /// Takes the block over: `other` owns nothing then.
  aligned_memory(aligned_memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  /// Takes the block over, and gives the own one back.
  aligned_memory& operator=(aligned_memory&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }

  /// The first byte; null where nothing is owned.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  /// Bytes.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

 private:
  static constexpr std::align_val_t alignment{64};  // one cache line, one 512-bit vector
  static constexpr std::size_t huge = std::size_t{2} << 20;

#if defined(__linux__)
  static constexpr bool is_mapped(std::size_t bytes) noexcept { return bytes >= huge; }

  static std::byte* map(std::size_t bytes) {
    // A huge page more than asked for has an aligned block inside; what lies around it goes back.
    if (bytes > SIZE_MAX - 2 * huge) throw std::bad_alloc();
    const std::size_t total = (bytes + huge - 1) / huge * huge + huge;
    void* const block =
        ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(block);
    const std::size_t before = (huge - reinterpret_cast<std::uintptr_t>(block) % huge) % huge;
    if (before > 0) ::munmap(begin, before);
    if (before < huge) ::munmap(begin + before + total - huge, huge - before);
#if defined(MADV_HUGEPAGE)
    // Advice only: where it is refused, the block has ordinary pages.
    static_cast<void>(::madvise(begin + before, bytes, MADV_HUGEPAGE));
#endif
    return begin + before;
  }
  static void unmap(std::byte* data, std::size_t bytes) noexcept {
    ::munmap(data, (bytes + huge - 1) / huge * huge);
  }
#else
  static constexpr bool is_mapped(std::size_t) noexcept { return false; }
  static std::byte* map(std::size_t) { throw std::bad_alloc(); }
  static void unmap(std::byte*, std::size_t) noexcept {}
#endif

  void release() noexcept {
    if (data_ == nullptr) return;
    if (is_mapped(bytes_)) {
      unmap(data_, bytes_);
    } else {
      ::operator delete(data_, alignment);
    }
  }

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
