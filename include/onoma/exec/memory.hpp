/// Zeroed, aligned memory; large blocks ask for huge pages.
#pragma once

#include <onoma/core/config.hpp>

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// Owns a block that is zero at first. Blocks of 2 MiB and more are aligned to 2 MiB and advised to
/// use huge pages (Linux, madvise): panels of weights then need few TLB entries.
class aligned_memory {
 public:
  aligned_memory() = default;

  explicit aligned_memory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    data_ = static_cast<std::byte*>(::operator new(bytes, alignment(bytes)));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // Advice only: where it is refused, the block has ordinary pages.
    if (bytes >= huge) static_cast<void>(madvise(data_, bytes, MADV_HUGEPAGE));
#endif
    std::memset(data_, 0, bytes);
  }

  ~aligned_memory() { release(); }
  aligned_memory(const aligned_memory&) = delete;
  aligned_memory& operator=(const aligned_memory&) = delete;
  aligned_memory(aligned_memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  aligned_memory& operator=(aligned_memory&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t huge = std::size_t{2} << 20;

  static constexpr std::align_val_t alignment(std::size_t bytes) {
    return std::align_val_t{bytes >= huge ? huge : 64};
  }
  void release() noexcept {
    if (data_ != nullptr) ::operator delete(data_, alignment(bytes_));
  }

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
