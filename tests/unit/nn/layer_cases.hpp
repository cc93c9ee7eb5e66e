/// The layers of nn/ as cases: how to make one, run it forward and backward, and compute it
/// plainly.
#pragma once

#include "plain.hpp"
#include "support/views.hpp"

#include <onoma/nn/embedding.hpp>
#include <onoma/nn/post_norm_layer.hpp>
#include <onoma/nn/pre_norm_layer.hpp>
#include <onoma/nn/rotary.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace test {

using onoma::activation;
using onoma::index_t;
using onoma::mat;
using onoma::vec;
using plain::table;
using values_by_name = std::map<std::string, table>;

inline const std::vector<std::int32_t> batch_offsets = {0, 3, 4, 9};
inline constexpr index_t tokens = 9;
inline constexpr double wave_base = 100.0;

inline plain::row row_of(const values_by_name& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? plain::row{} : found->second.values;
}
inline table linear_of(const values_by_name& v, const std::string& at, const table& x) {
  return plain::linear(x, v.at(at + "weight"), row_of(v, at + "bias"));
}
inline table norm_of(const values_by_name& v, const std::string& at, const table& z, double eps,
                     bool center = true) {
  return plain::normalised(z, row_of(v, at + "weight"), row_of(v, at + "bias"), eps, center);
}

/// to = from, of one shape and row behind row; both in backend memory.
template <class B>
void copy(const onoma::pass<B>& run, mat<const typename B::scalar> from, mat<typename B::scalar> to) {
  std::vector<typename B::scalar> values(static_cast<std::size_t>(from.rows * from.cols));
  run.device.download({from.data, from.rows * from.cols}, values.data());
  run.device.upload(values.data(), {to.data, to.rows * to.cols});
}

/// What a case says of a layer: how to make it, run it, and compute it plainly. `x` is [9, width];
/// the result has a row for each token, or for each wanted one.
template <class B>
struct pass_of {
  const onoma::pass<B>& run;
  mat<typename B::scalar> x;
};

// Linear layers.

template <class B>
struct linear_case {
  bool bias, residual;
  static constexpr index_t width = 6;
  using layer = onoma::linear<B>;
  struct saved {};

  [[nodiscard]] layer make() const { return {6, residual ? 6 : 5, bias}; }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved&) const {
    const auto y = p.run.keep(p.x.rows, residual ? 6 : 5);
    if (residual) {
      l.forward(p.run.device, p.x, p.x, y);
    } else {
      l.forward(p.run.device, p.x, y);
    }
    return y;
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved&) const {
    l.backward(p.run.device, p.x, d, onoma::set, dx);
    // What goes beside the layer: y = x + ... adds d, by an identity.
    if (residual) add_to(p.run.device, d, dx);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    const auto y = linear_of(v, "", x);
    return residual ? plain::sum(y, x) : y;
  }

 private:
  /// dx += d by the backend's own means, since a test cannot touch tensors either.
  static void add_to(B& device, mat<typename B::scalar> d, mat<typename B::scalar> dx) {
    std::vector<typename B::scalar> a(static_cast<std::size_t>(d.rows * d.cols)), b(a.size());
    device.download({d.data, d.rows * d.cols}, a.data());
    device.download({dx.data, d.rows * d.cols}, b.data());
    for (std::size_t i = 0; i < a.size(); ++i) b[i] += a[i];
    device.upload(b.data(), {dx.data, d.rows * d.cols});
  }
};

// Norms, after a block and beside one.

template <class B, class Norm, bool Center>
struct norm_case {
  bool bias = false;
  static constexpr index_t width = 7;
  using layer = Norm;
  using saved = typename Norm::saved;

  [[nodiscard]] layer make() const { return {7, 1e-3, bias}; }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    return l.forward(p.run, p.x, {}, {}, keep);
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    l.backward(p.run, d, {}, kept);
    copy(p.run, d, dx);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    return norm_of(v, "", x, 1e-3, Center);
  }
};

// Attention.

struct attention_variant {
  index_t heads, kv_heads, width;
  index_t radius;  // -1: none
  bool bias, rotary;
  std::vector<std::int32_t> wanted{};
};

/// A context in backend memory.
template <class B>
onoma::attention_context<typename B::scalar> context_of(const onoma::pass<B>& run,
                                                        const attention_variant& v) {
  using T = typename B::scalar;
  onoma::attention_context<T> context{{run.upload(view(batch_offsets)), 5}};
  if (v.rotary) {
    const std::vector<std::int32_t> positions = {0, 1, 2, 0, 0, 1, 2, 3, 4};
    const auto angles = onoma::angles_of(run, run.upload(view(positions)), wave_base, v.width);
    context.rotary = {angles.cosine, angles.sine};
  }
  if (!v.wanted.empty()) context.wanted = run.upload(view(v.wanted));
  return context;
}

/// What a layer keeps, and the context that its backward reads too: made once, since a backward
/// takes memory from scratch alone.
template <class B, class Layer>
struct with_context {
  typename Layer::saved kept;
  onoma::attention_context<typename B::scalar> context;
};

inline table attend(const values_by_name& values, const std::string& at, const table& x,
                    const attention_variant& v) {
  const auto qkv = linear_of(values, at + "query_key_value.", x);
  const index_t q = v.heads * v.width, k = v.kv_heads * v.width;
  const std::vector<std::int32_t> positions = {0, 1, 2, 0, 0, 1, 2, 3, 4};
  const auto turned = [&](const table& t) {
    return v.rotary ? plain::turned(t, v.width, positions, wave_base) : t;
  };
  const auto mixed = plain::attention(
      turned(plain::columns(qkv, 0, q)), turned(plain::columns(qkv, q, k)),
      plain::columns(qkv, q + k, k), v.width, batch_offsets, v.radius < 0 ? tokens : v.radius);
  return linear_of(values, at + "output.", v.wanted.empty() ? mixed : plain::rows(mixed, v.wanted));
}

template <class B>
typename onoma::attention<B>::sizes attention_sizes(const attention_variant& v, index_t hidden) {
  return {
      .hidden = hidden,
      .heads = v.heads,
      .kv_heads = v.kv_heads,
      .width = v.width,
      .bias = v.bias,
      .reach = v.radius < 0 ? onoma::attention_reach{} : onoma::attention_reach::window(v.radius)};
}

template <class B>
struct attention_case {
  attention_variant v;
  static constexpr index_t width = 8;
  using layer = onoma::attention<B>;
  using saved = with_context<B, layer>;

  [[nodiscard]] layer make() const { return layer(attention_sizes<B>(v, width)); }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    const auto out =
        p.run.keep(v.wanted.empty() ? tokens : static_cast<index_t>(v.wanted.size()), width);
    keep.context = context_of(p.run, v);
    l.forward(p.run, p.x, keep.context, {}, out, keep.kept);
    return out;
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    l.backward(p.run, d, kept.context, {}, onoma::set, dx, kept.kept);
  }
  [[nodiscard]] table expected(const values_by_name& values, const table& x) const {
    return attend(values, "", x, v);
  }
};

// Feed-forward blocks.

template <class B>
struct feed_forward_case {
  static constexpr index_t width = 6;
  using layer = onoma::feed_forward<B>;
  using saved = typename layer::saved;

  [[nodiscard]] layer make() const { return {6, 10, activation::gelu}; }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    const auto y = p.run.keep(p.x.rows, 6);
    l.forward(p.run, p.x, y, keep);
    return y;
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    const std::vector<typename B::scalar> zeros(static_cast<std::size_t>(dx.rows * dx.cols));
    p.run.device.upload(zeros.data(), {dx.data, dx.rows * dx.cols});
    l.backward(p.run, d, dx, kept);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    return linear_of(v, "contract.", plain::map(linear_of(v, "expand.", x), plain::gelu));
  }
};

inline table gated(const values_by_name& v, const std::string& at, const table& x, index_t inner) {
  const auto pre = linear_of(v, at + "expand.", x);
  auto y = plain::map(plain::columns(pre, 0, inner), plain::gelu);
  const auto gate = plain::columns(pre, inner, inner);
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] *= gate.values[i];
  return linear_of(v, at + "contract.", y);
}

template <class B>
struct gated_case {
  bool bias;
  static constexpr index_t width = 6;
  using layer = onoma::gated_feed_forward<B>;
  using saved = typename layer::saved;

  [[nodiscard]] layer make() const {
    return layer({.hidden = 6, .inner = 10, .function = activation::gelu, .bias = bias});
  }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    const auto y = p.run.keep(p.x.rows, 6);
    l.forward(p.run, p.x, p.x, {}, y, keep);
    return y;
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    // What goes beside the block lies there, and the block adds.
    copy(p.run, d, dx);
    l.backward(p.run, d, {}, onoma::add, dx, kept);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    return plain::sum(gated(v, "", x, 10), x);
  }
};

// Embeddings: `x` is not read.

struct embedding_variant {
  index_t positions, types, hidden;
  bool norm_bias;
};

template <class B>
struct embedding_case {
  embedding_variant v;
  static constexpr index_t width = 0;
  using layer = onoma::embedding<B>;
  using saved = typename layer::saved;

  [[nodiscard]] layer make() const {
    return layer({.vocabulary = 11,
                  .positions = v.positions,
                  .types = v.types,
                  .width = 6,
                  .hidden = v.hidden,
                  .eps = 1e-3,
                  .norm_bias = v.norm_bias});
  }
  static const std::vector<std::int32_t>& ids() {
    static const std::vector<std::int32_t> all = {3, 9, 3, 1, 0, 10, 3, 4, 4};
    return all;
  }
  static const std::vector<std::int32_t>& positions() {
    static const std::vector<std::int32_t> all = {0, 1, 2, 0, 0, 1, 2, 3, 4};
    return all;
  }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    return l.forward(p.run, {p.run.upload(view(ids())), p.run.upload(view(positions()))}, keep);
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> /*dx*/,
                const saved& kept) const {
    l.backward(p.run, d, kept);
  }
  [[nodiscard]] table expected(const values_by_name& values, const table& /*x*/) const {
    auto y = plain::rows(values.at("word"), ids());
    if (v.types > 0) {
      y = plain::sum(y, plain::rows(values.at("type"), std::vector<std::int32_t>(ids().size(), 0)));
    }
    if (v.positions > 0) y = plain::sum(y, plain::rows(values.at("position"), positions()));
    y = norm_of(values, "norm.", y, 1e-3);
    return v.hidden == 6 ? y : linear_of(values, "projection.", y);
  }
};

// Whole layers.

template <class B>
struct post_norm_case {
  std::vector<std::int32_t> wanted;
  static constexpr index_t width = 8;
  using layer = onoma::post_norm_layer<B>;
  using saved = with_context<B, layer>;

  [[nodiscard]] attention_variant variant() const { return {2, 2, 4, -1, true, false, wanted}; }
  [[nodiscard]] layer make() const {
    return layer({.number = 1,
                  .hidden = 8,
                  .heads = 2,
                  .inner = 10,
                  .eps = 1e-3,
                  .attention_probabilities_dropout = 0.2F,
                  .attention_output_dropout = 0.2F,
                  .feed_forward_dropout = 0.2F});
  }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    keep.context = context_of(p.run, variant());
    return l.forward(p.run, p.x, keep.context, keep.kept);
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    l.backward(p.run, d, kept.context, wanted.empty() ? d : dx, kept.kept);
    if (wanted.empty()) copy(p.run, d, dx);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    const auto residual = wanted.empty() ? x : plain::rows(x, wanted);
    const auto h = norm_of(v, "attention_norm.",
                           plain::sum(attend(v, "attention.", x, variant()), residual), 1e-3);
    const auto f = linear_of(v, "feed_forward.contract.",
                             plain::map(linear_of(v, "feed_forward.expand.", h), plain::gelu));
    return norm_of(v, "feed_forward_norm.", plain::sum(f, h), 1e-3);
  }
};

template <class B, class AttentionNorm, class FeedForwardNorm>
struct pre_norm_case {
  std::vector<std::int32_t> wanted;
  static constexpr index_t width = 8;
  using layer = onoma::pre_norm_layer<B, AttentionNorm, FeedForwardNorm>;
  using saved = with_context<B, layer>;
  static constexpr bool first = std::is_same_v<AttentionNorm, onoma::no_norm<B>>;
  static constexpr bool rms = std::is_same_v<FeedForwardNorm, onoma::rms_norm<B>>;

  [[nodiscard]] attention_variant variant() const { return {4, 2, 4, 1, false, true, wanted}; }
  [[nodiscard]] layer make() const {
    return layer({.number = 1,
                  .attention = attention_sizes<B>(variant(), 8),
                  .feed_forward = {.hidden = 8, .inner = 10, .bias = false},
                  .eps = 1e-3,
                  .norm_bias = false,
                  .attention_probabilities_dropout = 0.2F,
                  .attention_output_dropout = 0.2F,
                  .feed_forward_dropout = 0.2F});
  }
  mat<typename B::scalar> forward(layer& l, pass_of<B> p, saved& keep) const {
    keep.context = context_of(p.run, variant());
    return l.forward(p.run, p.x, keep.context, keep.kept);
  }
  void backward(layer& l, pass_of<B> p, mat<typename B::scalar> d, mat<typename B::scalar> dx,
                const saved& kept) const {
    l.backward(p.run, d, kept.context, wanted.empty() ? d : dx, kept.kept);
    if (wanted.empty()) copy(p.run, d, dx);
  }
  [[nodiscard]] table expected(const values_by_name& v, const table& x) const {
    const auto n = first ? x : norm_of(v, "attention_norm.", x, 1e-3, !rms);
    const auto residual = wanted.empty() ? x : plain::rows(x, wanted);
    const auto z = plain::sum(attend(v, "attention.", n, variant()), residual);
    return plain::sum(
        gated(v, "feed_forward.", norm_of(v, "feed_forward_norm.", z, 1e-3, !rms), 10), z);
  }
};

}  // namespace test
