/// A libFuzzer target for the readers of safetensors, CoNLL, config.json, vocab.txt, vocab.json with merges.txt, rules,
/// gazetteers as text and compiled, and classical models.
///
/// Built and run by tests/fuzz/CMakeLists.txt.
/// The first byte of an input says which reader; seeds are files of tests/golden/data and examples/data.
#include <onoma/classic/train.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/data/document.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/safetensors.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/match/gazetteer_layout.hpp>
#include <onoma/match/gazetteer_text.hpp>
#include <onoma/match/match.hpp>
#include <onoma/match/rules.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/words/words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
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

/// What `look` finds in a text must be of the text.
template <class Look>
void find_entities(Look look, std::string_view text) {
  onoma::document d;
  d.text = text;
  if (onoma::find_invalid_utf8(d.text) >= 0) return;
  d.words = onoma::find_words(d.text);
  std::vector<onoma::match> found;
  look(d, found);
  onoma::add_matches(d, found, onoma::match_policy::only);
  for (const auto& e : d.spans) {
    if (e.label.empty() || e.text != d.text.substr(static_cast<std::size_t>(e.span.bytes.begin), e.text.size())) {
      std::abort();
    }
  }
}

/// Patterns, an empty line, and a text.
void read_rules(std::string_view input) {
  const auto place = std::min(input.find("\n\n"), input.size());
  const auto rules = onoma::rules::parse(input.substr(0, place), "input");
  onoma::rules::workspace memory;
  find_entities([&](const auto& d, auto& found) { rules.find(d, false, found, memory); }, input.substr(place));
}

void use(const onoma::gazetteer& names, std::string_view text) {
  onoma::gazetteer::workspace memory;
  find_entities([&](const auto& d, auto& found) { names.find(d, found, memory); }, text);
}

/// A file with the digest and size that its header should have: damage is behind what these notice.
template <class Header, class Digest>
std::shared_ptr<std::vector<std::byte>> sealed(std::string_view input, Digest digest) {
  Header header;
  auto owner = std::make_shared<std::vector<std::byte>>(input.size());
  auto& bytes = *owner;
  if (!input.empty()) std::memcpy(bytes.data(), input.data(), input.size());
  if (bytes.size() >= sizeof header) {
    std::memcpy(&header, bytes.data(), sizeof header);
    header.magic = header.right_magic;
    header.version = header.right_version;
    header.file_size = bytes.size();
    header.digest = digest(header, std::span(bytes).subspan(sizeof header));
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  return owner;
}

void open_gazetteer(std::string_view input) {
  const auto owner = sealed<onoma::detail::gazetteer_header>(input, onoma::detail::digest_of_gazetteer);
  const auto names = onoma::gazetteer::of_compiled(owner, *owner, "input");
  use(names, "New York, Jane Doe and the University of X in S\xC3\xA3o Paulo");
}

void open_classic(std::string_view input) {
  const auto owner = sealed<onoma::detail::classic_header>(input, onoma::detail::digest_of_classic);
  onoma::classic_decoder decoder(onoma::classic_model::of_file(owner, *owner, "input"));
  const std::vector<std::string> words = {"Jane", "Doe", "in", "New", "York", "12", "\xC3\xA9t\xC3\xA9"};
  std::vector<float> probabilities;
  for (const auto label : decoder.decode(std::span(words), &probabilities)) {
    if (static_cast<std::size_t>(label) >= decoder.model().labels().size()) std::abort();
  }
}

/// Small ones: with a gazetteer, and hashed.
void write_classic_seeds(const std::filesystem::path& folder) {
  const std::vector<onoma::sentence> data = {{{"Jane", "Doe", "in", "York"}, {"B-PER", "I-PER", "O", "B-LOC"}},
                                             {{"New", "York"}, {"B-LOC", "I-LOC"}}};
  const auto names = onoma::parse_gazetteer("New York\tCITY\n", "seed").compiled;
  for (const bool hashed : {false, true}) {
    onoma::classic_training_options options;
    if (hashed) options.hash_bits = 5;
    if (!hashed) options.list = &names;
    const auto model = onoma::classic_trainer(data, {}, options).run();
    const auto bytes = model.bytes();
    onoma::write_file_atomically(folder / (hashed ? "classic-hashed" : "classic"),
                                 "k" + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
}

}  // namespace

/// The first compiled gazetteer and models.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  const char* to = std::getenv("ONOMA_FUZZ_SEEDS");
  if (to == nullptr) return 0;
  const auto path = std::filesystem::path(to) / "gazetteer";
  onoma::parse_gazetteer("New York\tCITY\tny\nYork\tCITY\nJane Doe\tPER\nS\u00e3o Paulo\tCITY\n", "seed")
      .compiled.save(path);
  const auto content = onoma::read_text_file(path);
  onoma::write_file_atomically(path, "g" + content);
  write_classic_seeds(to);
  return 0;
}

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
      case 'r': read_rules(input); break;
      case 'k': open_classic(input); break;
      case 'g': open_gazetteer(input); break;
      case 't': use(onoma::parse_gazetteer(input, "input", {.label = "X"}).compiled, input); break;
      default: break;
    }
  } catch (const onoma::error&) {
    // refused: good
  }
  return 0;
}
