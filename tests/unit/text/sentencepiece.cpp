/// The reader of SentencePiece's files: fields, defaults, and files that are cut off or hostile.
#include <onoma/text/files/sentencepiece.hpp>

#include "support/data_dir.hpp"

#include <onoma/io/mapped_file.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace test::sentencepiece_tests {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80U; value >>= 7) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string number(unsigned field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(unsigned field, const std::string& content) {
  return varint(field << 3 | 2U) + varint(content.size()) + content;
}
std::string real(unsigned field, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  std::string out = varint(field << 3 | 5U);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bits >> (8 * i)));
  return out;
}
std::string piece(const std::string& text, float score, unsigned type = 1) {
  return bytes(1, bytes(1, text) + real(2, score) + (type == 1 ? "" : number(3, type)));
}

onoma::sentencepiece_model read(const std::string& file) {
  return onoma::sentencepiece_model::from_bytes(file, "m.model");
}
std::string refusal(const std::string& file) {
  try {
    static_cast<void>(read(file));
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("sentencepiece: pieces, settings and rules") {
  const auto model = read(piece("<unk>", 0, 2) + piece("▁a", -1.5F) +
                          bytes(2, number(3, 1) + number(35, 1) + number(40, 0) + number(41, 7) +
                                       number(42, 8) + number(43, ~std::uint64_t{0}) + number(24, 1)) +
                          bytes(3, bytes(1, "nfkc") + bytes(2, std::string("\0x", 2)) + number(3, 0) +
                                       number(4, 0) + number(5, 0)) +
                          piece("<0x41>", -3, 6));
  REQUIRE(model.pieces.size() == 3);
  CHECK(model.pieces[0].type == onoma::sentencepiece_model::piece_type::unknown);
  CHECK(model.pieces[1].text == "▁a");
  CHECK(model.pieces[1].score == -1.5F);
  CHECK(model.pieces[1].type == onoma::sentencepiece_model::piece_type::normal);
  CHECK(model.pieces[2].type == onoma::sentencepiece_model::piece_type::byte);
  CHECK(model.byte_fallback);
  CHECK(model.treat_whitespace_as_suffix);
  CHECK(model.bos_id == 7);
  CHECK(model.eos_id == 8);
  CHECK(model.pad_id == -1);
  CHECK(model.charsmap == std::string("\0x", 2));
  CHECK_FALSE(model.add_dummy_prefix);
  CHECK_FALSE(model.remove_extra_whitespaces);
  CHECK_FALSE(model.escape_whitespaces);
}

TEST_CASE("sentencepiece: defaults are the format's, the last of a field counts, others are passed over") {
  const auto model = read(bytes(9, "later") + number(8, 3) + piece("a", 0) + varint(12 << 3 | 1U) + "12345678" +
                          bytes(2, number(3, 2) + bytes(1, "corpus") + real(10, 0.5F) + number(3, 4)) +
                          bytes(2, number(3, 9)) + bytes(4, "\xFF\xFF"));
  CHECK(model.type == onoma::sentencepiece_model::algorithm::character);
  CHECK(model.unknown_id == 0);
  CHECK(model.bos_id == 1);
  CHECK(model.pad_id == -1);
  CHECK(model.add_dummy_prefix);
  CHECK(model.remove_extra_whitespaces);
  CHECK(model.escape_whitespaces);
  CHECK_FALSE(model.byte_fallback);
  CHECK_FALSE(model.treat_whitespace_as_suffix);
}

TEST_CASE("sentencepiece: every cut of a file is refused or read as less, never past its end") {
  const std::string file = piece("<unk>", 0, 2) + piece("▁a", -1.5F) + bytes(2, number(40, 0)) +
                           bytes(3, bytes(2, "rules"));
  CHECK(refusal(file) == "read");
  int refused = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto cut = refusal(file.substr(0, size));
    if (cut != "read") ++refused;
  }
  CHECK(refused == static_cast<int>(file.size()) - 3);  // three cuts are between fields, behind a piece
}

TEST_CASE("sentencepiece: what is no model is refused with its place") {
  CHECK(refusal("") == "m.model: bad format: expected the pieces of a SentencePiece model, found none");
  CHECK(refusal("version https://git-lfs").find("m.model: bad format: expected a field") == 0);
  CHECK(refusal(piece("a", 0) + varint(1 << 3 | 3U)) ==
        "m.model: bad format: expected a field of wire type 0, 1, 2 or 5, found something else at byte 11");
  CHECK(refusal(bytes(1, bytes(1, "a") + varint(2 << 3 | 5U) + "xy")) ==
        "m.model: bad format: expected a field that ends within its message, found something else at byte 6");
  CHECK(refusal(number(0, 1)).find("a field number") != std::string::npos);
  CHECK(refusal(varint(1 << 3 | 2U) + varint(~std::uint64_t{0})).find("ends within") != std::string::npos);
  CHECK(refusal(std::string(1, '\x08') + std::string(11, '\xFF')).find("10 bytes") != std::string::npos);
  CHECK(refusal(piece("\xFF", 0)).find("piece 0: parse error") != std::string::npos);
  CHECK(refusal(piece("a", 0) + bytes(2, number(40, 1))).find("unk_id") != std::string::npos);
  CHECK(refusal(piece("a", 0) + bytes(2, number(40, ~std::uint64_t{0}))).find("found -1") != std::string::npos);
}

TEST_CASE("sentencepiece: published files") {
  ONOMA_REQUIRE_DATA_DIR(folder);
  const auto path = folder / "vocab/bert-gpt2/t5_tokenizer_base.model";
  const onoma::mapped_file file(path);
  const auto model = onoma::sentencepiece_model::from_bytes(file.text(), path.string());
  CHECK(model.pieces.size() == 32000);
  CHECK(model.unknown_id == 2);
  CHECK(model.pieces[3].text == "▁");
  CHECK(model.pieces[3].score == doctest::Approx(-2.0122928619384766));
  CHECK(model.charsmap.size() == 237539);
}

}  // namespace test::sentencepiece_tests
