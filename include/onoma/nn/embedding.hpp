/// The input of an encoder: word, position and type embeddings, summed, normalised, and projected
/// where the tables are narrower than the encoder.
#pragma once

#include <onoma/nn/linear.hpp>
#include <onoma/nn/norm.hpp>

#include <optional>

namespace onoma::inline ONOMA_ABI {

/// What an embedding reads for each of N packed tokens; backend memory.
struct embedding_input {
  vec<const std::int32_t> ids;        ///< [N] rows of the word table
  vec<const std::int32_t> positions;  ///< [N] rows of the position table, or by which rotary ones turn
};

/// Sums of table rows, then layer normalisation, then dropout (Devlin et al., NAACL 2019, figure
/// 2). A model without token types has no type table, one with rotary positions no position table. Every
/// token has type 0: token classification reads one segment. Tables of another width than the encoder's
/// are followed by a linear layer (ELECTRA, Clark et al., ICLR 2020; transformers, `embeddings_project`).
template <inference_backend B>
class embedding {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Sizes and settings.
  struct sizes {
    index_t vocabulary = 0;          ///< V
    index_t positions = 0;           ///< P; 0: no table
    index_t types = 0;               ///< 0: no table
    index_t width = 0;               ///< E, of the tables
    index_t hidden = 0;              ///< H; if it is not E, a projection follows
    double eps = 1e-12;            ///< of the norms
    bool norm_bias = true;         ///< of the norm
    float dropout = 0.0F;          ///< behind the norm
    bool fixed_positions = false;  ///< the position table is not trained
    // Rows that are not trained, as torch.nn.Embedding's padding_idx; -1: none.
    index_t padding = -1;           ///< row of the word table that does not learn; -1: none
    index_t position_padding = -1;  ///< row of the position table that does not learn; -1: none
  };

  /// Backward scatters into the rows that were read.
  struct saved {
    embedding_input input;               ///< what was looked up
    typename layer_norm<B>::saved norm;  ///< of the norm
    mat<const scalar> narrow;            ///< [N, E] what the projection reads
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit embedding(const sizes& s)
      : word_(parameter<scalar>::table(s.vocabulary, s.width)),
        position_(parameter<scalar>::table(s.positions, s.width)),
        type_(parameter<scalar>::table(s.types, s.width)),
        norm_(s.width, s.eps, s.norm_bias),
        width_(s.width),
        hidden_(s.hidden),
        padding_(s.padding),
        position_padding_(s.position_padding),
        dropout_(s.dropout) {
    if (s.fixed_positions) position_.rule = update_rule::frozen;
    if (s.width != s.hidden) projection_.emplace(s.width, s.hidden);
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "word", word_);
    if (position_.rows > 0) visitor(at / "position", position_);
    if (type_.rows > 0) visitor(at / "type", type_);
    norm_.visit(at / "norm", visitor);
    if (projection_) projection_->visit(at / "projection", visitor);
  }

  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    if (projection_) projection_->visit_linears(visitor);
  }

  /// Returns y [N, H].
  mat<scalar> forward(const pass<B>& run, const embedding_input& input, saved& keep) const {
    keep.input = input;
    const auto sum = run.keep(input.ids.size, width_);
    run.device.embed(rows(input),
                     {word_.value_matrix(), position_.value_matrix(), type_.value_matrix()}, sum);
    const auto y = norm_.forward(run, sum, {}, {}, keep.norm);
    run.drop(y, dropout(run));
    if (!projection_) return y;
    keep.narrow = y;
    const auto projected = run.keep(y.rows, hidden_);
    projection_->forward(run.device, y, projected);
    return projected;
  }

  /// d [N, H]: the gradient of y; overwritten.
  void backward(const pass<B>& run, mat<scalar> d, const saved& kept) const
    requires training_backend<B>
  {
    if (!projection_) return backward_tables(run, d, kept);
    const arena_scope release(run.scratch);
    const auto narrow = run.scratch.template take<scalar>(d.rows, width_);
    projection_->backward(run.device, kept.narrow, d, set, narrow);
    backward_tables(run, narrow, kept);
  }

 private:
  /// d [N, E]: the gradient of the normalised sum; overwritten.
  void backward_tables(const pass<B>& run, mat<scalar> d, const saved& kept) const {
    run.drop(d, dropout(run));
    norm_.backward(run, d, {}, kept.norm);
    run.device.embed_backward(
        rows(kept.input), d,
        {word_.gradient_table(), position_.gradient_table(), type_.gradient_table()});
    // The padding rows are read where a text spells the padding token out, but they do not learn.
    freeze(run.device, word_, padding_);
    freeze(run.device, position_, position_padding_);
  }

  void freeze(B& device, const parameter<scalar>& table, index_t row) const {
    // A dry run that only measures has no gradients.
    if (row < 0 || !table.gradient) return;
    device.fill(table.gradient.slice(row * width_, width_), scalar(0));
  }

  static embedding_rows rows(const embedding_input& input) {
    return {input.ids, input.positions, {}};
  }
  dropout_spec dropout(const pass<B>& run) const {
    return run.dropout.at(random_place::embeddings_dropout, dropout_);
  }

  parameter<scalar> word_;      // [V, E]
  parameter<scalar> position_;  // [P, E]
  parameter<scalar> type_;      // [T, E], or no rows
  layer_norm<B> norm_;
  std::optional<linear<B>> projection_;  // [H, E]
  index_t width_;
  index_t hidden_;
  index_t padding_;
  index_t position_padding_;
  float dropout_;
};

}  // namespace onoma::inline ONOMA_ABI
