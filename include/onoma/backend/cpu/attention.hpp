/// Attention on the CPU: heads of sequences as tasks, and the bias of relative positions by distance.
#pragma once

#include <onoma/backend/cpu/bias.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstddef>

namespace onoma::inline ONOMA_ABI::cpu {

/// One attention call, and the operands of its kernels.
class attention_tasks {
 public:
  attention_tasks(workbench& own, const attention_operands<float>& operands,
                  const attention_shape<float>& shape)
      : own_(own),
        operands_(operands),
        shape_(shape),
        width_(operands.q.cols / shape.heads),
        group_(shape.heads / shape.kv_heads) {
    if (!shape.bias) return;
    float* expanded = own.workspace(1, shape.heads * 2 * shape.keys.longest);
    expand_bias(shape, expanded);
    bias_ = expanded;
  }

  void forward(const attention_result<float>& result) {
    const auto& kernels = *own_.kernels;
    for_each(shape_.heads, kernels.attention_scratch(largest()), [&](index_t b, index_t a, float* scratch) {
      const index_t first = shape_.queries.begin(b);
      if (shape_.queries.length(b) == 0) return;
      attention_call call;
      call.head = head(b, a, scratch);
      call.out = result.out.row_data(first) + a * width_;
      call.out_stride = result.out.stride;
      call.log_sum_exp = result.log_sum_exp ? result.log_sum_exp.row_data(a) + first : nullptr;
      kernels.attention(call);
    });
  }

  void backward(const attention_result<const float>& result, mat<const float> dout,
                const attention_gradients<float>& d) {
    const index_t keys = operands_.k.rows;
    const index_t bias_size = d.dbias ? shape_.heads * 2 * keys : 0;
    float* by_distance = d.dbias ? own_.workspace(2, bias_size) : nullptr;
    std::fill_n(by_distance, bias_size, 0.0F);
    const index_t scratch_floats = own_.kernels->attention_backward_scratch(largest());
    // The heads that share keys and values are one task: they add to the same gradients.
    for_each(shape_.kv_heads, scratch_floats, [&](index_t b, index_t g, float* scratch) {
      if (shape_.queries.length(b) == 0) return clear_keys(b, g, d);
      for (index_t a = g * group_; a < (g + 1) * group_; ++a) {
        auto call = backward_call(b, a, result, dout, d);
        call.head = head(b, a, scratch);
        if (by_distance != nullptr) {
          call.dbias =
              by_distance + 2 * (a * keys + shape_.keys.begin(b)) + shape_.keys.length(b);
        }
        own_.kernels->attention_backward(call);
      }
    });
    if (d.dbias) add_bias_gradient(shape_, keys, by_distance, d.dbias, own_.executor);
  }

 private:
  /// f(sequence, one of `heads`, scratch)
  template <class F>
  void for_each(index_t heads, index_t scratch_floats, F f) {
    own_.for_each_with_scratch(
        shape_.queries.count() * heads, static_cast<index_t>(float_bytes(scratch_floats)),
        [&](index_t i, index_t /*previous*/, std::byte* scratch) {
          f(i / heads, i % heads, reinterpret_cast<float*>(scratch));
        });
  }

  [[nodiscard]] attention_size size(index_t queries, index_t keys) const {
    return {queries, keys, width_, shape_.reach.before, shape_.reach.after};
  }
  [[nodiscard]] attention_size largest() const {
    return size(shape_.queries.longest, shape_.keys.longest);
  }

  [[nodiscard]] attention_operand head(index_t b, index_t a, float* scratch) const {
    const index_t query = shape_.queries.begin(b);
    const index_t key = shape_.keys.begin(b);
    const index_t longest = shape_.keys.longest;
    attention_operand head;
    head.size = size(shape_.queries.length(b), shape_.keys.length(b));
    head.q = operands_.q.row_data(query) + a * width_;
    head.q_stride = operands_.q.stride;
    head.k = operands_.k.row_data(key) + a / group_ * width_;
    head.k_stride = operands_.k.stride;
    head.v = operands_.v.row_data(key) + a / group_ * width_;
    head.v_stride = operands_.v.stride;
    head.scale = shape_.scale;
    head.dropout = {shape_.dropout.probability, shape_.dropout.key};
    head.first_number = (a * operands_.q.rows + query) * longest;
    head.number_stride = longest;
    if (bias_ != nullptr) head.bias = bias_ + (2 * a + 1) * longest;
    head.scratch = scratch;
    return head;
  }

  [[nodiscard]] attention_backward_call backward_call(index_t b, index_t a,
                                                      const attention_result<const float>& result,
                                                      mat<const float> dout,
                                                      const attention_gradients<float>& d) const {
    const index_t query = shape_.queries.begin(b);
    const index_t key = shape_.keys.begin(b);
    attention_backward_call call;
    call.out = result.out.row_data(query) + a * width_;
    call.out_stride = result.out.stride;
    call.log_sum_exp = result.log_sum_exp.row_data(a) + query;
    call.dout = dout.row_data(query) + a * width_;
    call.dout_stride = dout.stride;
    call.dq = d.dq.row_data(query) + a * width_;
    call.dq_stride = d.dq.stride;
    call.dk = d.dk.row_data(key) + a / group_ * width_;
    call.dk_stride = d.dk.stride;
    call.dv = d.dv.row_data(key) + a / group_ * width_;
    call.dv_stride = d.dv.stride;
    call.accumulate = a % group_ != 0;
    return call;
  }

  /// Keys that no query sees have no gradient.
  void clear_keys(index_t b, index_t g, const attention_gradients<float>& d) const {
    for (index_t j = shape_.keys.begin(b); j < shape_.keys.begin(b) + shape_.keys.length(b); ++j) {
      std::fill_n(d.dk.row_data(j) + g * width_, width_, 0.0F);
      std::fill_n(d.dv.row_data(j) + g * width_, width_, 0.0F);
    }
  }

  workbench& own_;
  const attention_operands<float>& operands_;
  const attention_shape<float>& shape_;
  index_t width_;  // D
  index_t group_;  // heads of q that read one head of k and v
  const float* bias_ = nullptr;
};

}  // namespace onoma::inline ONOMA_ABI::cpu
