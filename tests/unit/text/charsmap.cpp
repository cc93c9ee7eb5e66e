/// Precompiled charsmaps: what is looked up, what its origins are, and blobs that are not what they say.
#include <onoma/text/steps/charsmap.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test::charsmap_tests {
namespace {

void put(std::string& out, std::uint32_t unit) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(unit >> (8 * i) & 0xFFU));
}
std::string blob(const std::vector<std::uint32_t>& units, const std::string& texts) {
  std::string out;
  put(out, static_cast<std::uint32_t>(4 * units.size()));
  for (const auto unit : units) put(out, unit);
  return out + texts;
}

/// Compiles rules; each node's children have 256 units for themselves.
std::string compile(const std::vector<std::pair<std::string, std::string>>& rules) {
  std::vector<std::uint32_t> units(256);
  std::string texts;
  std::map<std::string, std::uint32_t> nodes{{"", 0}};
  const auto base_of = [&](std::uint32_t at) {
    if ((units[at] & 0x200U) == 0) {
      const auto base = static_cast<std::uint32_t>(units.size()) | (at & 0xFFU);
      units.resize(units.size() + 256);
      units[at] |= ((at ^ base) >> 8) << 10 | 0x200U;
    }
    return at ^ (units[at] >> 10 << 8);
  };
  for (const auto& [from, to] : rules) {
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto byte = static_cast<unsigned char>(from[i]);
      const auto child = base_of(at) ^ byte;
      units[child] |= byte;
      at = child;
    }
    const auto leaf = base_of(at);
    units[at] |= 0x100U;
    units[leaf] = 0x80000000U | static_cast<std::uint32_t>(texts.size());
    texts += to + '\0';
  }
  return blob(units, texts);
}

/// "text begin-end begin-end ...", one span for each character of the new text.
std::string normalize(const onoma::charsmap& map, const std::string& text) {
  onoma::aligned_text in;
  onoma::aligned_text out;
  in.assign(text, 0);
  map.normalize(in, out);
  REQUIRE(out.origin.size() == out.bytes.size());
  std::string result = out.bytes;
  for (onoma::index_t i = 0; i < out.size();) {
    const auto span = out.origin[static_cast<std::size_t>(i)];
    result += ' ' + std::to_string(span.begin) + '-' + std::to_string(span.end);
    i += onoma::decode_utf8(out.bytes, i).length;
  }
  return result;
}

}  // namespace

TEST_CASE("charsmap replaces characters, and spans follow") {
  const onoma::charsmap map(compile({{"é", "e"}, {"™", "TM"}, {"\x1E", ""}, {"\t", " "}}));
  CHECK(normalize(map, "") == "");
  CHECK(normalize(map, "abc") == "abc 0-1 1-2 2-3");
  CHECK(normalize(map, "aéb") == "aeb 0-1 1-3 3-4");
  CHECK(normalize(map, "a™b") == "aTMb 0-1 1-4 1-4 4-5");
  CHECK(normalize(map, "a\tb") == "a b 0-1 1-2 2-3");
  CHECK(normalize(map, "a\x1E""b") == "ab 0-1 2-3");
  // What was added takes the place of what is removed behind it.
  CHECK(normalize(map, "™\x1Eg") == "TMg 0-3 3-4 4-5");
  // At the begin there is nothing that could: the rest stands too far left.
  CHECK(normalize(map, "\x1E""ab") == "ab 0-1 1-2");
}

TEST_CASE("charsmap looks short clusters up as a whole, and their first match decides") {
  const onoma::charsmap map(compile({{"e", "x"}, {"a\u0301", "á"}, {"\u0301", "'"}, {"\r", " "}}));
  CHECK(normalize(map, "a\u0301") == "á 0-1");
  CHECK(normalize(map, "e\u0301") == "x 0-1");                    // the mark goes with it
  CHECK(normalize(map, "e\u0301\u0301\u0301") == "x''' 0-1 1-3 3-5 5-7");  // 7 bytes: one by one
  CHECK(normalize(map, "a\u0301\u0301") == "á 0-1");              // 5 bytes begin with it
  CHECK(normalize(map, "e\u0301\u20DD") == "x'\u20DD 0-1 1-3 3-6");        // 6 bytes
  CHECK(normalize(map, "\r\nb") == " b 0-1 2-3");                 // CR LF is one cluster
  CHECK(normalize(map, "\u0600e") == "\u0600x 0-2 2-3");          // no match for the cluster
  CHECK(normalize(map, "b\u0301") == "b' 0-1 1-3");
}

TEST_CASE("charsmap: an aligned text keeps its origins") {
  const onoma::charsmap map(compile({{"é", "e"}}));
  onoma::aligned_text in;
  in.base = 5;
  in.append("éb", {7, 9});
  onoma::aligned_text out;
  map.normalize(in, out);
  CHECK(out.bytes == "eb");
  CHECK(out.base == 5);
  CHECK(out.origin[0] == onoma::byte_span{7, 9});
  CHECK(out.origin[1] == onoma::byte_span{7, 9});
}

TEST_CASE("charsmap refuses sizes that do not fit and texts that are not UTF-8") {
  const auto refused = [](const std::string& bytes) {
    try {
      onoma::charsmap map(bytes);
    } catch (const onoma::error&) {
      return true;
    }
    return false;
  };
  CHECK(refused(""));
  CHECK(refused(std::string(3, '\0')));
  CHECK(refused(std::string(4, '\0')));
  CHECK(refused(std::string("\x08\0\0\0\1\1\1\1", 8)));
  CHECK(refused(std::string("\xFF\xFF\xFF\xFF\1\1\1\1", 8)));
  CHECK(refused(std::string("\x03\0\0\0\1\1\1\1", 8)));
  CHECK(refused(blob({0}, "\xFF")));
  CHECK_FALSE(refused(blob({0}, "")));
}

TEST_CASE("charsmap: units that lead nowhere match nothing") {
  const auto unchanged = [](const std::vector<std::uint32_t>& units, const std::string& texts) {
    const onoma::charsmap map(blob(units, texts));
    for (const char* text : {"a", "ab", "é", "\x01\x02", "a\u0301"}) {
      onoma::aligned_text in;
      onoma::aligned_text out;
      in.assign(text, 0);
      map.normalize(in, out);
      if (out.bytes != text) return false;
    }
    return true;
  };
  CHECK(unchanged({0xFFFFFFFFU}, ""));                         // far outside
  CHECK(unchanged(std::vector<std::uint32_t>(256, 0xFFFFFFFFU), "x"));
  std::vector<std::uint32_t> units(256);
  units['a'] = 'a' | 0x100U;                                   // a leaf: units['a'] itself
  CHECK(unchanged(units, "x"));                                // its text begins behind the texts
  units['a'] = 'a' | 0x100U | ('a' ^ 5U) << 10;
  units[5] = 0x80000001U;
  CHECK(unchanged(units, "é"));                                // its text begins inside of a character
  units[5] = 0x80000000U;
  CHECK_FALSE(unchanged(units, "é"));                          // and here it is right
}

TEST_CASE("charsmap: a text that grows without measure is refused") {
  const onoma::charsmap map(compile({{"a", std::string(100000, 'b')}}));
  onoma::aligned_text in;
  onoma::aligned_text out;
  in.assign(std::string(1000, 'a'), 0);
  CHECK_THROWS_AS(map.normalize(in, out), onoma::error);
}

}  // namespace test::charsmap_tests
