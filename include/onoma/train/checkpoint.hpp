/// The state of a training run in one file, from which the run goes on exactly as if never stopped.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/sealed_tensors.hpp>
#include <onoma/nn/parameter.hpp>
#include <onoma/train/adamw.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A change of the learning rate on the way: somebody asked for it on resuming, or a step diverged.
struct rate_change {
  index_t step = 0;         ///< optimizer steps that were done with rates before it
  double from = 0.0;      ///< the highest rate of the schedule before
  double to = 0.0;        ///< and from then on
  index_t diverged_at = 0;  ///< the step that was not finite, from 1; 0: it was asked for
};

/// Where a run stands. Dropout and order depend on seed, step and epoch alone, so that this and the
/// numbers of model and optimizer are the whole state.
struct training_position {
  index_t epoch = 0;              ///< epochs that are finished
  index_t batch = 0;              ///< batches of the current epoch that are finished
  double loss = 0.0;            ///< sum of its steps' losses
  index_t step = 0;               ///< optimizer steps
  index_t forward = 0;            ///< calls of forward_loss: the step of dropout
  double best_score = -1.0;     ///< of any epoch so far; below 0: none was scored
  index_t best_epoch = 0;         ///< which, from 1; 0: none
  index_t epochs_since_best = 0;  ///< for `training_options::patience`
  double learning_rate = 0.0;   ///< the highest of the schedule, as it is now
  std::vector<rate_change> rate_changes;  ///< how it came to be so, oldest first
};

/// Writes parameters, both moments, the best parameters so far (may be empty) and the position, as a
/// whole or not at all. `settings` describe the run, an object: resuming with others is refused.
/// @throws onoma::error (io).
template <training_backend B>
void save_training_state(const std::filesystem::path& path, const parameter_store<B>& parameters,
                         const adamw<B>& optimizer,
                         const std::vector<typename B::scalar>& best,
                         const training_position& position, const json& settings) {
  using scalar = typename B::scalar;
  const auto host = [&](vec<const scalar> from) {
    std::vector<scalar> values(static_cast<std::size_t>(from.size));
    parameters.backend().download(from, values.data());
    return values;
  };
  const auto values = host(parameters.values());
  const auto moment1 = host(optimizer.moment1());
  const auto moment2 = host(optimizer.moment2());
  const auto tensor = [](const char* name, const std::vector<scalar>& v) {
    return tensor_view{name, sizeof(scalar) == 8 ? dtype::f64 : dtype::f32,
                       {static_cast<index_t>(v.size())}, std::as_bytes(std::span(v))};
  };
  json state = {{"epoch", position.epoch},
                      {"batch", position.batch},
                      {"loss", position.loss},
                      {"step", position.step},
                      {"forward", position.forward},
                      {"best_score", position.best_score},
                      {"best_epoch", position.best_epoch},
                      {"epochs_since_best", position.epochs_since_best},
                      {"learning_rate", position.learning_rate},
                      {"rate_changes", json::array()}};
  for (const auto& change : position.rate_changes) {
    state["rate_changes"].push_back(
        {{"step", change.step}, {"from", change.from}, {"to", change.to}, {"diverged_at", change.diverged_at}});
  }
  std::vector<tensor_view> tensors = {tensor("values", values), tensor("moment1", moment1),
                                      tensor("moment2", moment2)};
  if (!best.empty()) tensors.push_back(tensor("best", best));
  write_sealed_tensors(path, std::move(tensors),
                       {{"position", state.dump()}, {"settings", settings.dump()}},
                       executor_of(parameters.backend()));
}

namespace detail {

inline constexpr const char* rate_setting = "learning rate";

/// Names what differs. @throws onoma::error (invalid_argument).
inline void check_settings(const json& of_run, const json& of_state, const std::string& where) {
  if (of_run == of_state) return;
  const auto value = [](const json& settings, const std::string& key) {
    return key + " " + (settings.contains(key) ? settings[key].dump() : "unknown");
  };
  std::string expected;
  std::string found;
  json keys = of_run;
  if (of_state.is_object()) keys.update(of_state);
  for (const auto& [key, ignored] : keys.items()) {
    if (of_run.contains(key) && of_state.contains(key) && of_run[key] == of_state[key]) continue;
    expected += (expected.empty() ? "" : ", ") + value(of_run, key);
    found += (found.empty() ? "" : ", ") + value(of_state, key);
  }
  fail(error_code::invalid_argument, where, "the state of a run with " + expected, found);
}

/// @throws onoma::error (format) for numbers that no run has.
inline void check_position(const training_position& p, const std::string& where) {
  constexpr index_t most = index_t{1} << 48;  // far from where sums of them overflow
  for (const index_t count : {p.epoch, p.batch, p.step, p.forward, p.best_epoch, p.epochs_since_best}) {
    if (count < 0 || count > most) {
      fail(error_code::format, where, "counts of at least 0", std::to_string(count));
    }
  }
  if (!std::isfinite(p.loss) || !std::isfinite(p.best_score)) {
    fail(error_code::format, where, "a finite loss and a finite score",
         std::to_string(p.loss) + " and " + std::to_string(p.best_score));
  }
  if (p.best_epoch > p.epoch || p.epochs_since_best > p.epoch) {
    fail(error_code::format, where, "a best epoch among " + std::to_string(p.epoch),
         std::to_string(p.best_epoch) + ", " + std::to_string(p.epochs_since_best) + " epochs ago");
  }
  for (const auto& change : p.rate_changes) {
    if (std::isfinite(change.from) && std::isfinite(change.to) && change.to > 0.0 && change.step >= 0 &&
        change.step <= most && change.diverged_at >= 0 && change.diverged_at <= most) {
      continue;
    }
    fail(error_code::format, where, "changes of the learning rate to finite ones above 0", "others");
  }
  if (!std::isfinite(p.learning_rate) || p.learning_rate < 0.0) {
    fail(error_code::format, where, "a learning rate of at least 0", std::to_string(p.learning_rate));
  }
}

/// @throws onoma::error (format) for what is no position.
[[nodiscard]] inline training_position read_position(const json& state, const json& settings,
                                                     const std::string& where) {
  training_position position;
  position.epoch = require<index_t>(state, "epoch", where);
  position.batch = require<index_t>(state, "batch", where);
  position.loss = require<double>(state, "loss", where);
  position.step = require<index_t>(state, "step", where);
  position.forward = require<index_t>(state, "forward", where);
  position.best_score = require<double>(state, "best_score", where);
  position.best_epoch = require<index_t>(state, "best_epoch", where);
  position.epochs_since_best = require<index_t>(state, "epochs_since_best", where);
  if (state.contains("rate_changes")) {
    position.learning_rate = require<double>(state, "learning_rate", where);
    for (const auto& change : state["rate_changes"]) {
      position.rate_changes.push_back(
          {require<index_t>(change, "step", where), require<double>(change, "from", where),
           require<double>(change, "to", where), require<index_t>(change, "diverged_at", where)});
    }
  } else if (settings.contains(rate_setting)) {  // before rates could change
    position.learning_rate = require<double>(settings, rate_setting, where);
  }
  check_position(position, where);
  return position;
}

}  // namespace detail

/// Reads what `save_training_state` wrote into the model and the optimizer.
/// @throws onoma::error (file_not_found, io, format, parse: a file that was damaged or is another one), or
/// (invalid_argument) for the state of another run; the model is then unchanged. With `any_rate`, the setting
/// "learning rate" may differ, and the position has the change.
template <training_backend B>
[[nodiscard]] training_position load_training_state(const std::filesystem::path& path,
                                                    parameter_store<B>& parameters,
                                                    adamw<B>& optimizer,
                                                    std::vector<typename B::scalar>& best,
                                                    const json& settings, bool any_rate = false) {
  using scalar = typename B::scalar;
  const std::string where = "resuming from " + path.string();
  const auto file = safetensors_file::open(path);
  const auto entry = [&](const char* name) {
    const auto found = file.metadata().find(name);
    if (found == file.metadata().end()) {
      fail(error_code::format, where, "a training state", std::string("no ") + name);
    }
    return found->second;
  };
  check_seal(file, where, executor_of(parameters.backend()));
  const json of_state = parse_json(entry("settings"), where);
  auto accepted = of_state;
  if (any_rate && of_state.contains(detail::rate_setting)) {
    accepted[detail::rate_setting] = member(settings, detail::rate_setting);
  }
  detail::check_settings(settings, accepted, where);
  auto position = detail::read_position(parse_json(entry("position"), where), of_state, where);
  if (any_rate && of_state != settings) {
    const auto rate = require<double>(settings, detail::rate_setting, where);
    position.rate_changes.push_back({position.step, position.learning_rate, rate, 0});
    position.learning_rate = rate;
  }

  const auto read = [&](const char* name, bool optional) {
    std::vector<scalar> values;
    const auto* tensor = file.find(name);
    if (tensor == nullptr && optional) return values;
    const auto type = sizeof(scalar) == 8 ? dtype::f64 : dtype::f32;
    if (tensor == nullptr || tensor->type != type ||
        tensor->elements() != parameters.layout().size()) {
      fail(error_code::format, where + ": '" + name + "'",
           std::to_string(parameters.layout().size()) + " numbers of " +
               std::string(to_string(type)),
           tensor == nullptr ? "no such tensor" : std::to_string(tensor->elements()));
    }
    values.resize(static_cast<std::size_t>(tensor->elements()));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    if (!all_finite(std::span<const scalar>(values))) {
      fail(error_code::format, where + ": '" + name + "'", "finite numbers", "others");
    }
    return values;
  };
  const auto values = read("values", false);
  const auto moment1 = read("moment1", false);
  const auto moment2 = read("moment2", false);
  best = read("best", true);
  auto& device = parameters.backend();
  device.upload(values.data(), parameters.values());
  parameters.changed();
  optimizer.restore(position.step, moment1.data(), moment2.data());
  return position;
}

}  // namespace onoma::inline ONOMA_ABI
