/// Dotted names of parameters, built one part at a time.
#pragma once

#include <onoma/core/types.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// `scope{} / "layer" / 3 / "norm"` names `layer.3.norm`: a layer is told where it is and adds the
/// names of its own parameters, so that a path of a checkpoint is one line of code.
class scope {
 public:
  /// The model itself: no name.
  scope() = default;

  /// A part of what is here.
  [[nodiscard]] scope operator/(std::string_view part) const {
    std::string name = name_;
    if (!name.empty()) name += '.';
    name += part;
    return scope(std::move(name));
  }
  /// A part with a number: layers are counted from 0.
  [[nodiscard]] scope operator/(index_t part) const { return *this / std::to_string(part); }

  /// The parts with dots between them.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  explicit scope(std::string name) : name_(std::move(name)) {}

  std::string name_;
};

}  // namespace onoma::inline ONOMA_ABI
