/// Reading zip archives whose entries are stored uncompressed: the container of PyTorch's files.
///
/// Format: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 (records) and 4.5.3 (zip64 sizes).
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Eight tables, so that eight bytes of input are eight independent look-ups (Kounavis and Berry,
/// "A systematic approach to building high performance software-based CRC generators", 2005).
inline constexpr auto crc32_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
    tables[0][i] = value;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const auto before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xffU];
    }
  }
  return tables;
}();

}  // namespace detail

/// The CRC-32 of zip (polynomial 0x04c11db7, reflected; check value 0xcbf43926 of "123456789").
[[nodiscard]] inline std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
  const auto& t = detail::crc32_tables;
  std::uint32_t crc = 0xffffffffU;
  const std::byte* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + 4, 4);
    low ^= crc;
    crc = t[7][low & 0xffU] ^ t[6][(low >> 8) & 0xffU] ^ t[5][(low >> 16) & 0xffU] ^
          t[4][low >> 24] ^ t[3][high & 0xffU] ^ t[2][(high >> 8) & 0xffU] ^
          t[1][(high >> 16) & 0xffU] ^ t[0][high >> 24];
  }
  for (; left > 0; --left, ++p) {
    crc = (crc >> 8) ^ t[0][(crc ^ static_cast<std::uint32_t>(*p)) & 0xffU];
  }
  return ~crc;
}

/// One file of an archive. The name views the archive's bytes.
struct zip_entry {
  std::string_view name;     ///< of the file, with its folders
  std::uint64_t header = 0;  ///< where its local header begins
  std::uint64_t size = 0;    ///< bytes of the file's content
  std::uint32_t crc = 0;     ///< CRC-32 of the content
  bool stored = true;        ///< neither compressed nor encrypted
};

/// The directory of an archive over bytes that the caller keeps alive. Nothing is extracted:
/// reading an entry gives a view of the archive.
class zip_archive {
 public:
  /// @throws onoma::error (format, unsupported) naming the archive.
  zip_archive(std::span<const std::byte> bytes, std::string name)
      : bytes_(bytes), where_("reading " + std::move(name)) {
    read_directory(find_directory());
  }

  /// By name.
  [[nodiscard]] const std::vector<zip_entry>& entries() const noexcept { return entries_; }

  /// The entry of this name, or null.
  [[nodiscard]] const zip_entry* find(std::string_view name) const {
    const auto place = std::lower_bound(
        entries_.begin(), entries_.end(), name,
        [](const zip_entry& entry, std::string_view key) { return entry.name < key; });
    return place != entries_.end() && place->name == name ? &*place : nullptr;
  }

  /// The content of an entry, its checksum compared.
  /// @throws onoma::error (format; unsupported for a compressed or encrypted entry).
  [[nodiscard]] std::span<const std::byte> read(const zip_entry& entry) const {
    const std::string what = where_ + ": entry '" + std::string(entry.name) + "'";
    if (!entry.stored) fail(error_code::unsupported, what, "stored bytes", "compressed ones");
    const auto header = slice(entry.header, 30, "a local header");
    if (u32(header, 0) != 0x04034b50U) fail(error_code::format, what, "a local header", "none");
    const std::uint64_t name_size = u16(header, 26);
    const auto name = slice(entry.header + 30, name_size, "a name");
    if (text(name) != entry.name) {
      fail(error_code::format, what, "the same name in its local header", "another");
    }
    const auto content =
        slice(entry.header + 30 + name_size + u16(header, 28), entry.size, what.c_str());
    if (crc32(content) != entry.crc) {
      fail(error_code::format, what, "content with the checksum of the directory",
           "another checksum (a damaged file?)");
    }
    return content;
  }

 private:
  static std::uint16_t u16(std::span<const std::byte> b, std::size_t at) {
    return number<std::uint16_t>(b, at);
  }
  static std::uint32_t u32(std::span<const std::byte> b, std::size_t at) {
    return number<std::uint32_t>(b, at);
  }
  static std::uint64_t u64(std::span<const std::byte> b, std::size_t at) {
    return number<std::uint64_t>(b, at);
  }
  /// Little-endian, as safetensors.hpp asserts of the machine.
  template <class T>
  static T number(std::span<const std::byte> b, std::size_t at) {
    T value{};
    std::memcpy(&value, b.data() + at, sizeof value);
    return value;
  }
  static std::string_view text(std::span<const std::byte> b) {
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }

  [[nodiscard]] std::span<const std::byte> slice(std::uint64_t begin, std::uint64_t size,
                                                 const char* what) const {
    if (begin > bytes_.size() || size > bytes_.size() - begin) {
      fail(error_code::format, where_,
           std::string(what) + " inside " + std::to_string(bytes_.size()) +
               " bytes (truncated file?)",
           "byte " + std::to_string(begin) + " and " + std::to_string(size) + " bytes");
    }
    return bytes_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
  }

  struct directory {
    std::uint64_t entries, size, offset;
  };

  /// From the end of central directory record, which ends the file after a comment.
  [[nodiscard]] directory find_directory() const {
    constexpr std::size_t record_size = 22;
    constexpr std::size_t longest_comment = 65535;
    if (bytes_.size() < record_size) {
      fail(error_code::format, where_, "a zip archive", std::to_string(bytes_.size()) + " bytes");
    }
    const std::size_t last = bytes_.size() - record_size;
    const std::size_t first = last > longest_comment ? last - longest_comment : 0;
    for (std::size_t at = last + 1; at-- > first;) {
      const auto record = bytes_.subspan(at, record_size);
      if (u32(record, 0) != 0x06054b50U || u16(record, 20) != last - at) continue;
      const directory found{u16(record, 10), u32(record, 12), u32(record, 16)};
      const bool one_disk = u16(record, 4) == u16(record, 6) && u16(record, 8) == u16(record, 10);
      if (!one_disk) fail(error_code::unsupported, where_, "an archive in one file", "a part");
      return at >= 20 && u32(bytes_.subspan(at - 20, 20), 0) == 0x07064b50U
                 ? find_large_directory(u64(bytes_.subspan(at - 20, 20), 8))
                 : found;
    }
    fail(error_code::format, where_, "a zip archive (truncated file?)", "no directory at its end");
  }

  /// From the zip64 end of central directory record.
  [[nodiscard]] directory find_large_directory(std::uint64_t at) const {
    const auto record = slice(at, 56, "a zip64 record");
    if (u32(record, 0) != 0x06064b50U) {
      fail(error_code::format, where_, "a zip64 record", "none where the locator points");
    }
    return {u64(record, 32), u64(record, 40), u64(record, 48)};
  }

  void read_directory(const directory& where) {
    constexpr std::uint64_t header_size = 46;
    auto rest = slice(where.offset, where.size, "the directory");
    if (where.entries > rest.size() / header_size) {
      fail(error_code::format, where_,
           "a directory of " + std::to_string(where.entries) + " entries",
           std::to_string(rest.size()) + " bytes");
    }
    entries_.reserve(static_cast<std::size_t>(where.entries));
    for (std::uint64_t i = 0; i < where.entries; ++i) {
      if (rest.size() < header_size || u32(rest, 0) != 0x02014b50U) {
        fail(error_code::format, where_, "the header of entry " + std::to_string(i), "none");
      }
      const std::size_t name_size = u16(rest, 28);
      const std::size_t extra_size = u16(rest, 30);
      const std::size_t all = header_size + name_size + extra_size + u16(rest, 32);
      if (all > rest.size()) {
        fail(error_code::format, where_, "a whole directory", "a header that reaches beyond it");
      }
      const bool encrypted = (u16(rest, 8) & 1U) != 0;
      zip_entry entry{text(rest.subspan(header_size, name_size)), u32(rest, 42), u32(rest, 24),
                      u32(rest, 16), u16(rest, 10) == 0 && !encrypted};
      std::uint64_t compressed = u32(rest, 20);
      read_large_sizes(rest.subspan(header_size + name_size, extra_size), compressed, entry);
      if (entry.stored && compressed != entry.size) {
        fail(error_code::format, where_ + ": entry '" + std::string(entry.name) + "'",
             "one size of stored bytes", "two");
      }
      entries_.push_back(entry);
      rest = rest.subspan(all);
    }
    std::sort(entries_.begin(), entries_.end(),
              [](const zip_entry& a, const zip_entry& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(entries_.begin(), entries_.end(),
                           [](const zip_entry& a, const zip_entry& b) { return a.name == b.name; });
    if (twice != entries_.end()) {
      fail(error_code::format, where_, "each entry once",
           "'" + std::string(twice->name) + "' twice");
    }
  }

  /// Fields that are all ones in a header are found in its zip64 extra field, in this order.
  void read_large_sizes(std::span<const std::byte> extra, std::uint64_t& compressed,
                        zip_entry& entry) const {
    constexpr std::uint64_t elsewhere = 0xffffffffU;
    while (extra.size() >= 4) {
      const std::size_t size = u16(extra, 2);
      if (size > extra.size() - 4) break;  // padding that is no field
      if (u16(extra, 0) == 1) {
        auto field = extra.subspan(4, size);
        for (std::uint64_t* value : {&entry.size, &compressed, &entry.header}) {
          if (*value != elsewhere || field.size() < 8) continue;
          *value = u64(field, 0);
          field = field.subspan(8);
        }
        return;
      }
      extra = extra.subspan(4 + size);
    }
  }

  std::span<const std::byte> bytes_;
  std::string where_;
  std::vector<zip_entry> entries_;
};

}  // namespace onoma::inline ONOMA_ABI
