/// Which tokenizer a folder asks for: the classes of transformers that there are here, and who takes them.
#pragma once

#include <onoma/io/json.hpp>
#include <onoma/text/files/special_tokens.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// How a class cuts text, and from which files.
enum class tokenizer_kind : std::uint8_t {
  wordpiece,      ///< BERT's chain; vocab.txt
  byte_level,     ///< byte-level BPE; vocab.json and merges.txt
  suffix_bpe,     ///< BERT's words, BPE over characters with "</w>" at the end; vocab.json and merges.txt
  sentencepiece,  ///< SentencePiece's file, by the rules of a family
};

/// Families of models with a SentencePiece file.
enum class sentencepiece_family : std::uint8_t {
  xlm_roberta,  ///< sentencepiece.bpe.model; ids are shifted by fairseq's four tokens
  camembert,    ///< sentencepiece.bpe.model; shifted by five
  albert,       ///< spiece.model
  deberta_v2,   ///< spm.model; DeBERTa-v2 and v3
  t5,           ///< spiece.model
};

/// A class of transformers' (5.24).
struct tokenizer_class {
  std::string_view name;                                  ///< without "Fast"
  tokenizer_kind kind{};                                  ///< how it cuts text
  std::array<const char*, special_roles> tokens{};        ///< its special tokens, by role; "" for none
  std::optional<special_role> first = special_role::cls;  ///< the one in front of a text
  special_role last = special_role::sep;                  ///< and behind it
  bool mask_takes_space = false;                          ///< white space in front of the mask belongs to it
  bool trims_offsets = false;                             ///< offsets are without white space
  std::optional<sentencepiece_family> family{};           ///< of SentencePiece tokenizers

  /// Its tokens, by role.
  [[nodiscard]] named_tokens special_tokens() const {
    named_tokens found;
    const bool wraps = kind == tokenizer_kind::wordpiece && mask_takes_space;  // MPNet's constructor does
    for (std::size_t i = 0; i < special_roles; ++i) {
      auto& token = found[static_cast<special_role>(i)];
      token.content = tokens[i];
      if (wraps) token.form = token_form::wrapped;
    }
    auto& mask = found[special_role::mask];
    mask.lstrip = mask_takes_space;
    if (mask_takes_space) mask.form = token_form::wrapped;
    return found;
  }
};

/// RoBERTa's, by role.
inline constexpr std::array<const char*, special_roles> roberta_tokens = {
    "<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"};

/// All classes that load.
inline constexpr tokenizer_class tokenizer_classes[] = {
    {.name = "BertTokenizer",
     .kind = tokenizer_kind::wordpiece,
     .tokens = {"", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}},
    {.name = "MPNetTokenizer",
     .kind = tokenizer_kind::wordpiece,
     .tokens = {"<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"},
     .mask_takes_space = true,
     .trims_offsets = true},
    {.name = "RobertaTokenizer",
     .kind = tokenizer_kind::byte_level,
     .tokens = roberta_tokens,
     .trims_offsets = true},
    {.name = "HerbertTokenizer",
     .kind = tokenizer_kind::suffix_bpe,
     .tokens = {"", "", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}},
    {.name = "XLMRobertaTokenizer",
     .kind = tokenizer_kind::sentencepiece,
     .tokens = roberta_tokens,
     .first = special_role::bos,
     .last = special_role::eos,
     .family = sentencepiece_family::xlm_roberta},
    {.name = "CamembertTokenizer",
     .kind = tokenizer_kind::sentencepiece,
     .tokens = roberta_tokens,
     .first = special_role::bos,
     .last = special_role::eos,
     .mask_takes_space = true,
     .family = sentencepiece_family::camembert},
    {.name = "AlbertTokenizer",
     .kind = tokenizer_kind::sentencepiece,
     .tokens = {"[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"},
     .family = sentencepiece_family::albert},
    {.name = "DebertaV2Tokenizer",
     .kind = tokenizer_kind::sentencepiece,
     .tokens = {"[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
     .family = sentencepiece_family::deberta_v2},
    {.name = "T5Tokenizer",
     .kind = tokenizer_kind::sentencepiece,
     .tokens = {"", "</s>", "<unk>", "", "<pad>", "", ""},
     .first = std::nullopt,
     .last = special_role::eos,
     .family = sentencepiece_family::t5},
};

/// Other names of these classes, and the types of models whose folders may name none.
inline constexpr std::pair<std::string_view, std::string_view> tokenizer_class_names[] = {
    {"DistilBertTokenizer", "BertTokenizer"},
    {"ElectraTokenizer", "BertTokenizer"},
    {"MobileBertTokenizer", "BertTokenizer"},
    {"ConvBertTokenizer", "BertTokenizer"},
    {"SqueezeBertTokenizer", "BertTokenizer"},
    {"LayoutLMTokenizer", "BertTokenizer"},
    {"LxmertTokenizer", "BertTokenizer"},
    {"DPRContextEncoderTokenizer", "BertTokenizer"},
    {"DPRQuestionEncoderTokenizer", "BertTokenizer"},
    {"DPRReaderTokenizer", "BertTokenizer"},
    {"LongformerTokenizer", "RobertaTokenizer"},
    {"BartTokenizer", "RobertaTokenizer"},
    {"LEDTokenizer", "RobertaTokenizer"},
    {"MT5Tokenizer", "T5Tokenizer"},
};
/// The class of a type of model.
inline constexpr std::pair<std::string_view, std::string_view> model_type_tokenizers[] = {
    {"albert", "AlbertTokenizer"},
    {"bart", "RobertaTokenizer"},
    {"bert", "BertTokenizer"},
    {"camembert", "CamembertTokenizer"},
    {"convbert", "BertTokenizer"},
    {"data2vec-text", "RobertaTokenizer"},
    {"deberta-v2", "DebertaV2Tokenizer"},
    {"distilbert", "BertTokenizer"},
    {"dpr", "BertTokenizer"},
    {"electra", "BertTokenizer"},
    {"ernie", "BertTokenizer"},
    {"herbert", "HerbertTokenizer"},
    {"ibert", "RobertaTokenizer"},
    {"layoutlm", "BertTokenizer"},
    {"led", "RobertaTokenizer"},
    {"lilt", "RobertaTokenizer"},
    {"longformer", "RobertaTokenizer"},
    {"lxmert", "BertTokenizer"},
    {"megatron-bert", "BertTokenizer"},
    {"mobilebert", "BertTokenizer"},
    {"mpnet", "MPNetTokenizer"},
    {"mra", "RobertaTokenizer"},
    {"mt5", "T5Tokenizer"},
    {"nezha", "BertTokenizer"},
    {"nomic_bert", "BertTokenizer"},
    {"qdqbert", "BertTokenizer"},
    {"roberta", "RobertaTokenizer"},
    {"roberta-prelayernorm", "RobertaTokenizer"},
    {"squeezebert", "BertTokenizer"},
    {"t5", "T5Tokenizer"},
    {"visual_bert", "BertTokenizer"},
    {"xlm-roberta", "XLMRobertaTokenizer"},
    {"xlm-roberta-xl", "XLMRobertaTokenizer"},
    {"xmod", "XLMRobertaTokenizer"},
};

/// The row of a class, under any of its names; null if it is not known here.
[[nodiscard]] inline const tokenizer_class* find_tokenizer_class(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  for (const auto& [other, same] : tokenizer_class_names) {
    if (name == other) name = same;
  }
  const auto* row = std::find_if(std::begin(tokenizer_classes), std::end(tokenizer_classes),
                                 [name](const tokenizer_class& c) { return c.name == name; });
  return row == std::end(tokenizer_classes) ? nullptr : row;
}

/// The class of a type of model, from config.json's "model_type"; null if it is not known here.
[[nodiscard]] inline const tokenizer_class* find_model_tokenizer(std::string_view model_type) {
  for (const auto& [known, name] : model_type_tokenizers) {
    if (model_type == known) return find_tokenizer_class(name);
  }
  return nullptr;
}

/// From config.json's "model_type". Nothing: no such family.
[[nodiscard]] inline std::optional<sentencepiece_family> find_sentencepiece_family(
    std::string_view model_type) {
  const auto* row = find_model_tokenizer(model_type);
  return row != nullptr ? row->family : std::nullopt;
}

/// What a folder says of its tokenizer's class.
struct asked_class {
  std::string name;                      ///< in the words of the file; empty: no file says anything
  const char* source = "";               ///< the key and the file
  const tokenizer_class* row = nullptr;  ///< null: not known here, or none
};

/// The class that transformers takes: that of tokenizer_config.json, else of config.json, else of the type of
/// model there (5.24, tokenization_auto.py, AutoTokenizer.from_pretrained).
[[nodiscard]] inline asked_class read_tokenizer_class(const json& tokenizer_config,
                                                      const json& model_config) {
  const std::pair<const json*, const char*> files[] = {
      {&tokenizer_config, "tokenizer_class of tokenizer_config.json"},
      {&model_config, "tokenizer_class of config.json"}};
  for (const auto& [file, source] : files) {
    const json& name = member(*file, "tokenizer_class");
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) continue;
    const auto text = name.get<std::string>();
    return {text, source, find_tokenizer_class(text)};
  }
  const json& type = member(model_config, "model_type");
  if (!type.is_string()) return {};
  const auto text = type.get<std::string>();
  return {text, "model_type of config.json", find_model_tokenizer(text)};
}

/// Whether a class cuts words with Python code of its own, whatever a tokenizer.json says.
[[nodiscard]] inline bool is_python_tokenizer(std::string_view name) {
  constexpr std::string_view names[] = {
      "BartphoTokenizer",     "BertJapaneseTokenizer", "BertweetTokenizer", "BioGptTokenizer",
      "CanineTokenizer",      "CTRLTokenizer",         "EsmTokenizer",      "FlaubertTokenizer",
      "FSMTTokenizer",        "PhobertTokenizer",      "ProphetNetTokenizer", "RoCBertTokenizer",
      "TapasTokenizer",       "XLMTokenizer"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace onoma::inline ONOMA_ABI
