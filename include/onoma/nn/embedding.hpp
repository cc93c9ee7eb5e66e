/// The input of an encoder: word, position and type embeddings, summed and normalised.
#pragma once

#include <onoma/nn/layer_norm.hpp>

namespace onoma::inline ONOMA_ABI {

/// What an embedding reads for each of N packed tokens; backend memory.
struct embedding_input {
  vec<const std::int32_t> ids;        // [N] rows of the word table
  vec<const std::int32_t> positions;  // [N] positions within each sequence
};

/// Sums of table rows, then layer normalisation, then dropout (Devlin et al., NAACL 2019, figure
/// 2). A model without token types has no type table. Every token has type 0: token classification
/// reads one segment.
template <backend B>
class embedding {
 public:
  using scalar = typename B::scalar;

  struct sizes {
    index vocabulary = 0;  // V
    index positions = 0;   // P
    index types = 0;       // 0: no table
    index hidden = 0;      // H
    double eps = 1e-12;
    float dropout = 0.0F;
    bool fixed_positions = false;  // the position table is not trained
    index padding = -1;            // row of the word table that is not trained; -1: none
  };

  /// Backward scatters into the rows that were read.
  struct saved {
    embedding_input input;
    typename layer_norm<B>::saved norm;
  };

  explicit embedding(const sizes& s)
      : word_(parameter<scalar>::matrix(s.vocabulary, s.hidden)),
        position_(parameter<scalar>::matrix(s.positions, s.hidden)),
        type_(parameter<scalar>::matrix(s.types, s.hidden)),
        norm_(s.hidden, s.eps),
        hidden_(s.hidden),
        padding_(s.padding),
        dropout_(s.dropout) {
    if (s.fixed_positions) position_.rule = update_rule::frozen;
  }

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "word", word_);
    visitor(at / "position", position_);
    if (type_.rows > 0) visitor(at / "type", type_);
    norm_.visit(at / "norm", visitor);
  }

  /// Returns y [N, H].
  mat<scalar> forward(const pass<B>& run, const embedding_input& input, saved& keep) const {
    keep.input = input;
    const auto sum = run.keep(input.ids.size, hidden_);
    run.device.embed(rows(input),
                     {word_.value_matrix(), position_.value_matrix(), type_.value_matrix()}, sum);
    const auto y = norm_.forward(run, sum, {}, {}, keep.norm);
    run.device.dropout(y, dropout(run));
    return y;
  }

  /// d [N, H]: the gradient of y; overwritten.
  void backward(const pass<B>& run, mat<scalar> d, const saved& kept) const {
    run.device.dropout(d, dropout(run));
    norm_.backward(run, d, {}, kept.norm);
    run.device.embed_backward(
        rows(kept.input), d,
        {word_.gradient_matrix(), position_.gradient_matrix(), type_.gradient_matrix()});
    // As torch.nn.Embedding with padding_idx: the row is read where a text spells the padding
    // token out, but it does not learn.
    if (padding_ >= 0) {
      run.device.fill(word_.gradient.slice(padding_ * hidden_, hidden_), scalar(0));
    }
  }

 private:
  static embedding_rows rows(const embedding_input& input) {
    return {input.ids, input.positions, {}};
  }
  dropout_spec dropout(const pass<B>& run) const {
    return run.dropout.at(dropout_place::embeddings, dropout_);
  }

  parameter<scalar> word_;      // [V, H]
  parameter<scalar> position_;  // [P, H]
  parameter<scalar> type_;      // [T, H], or no rows
  layer_norm<B> norm_;
  index hidden_;
  index padding_;
  float dropout_;
};

}  // namespace onoma::inline ONOMA_ABI
