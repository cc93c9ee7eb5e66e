/// The type of JSON values: nlohmann's, but where memory runs out.
#pragma once

#include <onoma/core/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// `std::allocator` under another name, which makes `json` a type of its own: two of its functions are ours, and a
/// host's `nlohmann::json` must stay as it is.
template <class T>
struct json_allocator : std::allocator<T> {
  json_allocator() = default;
  /// As of any allocator without state.
  template <class U>
  json_allocator(const json_allocator<U>& /*other*/) noexcept {}  // NOLINT: converts implicitly
  /// The same for another type.
  template <class U>
  struct rebind {
    using other = json_allocator<U>;  ///< the same for another type
  };
};

/// A JSON value. `nlohmann::basic_json` in all but two points: destroying one takes no memory, and none is lost if
/// memory runs out while a list becomes a value. (nlohmann's destructor moves all values to a list that it
/// allocates, which ends the program where there is no memory: it may not throw.) Converts from and to
/// `nlohmann::json`. Values within values are destroyed by recursion: `parse_json` bounds their depth.
using json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                  json_allocator>;

}  // namespace onoma::inline ONOMA_ABI

/// @cond
/// Containers that are empty are destroyed without a list of what is in them. One that could not be made is null.
template <>
inline onoma::json::basic_json::~basic_json() noexcept {
  auto* const array = get_ptr<array_t*>();
  auto* const object = get_ptr<object_t*>();
  if (array != nullptr) array->clear();
  if (object != nullptr) object->clear();
#if NLOHMANN_JSON_VERSION_MAJOR * 10000 + NLOHMANN_JSON_VERSION_MINOR * 100 + NLOHMANN_JSON_VERSION_PATCH < 31103
  // Later versions leave this to a member, which knows of null.
  if (!is_structured() || array != nullptr || object != nullptr) m_value.destroy(m_type);
#endif
}

/// An object if every element is a pair of a string and a value, else an array. The value exists, and will be
/// destroyed, before anything is put into it.
template <>
inline onoma::json::basic_json(initializer_list_t list, bool deduces_type, value_t wanted)
    : basic_json([&] {
        const bool pairs = std::all_of(list.begin(), list.end(), [](const auto& element) {
          return element->is_array() && element->size() == 2 && element->front().is_string();
        });
        if (deduces_type) return pairs ? value_t::object : value_t::array;
        if (wanted == value_t::object && !pairs) {
          throw std::invalid_argument("a JSON object is made of pairs of a string and a value");
        }
        return wanted;
      }()) {
  if (is_array()) get_ref<array_t&>().reserve(list.size());
  for (const auto& element : list) {
    basic_json value = element.moved_or_copied();
    if (is_array()) {
      get_ref<array_t&>().push_back(std::move(value));
    } else {
      auto& pair = value.get_ref<array_t&>();
      get_ref<object_t&>().emplace(std::move(pair[0].get_ref<string_t&>()), std::move(pair[1]));
    }
  }
}
/// @endcond
