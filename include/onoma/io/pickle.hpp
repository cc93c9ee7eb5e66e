/// The part of Python's pickle format that plain data needs, read as a tree: nothing is executed.
///
/// A pickle is a program for a small stack machine whose instructions can import and call anything.
/// Here an import is a name from a list of allowed ones, and a call is a node of the tree that says
/// what would be called: whoever reads the tree decides what it means.
/// Format: CPython, Lib/pickletools.py, which documents every instruction.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A value of a pickle. Containers are nodes of the tree, so that a value that occurs often (the
/// memo of pickle) is stored once, whatever it holds.
struct pickle_value {
  /// What a value is; `global` names something of a module, `mark` is the machine's own.
  enum class kind : std::uint8_t { none, boolean, integer, real, string, global, node, mark };

  kind type = kind::none;   ///< what it is
  std::int64_t number = 0;  ///< boolean, integer; of a node its place in `pickle_tree::nodes`
  std::string_view text;    ///< string; global: "module name"
};

/// A container.
struct pickle_node {
  /// What a container is.
  enum class kind : std::uint8_t {
    tuple,
    list,
    dictionary,  ///< items: key, value, key, value, ...
    call,        ///< items: what is called, the tuple of arguments, then items as of a dictionary
    persistent   ///< items: the id of an object that is stored outside of the pickle
  };
  kind type = kind::tuple;          ///< what it is
  std::vector<pickle_value> items;  ///< what is in it
};

/// A pickle that was read.
struct pickle_tree {
  std::vector<pickle_node> nodes;  ///< all containers
  pickle_value root;               ///< the value of the whole

  /// The node of a value if it is one of this kind, or null.
  [[nodiscard]] const pickle_node* find(const pickle_value& value, pickle_node::kind type) const {
    if (value.type != pickle_value::kind::node) return nullptr;
    const auto& node = nodes[static_cast<std::size_t>(value.number)];
    return node.type == type ? &node : nullptr;
  }
};

namespace detail {

/// The stack machine. Memory is bounded: each instruction makes one value or one node at most, and
/// their number is limited.
class pickle_machine {
 public:
  pickle_machine(std::span<const std::byte> program, std::string where,
                 std::span<const std::string_view> allowed)
      : rest_(program), where_(std::move(where)), allowed_(allowed) {}

  [[nodiscard]] pickle_tree run() {
    // A state dict takes about sixty instructions a tensor; this is enough for 30,000 of them.
    constexpr int most_instructions = 1 << 21;
    for (int i = 0; i < most_instructions; ++i) {
      if (!step(static_cast<std::uint8_t>(take(1)[0]))) {
        if (!rest_.empty()) refuse("the end after the last instruction", "more bytes");
        return std::move(tree_);
      }
    }
    fail(error_code::unsupported, where_,
         "at most " + std::to_string(most_instructions) + " instructions", "more");
  }

 private:
  using value = pickle_value;
  using node = pickle_node;

  /// Returns false after the last instruction.
  bool step(std::uint8_t instruction) {
    switch (instruction) {
      case 0x80: read_protocol(); break;
      case 0x95: static_cast<void>(take(8)); break;  // FRAME: a hint for buffering
      case '(': push({value::kind::mark, 0, {}}); break;
      case '0': static_cast<void>(pop()); break;
      case '.': tree_.root = pop(); return false;

      case 'N': push({}); break;
      case 0x88: push({value::kind::boolean, 1, {}}); break;
      case 0x89: push({value::kind::boolean, 0, {}}); break;
      case 'J': push_integer(number<std::int32_t>()); break;
      case 'K': push_integer(number<std::uint8_t>()); break;
      case 'M': push_integer(number<std::uint16_t>()); break;
      case 0x8a: read_long(); break;
      case 'G':
        static_cast<void>(take(8));
        push({value::kind::real, 0, {}});
        break;
      case 'X': push_text(number<std::uint32_t>()); break;
      case 0x8c: push_text(number<std::uint8_t>()); break;
      case 0x8d: push_text(number<std::uint64_t>()); break;
      case 'U': push_text(number<std::uint8_t>()); break;  // of Python 2

      case ')': push_node(node::kind::tuple, {}); break;
      case 't': push_node(node::kind::tuple, pop_to_mark()); break;
      case 0x85: push_node(node::kind::tuple, pop_last(1)); break;
      case 0x86: push_node(node::kind::tuple, pop_last(2)); break;
      case 0x87: push_node(node::kind::tuple, pop_last(3)); break;
      case ']': push_node(node::kind::list, {}); break;
      case 'a': append(pop_last(1)); break;
      case 'e': append(pop_to_mark()); break;
      case '}': push_node(node::kind::dictionary, {}); break;
      case 's': set_items(pop_last(2)); break;
      case 'u': set_items(pop_to_mark()); break;

      case 'q': memo_[number<std::uint8_t>()] = top(); break;
      case 'r': memo_[number<std::uint32_t>()] = top(); break;
      case 0x94: memo_[static_cast<std::uint32_t>(memo_.size())] = top(); break;
      case 'h': recall(number<std::uint8_t>()); break;
      case 'j': recall(number<std::uint32_t>()); break;

      case 'c': read_global(); break;
      case 0x93: read_stack_global(); break;
      case 'R': push_node(node::kind::call, pop_last(2)); break;
      case 'Q': push_node(node::kind::persistent, pop_last(1)); break;
      case 'b':
        pop_last(1);
        top_node();
        break;  // BUILD: attributes of an object, no data of ours
      default: refuse("data", "the instruction " + std::to_string(instruction));
    }
    return true;
  }

  [[noreturn]] void refuse(std::string expected, std::string found) const {
    fail(error_code::format, where_, std::move(expected), std::move(found));
  }

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > rest_.size()) refuse("a whole pickle", "its end");
    const auto taken = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::string_view take_text(std::uint64_t size) {
    const auto taken = take(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::string_view take_line() {
    const auto end = std::find(rest_.begin(), rest_.end(), std::byte{'\n'});
    const auto line = take_text(static_cast<std::uint64_t>(end - rest_.begin()));
    static_cast<void>(take(1));
    return line;
  }
  template <class T>
  T number() {
    T result{};
    std::memcpy(&result, take(sizeof(T)).data(), sizeof(T));
    return result;
  }

  void push(const value& v) { stack_.push_back(v); }
  void push_integer(std::int64_t n) { push({value::kind::integer, n, {}}); }
  void push_text(std::uint64_t size) { push({value::kind::string, 0, take_text(size)}); }
  void push_node(node::kind type, std::vector<value> items) {
    tree_.nodes.push_back({type, std::move(items)});
    push({value::kind::node, static_cast<std::int64_t>(tree_.nodes.size()) - 1, {}});
  }

  /// The last value; never a mark.
  const value& top() const {
    if (stack_.empty() || stack_.back().type == value::kind::mark) {
      refuse("a value on the stack", "none");
    }
    return stack_.back();
  }
  value pop() {
    const value last = top();
    stack_.pop_back();
    return last;
  }
  std::vector<value> pop_last(std::size_t count) {
    std::vector<value> values(count);
    for (std::size_t i = count; i-- > 0;) values[i] = pop();
    return values;
  }
  std::vector<value> pop_to_mark() {
    const auto mark = std::find_if(stack_.rbegin(), stack_.rend(),
                                   [](const value& v) { return v.type == value::kind::mark; });
    if (mark == stack_.rend()) refuse("a mark on the stack", "none");
    std::vector<value> values(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return values;
  }
  node& top_node() {
    if (top().type != value::kind::node) refuse("a container", "something else");
    return tree_.nodes[static_cast<std::size_t>(top().number)];
  }

  void append(const std::vector<value>& values) {
    auto& list = top_node();
    if (list.type != node::kind::list) refuse("a list to append to", "something else");
    list.items.insert(list.items.end(), values.begin(), values.end());
  }
  void set_items(const std::vector<value>& values) {
    auto& target = top_node();
    if (target.type != node::kind::dictionary && target.type != node::kind::call) {
      refuse("a dictionary to put items into", "something else");
    }
    if (values.size() % 2 != 0) refuse("keys and values", "a key without a value");
    target.items.insert(target.items.end(), values.begin(), values.end());
  }

  void read_protocol() {
    const int version = number<std::uint8_t>();
    if (version < 2 || version > 5) {
      fail(error_code::unsupported, where_, "pickle protocol 2 to 5", std::to_string(version));
    }
  }
  void read_long() {
    const auto bytes = take(number<std::uint8_t>());
    if (bytes.size() > 8) refuse("an integer of at most 8 bytes", "a longer one");
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bits |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    }
    if (!bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0} && bytes.size() < 8) {
      bits |= ~std::uint64_t{0} << (8 * bytes.size());  // two's complement
    }
    push_integer(static_cast<std::int64_t>(bits));
  }
  void recall(std::uint32_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) refuse("a value that was remembered", "another number");
    push(found->second);
  }

  void read_global() {
    // "module\nname\n" becomes "module name" without a copy: the list of allowed names owns the
    // text.
    const auto module = take_line();
    push_global(module, take_line());
  }
  void read_stack_global() {
    const auto name = pop();
    const auto module = pop();
    if (name.type != value::kind::string || module.type != value::kind::string) {
      refuse("the name of an import", "no text");
    }
    push_global(module.text, name.text);
  }
  void push_global(std::string_view module, std::string_view name) {
    const std::string full = std::string(module) + " " + std::string(name);
    const auto found = std::find(allowed_.begin(), allowed_.end(), full);
    if (found == allowed_.end()) {
      fail(error_code::unsupported, where_, "tensors alone",
           "a use of '" + std::string(module) + "." + std::string(name) + "'");
    }
    push({value::kind::global, 0, *found});
  }

  std::span<const std::byte> rest_;
  std::string where_;
  std::span<const std::string_view> allowed_;
  std::vector<value> stack_;
  std::unordered_map<std::uint32_t, value, keyed_hasher> memo_;
  pickle_tree tree_;
};

}  // namespace detail

/// Reads one pickle (protocols 2 to 5). `allowed` names the imports that may occur, as "module
/// name"; it and `bytes` outlive the tree. Numbers that are not integers are read as "a real
/// number".
/// @throws onoma::error (format, unsupported) naming `where`.
[[nodiscard]] inline pickle_tree read_pickle(std::span<const std::byte> bytes, std::string where,
                                             std::span<const std::string_view> allowed) {
  return detail::pickle_machine(bytes, std::move(where), allowed).run();
}

}  // namespace onoma::inline ONOMA_ABI
