/// Reading the tensors of a file that torch.save wrote (pytorch_model.bin) without executing it.
///
/// Format: PyTorch, torch/serialization.py (`_save`, `_load`) and torch/_utils.py (`_rebuild_*`): a
/// zip archive of `NAME/data.pkl`, the state dict, and `NAME/data/KEY`, one storage each. A
/// tensor is a call in the pickle: of which storage, from which element, with which sizes and
/// strides.
#pragma once

#include <onoma/io/mapped_file.hpp>
#include <onoma/io/pickle.hpp>
#include <onoma/io/safetensors.hpp>
#include <onoma/io/zip.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// The storage classes that a state dict names, and what their elements are.
struct torch_storage {
  std::string_view global;
  dtype type;
};
inline constexpr torch_storage torch_storages[] = {
    {"torch FloatStorage", dtype::f32}, {"torch DoubleStorage", dtype::f64},
    {"torch HalfStorage", dtype::f16},  {"torch BFloat16Storage", dtype::bf16},
    {"torch LongStorage", dtype::i64},  {"torch IntStorage", dtype::i32},
    {"torch ShortStorage", dtype::i16}, {"torch CharStorage", dtype::i8},
    {"torch ByteStorage", dtype::u8},   {"torch BoolStorage", dtype::boolean},
};

inline constexpr std::string_view ordered_dict = "collections OrderedDict";
inline constexpr std::string_view rebuild_tensor = "torch._utils _rebuild_tensor_v2";
inline constexpr std::string_view rebuild_parameter = "torch._utils _rebuild_parameter";

/// Everything that the pickle of a state dict may refer to.
inline constexpr auto torch_globals = [] {
  std::array<std::string_view, std::size(torch_storages) + 3> names{};
  std::size_t i = 0;
  for (const auto& storage : torch_storages) names[i++] = storage.global;
  names[i++] = ordered_dict;
  names[i++] = rebuild_tensor;
  names[i++] = rebuild_parameter;
  return names;
}();

}  // namespace detail

/// An open file: the tensors view its bytes, or copies where a tensor's elements are not in the
/// order of its indices; both live as long as this object.
class pytorch_file {
 public:
  /// @throws onoma::error (file_not_found, io, format, unsupported) naming the path and the tensor.
  [[nodiscard]] static pytorch_file open(const std::filesystem::path& path,
                                         file_access access = file_access::mapped) {
    pytorch_file result;
    result.file_ = open_model_file(path, access);
    result.parse(result.file_.bytes(), path.string());
    return result;
  }

  /// Parses bytes that the caller keeps alive.
  [[nodiscard]] static pytorch_file from_bytes(std::span<const std::byte> bytes,
                                               const std::string& name) {
    pytorch_file result;
    result.parse(bytes, name);
    return result;
  }

  /// By name.
  [[nodiscard]] const std::vector<tensor_view>& tensors() const noexcept { return tensors_; }
  /// As `safetensors_file::release`.
  void release(const tensor_view& tensor) const noexcept { file_.release_pages(tensor.bytes); }

 private:
  using value = pickle_value;
  using node = pickle_node;

  struct storage {
    dtype type;
    std::span<const std::byte> bytes;
    [[nodiscard]] index_t elements() const {
      return static_cast<index_t>(bytes.size()) / size_of(type);
    }
  };

  /// What parsing needs and the finished object does not.
  struct context {
    const zip_archive& archive;
    const pickle_tree& tree;
    std::string prefix;  // of the archive's entries: "<name>/"
    std::string where;
    std::map<std::string_view, storage> storages;  // by key: each is checked once
    std::size_t may_copy;                          // bytes
    std::size_t may_check;                         // bytes of storages: entries do not overlap
  };

  void parse(std::span<const std::byte> bytes, const std::string& name) {
    const std::string where = "reading " + name;
    refuse_other_formats(bytes, where);
    const zip_archive archive(bytes, name);
    const auto& pickle = find_pickle(archive, where);
    std::string prefix(pickle.name.substr(0, pickle.name.size() - pickle_name.size()));
    if (const auto* order = archive.find(prefix + "byteorder")) {
      const auto text = archive.read(*order);
      if (text.size() != 6 || std::memcmp(text.data(), "little", 6) != 0) {
        fail(error_code::unsupported, where, "little-endian numbers", "another byte order");
      }
    }
    const auto tree =
        read_pickle(archive.read(pickle), where + ": data.pkl", detail::torch_globals);
    // Copies altogether are bounded by the file: a few bytes may describe any number of elements.
    context at{archive, tree, std::move(prefix), where, {}, bytes.size(), bytes.size()};
    read_state_dict(at);
  }

  static void refuse_other_formats(std::span<const std::byte> bytes, const std::string& where) {
    const auto begins = [&](std::string_view start) {
      return bytes.size() >= start.size() &&
             std::memcmp(bytes.data(), start.data(), start.size()) == 0;
    };
    constexpr const char* expected = "the zip format of PyTorch 1.6 and later";
    // The magic number of the old format, as a pickle of its own (torch/serialization.py).
    if (begins("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")) {
      fail(error_code::unsupported, where, expected,
           "the format before it: load and save the file again with a newer PyTorch");
    }
    if (begins("version https://git-lfs")) {
      fail(error_code::format, where, expected,
           "a pointer of git-lfs: the file itself was not downloaded");
    }
    if (!begins("PK\x03\x04")) fail(error_code::format, where, expected, "another file");
  }

  /// The one entry "<name>/data.pkl".
  static const zip_entry& find_pickle(const zip_archive& archive, const std::string& where) {
    const zip_entry* found = nullptr;
    for (const auto& entry : archive.entries()) {
      const auto slash = entry.name.find('/');
      if (slash == std::string_view::npos || entry.name.substr(slash + 1) != pickle_name) continue;
      if (found != nullptr) fail(error_code::format, where, "one data.pkl", "two");
      found = &entry;
    }
    if (found == nullptr) fail(error_code::format, where, "an entry data.pkl", "none");
    return *found;
  }

  /// The root: a dict or an OrderedDict of tensors by name.
  void read_state_dict(context& at) {
    std::span<const value> items;
    if (const auto* plain = at.tree.find(at.tree.root, node::kind::dictionary)) {
      items = plain->items;
    } else if (is_empty_call(at, at.tree.root, detail::ordered_dict)) {
      items = std::span(at.tree.find(at.tree.root, node::kind::call)->items).subspan(2);
    } else {
      fail(error_code::unsupported, at.where, "a state dict", "another object");
    }
    // Before any is copied: a name may be long, lie in the file once and stand there many times.
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      if (items[i].type != value::kind::string) {
        fail(error_code::format, at.where, "names of tensors as keys", "another key");
      }
      names.push_back(items[i].text);
    }
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
      fail(error_code::format, at.where, "each tensor once", "'" + std::string(*twice) + "' twice");
    }
    for (std::size_t i = 0; i < items.size(); i += 2) {
      tensors_.push_back(read_tensor(at, std::string(items[i].text), items[i + 1]));
    }
    std::sort(tensors_.begin(), tensors_.end(),
              [](const tensor_view& a, const tensor_view& b) { return a.name < b.name; });
  }

  static bool is_call(const context& at, const value& v, std::string_view function) {
    const auto* call = at.tree.find(v, node::kind::call);
    return call != nullptr && call->items[0].type == value::kind::global &&
           call->items[0].text == function;
  }

  static bool is_empty_call(const context& at, const value& v, std::string_view function) {
    if (!is_call(at, v, function)) return false;
    const auto& call = *at.tree.find(v, node::kind::call);
    const auto* tuple = at.tree.find(call.items[1], node::kind::tuple);
    return tuple != nullptr && tuple->items.empty();
  }

  /// The arguments of a call of `function`, at least `count`; or empty.
  static std::span<const value> arguments(const context& at, const value& v,
                                          std::string_view function, std::size_t count) {
    if (!is_call(at, v, function)) return {};
    const auto& call = *at.tree.find(v, node::kind::call);
    const auto* tuple = at.tree.find(call.items[1], node::kind::tuple);
    if (tuple == nullptr || tuple->items.size() < count) return {};
    return tuple->items;
  }

  tensor_view read_tensor(context& at, std::string name, const value& v) {
    const std::string where = at.where + ": tensor '" + name + "'";
    // _rebuild_parameter(tensor, requires_grad, hooks)
    const auto parameter = arguments(at, v, detail::rebuild_parameter, 1);
    // _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)
    const auto parts =
        arguments(at, parameter.empty() ? v : parameter[0], detail::rebuild_tensor, 4);
    if (parts.empty()) fail(error_code::unsupported, where, "a tensor", "another object");
    const auto& from = read_storage(at, where, parts[0]);
    const auto offset = read_integer(where, parts[1]);
    tensor_view tensor{std::move(name), from.type, read_integers(at, where, parts[2]), {}};
    const auto strides = read_integers(at, where, parts[3]);
    if (strides.size() != tensor.shape.size()) {
      fail(error_code::format, where, "a stride for each size", to_string(strides));
    }
    check_inside(where, from, offset, tensor.shape, strides);
    const auto bytes = static_cast<std::size_t>(tensor.elements() * size_of(from.type));
    if (bytes == 0) return tensor;
    const auto first = static_cast<std::size_t>(offset * size_of(from.type));
    tensor.bytes = is_row_major(tensor.shape, strides)
                       ? from.bytes.subspan(first, bytes)
                       : copy_strided(at, where, from.bytes.subspan(first), tensor, strides, bytes);
    return tensor;
  }

  /// ("storage", class, key, device, elements): the bytes of data/<key>.
  static const storage& read_storage(context& at, const std::string& where, const value& v) {
    const auto* persistent = at.tree.find(v, node::kind::persistent);
    const auto* id =
        persistent == nullptr ? nullptr : at.tree.find(persistent->items[0], node::kind::tuple);
    const bool good = id != nullptr && id->items.size() >= 5 &&
                      id->items[0].type == value::kind::string && id->items[0].text == "storage" &&
                      id->items[1].type == value::kind::global &&
                      id->items[2].type == value::kind::string;
    if (!good) fail(error_code::format, where, "a storage", "another object");
    const auto type =
        std::find_if(std::begin(detail::torch_storages), std::end(detail::torch_storages),
                     [&](const auto& known) { return known.global == id->items[1].text; });
    if (type == std::end(detail::torch_storages)) {
      fail(error_code::format, where, "the class of a storage", std::string(id->items[1].text));
    }
    const auto key = id->items[2].text;
    const auto elements = read_integer(where, id->items[4]);
    auto found = at.storages.find(key);
    if (found == at.storages.end()) {
      const auto* entry = at.archive.find(at.prefix + "data/" + std::string(key));
      if (entry == nullptr) {
        fail(error_code::format, where, "the storage '" + std::string(key) + "'", "none");
      }
      // Each is read for its checksum: entries over the same bytes would be work without bounds.
      if (entry->size > at.may_check) {
        fail(error_code::format, where, "entries with bytes of their own", "entries that overlap");
      }
      at.may_check -= entry->size;
      found = at.storages.emplace(key, storage{type->type, at.archive.read(*entry)}).first;
    }
    const auto& stored = found->second;
    if (stored.type != type->type || stored.elements() != elements ||
        stored.bytes.size() % static_cast<std::size_t>(size_of(stored.type)) != 0) {
      fail(
          error_code::format, where,
          std::to_string(elements) + " elements of " + std::string(to_string(type->type)) +
              " in storage '" + std::string(key) + "'",
          std::to_string(stored.bytes.size()) + " bytes of " + std::string(to_string(stored.type)));
    }
    return stored;
  }

  static index_t read_integer(const std::string& where, const value& v) {
    // 2^47: larger than any file, and products with the size of an element stay small.
    if (v.type != value::kind::integer || v.number < 0 || v.number > (std::int64_t{1} << 47)) {
      fail(error_code::format, where, "a size or offset", "something else");
    }
    return static_cast<index_t>(v.number);
  }
  static std::vector<index_t> read_integers(const context& at, const std::string& where,
                                          const value& v) {
    const auto* tuple = at.tree.find(v, node::kind::tuple);
    if (tuple == nullptr || tuple->items.size() > 16) {
      fail(error_code::format, where, "a tuple of at most 16 sizes", "something else");
    }
    std::vector<index_t> numbers;
    for (const auto& item : tuple->items) numbers.push_back(read_integer(where, item));
    return numbers;
  }

  /// The tensor's elements are elements of the storage, and no more than that in number: a stride
  /// of 0 could repeat one without end.
  static void check_inside(const std::string& where, const storage& from, index_t offset,
                           const std::vector<index_t>& shape, const std::vector<index_t>& strides) {
    const index_t limit = from.elements();
    const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
    // An empty tensor has no element to be inside; its other sizes still must not overflow.
    const index_t most = empty ? index_t{1} << 55 : limit;
    bool inside = offset <= limit;
    index_t last = offset;
    index_t count = 1;
    for (std::size_t i = 0; i < shape.size() && inside; ++i) {
      inside = shape[i] == 0 || count <= most / shape[i];
      count *= inside ? shape[i] : 0;
      if (empty || shape[i] == 1 || !inside) continue;
      inside = strides[i] <= (limit - last) / (shape[i] - 1);
      if (inside) last += (shape[i] - 1) * strides[i];
    }
    if (!inside || (!empty && last >= limit)) {
      fail(error_code::format, where, "elements inside its storage of " + std::to_string(limit),
           to_string(shape) + " with strides " + to_string(strides) + " from " +
               std::to_string(offset));
    }
  }

  static bool is_row_major(const std::vector<index_t>& shape, const std::vector<index_t>& strides) {
    index_t expected = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  std::span<const std::byte> copy_strided(context& at, const std::string& where,
                                          std::span<const std::byte> from,
                                          const tensor_view& tensor,
                                          const std::vector<index_t>& strides, std::size_t bytes) {
    if (bytes > at.may_copy) {
      fail(error_code::unsupported, where, "fewer tensors that are not row-major",
           "copies larger than the file");
    }
    at.may_copy -= bytes;
    auto& copy = copies_.emplace_back(bytes);
    const auto size = static_cast<std::size_t>(size_of(tensor.type));
    std::vector<index_t> place(tensor.shape.size(), 0);
    index_t source = 0;
    for (std::size_t out = 0; out < bytes; out += size) {
      std::memcpy(copy.data() + out, from.data() + static_cast<std::size_t>(source) * size, size);
      for (std::size_t axis = place.size(); axis-- > 0;) {
        source += strides[axis];
        if (++place[axis] < tensor.shape[axis]) break;
        source -= place[axis] * strides[axis];
        place[axis] = 0;
      }
    }
    return copy;
  }

  static constexpr std::string_view pickle_name = "data.pkl";

  mapped_file file_;
  std::deque<std::vector<std::byte>> copies_;
  std::vector<tensor_view> tensors_;
};

}  // namespace onoma::inline ONOMA_ABI
