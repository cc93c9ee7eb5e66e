/// Softmax over labels, and cross-entropy with ignored rows, plain and with weights, smoothing and focus.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/core/view.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, L]: exp(x - largest) / sum, row by row.
template <class T>
void softmax(mat<const T> x, mat<T> y) {
  using std::exp;
  for (index_t n = 0; n < x.rows; ++n) {
    T largest = x(n, 0);
    for (index_t l = 1; l < x.cols; ++l) {
      if (x(n, l) > largest) largest = x(n, l);
    }
    T sum = T(0);
    for (index_t l = 0; l < x.cols; ++l) {
      y(n, l) = exp(x(n, l) - largest);
      sum += y(n, l);
    }
    for (index_t l = 0; l < x.cols; ++l) y(n, l) = y(n, l) / sum;
  }
}

/// The sum over labelled rows of log(sum exp(logits)) - logits[label]; `count` is set to how many
/// there are. dlogits [N, L] = scale (softmax - onehot), 0 in ignored rows; null: not wanted.
/// Rows are summed in `Sum`, double where T is a plain number (torch.nn.CrossEntropyLoss with
/// ignore_index = -100 divides by the count).
template <class Sum, class T>
[[nodiscard]] Sum softmax_cross_entropy(mat<const T> logits, vec<const std::int32_t> labels,
                                        T scale, mat<T> dlogits, index_t& count) {
  using std::exp;
  using std::log;
  Sum total = Sum(0);
  count = 0;
  for (index_t n = 0; n < logits.rows; ++n) {
    if (labels[n] == ignored_label) {
      if (dlogits) {
        for (index_t l = 0; l < logits.cols; ++l) dlogits(n, l) = T(0);
      }
      continue;
    }
    T largest = logits(n, 0);
    for (index_t l = 1; l < logits.cols; ++l) {
      if (logits(n, l) > largest) largest = logits(n, l);
    }
    T sum = T(0);
    for (index_t l = 0; l < logits.cols; ++l) sum += exp(logits(n, l) - largest);
    const T lse = largest + log(sum);
    total += Sum(lse - logits(n, labels[n]));
    ++count;
    if (dlogits) {
      for (index_t l = 0; l < logits.cols; ++l) {
        const T p = exp(logits(n, l) - lse);
        dlogits(n, l) = scale * (l == labels[n] ? p - T(1) : p);
      }
    }
  }
  return total;
}

/// The loss of a row n with label y by a rule, with class weights w, row weight r, smoothing e and focus g:
///
///   r sum_c a_c (1 - p_c)^g (-log p_c),  a_c = w_c ((1 - e) [c = y] + e / L),  p = softmax(logits)
///
/// `T` stores and `Number` computes. dlogits [L] = scale times the gradient; null: not wanted. With
/// h_c = (1 - p_c)^g (g p_c log(p_c) / (1 - p_c) - 1), which is -1 without focus, the gradient is
/// r (a_k h_k - p_k sum_c a_c h_c).
///
/// Weights and smoothing as in torch.nn.CrossEntropyLoss(weight, label_smoothing) (Szegedy et al., CVPR 2016, section
/// 7); focus: Lin et al., ICCV 2017, "Focal loss for dense object detection", with alpha as class weights. Both
/// together: each label's part has its focus.
template <class Number, class T>
[[nodiscard]] Number cross_entropy_of_row(vec<const T> logits, index_t label,
                                          const cross_entropy_rule<T>& rule, index_t row, T scale,
                                          vec<T> dlogits) {
  using std::exp;
  using std::expm1;
  using std::log;
  const index_t labels = logits.size;
  Number largest = Number(logits[0]);
  for (index_t c = 1; c < labels; ++c) {
    if (Number(logits[c]) > largest) largest = Number(logits[c]);
  }
  Number sum = Number(0);
  for (index_t c = 0; c < labels; ++c) sum += exp(Number(logits[c]) - largest);
  const Number lse = largest + log(sum);
  const Number factor = rule.row_weights ? Number(rule.row_weights[row]) : Number(1);
  const auto share = [&](index_t c) {
    const double wanted = rule.smoothing / static_cast<double>(labels) + (c == label ? 1.0 - rule.smoothing : 0.0);
    return factor * Number(wanted) * (rule.class_weights ? Number(rule.class_weights[c]) : Number(1));
  };
  // (1 - p)^g, and h; what is certain has neither loss nor gradient.
  const auto focused = [&](Number log_p, Number& h) {
    if (rule.focus == 0.0) {
      h = Number(-1);
      return Number(1);
    }
    const Number rest = -expm1(log_p);
    if (!(rest > Number(0))) {
      h = Number(0);
      return Number(0);
    }
    const Number power = exp(Number(rule.focus) * log(rest));
    h = power * (Number(rule.focus) * exp(log_p) * log_p / rest - Number(1));
    return power;
  };
  Number loss = Number(0);
  Number both = Number(0);  // sum of a_c h_c
  for (index_t c = 0; c < labels; ++c) {
    const Number a = share(c);
    const Number log_p = Number(logits[c]) - lse;
    Number h;
    loss += a * focused(log_p, h) * -log_p;
    both += a * h;
  }
  if (!dlogits) return loss;
  for (index_t c = 0; c < labels; ++c) {
    const Number log_p = Number(logits[c]) - lse;
    Number h;
    static_cast<void>(focused(log_p, h));
    dlogits[c] = static_cast<T>(Number(scale) * (share(c) * h - exp(log_p) * both));
  }
  return loss;
}

/// Which rows a rule drops: of the labelled ones, whose losses [N] are given, `part` of them, rounded down, with the
/// highest losses; of equal losses the later rows. `dropped` gets them, in no order.
inline void find_dropped_rows(vec<const double> losses, vec<const std::int32_t> labels, double part,
                              std::vector<index_t>& dropped) {
  dropped.clear();
  if (part <= 0.0) return;
  for (index_t n = 0; n < losses.size; ++n) {
    if (labels[n] != ignored_label) dropped.push_back(n);
  }
  const auto count = static_cast<std::ptrdiff_t>(part * static_cast<double>(dropped.size()));
  std::nth_element(dropped.begin(), dropped.begin() + count, dropped.end(), [&](index_t a, index_t b) {
    return losses[a] != losses[b] ? losses[a] > losses[b] : a > b;
  });
  dropped.resize(static_cast<std::size_t>(count));
}

/// `softmax_cross_entropy` by a rule: the sum of `cross_entropy_of_row` over the labelled rows, without those that
/// `find_dropped_rows` finds by these losses. The count is that of all labelled rows.
template <class Number, class T>
[[nodiscard]] Number softmax_cross_entropy(mat<const T> logits, vec<const std::int32_t> labels,
                                           const cross_entropy_rule<T>& rule, T scale, mat<T> dlogits,
                                           index_t& count) {
  std::vector<Number> losses(static_cast<std::size_t>(logits.rows), Number(0));
  count = 0;
  for (index_t n = 0; n < logits.rows; ++n) {
    const auto drow = dlogits ? vec<T>{dlogits.row_data(n), dlogits.cols} : vec<T>{};
    if (labels[n] == ignored_label) {
      for (index_t l = 0; l < drow.size; ++l) drow[l] = T(0);
      continue;
    }
    losses[static_cast<std::size_t>(n)] =
        cross_entropy_of_row<Number, T>({logits.row_data(n), logits.cols}, labels[n], rule, n, scale, drow);
    ++count;
  }
  std::vector<double> plain;
  for (const auto& loss : losses) plain.push_back(static_cast<double>(loss));
  std::vector<index_t> dropped;
  find_dropped_rows({plain.data(), logits.rows}, labels, rule.dropped, dropped);
  for (const index_t n : dropped) {
    losses[static_cast<std::size_t>(n)] = Number(0);
    for (index_t l = 0; dlogits && l < logits.cols; ++l) dlogits(n, l) = T(0);
  }
  Number total = Number(0);
  for (index_t n = 0; n < logits.rows; ++n) total += losses[static_cast<std::size_t>(n)];
  return total;
}

}  // namespace onoma::inline ONOMA_ABI::ref
