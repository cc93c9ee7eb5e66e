/// Loads the tokenizers of folders and prints their answers: the C++ half of a differential test.
///
/// Question, a line: {"folder": "...", "texts": ["...", ...]}. Answer: for each text [ids, offsets in code
/// points] or the text of an error; the text of an error alone if the folder does not load.
#include <onoma/core/offsets.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/files/load.hpp>

#include <iostream>
#include <string>

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const auto question = onoma::json::parse(line);
    onoma::json answer;
    try {
      const auto tokenizer = onoma::load_tokenizer(question["folder"].get<std::string>());
      for (const auto& entry : question["texts"]) {
        const auto text = entry.get<std::string>();
        const onoma::offset_map map(text);
        try {
          const auto window = tokenizer.encode(text).front();
          auto offsets = onoma::json::array();
          for (const auto offset : window.offsets) {
            const auto span = map.span(offset).code_points;
            offsets.push_back({span.begin, span.end});
          }
          answer.push_back({window.ids, offsets});
        } catch (const onoma::error& problem) {
          answer.push_back(problem.what());
        }
      }
    } catch (const onoma::error& problem) {
      answer = problem.what();
    }
    std::cout << answer.dump(-1, ' ', false, onoma::json::error_handler_t::replace) << std::endl;
  }
}
