/// Linear chains on the CPU: sequences as tasks.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/crf.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/kernels/ref/crf.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace onoma::inline ONOMA_ABI::cpu {

/// One call for a batch: its prepared chain, and the operands of its kernels. What it is made of was checked.
class crf_tasks {
 public:
  /// Prepares the chain.
  crf_tasks(workbench& own, const crf_chain<float>& chain, mat<const float> emissions, const sequences& batch)
      : own_(own),
        emissions_(emissions),
        batch_(batch),
        labels_(chain.labels()),
        longest_(sequences::of(batch.offsets).longest) {
    const index_t size = own.kernels->crf_chain_size(labels_);
    // Two numbers in double for each sequence, the chain, and a gradient of its weights.
    auto* memory = own.workspace(1, 4 * batch.count() + size + gradient_size());
    sums_ = reinterpret_cast<double*>(memory);
    chain_ = memory + 4 * batch.count();
    total_ = chain_ + size;
    prepare(chain);
  }

  /// The loss of each sequence, added up in double in their order. A sequence's gradient of the weights is taken
  /// alone, and these are added up in the order of sequences too: neither depends on the number of threads. Nothing
  /// is added to `gradients` if a sequence is refused.
  double loss(const crf_targets& targets, float scale, mat<float> demissions, const crf_gradients<float>& gradients) {
    const index_t count = batch_.count();
    const index_t size = demissions && gradients.dtransitions ? gradient_size() : 0;
    // At most 4 MB of gradients at a time, and two for each thread.
    const index_t at_once = size == 0 ? count
                                      : std::max(2 * own_.executor.concurrency(), (index_t{1} << 20) / size);
    float* each = size == 0 ? nullptr : own_.workspace(2, std::min(count, at_once) * size);
    std::fill_n(total_, size, 0.0F);
    for (index_t first = 0; first < count; first += at_once) {
      const index_t here = std::min(at_once, count - first);
      for_each(first, here, own_.kernels->crf_scratch(longest_, labels_), [&](index_t b, float* scratch) {
        float* d = size == 0 ? nullptr : each + (b - first) * size;
        std::fill_n(d, size, 0.0F);
        auto call = sums_call(b, {}, scratch, sums_ + b);
        call.factor = scale;
        call.dx = demissions ? demissions.row_data(batch_.begin(b)) : nullptr;
        call.dx_stride = demissions.stride;
        call.dchain = d;
        own_.kernels->crf_sums(call);
        set_targets(call.sequence, b, targets);
        call.log_sum = sums_ + count + b;
        call.factor = -scale;
        call.accumulate = true;
        own_.kernels->crf_sums(call);
      });
      own_.for_columns(size, [&](index_t i, index_t columns) {
        own_.kernels->add_rows(here, columns, each + i, size, total_ + i);
      });
    }
    check_crf_sums({sums_, count}, "at all");
    check_crf_sums({sums_ + count, count}, "that agrees with its targets");
    if (size > 0) add_total(gradients);
    double sum = 0.0;
    // A part of a sum is no larger than the sum, whatever was rounded.
    for (index_t b = 0; b < count; ++b) sum += std::max(0.0, sums_[b] - sums_[count + b]);
    return sum;
  }

  /// Probabilities of labels [N, L] (null: not wanted), and logarithms of sums over paths [B].
  void marginals(const crf_targets& targets, mat<float> probabilities, vec<double> log_sums) {
    for_each(0, batch_.count(), own_.kernels->crf_scratch(longest_, labels_), [&](index_t b, float* scratch) {
      auto call = sums_call(b, targets, scratch, log_sums.data + b);
      call.dx = probabilities ? probabilities.row_data(batch_.begin(b)) : nullptr;
      call.dx_stride = probabilities.stride;
      own_.kernels->crf_sums(call);
    });
    check_crf_sums(log_sums, "that agrees with its targets");
  }

  /// Labels [N] of the best paths, and their scores [B].
  void viterbi(const crf_targets& targets, vec<std::int32_t> labels, vec<double> scores) {
    for_each(0, batch_.count(), own_.kernels->crf_scratch(longest_, labels_), [&](index_t b, float* scratch) {
      crf_viterbi_call call;
      call.sequence = operand(b, scratch);
      set_targets(call.sequence, b, targets);
      call.path = labels.data + batch_.begin(b);
      call.score = scores.data + b;
      own_.kernels->crf_viterbi(call);
    });
    check_crf_sums(scores, "that agrees with its targets");
  }

 private:
  [[nodiscard]] index_t row_size() const {
    const index_t width = own_.kernels->vector_width;
    return (labels_ + width - 1) / width * width;
  }
  [[nodiscard]] index_t gradient_size() const { return (labels_ + 2) * row_size(); }

  void prepare(const crf_chain<float>& chain) {
    crf_prepare_call call;
    call.labels = labels_;
    call.transitions = chain.weights.transitions.data;
    call.transitions_stride = chain.weights.transitions.stride;
    call.start = chain.weights.start.data;
    call.end = chain.weights.end.data;
    call.may_follow = chain.rules.transitions.data;
    call.may_follow_stride = chain.rules.transitions.stride;
    call.may_start = chain.rules.start.data;
    call.may_end = chain.rules.end.data;
    call.chain = chain_;
    own_.kernels->crf_prepare(call);
  }

  /// f(sequence, scratch) for `count` sequences from `first` on.
  template <class F>
  void for_each(index_t first, index_t count, index_t scratch_floats, F f) {
    own_.for_each_with_scratch(count, static_cast<index_t>(float_bytes(scratch_floats)),
                               [&](index_t i, index_t /*previous*/, std::byte* scratch) {
                                 f(first + i, reinterpret_cast<float*>(scratch));
                               });
  }

  [[nodiscard]] crf_operand operand(index_t b, float* scratch) const {
    crf_operand o;
    o.words = batch_.length(b);
    o.labels = labels_;
    o.chain = chain_;
    o.x = emissions_.row_data(batch_.begin(b));
    o.x_stride = emissions_.stride;
    o.unknown = ignored_label;
    o.scratch = scratch;
    return o;
  }
  void set_targets(crf_operand& o, index_t b, const crf_targets& targets) const {
    if (targets.labels) o.known = targets.labels.data + batch_.begin(b);
    if (targets.allowed) o.allowed = targets.allowed.row_data(batch_.begin(b));
    o.allowed_stride = targets.allowed.stride;
  }
  [[nodiscard]] crf_sums_call sums_call(index_t b, const crf_targets& targets, float* scratch,
                                        double* log_sum) const {
    crf_sums_call call;
    call.sequence = operand(b, scratch);
    set_targets(call.sequence, b, targets);
    call.log_sum = log_sum;
    return call;
  }

  void add_total(const crf_gradients<float>& gradients) const {
    const index_t width = row_size();
    for (index_t i = 0; i < labels_; ++i) {
      for (index_t j = 0; j < labels_; ++j) gradients.dtransitions(i, j) += total_[i * width + j];
      gradients.dstart[i] += total_[labels_ * width + i];
      gradients.dend[i] += total_[(labels_ + 1) * width + i];
    }
  }

  workbench& own_;
  mat<const float> emissions_;
  sequences batch_;
  index_t labels_;
  index_t longest_;
  double* sums_;  // [2, B]
  float* chain_;
  float* total_;  // [L + 2, P]
};

/// By the specification in double, whose lists of beginnings have no use for vectors; sequences are tasks.
inline void crf_n_best(const workbench& own, const crf_chain<float>& chain, mat<const float> emissions,
                       const sequences& batch, mat<std::int32_t> paths, mat<double> scores) {
  const index_t labels = chain.labels();
  const auto& w = chain.weights;
  const std::vector<double> start(w.start.begin(), w.start.end());
  const std::vector<double> end(w.end.begin(), w.end.end());
  std::vector<double> transitions;
  for (index_t i = 0; i < labels; ++i) {
    const auto row = w.transitions.row(i);
    transitions.insert(transitions.end(), row.begin(), row.end());
  }
  own.executor.parallel_for(batch.count(), [&](index_t b) {
    const index_t words = batch.length(b);
    std::vector<double> x;
    for (index_t t = 0; t < words; ++t) {
      const auto row = emissions.row(batch.begin(b) + t);
      x.insert(x.end(), row.begin(), row.end());
    }
    const ref::crf_sequence<double> sequence{
        {x.data(), words, labels},
        {{{transitions.data(), labels, labels}, {start.data(), labels}, {end.data(), labels}}, chain.rules},
        {}};
    ref::crf_n_best(sequence, paths.cols_slice(batch.begin(b), words), scores.row(b));
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
