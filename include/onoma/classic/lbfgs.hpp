/// Minimises a smooth function, with or without a penalty on the absolute values of its arguments.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How `lbfgs` goes on and when it ends. Names and defaults are those of liblbfgs 1.10 as CRFsuite 0.12 sets them.
struct lbfgs_options {
  double c1 = 0.0;             ///< of the sum of absolute values, which is added to the function; > 0: OWL-QN
  index_t memory = 6;          ///< steps from which the curvature is taken
  index_t max_iterations = 0;  ///< 0: any number
  double epsilon = 1e-5;       ///< ends where the gradient's norm is below this of the argument's (or of 1)
  index_t period = 10;         ///< over so many iterations
  double delta = 1e-5;         ///< the function must decrease by this part of its value
  index_t max_linesearch = 20; ///< tries of one step
};

/// Why a minimisation ended.
enum class lbfgs_end {
  converged,   ///< the gradient is small
  settled,     ///< the function decreases little
  iterations,  ///< there were as many as were allowed
  no_step,     ///< no step was found that decreases the function enough: rounding, as a rule
  stopped,     ///< the caller asked for it
};

/// Where a minimisation stands after an iteration.
struct lbfgs_progress {
  index_t iteration = 0;              ///< from 1
  index_t evaluations = 0;            ///< of the function, so far
  double value = 0.0;                 ///< of the function with the penalty
  double gradient_norm = 0.0;         ///< of it
  double step = 0.0;                  ///< that was taken, in units of the direction
  std::span<const double> arguments;  ///< at which the function has that value
};

/// Loops over vectors of one size, in parts that do not depend on the number of threads; sums are taken in the order of
/// the parts. One call at a time.
class vector_work {
 public:
  /// The executor must outlive it.
  vector_work(std::size_t size, executor_ref executor)
      : size_(size), executor_(executor), sums_((size + part - 1) / part) {}

  /// Calls `task(first, end)` for each part.
  template <class Task>
  void each(Task task) const {
    executor_.parallel_for(static_cast<index_t>(sums_.size()), [&](index_t p) {
      const std::size_t first = static_cast<std::size_t>(p) * part;
      task(first, std::min(size_, first + part));
    });
  }
  /// The sum of `term(i)` over all places.
  template <class Term>
  [[nodiscard]] double sum(Term term) {
    each([&](std::size_t first, std::size_t end) {
      double total = 0.0;
      for (std::size_t i = first; i < end; ++i) total += term(i);
      sums_[first / part] = total;
    });
    double total = 0.0;
    for (const double s : sums_) total += s;
    return total;
  }
  /// The sum of the products.
  [[nodiscard]] double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return sum([&](std::size_t i) { return a[i] * b[i]; });
  }
  /// y += by * x
  void add(std::vector<double>& y, double by, const std::vector<double>& x) const {
    each([&](std::size_t first, std::size_t end) {
      for (std::size_t i = first; i < end; ++i) y[i] += by * x[i];
    });
  }

 private:
  static constexpr std::size_t part = 16'384;
  std::size_t size_;
  executor_ref executor_;
  std::vector<double> sums_;
};

/// Limited-memory BFGS, and OWL-QN where there is a penalty c1.
/// Sources: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980; Andrew and Gao, "Scalable training
/// of L1-regularized log-linear models", ICML 2007; line searches, stopping and defaults as in Okazaki's liblbfgs
/// (backtracking until Wolfe's conditions hold; for OWL-QN until the function decreases enough, in one orthant).
class lbfgs {
 public:
  /// Value at the arguments; the second gets the gradient.
  using function = function_ref<double(std::span<const double>, std::span<double>)>;
  /// Called after each iteration; false ends it.
  using observer = function_ref<bool(const lbfgs_progress&)>;

  /// Of so many arguments. @throws onoma::error (invalid_argument) for options out of their domain.
  lbfgs(std::size_t size, lbfgs_options options, executor_ref executor = {})
      : options_(options), work_(size, executor), x_(size), g_(size), old_x_(size), old_g_(size), d_(size) {
    const bool right = options.c1 >= 0 && options.memory >= 1 && options.max_iterations >= 0 && options.epsilon >= 0 &&
                       options.period >= 0 && options.delta >= 0 && options.max_linesearch >= 1;
    check(right, error_code::invalid_argument, "lbfgs", "no negative option, a memory and tries of at least 1",
          "others");
    if (has_penalty()) pseudo_.resize(size);
    if (has_penalty()) orthant_.resize(size);
    const auto memory = static_cast<std::size_t>(options.memory);
    steps_.resize(memory);
    for (auto& each : steps_) {
      each.s.resize(size);
      each.y.resize(size);
    }
  }

  /// Goes from the arguments that are there (zeros at first) to where the function is least.
  /// @throws what the function throws; onoma::error (invalid_argument) for a value that is not finite.
  lbfgs_end run(function f, observer observe) {
    now_ = {};
    value_ = evaluate(f);
    if (has_converged()) return lbfgs_end::converged;
    std::vector<double> past;
    double step = 1.0;
    find_direction(0);
    step = 1.0 / std::sqrt(work_.dot(d_, d_));
    for (index_t k = 1;; ++k) {
      std::swap(old_x_, x_);
      std::swap(old_g_, g_);
      const bool found = has_penalty() ? search_in_orthant(f, step) : search(f, step);
      if (!found) {
        std::swap(old_x_, x_);
        std::swap(old_g_, g_);
        return lbfgs_end::no_step;
      }
      now_.iteration = k;
      now_.value = value_;
      now_.step = step;
      const bool converged = has_converged();
      now_.arguments = x_;
      if (!observe(now_)) return lbfgs_end::stopped;
      if (converged) return lbfgs_end::converged;
      if (has_settled(past)) return lbfgs_end::settled;
      if (options_.max_iterations > 0 && k >= options_.max_iterations) return lbfgs_end::iterations;
      remember(k - 1);
      find_direction(k);
      step = 1.0;
    }
  }

  /// Where it stands.
  [[nodiscard]] const std::vector<double>& arguments() const noexcept { return x_; }
  /// To begin elsewhere than at zeros.
  [[nodiscard]] std::vector<double>& arguments() noexcept { return x_; }
  /// The function's value there, with the penalty.
  [[nodiscard]] double value() const noexcept { return value_; }

 private:
  struct step_pair {
    std::vector<double> s;  // difference of arguments
    std::vector<double> y;  // and of gradients
    double product = 0.0;   // of both
  };

  [[nodiscard]] bool has_penalty() const noexcept { return options_.c1 > 0; }
  /// The gradient, or what takes its place: one-sided derivatives with the penalty.
  [[nodiscard]] const std::vector<double>& slope() const noexcept { return has_penalty() ? pseudo_ : g_; }

  double evaluate(function f) {
    double value = f(x_, g_);
    ++now_.evaluations;
    if (has_penalty()) value += options_.c1 * work_.sum([&](std::size_t i) { return std::abs(x_[i]); });
    if (!std::isfinite(value)) {
      fail(error_code::invalid_argument, "lbfgs", "a function that is finite", std::to_string(value));
    }
    if (has_penalty()) find_pseudo_gradient();
    return value;
  }

  void find_pseudo_gradient() {
    const double c = options_.c1;
    work_.each([&](std::size_t first, std::size_t end) {
      for (std::size_t i = first; i < end; ++i) {
        if (x_[i] != 0.0) {
          pseudo_[i] = g_[i] + (x_[i] < 0.0 ? -c : c);
        } else {
          pseudo_[i] = g_[i] < -c ? g_[i] + c : g_[i] > c ? g_[i] - c : 0.0;
        }
      }
    });
  }

  [[nodiscard]] bool has_converged() {
    now_.gradient_norm = std::sqrt(work_.dot(slope(), slope()));
    return now_.gradient_norm <= options_.epsilon * std::max(1.0, std::sqrt(work_.dot(x_, x_)));
  }
  [[nodiscard]] bool has_settled(std::vector<double>& past) const {
    if (options_.period == 0) return false;
    const auto period = static_cast<std::size_t>(options_.period);
    past.push_back(value_);
    if (past.size() <= period) return false;
    const double before = past[past.size() - 1 - period];
    return (before - value_) / std::abs(value_) < options_.delta;
  }

  /// What step k did to arguments and gradient.
  void remember(index_t k) {
    auto& pair = steps_[static_cast<std::size_t>(k % options_.memory)];
    work_.each([&](std::size_t first, std::size_t end) {
      for (std::size_t i = first; i < end; ++i) {
        pair.s[i] = x_[i] - old_x_[i];
        pair.y[i] = g_[i] - old_g_[i];
      }
    });
    pair.product = work_.dot(pair.s, pair.y);
  }

  /// The two loops of Nocedal's algorithm, with the last of `count` steps.
  void find_direction(index_t count) {
    const auto& slopes = slope();
    work_.each([&](std::size_t first, std::size_t end) {
      for (std::size_t i = first; i < end; ++i) d_[i] = -slopes[i];
    });
    const index_t known = std::min(count, options_.memory);
    std::vector<double> alphas(static_cast<std::size_t>(known));
    const auto at = [&](index_t k) -> step_pair& { return steps_[static_cast<std::size_t>(k % options_.memory)]; };
    for (index_t k = count - 1; k >= count - known; --k) {
      auto& pair = at(k);
      if (pair.product <= 0.0) continue;  // no curvature along it
      const double alpha = work_.dot(pair.s, d_) / pair.product;
      alphas[static_cast<std::size_t>(k - (count - known))] = alpha;
      work_.add(d_, -alpha, pair.y);
    }
    if (known > 0 && at(count - 1).product > 0.0) {
      const auto& last = at(count - 1);
      const double scale = last.product / work_.dot(last.y, last.y);
      work_.each([&](std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) d_[i] *= scale;
      });
    }
    for (index_t k = count - known; k < count; ++k) {
      auto& pair = at(k);
      if (pair.product <= 0.0) continue;
      const double beta = work_.dot(pair.y, d_) / pair.product;
      work_.add(d_, alphas[static_cast<std::size_t>(k - (count - known))] - beta, pair.s);
    }
    if (!has_penalty()) return;
    work_.each([&](std::size_t first, std::size_t end) {
      for (std::size_t i = first; i < end; ++i) {
        if (d_[i] * slopes[i] >= 0.0) d_[i] = 0.0;
      }
    });
  }

  static constexpr double sufficient = 1e-4;  // ftol
  static constexpr double curvature = 0.9;    // wolfe

  /// Until the function decreases enough and its slope too.
  [[nodiscard]] bool search(function f, double& step) {
    const double begin = value_;
    const double slope_there = work_.dot(old_g_, d_);
    if (slope_there >= 0.0) return false;
    for (index_t tries = 0; tries < options_.max_linesearch; ++tries) {
      work_.each([&](std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) x_[i] = old_x_[i] + step * d_[i];
      });
      const double value = evaluate(f);
      if (value > begin + sufficient * step * slope_there) {
        step *= 0.5;
      } else if (work_.dot(g_, d_) < curvature * slope_there) {
        step *= 2.1;
      } else {
        value_ = value;
        return true;
      }
    }
    return false;
  }

  /// Until the function decreases enough; arguments that would change their sign become 0.
  [[nodiscard]] bool search_in_orthant(function f, double& step) {
    const double begin = value_;
    std::swap(orthant_, pseudo_);  // the slopes at the begin
    for (index_t tries = 0; tries < options_.max_linesearch; ++tries) {
      work_.each([&](std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) {
          const double sign = old_x_[i] == 0.0 ? -orthant_[i] : old_x_[i];
          const double moved = old_x_[i] + step * d_[i];
          x_[i] = moved * sign <= 0.0 ? 0.0 : moved;
        }
      });
      const double value = evaluate(f);
      const double expected = work_.sum([&](std::size_t i) { return (x_[i] - old_x_[i]) * orthant_[i]; });
      if (value <= begin + sufficient * expected) {
        value_ = value;
        return true;
      }
      step *= 0.5;
    }
    std::swap(orthant_, pseudo_);
    return false;
  }

  lbfgs_options options_;
  vector_work work_;
  std::vector<double> x_, g_, old_x_, old_g_, d_;
  std::vector<double> pseudo_, orthant_;
  std::vector<step_pair> steps_;
  lbfgs_progress now_;
  double value_ = 0.0;
};

}  // namespace onoma::inline ONOMA_ABI
