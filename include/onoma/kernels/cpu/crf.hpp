/// Linear chains: sums over paths with their gradients, and the best path. One sequence, vectors of labels.
///
/// alpha_t(j), the logarithm of the sum over all beginnings that end with label j at word t, is kept less its
/// largest element; what was taken off is added up in double. So no score overflows, and a word's rounding does
/// not grow with its place in the text.
///
///   alpha_t(j) = x_t(j) + log sum_i exp(alpha_{t-1}(i) + T_ij)
///
/// The sum is taken as s_j = sum_i a_i E_ij with a = exp(alpha) and E_ij = exp(T_ij - largest_i T_ij), known once for
/// all words: two multiply-adds for each pair of labels, forward and backward, where an exponential costs twelve
/// instructions. What underflows in a and E is below 1e-38, so that s_j is right to rounding wherever it is at least
/// `crf_floor`. A word with a smaller s_j takes its sums over exponentials of scores less their largest.
///
/// The backward needs no second set of logarithms: with p_t(j) = probability of label j at word t,
///
///   p(i at t-1, j at t) = p_t(j) a_i E_ij / s_j,   p_{t-1}(i) = sum_j of it.
///
/// Source: Rabiner, Proc. IEEE 1989, section V.A (scaling); for the second form, Murphy, "Machine Learning", 2012,
/// section 17.4.4.2 (smoothing from the last word).
#pragma once

#include <onoma/kernels/cpu/softmax.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/math.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

inline constexpr float crf_none = -std::numeric_limits<float>::infinity();  ///< log(0): what is no path

/// The smallest sum that is taken of products: ten decimal places above what underflows, and far enough from it for
/// sums of p / s over ten thousand million words.
inline constexpr float crf_floor = 1e-28F;

/// A prepared chain of L labels: rows of P floats, L padded to whole vectors with what is no path.
template <class Arch>
struct crf_rows {
  index_t labels;
  index_t width;              ///< P
  const float* between;       ///< T [L, P]; minus infinity where it is forbidden
  const float* into;          ///< its transpose
  const float* factors;       ///< E [L, P]
  const float* factors_into;  ///< its transpose
  const float* start;         ///< [P]
  const float* end;           ///< [P]
  const float* largest;       ///< [P] max over i of T_ij, 0 for a label that follows none
  const float* floor;         ///< [P] crf_floor, 0 for a label that follows none

  crf_rows(const float* chain, index_t count)
      : labels(count),
        width(simd::padded<Arch>(count)),
        between(chain),
        into(between + labels * width),
        factors(into + labels * width),
        factors_into(factors + labels * width),
        start(factors_into + labels * width),
        end(start + width),
        largest(end + width),
        floor(largest + width) {}
};

template <class Arch>
index_t crf_chain_size(index_t labels) {
  return (4 * labels + 4) * simd::padded<Arch>(labels);
}

template <class Arch>
void crf_prepare(const crf_prepare_call& c) {
  using batch = simd::floats<Arch>;
  const crf_rows<Arch> rows(c.chain, c.labels);
  const auto writable = [&c](const float* row) { return c.chain + (row - c.chain); };
  float* largest = writable(rows.largest);
  for (index_t i = 0; i < crf_chain_size<Arch>(c.labels); ++i) c.chain[i] = crf_none;
  for (index_t j = 0; j < rows.width; ++j) largest[j] = writable(rows.floor)[j] = 0.0F;
  for (index_t j = 0; j < c.labels; ++j) {
    if (c.may_start == nullptr || c.may_start[j] != 0) writable(rows.start)[j] = c.start[j];
    if (c.may_end == nullptr || c.may_end[j] != 0) writable(rows.end)[j] = c.end[j];
    float most = crf_none;
    for (index_t i = 0; i < c.labels; ++i) {
      if (c.may_follow != nullptr && c.may_follow[i * c.may_follow_stride + j] == 0) continue;
      const float t = c.transitions[i * c.transitions_stride + j];
      writable(rows.between)[i * rows.width + j] = writable(rows.into)[j * rows.width + i] = t;
      most = t > most ? t : most;
    }
    if (most == crf_none) continue;
    largest[j] = most;
    writable(rows.floor)[j] = crf_floor;
  }
  for (index_t i = 0; i < c.labels; ++i) {
    float* factors = writable(rows.factors) + i * rows.width;
    simd::map_row<Arch>(
        rows.width, factors,
        [](batch t, batch most) {
          return xsimd::select(t > batch(crf_none), simd::exp<Arch>(t - most), batch(0.0F));
        },
        rows.between + i * rows.width, rows.largest);
    float* into = writable(rows.factors_into);
    for (index_t j = 0; j < c.labels; ++j) into[j * rows.width + i] = factors[j];
    for (index_t j = c.labels; j < rows.width; ++j) into[i * rows.width + j] = 0.0F;
  }
}

/// y [P] = sum_i a_i m_i for the rows of m [count, P]. Two vectors at a time share what is read of a, even and odd
/// rows have sums of their own: a multiply-add takes four cycles and two can begin in each.
template <class Arch>
inline void sum_of_rows(const float* a, const float* m, index_t count, index_t width, float* y) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  index_t j = 0;
  for (; j + 2 * w <= width; j += 2 * w) {
    batch even0(0.0F), even1(0.0F), odd0(0.0F), odd1(0.0F);
    const float* row = m + j;
    index_t i = 0;
    for (; i + 2 <= count; i += 2, row += 2 * width) {
      const batch a0(a[i]);
      const batch a1(a[i + 1]);
      even0 = xsimd::fma(a0, simd::load<Arch>(row), even0);
      even1 = xsimd::fma(a0, simd::load<Arch>(row + w), even1);
      odd0 = xsimd::fma(a1, simd::load<Arch>(row + width), odd0);
      odd1 = xsimd::fma(a1, simd::load<Arch>(row + width + w), odd1);
    }
    if (i < count) {
      even0 = xsimd::fma(batch(a[i]), simd::load<Arch>(row), even0);
      even1 = xsimd::fma(batch(a[i]), simd::load<Arch>(row + w), even1);
    }
    simd::store<Arch>(y + j, even0 + odd0);
    simd::store<Arch>(y + j + w, even1 + odd1);
  }
  if (j == width) return;
  batch even(0.0F), odd(0.0F);
  index_t i = 0;
  for (; i + 2 <= count; i += 2) {
    even = xsimd::fma(batch(a[i]), simd::load<Arch>(m + i * width + j), even);
    odd = xsimd::fma(batch(a[i + 1]), simd::load<Arch>(m + (i + 1) * width + j), odd);
  }
  if (i < count) even = xsimd::fma(batch(a[i]), simd::load<Arch>(m + i * width + j), even);
  simd::store<Arch>(y + j, even + odd);
}

/// y_j = max_i (a_i + m_ij), likewise.
template <class Arch>
inline void best_of_rows(const float* a, const float* m, index_t count, index_t width, float* y) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  index_t j = 0;
  for (; j + 2 * w <= width; j += 2 * w) {
    batch best0(crf_none), best1(crf_none);
    const float* row = m + j;
    for (index_t i = 0; i < count; ++i, row += width) {
      best0 = xsimd::max(best0, batch(a[i]) + simd::load<Arch>(row));
      best1 = xsimd::max(best1, batch(a[i]) + simd::load<Arch>(row + w));
    }
    simd::store<Arch>(y + j, best0);
    simd::store<Arch>(y + j + w, best1);
  }
  if (j == width) return;
  batch best(crf_none);
  for (index_t i = 0; i < count; ++i) best = xsimd::max(best, batch(a[i]) + simd::load<Arch>(m + i * width + j));
  simd::store<Arch>(y + j, best);
}

/// One sequence: its memory, its emissions, and the rows that both passes keep.
template <class Arch>
class crf_sequence_rows {
 public:
  using batch = simd::floats<Arch>;

  explicit crf_sequence_rows(const crf_operand& o)
      : o_(o), chain(o.chain, o.labels), emissions(o.scratch), next(emissions + chain.width) {
    for (index_t j = o.labels; j < chain.width; ++j) emissions[j] = crf_none;
  }

  /// Words kept, and what stands before them and behind them in scratch.
  [[nodiscard]] static index_t size(index_t words, index_t labels) { return (words + 1) * simd::padded<Arch>(labels); }

  /// alpha of word t [P]
  [[nodiscard]] float* row(index_t t) const { return next + t * chain.width; }

  /// Fills `emissions` with those of word t; what does not count there is no path.
  void read(index_t t) const {
    const float* x = o_.x + t * o_.x_stride;
    if (o_.known != nullptr && o_.known[t] != o_.unknown) {
      for (index_t j = 0; j < o_.labels; ++j) emissions[j] = crf_none;
      emissions[o_.known[t]] = x[o_.known[t]];
    } else if (o_.allowed != nullptr) {
      const std::uint8_t* allowed = o_.allowed + t * o_.allowed_stride;
      for (index_t j = 0; j < o_.labels; ++j) emissions[j] = allowed[j] != 0 ? x[j] : crf_none;
    } else {
      for (index_t j = 0; j < o_.labels; ++j) emissions[j] = x[j];
    }
  }

  /// Takes the largest element off a row and returns it; a row of nothing stays.
  float lower(float* of) const {
    const float largest = largest_of_row<Arch>(of, chain.width);
    if (largest == crf_none) return largest;
    const batch shift(largest);
    simd::map_row<Arch>(chain.width, of, [=](batch v) { return v - shift; }, static_cast<const float*>(of));
    return largest;
  }

  /// row 0 = start + emissions, lowered.
  float begin() const {
    read(0);
    simd::map_row<Arch>(
        chain.width, row(0), [](batch a, batch b) { return a + b; }, chain.start,
        static_cast<const float*>(emissions));
    return lower(row(0));
  }

 private:
  const crf_operand& o_;

 public:
  crf_rows<Arch> chain;
  float* emissions;  ///< [P] of the word that was read last

 private:
  float* next;  // [words, P]
};

/// The sum over paths, and its gradient.
template <class Arch>
class crf_sums_pass {
 public:
  using batch = simd::floats<Arch>;
  static constexpr index_t w = simd::width<Arch>;

  explicit crf_sums_pass(const crf_sums_call& c)
      : c_(c),
        s_(c.sequence),
        a_(s_.row(c.sequence.words)),
        sums_(a_ + s_.chain.width),
        p_(sums_ + s_.chain.width),
        pairs_(p_ + s_.chain.width),
        terms_(pairs_ + s_.chain.labels * s_.chain.width),
        columns_(terms_ + s_.chain.labels * w) {}

  [[nodiscard]] static index_t scratch(index_t words, index_t labels) {
    return crf_sequence_rows<Arch>::size(words, labels) + (labels + 3) * simd::padded<Arch>(labels) + 2 * labels * w;
  }

  void run() {
    const double log_sum = forward();
    *c_.log_sum = log_sum;
    if (c_.dx != nullptr && log_sum > static_cast<double>(crf_none)) backward();
  }

 private:
  /// Leaves the probabilities of the last word's labels in p.
  double forward() {
    const auto& chain = s_.chain;
    double lowered = static_cast<double>(s_.begin());
    for (index_t t = 1; t < c_.sequence.words; ++t) {
      s_.read(t);
      float* row = s_.row(t);
      if (sums_by_factors(t)) {
        const batch none(crf_none);
        for (index_t j = 0; j < chain.width; j += w) {
          const batch sum = simd::load<Arch>(sums_ + j);
          const batch log = simd::log<Arch>(sum) + simd::load<Arch>(chain.largest + j);
          simd::store<Arch>(row + j, xsimd::select(sum > batch(0.0F), log, none) + simd::load<Arch>(s_.emissions + j));
        }
      } else {
        for (index_t j = 0; j < chain.width; j += w) {
          const auto [largest, sum] = sum_of_exponentials(t, j);
          const batch log = xsimd::select(sum > batch(0.0F), simd::log<Arch>(sum) + largest, batch(crf_none));
          simd::store<Arch>(row + j, log + simd::load<Arch>(s_.emissions + j));
        }
      }
      const float largest = s_.lower(row);
      if (largest == crf_none) return static_cast<double>(crf_none);
      lowered += static_cast<double>(largest);
    }
    const float* last = s_.row(c_.sequence.words - 1);
    simd::map_row<Arch>(chain.width, p_, [](batch a, batch b) { return a + b; }, last, chain.end);
    const float largest = s_.lower(p_);
    if (largest == crf_none) return static_cast<double>(crf_none);
    exponentials(p_, p_);
    return lowered + static_cast<double>(largest) + std::log(static_cast<double>(make_probabilities()));
  }

  void backward() {
    const auto& chain = s_.chain;
    const index_t last = c_.sequence.words - 1;
    for (index_t i = 0; i < chain.labels * chain.width; ++i) pairs_[i] = 0.0F;
    if (c_.dchain != nullptr) add_to(chain.width, c_.dchain + (chain.labels + 1) * chain.width);
    for (index_t t = last; t > 0; --t) {
      write(t);
      s_.read(t);
      if (sums_by_factors(t)) {
        to_previous_by_factors();
      } else {
        to_previous_by_exponentials(t);
      }
      make_probabilities();  // sums of 1 stay so however long the text is
    }
    write(0);
    if (c_.dchain == nullptr) return;
    add_to(chain.width, c_.dchain + chain.labels * chain.width);
    const batch factor(c_.factor);
    simd::map_row<Arch>(
        chain.labels * chain.width, c_.dchain, [=](batch d, batch e, batch n) { return d + factor * (e * n); },
        static_cast<const float*>(c_.dchain), chain.factors, static_cast<const float*>(pairs_));
  }

  /// a = exp(alpha of word t - 1), sums = a E. Whether they are right to rounding for all labels that word t, which
  /// was read, may have.
  bool sums_by_factors(index_t t) {
    const auto& chain = s_.chain;
    exponentials(s_.row(t - 1), a_);
    sum_of_rows<Arch>(a_, chain.factors, chain.labels, chain.width, sums_);
    const batch none(crf_none);
    for (index_t j = 0; j < chain.width; j += w) {
      const auto small = simd::load<Arch>(sums_ + j) < simd::load<Arch>(chain.floor + j);
      if (xsimd::any(small && (simd::load<Arch>(s_.emissions + j) > none))) return false;
    }
    return true;
  }

  /// Labels j .. j + w of word t: the largest alpha_i + T_ij, and the sum of the exponentials of all less it, which
  /// stay in `terms` [L, w]. Both are 0 where there is no path.
  struct shifted_sum {
    batch largest;
    batch sum;
  };
  shifted_sum sum_of_exponentials(index_t t, index_t j) {
    const auto& chain = s_.chain;
    const float* alpha = s_.row(t - 1);
    batch largest(crf_none);
    for (index_t i = 0; i < chain.labels; ++i) {
      largest = xsimd::max(largest, batch(alpha[i]) + simd::load<Arch>(chain.between + i * chain.width + j));
    }
    const auto some = largest > batch(crf_none);
    largest = xsimd::select(some, largest, batch(0.0F));
    batch sum(0.0F);
    for (index_t i = 0; i < chain.labels; ++i) {
      const batch score = batch(alpha[i]) + simd::load<Arch>(chain.between + i * chain.width + j);
      const batch term = xsimd::select(some, simd::exp<Arch>(score - largest), batch(0.0F));
      simd::store<Arch>(terms_ + i * w, term);
      sum += term;
    }
    return {largest, sum};
  }

  /// p of the word before, by the sums that `sums_by_factors` left; counts the pairs, without E.
  void to_previous_by_factors() {
    const auto& chain = s_.chain;
    for (index_t j = 0; j < chain.width; j += w) {
      const batch sum = simd::load<Arch>(sums_ + j);
      simd::store<Arch>(sums_ + j,
                        xsimd::select(sum > batch(0.0F), simd::load<Arch>(p_ + j) / sum, batch(0.0F)));
    }
    if (c_.dchain != nullptr) {
      for (index_t i = 0; i < chain.labels; ++i) {
        const batch a(a_[i]);
        float* pairs = pairs_ + i * chain.width;
        for (index_t j = 0; j < chain.width; j += w) {
          simd::store<Arch>(pairs + j, xsimd::fma(a, simd::load<Arch>(sums_ + j), simd::load<Arch>(pairs + j)));
        }
      }
    }
    sum_of_rows<Arch>(sums_, chain.factors_into, chain.labels, chain.width, p_);
    simd::map_row<Arch>(
        chain.width, p_, [](batch p, batch a) { return p * a; }, static_cast<const float*>(p_),
        static_cast<const float*>(a_));
  }

  /// The same where that would underflow; adds the pairs to the gradient at once.
  void to_previous_by_exponentials(index_t t) {
    const auto& chain = s_.chain;
    const batch factor(c_.factor);
    for (index_t i = 0; i < chain.labels * w; ++i) columns_[i] = 0.0F;
    for (index_t j = 0; j < chain.width; j += w) {
      const batch sum = sum_of_exponentials(t, j).sum;
      const batch share = xsimd::select(sum > batch(0.0F), simd::load<Arch>(p_ + j) / sum, batch(0.0F));
      for (index_t i = 0; i < chain.labels; ++i) {
        const batch pair = simd::load<Arch>(terms_ + i * w) * share;
        simd::store<Arch>(columns_ + i * w, simd::load<Arch>(columns_ + i * w) + pair);
        if (c_.dchain == nullptr) continue;
        float* d = c_.dchain + i * chain.width + j;
        simd::store<Arch>(d, xsimd::fma(factor, pair, simd::load<Arch>(d)));
      }
    }
    for (index_t i = 0; i < chain.labels; ++i) p_[i] = xsimd::hadd(simd::load<Arch>(columns_ + i * w));
  }

  /// y = exp(x), both [P].
  void exponentials(const float* x, float* y) const {
    simd::map_row<Arch>(s_.chain.width, y, [](batch v) { return simd::exp<Arch>(v); }, x);
  }

  /// Divides p by its sum, which is returned.
  float make_probabilities() {
    const float sum = simd::sum_row<Arch>(s_.chain.width, [](batch v) { return v; }, static_cast<const float*>(p_));
    const batch divisor(sum);
    simd::map_row<Arch>(s_.chain.width, p_, [=](batch v) { return v / divisor; }, static_cast<const float*>(p_));
    return sum;
  }

  /// d [count] += factor p
  void add_to(index_t count, float* d) const {
    const batch factor(c_.factor);
    simd::map_row<Arch>(
        count, d, [=](batch before, batch p) { return xsimd::fma(factor, p, before); }, static_cast<const float*>(d),
        static_cast<const float*>(p_));
  }

  /// dx of word t (= | +=) factor p
  void write(index_t t) const {
    float* d = c_.dx + t * c_.dx_stride;
    if (c_.accumulate) return add_to(s_.chain.labels, d);
    const batch factor(c_.factor);
    simd::map_row<Arch>(s_.chain.labels, d, [=](batch p) { return factor * p; }, static_cast<const float*>(p_));
  }

  const crf_sums_call& c_;
  crf_sequence_rows<Arch> s_;
  float* a_;        // [P]
  float* sums_;     // [P]
  float* p_;        // [P]
  float* pairs_;    // [L, P] sums over words of a_i p_j / s_j
  float* terms_;    // [L, w]
  float* columns_;  // [L, w]
};

/// The score of one path in double; minus infinity if it is forbidden.
template <class Arch>
[[nodiscard]] inline double crf_score(const crf_operand& o, const std::int32_t* path) {
  const crf_rows<Arch> chain(o.chain, o.labels);
  double score = static_cast<double>(chain.start[path[0]]) + static_cast<double>(chain.end[path[o.words - 1]]);
  for (index_t t = 0; t < o.words; ++t) {
    score += static_cast<double>(o.x[t * o.x_stride + path[t]]);
    if (t > 0) score += static_cast<double>(chain.between[path[t - 1] * chain.width + path[t]]);
  }
  return score;
}

/// `crf_sums` where every label is known: one path, whose probability is 1.
template <class Arch>
inline void crf_known_path(const crf_sums_call& c) {
  const auto& o = c.sequence;
  const index_t width = simd::padded<Arch>(o.labels);
  *c.log_sum = crf_score<Arch>(o, o.known);
  if (c.dx == nullptr || *c.log_sum == static_cast<double>(crf_none)) return;
  for (index_t t = 0; t < o.words; ++t) {
    float* dx = c.dx + t * c.dx_stride;
    for (index_t j = 0; !c.accumulate && j < o.labels; ++j) dx[j] = 0.0F;
    dx[o.known[t]] += c.factor;
    if (c.dchain != nullptr && t > 0) c.dchain[o.known[t - 1] * width + o.known[t]] += c.factor;
  }
  if (c.dchain == nullptr) return;
  c.dchain[o.labels * width + o.known[0]] += c.factor;
  c.dchain[(o.labels + 1) * width + o.known[o.words - 1]] += c.factor;
}

template <class Arch>
index_t crf_scratch(index_t words, index_t labels) {
  return crf_sums_pass<Arch>::scratch(words, labels);
}

template <class Arch>
void crf_sums(const crf_sums_call& c) {
  const auto& o = c.sequence;
  index_t known = 0;
  while (o.known != nullptr && known < o.words && o.known[known] != o.unknown) ++known;
  if (known == o.words) {
    crf_known_path<Arch>(c);
  } else {
    crf_sums_pass<Arch>(c).run();
  }
}

/// The number of the first of the largest elements of a + b, both [P] for `labels` labels, whatever they are.
template <class Arch>
[[nodiscard]] inline index_t first_best(const float* a, const float* b, index_t labels, float* sums) {
  using batch = simd::floats<Arch>;
  const index_t width = simd::padded<Arch>(labels);
  simd::map_row<Arch>(width, sums, [](batch x, batch y) { return x + y; }, a, b);
  const float best = largest_of_row<Arch>(sums, width);
  index_t i = 0;
  while (i + 1 < labels && sums[i] != best) ++i;
  return i;
}

/// Rows hold the score of the best beginning for each label, lowered. The way back finds the label before once more
/// from the same sums: to remember it for all labels would double the work of the way there.
/// Of paths of equal score, the one with the lowest label at the last word where they differ.
template <class Arch>
void crf_viterbi(const crf_viterbi_call& c) {
  using batch = simd::floats<Arch>;
  const auto& o = c.sequence;
  const crf_sequence_rows<Arch> s(o);
  const auto& chain = s.chain;
  // What is left where there is no path, or the sum of two scores is more than a float holds.
  const auto goes_on = [&c](float largest) {
    *c.score = largest == -crf_none ? -static_cast<double>(crf_none) : static_cast<double>(crf_none);
    return largest > crf_none && largest < -crf_none;
  };
  if (!goes_on(s.begin())) return;
  for (index_t t = 1; t < o.words; ++t) {
    s.read(t);
    float* row = s.row(t);
    best_of_rows<Arch>(s.row(t - 1), chain.between, chain.labels, chain.width, row);
    simd::map_row<Arch>(
        chain.width, row, [](batch a, batch b) { return a + b; }, static_cast<const float*>(row),
        static_cast<const float*>(s.emissions));
    if (!goes_on(s.lower(row))) return;
  }
  float* sums = s.row(o.words);
  index_t label = first_best<Arch>(s.row(o.words - 1), chain.end, chain.labels, sums);
  if (!goes_on(sums[label])) return;
  for (index_t t = o.words - 1;; --t) {
    c.path[t] = static_cast<std::int32_t>(label);
    if (t == 0) break;
    label = first_best<Arch>(s.row(t - 1), chain.into + label * chain.width, chain.labels, sums);
  }
  *c.score = crf_score<Arch>(o, c.path);
}

}  // namespace onoma::inline ONOMA_ABI::cpu
