/// A libFuzzer target for the readers of safetensors, CoNLL, config.json, vocab.txt, and vocab.json with
/// merges.txt.
///
/// Built and run by tests/fuzz/CMakeLists.txt.
/// The first byte of an input says which reader; seeds are files of tests/golden/data and examples/data.
#include <onoma/data/conll.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/safetensors.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// A file whose header has the size that stands before it.
void read_safetensors(std::string_view input) {
  const auto end = input.find('\n');
  const auto header = input.substr(0, end);
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFFU));
  file += header;
  if (end != std::string_view::npos) file += input.substr(end + 1);
  std::vector<std::byte> bytes(file.size());
  for (std::size_t i = 0; i < file.size(); ++i) bytes[i] = static_cast<std::byte>(file[i]);
  const auto read = onoma::safetensors_file::from_bytes(bytes, "input");
  unsigned sum = 0;
  for (const auto& tensor : read.tensors()) {
    if (tensor.elements() * onoma::size_of(tensor.type) != static_cast<onoma::index_t>(tensor.bytes.size())) {
      std::abort();
    }
    for (const auto byte : tensor.bytes) sum += static_cast<unsigned>(byte);
  }
  static_cast<void>(sum);
}

void read_conll(std::string_view input) {
  for (const bool iob2 : {false, true}) {
    onoma::conll_options options;
    if (iob2) {
      options.word_column = 1;
      options.tag_column = 2;
      options.comments = true;
    }
    try {
      for (const auto& sentence : onoma::parse_conll(input, "input", options)) {
        if (sentence.words.size() != sentence.tags.size()) std::abort();
      }
    } catch (const onoma::error&) {
      // refused: good
    }
  }
}

void use(const onoma::tokenizer& tokens) {
  static_cast<void>(tokens.encode("A b, \xC3\xA9t\xC3\xA9 [MASK] <s> 12"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 's': read_safetensors(input); break;
      case 'c': read_conll(input); break;
      case 'j': {
        const auto config = onoma::encoder_config::from_json(onoma::parse_json(input, "input"));
        static_cast<void>(onoma::encoder_config::from_json(config.to_json()));
        break;
      }
      case 'v': use(onoma::tokenizer::from_vocab(input)); break;
      case 'm': {
        const auto place = input.find("\n\n");
        if (place == std::string_view::npos) break;
        use(onoma::roberta_from_files(input.substr(0, place), input.substr(place + 2)));
        break;
      }
      default: break;
    }
  } catch (const onoma::error&) {
    // refused: good
  }
  return 0;
}
