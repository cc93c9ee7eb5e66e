/// SentencePiece's model files (sentencepiece.bpe.model, spiece.model, spm.model): pieces, scores and rules.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// A message of Protocol Buffers, field by field (protobuf.dev, "Encoding"). Fields that a reader does
/// not ask for are passed over; groups, which were deprecated before SentencePiece was written, are not.
class protobuf_message {
 public:
  enum class wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  struct field {
    std::uint32_t number = 0;
    wire type = wire::varint;
    std::uint64_t value = 0;  // of varint and fixed ones
    std::string_view bytes;   // of the others
  };

  /// `base` is where the message begins in the file that messages are to name.
  protobuf_message(std::string_view bytes, std::string_view name, std::size_t base = 0)
      : bytes_(bytes), name_(name), base_(base) {}

  /// Calls `each(field)` for all of them. @throws onoma::error (format).
  template <class Each>
  void for_each(const Each& each) {
    while (at_ < bytes_.size()) {
      const std::uint64_t key = read_varint();
      field f;
      f.number = static_cast<std::uint32_t>(key >> 3);
      if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFFU) refuse("a field number from 1 to 2^29 - 1");
      switch (key & 7U) {
        case 0: f.value = read_varint(); break;
        case 1: f.value = read_fixed(8); break;
        case 2: f.bytes = take(read_varint()); break;
        case 5: f.value = read_fixed(4); break;
        default: refuse("a field of wire type 0, 1, 2 or 5");
      }
      f.type = static_cast<wire>(key & 7U);
      each(f);
    }
  }
  /// The content of a field as a message.
  [[nodiscard]] protobuf_message inside(const field& f) const {
    return {f.bytes, name_, base_ + static_cast<std::size_t>(f.bytes.data() - bytes_.data())};
  }

 private:
  [[noreturn]] void refuse(const char* expected) const {
    fail(error_code::format, std::string(name_), expected,
         "something else at byte " + std::to_string(base_ + at_));
  }
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) refuse("a field that ends within its message");
    const auto result = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += result.size();
    return result;
  }
  std::uint64_t read_fixed(std::size_t size) {
    const auto bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }
  std::uint64_t read_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= shift < 64 ? static_cast<std::uint64_t>(byte & 0x7FU) << shift : 0;
      if (byte < 0x80U) return value;
    }
    refuse("a number of at most 10 bytes");
  }

  std::string_view bytes_;
  std::string_view name_;
  std::size_t base_;
  std::size_t at_ = 0;
};

}  // namespace detail

/// What such a file says that a tokenizer needs; defaults are those of its format.
/// Source: google/sentencepiece, src/sentencepiece_model.proto.
struct sentencepiece_model {
  /// TrainerSpec.ModelType.
  enum class algorithm : std::int32_t { unigram = 1, bpe = 2, word = 3, character = 4 };
  /// ModelProto.SentencePiece.Type.
  enum class piece_type : std::int32_t {
    normal = 1,
    unknown = 2,
    control = 3,       ///< "<s>": never in text
    user_defined = 4,  ///< found in text before anything else
    unused = 5,
    byte = 6,  ///< "<0x41>"
  };
  /// ModelProto.SentencePiece.
  struct piece {
    std::string text;                      ///< with U+2581 for spaces
    float score = 0.0F;                    ///< the logarithm of its probability, or its rank
    piece_type type = piece_type::normal;  ///< what it is for
  };

  std::vector<piece> pieces;                ///< by id
  algorithm type = algorithm::unigram;      ///< of the model
  std::int32_t unknown_id = 0;              ///< one of `pieces`
  std::int32_t bos_id = 1;                  ///< of these, -1 or too large: none
  std::int32_t eos_id = 2;                  ///< "</s>"
  std::int32_t pad_id = -1;                 ///< "<pad>"
  bool byte_fallback = false;               ///< unknown characters become pieces of bytes
  bool treat_whitespace_as_suffix = false;  ///< the space's sign stands behind a word

  std::string charsmap;                  ///< for `charsmap`; empty: none
  bool add_dummy_prefix = true;          ///< a space before the text
  bool remove_extra_whitespaces = true;  ///< at the ends, and of several in a row all but one
  bool escape_whitespaces = true;        ///< spaces become U+2581

  /// Reads the content of a file; `name` is for messages.
  /// @throws onoma::error (format) if it is not such a file, is cut off or has no pieces or no unknown
  /// one, (parse) if a piece is not UTF-8.
  [[nodiscard]] static sentencepiece_model from_bytes(std::string_view bytes, std::string_view name);
};

namespace detail {

using wire_type = protobuf_message::wire;

inline std::int32_t to_int32(const protobuf_message::field& f) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(f.value));
}

inline sentencepiece_model::piece read_piece(protobuf_message message) {
  sentencepiece_model::piece result;
  message.for_each([&](const protobuf_message::field& f) {
    if (f.number == 1 && f.type == wire_type::bytes) result.text = f.bytes;
    if (f.number == 2 && f.type == wire_type::fixed32) {
      result.score = std::bit_cast<float>(static_cast<std::uint32_t>(f.value));
    }
    if (f.number == 3 && f.type == wire_type::varint && f.value >= 1 && f.value <= 6) {
      result.type = static_cast<sentencepiece_model::piece_type>(f.value);
    }
  });
  return result;
}

inline void read_trainer(protobuf_message message, sentencepiece_model& model) {
  message.for_each([&](const protobuf_message::field& f) {
    if (f.type != wire_type::varint) return;
    switch (f.number) {
      case 3:
        if (f.value >= 1 && f.value <= 4) {
          model.type = static_cast<sentencepiece_model::algorithm>(f.value);
        }
        break;
      case 24: model.treat_whitespace_as_suffix = f.value != 0; break;
      case 35: model.byte_fallback = f.value != 0; break;
      case 40: model.unknown_id = to_int32(f); break;
      case 41: model.bos_id = to_int32(f); break;
      case 42: model.eos_id = to_int32(f); break;
      case 43: model.pad_id = to_int32(f); break;
      default: break;
    }
  });
}

inline void read_rules(protobuf_message message, sentencepiece_model& model) {
  message.for_each([&](const protobuf_message::field& f) {
    if (f.number == 2 && f.type == wire_type::bytes) model.charsmap = f.bytes;
    if (f.type != wire_type::varint) return;
    if (f.number == 3) model.add_dummy_prefix = f.value != 0;
    if (f.number == 4) model.remove_extra_whitespaces = f.value != 0;
    if (f.number == 5) model.escape_whitespaces = f.value != 0;
  });
}

}  // namespace detail

inline sentencepiece_model sentencepiece_model::from_bytes(std::string_view bytes,
                                                           std::string_view name) {
  sentencepiece_model model;
  detail::protobuf_message message(bytes, name);
  message.for_each([&](const detail::protobuf_message::field& f) {
    if (f.type != detail::wire_type::bytes) return;
    if (f.number == 1) model.pieces.push_back(detail::read_piece(message.inside(f)));
    if (f.number == 2) detail::read_trainer(message.inside(f), model);
    if (f.number == 3) detail::read_rules(message.inside(f), model);
  });
  const std::string where(name);
  if (model.pieces.empty()) fail(error_code::format, where, "the pieces of a SentencePiece model", "none");
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    validate_utf8(model.pieces[i].text, where + ": piece " + std::to_string(i));
  }
  if (model.unknown_id < 0 || static_cast<std::size_t>(model.unknown_id) >= model.pieces.size()) {
    fail(error_code::format, where + ": unk_id",
         "an id from 0 to " + std::to_string(model.pieces.size() - 1), std::to_string(model.unknown_id));
  }
  return model;
}

}  // namespace onoma::inline ONOMA_ABI
