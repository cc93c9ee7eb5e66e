/// A backend with what inference needs and nothing else: shows that layers ask for no more.
#pragma once

#include <onoma/backend/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace test {

/// The inference half of another backend.
template <class B>
class inference_only {
 public:
  using scalar = typename B::scalar;
  using buffer = typename B::buffer;
  using packed_weight = typename B::packed_weight;
  using in = onoma::mat<const scalar>;
  using out = onoma::mat<scalar>;
  using ids = onoma::vec<const std::int32_t>;
  using index_t = onoma::index_t;

  template <class... Args>
  explicit inference_only(Args&&... args) : inner_(std::forward<Args>(args)...) {}

  void dry_run(bool on) { inner_.dry_run(on); }
  [[nodiscard]] bool dry_run() const { return inner_.dry_run(); }
  [[nodiscard]] index_t rows_at_once(index_t values) const { return inner_.rows_at_once(values); }
  [[nodiscard]] buffer allocate(std::size_t bytes) { return inner_.allocate(bytes); }
  void upload(const scalar* host, onoma::vec<scalar> v) { inner_.upload(host, v); }
  void upload(const onoma::stored_matrix& host, onoma::vec<scalar> v) { inner_.upload(host, v); }
  void download(onoma::vec<const scalar> v, scalar* host) { inner_.download(v, host); }
  void upload_ids(ids host, onoma::vec<std::int32_t> v) { inner_.upload_ids(host, v); }
  [[nodiscard]] packed_weight make_packed(index_t rows, index_t cols, bool with_transpose) {
    return inner_.make_packed(rows, cols, with_transpose);
  }
  bool pack(std::span<const onoma::stored_matrix> pieces, packed_weight& packed) {
    return inner_.pack(pieces, packed);
  }
  void linear(in x, const packed_weight& w, onoma::vec<const scalar> bias, out y) {
    inner_.linear(x, w, bias, y);
  }
  void linear(in x, const packed_weight& w, onoma::vec<const scalar> bias, in residual, out y) {
    inner_.linear(x, w, bias, residual, y);
  }
  void linear_activation(in x, const packed_weight& w, onoma::vec<const scalar> bias,
                         onoma::activation act, out pre, out y) {
    inner_.linear_activation(x, w, bias, act, pre, y);
  }
  void gate(in pre, onoma::activation act, out y) { inner_.gate(pre, act, y); }
  template <template <class> class Weights>
  void add_norm(out x, in residual, const onoma::dropout_spec& spec, const Weights<scalar>& weights,
                out y, const onoma::norm_statistics<scalar>& kept) {
    inner_.add_norm(x, residual, spec, weights, y, kept);
  }
  void rotary(ids positions, double base, const onoma::rotary_angles<scalar>& angles) {
    inner_.rotary(positions, base, angles);
  }
  void rotate(out x, const onoma::rotary_angles<const scalar>& angles) { inner_.rotate(x, angles); }
  void attention(const onoma::attention_operands<scalar>& operands,
                 const onoma::attention_shape<scalar>& shape,
                 const onoma::attention_result<scalar>& result) {
    inner_.attention(operands, shape, result);
  }
  void embed(const onoma::embedding_rows& rows, const onoma::embedding_tables<const scalar>& tables,
             out y) {
    inner_.embed(rows, tables, y);
  }
  void gather(in x, ids rows, out y) { inner_.gather(x, rows, y); }
  void softmax(in x, out y) { inner_.softmax(x, y); }

 private:
  B inner_;
};

}  // namespace test
