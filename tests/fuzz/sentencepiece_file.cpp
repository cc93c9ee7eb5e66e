/// A libFuzzer target for SentencePiece's files and their compiled rules.
///
/// Built and run by tests/fuzz/CMakeLists.txt.
/// The first byte of an input says what it is: 'm', a model file, of which tokenizers are made and used;
/// else rules: a trie and texts behind its size, which is made right, and behind "\n\n" a text.
#include <onoma/text/files/sentencepiece_families.hpp>
#include <onoma/text/steps/charsmap.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void use(const onoma::tokenizer& tokens) {
  constexpr std::string_view text = "Ab, cé \xE4\xB8\xAD\xE6\x96\x87 <unk>\xE2\x96\x81x <0x41>";
  for (const auto& window : tokens.encode(text)) {
    for (const auto span : window.offsets) {
      if (span.begin < 0 || span.end < span.begin || span.end > static_cast<onoma::index_t>(text.size())) {
        std::abort();
      }
    }
  }
}

void apply_rules(std::string_view input) {
  const auto place = input.find("\n\n");
  const auto rules = input.substr(0, place);
  const auto text = place == std::string_view::npos ? "a\xCC\x81\r\nz" : input.substr(place + 2);
  if (onoma::find_invalid_utf8(text) >= 0) return;
  const auto size = static_cast<std::uint32_t>(rules.size() / 8 * 4);
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(size >> (8 * i)));
  bytes += rules;
  const onoma::charsmap map(bytes);
  onoma::aligned_text in;
  onoma::aligned_text out;
  in.assign(text, 0);
  map.normalize(in, out);
  if (onoma::find_invalid_utf8(out.bytes) >= 0 || out.origin.size() != out.bytes.size()) std::abort();
  onoma::index_t before = 0;
  for (const auto span : out.origin) {
    if (span.begin < before || span.end > static_cast<onoma::index_t>(text.size())) std::abort();
    before = span.begin;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] != 'm') {
      apply_rules(input);
      return 0;
    }
    const auto model = onoma::sentencepiece_model::from_bytes(input, "input");
    using family = onoma::sentencepiece_family;
    for (const auto kind : {family::xlm_roberta, family::albert, family::deberta_v2}) {
      try {
        auto [pieces, settings] = onoma::convert_sentencepiece(model, kind);
        use(onoma::tokenizer(pieces, std::move(settings)));
      } catch (const onoma::error&) {
        // refused: good
      }
    }
  } catch (const onoma::error&) {
    // refused: good
  }
  return 0;
}
