/// Runs one layer with parameters of its own: forward, backward, and differences of a loss.
#pragma once

#include "plain.hpp"
#include "support/random.hpp"

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace test {

/// What a pass of a layer drops, and how it runs.
struct layer_options {
  float dropout = 0.0F;
  bool recompute = false;
  bool training = true;
};

/// A layer over backend B, whose parameters are random. `Layer` is copied in before it is bound.
template <class B, class Layer>
class harness {
 public:
  using scalar = typename B::scalar;

  harness(Layer layer, std::uint64_t seed, bool training = true)
      : layer_(std::move(layer)),
        training_(training),
        store_(device_, onoma::parameter_layout::of<scalar>(model_, training), model_, training) {
    generator g(seed);
    layer_.visit(onoma::scope{}, [&](const onoma::scope& at, onoma::parameter<scalar>& p) {
      // Gains around 1, all else around 0.
      auto drawn = g.normals<double>(p.size(), 0.5F);
      if (p.start == onoma::initial_value::ones) {
        for (auto& value : drawn) value = 1.0 + 0.3 * value;
      }
      values_[at.name()] = plain::table(p.rows, p.cols, std::move(drawn));
      put(p, at.name());
    });
  }

  [[nodiscard]] Layer& layer() { return layer_; }
  [[nodiscard]] B& device() { return device_; }
  [[nodiscard]] const plain::table& value(const std::string& name) const {
    return values_.at(name);
  }
  [[nodiscard]] const std::map<std::string, plain::table>& values() const { return values_; }

  /// Replaces one element of a parameter.
  void set(const std::string& name, std::size_t element, double value) {
    values_.at(name).values[element] = value;
    layer_.visit(onoma::scope{}, [&](const onoma::scope& at, onoma::parameter<scalar>& p) {
      if (at.name() == name) put(p, name);
    });
  }

  [[nodiscard]] std::vector<double> gradient(const std::string& name) {
    std::vector<double> found;
    for (const auto& entry : store_.layout().entries()) {
      if (entry.name != name) continue;
      for (const auto& value : store_.download_gradient(entry))
        found.push_back(static_cast<double>(value));
    }
    return found;
  }

  /// work(run) on memory that grows as it needs. `fresh`: nothing of before is read.
  template <class Work>
  auto run(bool fresh, const layer_options& options, Work work) {
    if constexpr (onoma::training_backend<B>) {
      if (training_) store_.pack_changed();
    }
    return memory_.run(fresh, [&](onoma::arena& activations, onoma::arena& scratch) {
      const onoma::pass<B> pass{device_,
                                activations,
                                scratch,
                                options.training && training_,
                                {options.dropout > 0.0F, 3, 7},
                                options.recompute};
      return work(pass);
    });
  }

  /// Host memory in the backend's, from scratch.
  [[nodiscard]] onoma::mat<scalar> upload(const onoma::pass<B>& run, const plain::table& host) {
    const auto m = run.kept().template take<scalar>(host.rows, host.cols);
    const std::vector<scalar> values(host.values.begin(), host.values.end());
    device_.upload(values.data(), {m.data, m.rows * m.cols});
    return m;
  }
  [[nodiscard]] plain::table download(onoma::mat<const scalar> m) {
    if (device_.dry_run()) return {};
    std::vector<scalar> values(static_cast<std::size_t>(m.rows * m.cols));
    device_.download({m.data, m.rows * m.cols}, values.data());
    return {m.rows, m.cols, {values.begin(), values.end()}};
  }

 private:
  void put(onoma::parameter<scalar>& p, const std::string& name) {
    const auto& table = values_.at(name);
    const onoma::stored_matrix whole{reinterpret_cast<const std::byte*>(table.values.data()),
                                     onoma::dtype::f64, table.rows, table.cols};
    if (store_.entry_of(p).has_value()) {
      store_.fill(p, {&whole, 1}, false);
    } else {
      store_.pack(store_.entry_of(p), {&whole, 1});
    }
  }

  /// A layer as a model: norms have no linear layers.
  struct model {
    Layer& layer;
    template <class Visitor>
    void visit(const onoma::scope& at, Visitor&& visitor) {
      layer.visit(at, visitor);
    }
    template <class Visitor>
    void visit_linears(Visitor&& visitor) {
      if constexpr (requires { layer.visit_linears(visitor); }) layer.visit_linears(visitor);
    }
  };

  B device_{};
  Layer layer_;
  model model_{layer_};
  bool training_;
  onoma::parameter_store<B> store_;
  onoma::workspace<B> memory_{device_};
  std::map<std::string, plain::table> values_;
};

}  // namespace test
