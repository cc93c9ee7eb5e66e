/// UTF-8 is decoded strictly, positions convert between the three units, and white space is Unicode's.
#include <onoma/core/ascii.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>
#include <string_view>

namespace test::utf8_tests {

TEST_CASE("every code point survives encoding and decoding") {
  for (std::uint32_t c = 0; c < 0x110000U; ++c) {
    if (c >= 0xD800U && c < 0xE000U) continue;
    std::string text;
    onoma::append_utf8(text, c);
    const auto d = onoma::decode_utf8(text, 0);
    if (d.code_point != c || d.length != static_cast<onoma::index_t>(text.size())) FAIL("at " << c);
  }
}

TEST_CASE("what is not UTF-8 has length 0") {
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xE0\x9F\xBF",
                          "\xED\xA0\x80", "\xEF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK(onoma::decode_utf8(bad, 0).length == 0);
    CHECK_THROWS_AS(onoma::validate_utf8(bad, "test"), onoma::error);
  }
}

TEST_CASE("bytes, code points and UTF-16 units") {
  // a, e with acute (2 bytes), CJK (3), emoji (4 bytes, 2 units), b
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80" "b";
  const onoma::offset_map map(text);
  const onoma::index_t bytes[] = {0, 1, 3, 6, 10, 11};
  const onoma::index_t units[] = {0, 1, 2, 3, 5, 6};
  for (onoma::index_t i = 0; i < 6; ++i) {
    CHECK(map.code_point_at(bytes[i]) == i);
    CHECK(map.utf16_at(bytes[i]) == units[i]);
  }
  const auto span = map.span({3, 10});
  CHECK(span.code_points == onoma::byte_span{2, 4});
  CHECK(span.utf16 == onoma::byte_span{2, 5});
}

TEST_CASE("many ranges in one walk are those of the map, also inside of code points") {
  const std::string text = "eleven plain \xC3\xA9 letters \xF0\x9F\x98\x80 and \xE4\xB8\xAD more";
  const onoma::offset_map map(text);
  std::vector<onoma::byte_span> ranges;
  for (onoma::index_t begin = map.bytes(); begin >= 0; --begin) {
    for (onoma::index_t end = begin; end <= map.bytes(); ++end) ranges.push_back({begin, end});
  }
  const auto spans = onoma::spans_of(text, ranges);
  REQUIRE(spans.size() == ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) CHECK(spans[i] == map.span(ranges[i]));
}

TEST_CASE("places in code points and UTF-16 units lead back to bytes") {
  for (const std::string text : {"", "plain", "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80" "b",
                                 "\xF0\x9F\x98\x80\xF0\x9F\x98\x80",
                                 "eleven plain \xC3\xA9 letters \xF0\x9F\x98\x80 and more"}) {
    const onoma::offset_map map(text);
    CHECK(map.bytes() == static_cast<onoma::index_t>(text.size()));
    onoma::index_t code_points = 0;
    onoma::index_t units = 0;
    for (onoma::index_t at = 0;; at += onoma::decode_utf8(text, at).length) {
      CHECK(map.byte_of_code_point(code_points) == at);
      CHECK(map.byte_of_utf16(units) == at);
      if (at == map.bytes()) break;
      const bool pair = onoma::decode_utf8(text, at).code_point >= 0x10000U;
      if (pair) CHECK_THROWS_AS((void)map.byte_of_utf16(units + 1), onoma::error);
      code_points += 1;
      units += pair ? 2 : 1;
    }
    CHECK(map.code_points() == code_points);
    CHECK(map.utf16_units() == units);
    for (const onoma::index_t place : {onoma::index_t{-1}, code_points + 1}) {
      CHECK_THROWS_AS((void)map.byte_of_code_point(place), onoma::error);
    }
    for (const onoma::index_t place : {onoma::index_t{-1}, units + 1}) {
      CHECK_THROWS_AS((void)map.byte_of_utf16(place), onoma::error);
    }
  }
}

TEST_CASE("text counted in code points") {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80" "b";
  CHECK(onoma::count_code_points("") == 0);
  CHECK(onoma::count_code_points(text) == 5);
  onoma::index_t at = 0;
  for (std::string_view rest = text; !rest.empty(); rest = onoma::behind_first_code_point(rest)) {
    CHECK(onoma::utf8_length(rest.front()) == onoma::decode_utf8(text, at).length);
    at += onoma::utf8_length(rest.front());
  }
  CHECK(at == 11);
  CHECK(onoma::behind_first_code_point("").empty());
}

TEST_CASE("ASCII is found at every place of a text") {
  for (std::size_t size = 0; size < 20; ++size) {
    CHECK(onoma::ascii::is_ascii(std::string(size, 'x')));
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\x80';
      CHECK_FALSE(onoma::ascii::is_ascii(text));
    }
  }
}

TEST_CASE("white space at the ends of a text") {
  CHECK(onoma::trim_white_space(" \t\xC2\xA0 a b\xE3\x80\x80\r\n") == "a b");
  CHECK(onoma::trim_white_space("a") == "a");
  CHECK(onoma::trim_white_space("\xC2\x85 ").empty());
  CHECK(onoma::trim_white_space("").empty());
  // Not white space by the property: zero width space, byte order mark.
  CHECK(onoma::trim_white_space("\xE2\x80\x8B").size() == 3);
  CHECK(onoma::trim_white_space(onoma::byte_order_mark).size() == 3);
}

}  // namespace test::utf8_tests
