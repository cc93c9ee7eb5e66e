/// Reads models and questions as JSON lines and prints answers: the C++ half of a differential test.
///
/// {"vocab": [[piece, score], ...], "unk_id": 0, "byte_fallback": false} is a Unigram model, the "model" of
/// a tokenizer.json; answer: "ok" or the text of the error.
/// {"charsmap": "<bytes as hex>"} is a precompiled charsmap; answer: the same.
/// {"sentencepiece": "<path of a model file>", "family": "xlm-roberta"} is a tokenizer; answer: the same.
/// {"encode": "..."}: answer [[id, begin, end], ...] in bytes of the text, special tokens included.
/// {"word": "..."}: answer [[id, begin, end], ...] in bytes of the word, or the text of the error.
/// {"text": "..."}: answer [normalised text, [[begin, end], ...] of its bytes].
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/files/json_models.hpp>
#include <onoma/text/files/sentencepiece_families.hpp>
#include <onoma/text/pieces/unigram.hpp>
#include <onoma/text/steps/charsmap.hpp>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::unique_ptr<onoma::vocabulary> pieces;
  std::optional<onoma::unigram> unigram;
  std::optional<onoma::charsmap> charsmap;
  std::optional<onoma::tokenizer> tokenizer;
  std::vector<onoma::placed_piece> found;
  onoma::aligned_text in;
  onoma::aligned_text out;
  for (std::string line; std::getline(std::cin, line);) {
    const auto question = onoma::json::parse(line);
    onoma::json answer = "ok";
    try {
      if (question.contains("vocab")) {
        unigram.reset();
        pieces = std::make_unique<onoma::vocabulary>(onoma::detail::read_scored_vocabulary(question));
        unigram.emplace(*pieces, onoma::detail::read_unigram(question));
      } else if (question.contains("charsmap")) {
        charsmap.emplace(from_hex(question["charsmap"].get<std::string>()));
      } else if (question.contains("sentencepiece")) {
        const auto path = question["sentencepiece"].get<std::string>();
        const onoma::mapped_file file(path);
        const auto family = onoma::find_sentencepiece_family(question["family"].get<std::string>());
        tokenizer.emplace(onoma::tokenizer_from_sentencepiece(file.text(), path, family.value()));
      } else if (question.contains("encode")) {
        const auto window = tokenizer->encode(question["encode"].get<std::string>()).front();
        answer = onoma::json::array();
        for (std::size_t i = 0; i < window.ids.size(); ++i) {
          answer.push_back({window.ids[i], window.offsets[i].begin, window.offsets[i].end});
        }
      } else if (question.contains("word")) {
        const auto word = question["word"].get<std::string>();
        const std::string padded = word + std::string(onoma::word_padding, '\xFF');
        const onoma::word_view view{padded.data(), static_cast<std::uint32_t>(word.size()), 0, nullptr};
        const auto key = onoma::piece_key::of(word);
        found.clear();
        unigram->split(view, found);
        if (key.is_whole()) {
          // What the table of whole words says must be what the split finds.
          const auto id = unigram->whole(key);
          const bool one = found.size() == 1 && found.front().id == id;
          if (id >= 0 && !one) found.push_back({id, 0, 0});
        }
        answer = onoma::json::array();
        for (const auto& piece : found) answer.push_back({piece.id, piece.begin, piece.end});
      } else {
        in.assign(question["text"].get<std::string>(), 0);
        charsmap->normalize(in, out);
        auto spans = onoma::json::array();
        for (const auto& span : out.origin) spans.push_back({span.begin, span.end});
        answer = {out.bytes, spans};
      }
    } catch (const onoma::error& problem) {
      answer = problem.what();
    }
    std::cout << answer.dump() << '\n';
  }
}
