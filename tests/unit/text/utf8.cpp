/// UTF-8 is decoded strictly, and positions convert between the three units.
#include <onoma/text/utf8.hpp>

#include <doctest/doctest.h>

#include <string>

namespace test {

TEST_CASE("every code point survives encoding and decoding") {
  for (std::uint32_t c = 0; c < 0x110000U; ++c) {
    if (c >= 0xD800U && c < 0xE000U) continue;
    std::string text;
    onoma::append_utf8(text, c);
    const auto d = onoma::decode_utf8(text, 0);
    if (d.code_point != c || d.length != static_cast<onoma::index>(text.size())) FAIL("at " << c);
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
  const onoma::index bytes[] = {0, 1, 3, 6, 10, 11};
  const onoma::index units[] = {0, 1, 2, 3, 5, 6};
  for (onoma::index i = 0; i < 6; ++i) {
    CHECK(map.code_point_at(bytes[i]) == i);
    CHECK(map.utf16_at(bytes[i]) == units[i]);
  }
  const auto span = map.span({3, 10});
  CHECK(span.code_points == onoma::byte_span{2, 4});
  CHECK(span.utf16 == onoma::byte_span{2, 5});
}

}  // namespace test
