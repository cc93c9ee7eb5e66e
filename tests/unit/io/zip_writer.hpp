/// Writes small zip archives as PyTorch does, and pickles by hand: for files that no program would
/// write.
#pragma once

#include <onoma/io/zip.hpp>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace test {

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

struct zip_options {
  std::uint16_t method = 0;  ///< 8: deflate
  std::uint16_t flags = 0;   ///< 1: encrypted
  std::uint32_t crc_change = 0;
  bool large = false;  ///< sizes and offsets in zip64 fields
};

/// An archive of stored entries.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files,
                          const zip_options& o = {}) {
  using u16 = std::uint16_t;
  using u32 = std::uint32_t;
  using u64 = std::uint64_t;
  std::string archive;
  std::string directory;
  for (const auto& [name, content] : files) {
    const auto offset = archive.size();
    const auto crc = onoma::crc32(bytes_of(content)) ^ o.crc_change;
    const auto size = static_cast<u32>(content.size());
    const auto name_size = static_cast<u16>(name.size());
    const std::string common =
        raw<u16>(20) + raw<u16>(o.flags) + raw<u16>(o.method) + raw<u32>(0) + raw(crc);
    archive += "PK\x03\x04" + common + raw(size) + raw(size) + raw(name_size) + raw<u16>(3) + name +
               "pad" + content;
    const std::string extra =
        o.large ? raw<u16>(1) + raw<u16>(24) + raw<u64>(size) + raw<u64>(size) + raw<u64>(offset)
                : "";
    const auto field = [&](std::size_t value) {
      return raw(o.large ? u32{0xffffffffU} : static_cast<u32>(value));
    };
    directory += "PK\x01\x02" + raw<u16>(20) + common + field(size) + field(size) + raw(name_size) +
                 raw(static_cast<u16>(extra.size())) + raw<u16>(0) + raw<u16>(0) + raw<u16>(0) +
                 raw<u32>(0) + field(offset) + name + extra;
  }
  const auto count = static_cast<u16>(files.size());
  const auto start = archive.size();
  archive += directory;
  if (o.large) {
    const auto record = archive.size();
    archive += "PK\x06\x06" + raw<u64>(44) + raw<u16>(45) + raw<u16>(45) + raw<u32>(0) +
               raw<u32>(0) + raw<u64>(count) + raw<u64>(count) + raw<u64>(directory.size()) +
               raw<u64>(start);
    archive += "PK\x06\x07" + raw<u32>(0) + raw<u64>(record) + raw<u32>(1);
  }
  const auto end = [&](std::size_t value) {
    return raw(o.large ? u32{0xffffffffU} : static_cast<u32>(value));
  };
  return archive + "PK\x05\x06" + raw<u16>(0) + raw<u16>(0) + raw(count) + raw(count) +
         end(directory.size()) + end(start) + raw<u16>(0);
}

}  // namespace test
