/// Tiny tokenizers and what Hugging Face's package answers with them (scripts/goldens/make_tokenizer_goldens.py).
#pragma once

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <filesystem>
#include <string>

namespace test {

inline std::filesystem::path golden_tokenizers() {
  return std::filesystem::path(ONOMA_TEST_DATA_DIR) / "tokenizers";
}
/// {"tokenizer": a tokenizer.json, "cases": [...]}.
inline onoma::json golden(const std::string& name) {
  return onoma::json::parse(onoma::read_text_file(golden_tokenizers() / (name + ".json")));
}

}  // namespace test
