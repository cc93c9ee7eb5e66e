/// Reads questions as JSON lines and prints the tokenizer's answers: the C++ half of a differential test.
///
/// Question: {"text": "..."} or {"words": ["...", ...]}, with optional "max_length" and "stride".
/// Answer: a list of windows [ids, word_ids, offsets in code points, special]; for an error, its text.
#include <onoma/core/offsets.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/files/tokenizer_json.hpp>

#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenizer_driver tokenizer.json < questions > answers\n";
    return 2;
  }
  std::ios::sync_with_stdio(false);
  const auto tokenizer = onoma::tokenizer_from_json(onoma::read_text_file(argv[1]));
  onoma::tokenizer::workspace work(tokenizer);
  for (std::string line; std::getline(std::cin, line);) {
    const auto question = onoma::json::parse(line);
    onoma::encode_options options;
    options.max_length = question.value("max_length", 0);
    options.stride = question.value("stride", 0);
    const bool split = question.contains("words");
    const auto words = split ? question["words"].get<std::vector<std::string>>()
                             : std::vector<std::string>{question["text"].get<std::string>()};
    std::vector<onoma::encoding> windows;
    try {
      windows = split ? tokenizer.encode_words(words, options, work)
                      : tokenizer.encode(words.front(), options, work);
    } catch (const onoma::error& problem) {
      std::cout << onoma::json(problem.what()).dump() << '\n';
      continue;
    }
    std::vector<onoma::offset_map> maps;
    for (const auto& word : words) maps.emplace_back(word);
    auto answer = onoma::json::array();
    for (const auto& window : windows) {
      auto offsets = onoma::json::array();
      for (std::size_t i = 0; i < window.ids.size(); ++i) {
        const auto word = split && window.word_ids[i] >= 0 ? window.word_ids[i] : 0;
        const auto span = maps.empty()
                              ? onoma::byte_span{}
                              : maps[static_cast<std::size_t>(word)].span(window.offsets[i]).code_points;
        offsets.push_back({span.begin, span.end});
      }
      answer.push_back({window.ids, window.word_ids, offsets, window.special});
    }
    std::cout << answer.dump() << '\n';
  }
}
