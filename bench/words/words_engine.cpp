/// onoma's side of compare_words.py: tags texts with words of several kinds.
///
/// Usage: words_engine MODEL_FOLDER THREADS. Reads a line of JSON for each text, answers with a line of JSON:
///   {"text": "...", "words": "learned"}       words by a splitting: learned, general, tokenizer or auto
///   {"text": "...", "words": [[0, 4], ...]}   these words, in bytes
///   -> {"entities": [[begin, end, "type"], ...]} in bytes
#include <onoma/onoma.hpp>

#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

using onoma::index_t;
using onoma::json;

json tag_words(onoma::pipeline& ner, const std::string& text, const json& spans) {
  std::vector<std::string> words;
  for (const auto& span : spans) {
    words.push_back(text.substr(span.at(0).get<std::size_t>(),
                                span.at(1).get<std::size_t>() - span.at(0).get<std::size_t>()));
  }
  auto entities = json::array();
  for (const auto& entity : ner.tag_words(words)) {
    entities.push_back({spans.at(static_cast<std::size_t>(entity.first)).at(0),
                        spans.at(static_cast<std::size_t>(entity.last)).at(1), entity.label});
  }
  return entities;
}

json tag(onoma::pipeline& ner, const std::string& text) {
  auto entities = json::array();
  for (const auto& entity : ner.tag(text)) {
    entities.push_back({entity.span.bytes.begin, entity.span.bytes.end, entity.label});
  }
  return entities;
}

/// A pipeline for each splitting that is asked for.
class pipelines {
 public:
  pipelines(std::string folder, index_t threads) : folder_(std::move(folder)), threads_(threads) {}

  onoma::pipeline& get(const std::string& splitting) {
    auto found = loaded_.find(splitting);
    if (found == loaded_.end()) {
      onoma::pipeline_options options;
      options.threads = threads_;
      options.splitting = onoma::word_splitting_from_name(splitting);
      found = loaded_.emplace(splitting, onoma::pipeline::load(folder_, options)).first;
    }
    return found->second;
  }

 private:
  std::string folder_;
  index_t threads_;
  std::map<std::string, onoma::pipeline> loaded_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: words_engine MODEL_FOLDER THREADS\n";
    return 2;
  }
  try {
    pipelines all(argv[1], std::stol(argv[2]));
    for (std::string line; std::getline(std::cin, line);) {
      const auto request = onoma::parse_json(line, "request");
      const auto text = request.at("text").get<std::string>();
      const auto& words = request.at("words");
      const json entities = words.is_array() ? tag_words(all.get("tokenizer"), text, words)
                                             : tag(all.get(words.get<std::string>()), text);
      std::cout << json{{"entities", entities}}.dump() << '\n';
    }
    return 0;
  } catch (const onoma::error& problem) {
    std::cerr << problem.what() << '\n';
    return 1;
  }
}
