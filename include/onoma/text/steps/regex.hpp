/// Regular expressions in Oniguruma's notation (tokenizer.json) or Python's (patterns), run by PCRE2 in bounded time.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/steps/python_regex_syntax.hpp>
#include <onoma/text/steps/regex_syntax.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// ONOMA_PCRE2: 1 where PCRE2 is there (CMake's target onoma::dependencies sets it); else patterns
// are refused when a tokenizer is loaded.
#if ONOMA_PCRE2
#if !defined(PCRE2_CODE_UNIT_WIDTH)
#define PCRE2_CODE_UNIT_WIDTH 8  ///< bits, for pcre2.h
#endif
#include <pcre2.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// Whose notation a regular expression is in.
enum class regex_notation {
  oniguruma,  ///< as in tokenizer.json
  python,     ///< of Python's module re, as in patterns of spaCy
};

#if ONOMA_PCRE2

/// Immutable; one serves many threads. Patterns and texts may be hostile: a match that takes more than a million
/// steps ends with an error, and so does a text whose matches together take more than `search` allows.
class regex {
 public:
  /// Memory of one thread, and what the text at hand has cost. PCRE2 does not say how many steps a match took,
  /// but ends one that takes more than it may. So each begins with few, which cost nothing, and where they do not
  /// suffice it begins again with more, which the text must have left: 2^28, and 4096 for each byte that patterns
  /// are looked for in. What is refused depends on the pattern and the text alone (and on whether PCRE2 compiles
  /// to machine code, whose steps are longer).
  ///
  /// Steps of one character class over many characters are one step to PCRE2. A clock is what bounds these: ten
  /// seconds and ten microseconds for each byte, far more than any other pattern takes.
  class search {
   public:
    /// A text begins, with nothing spent.
    void begin() {
      steps_left_ = steps_per_text;
      bytes_ = 0;
      calls_ = 0;
      is_timed_ = false;
    }
    /// So many bytes of it are looked at.
    void add(std::size_t bytes) {
      if (!data_) {
        data_.reset(pcre2_match_data_create_8(1, nullptr));
        limits_.reset(pcre2_match_context_create_8(nullptr));
        if (!data_ || !limits_) {
          data_.reset();
          throw std::bad_alloc();
        }
        pcre2_set_match_limit_8(limits_.get(), steps_of_level[0]);
        pcre2_set_depth_limit_8(limits_.get(), 100'000);
        pcre2_set_heap_limit_8(limits_.get(), 64 * 1024);
      }
      if (!std::exchange(is_timed_, true)) start_ = std::chrono::steady_clock::now();
      bytes_ += bytes;
      steps_left_ += steps_per_byte * static_cast<std::int64_t>(bytes);
    }

   private:
    friend class regex;
    struct free_data {
      void operator()(pcre2_match_data_8* data) const { pcre2_match_data_free_8(data); }
    };
    struct free_context {
      void operator()(pcre2_match_context_8* context) const { pcre2_match_context_free_8(context); }
    };
    static constexpr std::int64_t steps_per_text = std::int64_t{1} << 28;
    static constexpr std::int64_t steps_per_byte = 4096;
    static constexpr std::array<std::uint32_t, 3> steps_of_level = {1'000, 32'000, 1'000'000};

    /// Whether the text may spend so many more.
    [[nodiscard]] bool spend(std::uint32_t steps) {
      steps_left_ -= steps;
      return steps_left_ >= 0;
    }
    /// After a match the clock is looked at now and then: asking it takes as long as an easy match.
    [[nodiscard]] bool is_late(bool found) {
      if (found && ++calls_ % 64 != 0) return false;
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
      return taken.count() > 10 + 1e-5 * static_cast<double>(bytes_);
    }

    std::unique_ptr<pcre2_match_data_8, free_data> data_;
    std::unique_ptr<pcre2_match_context_8, free_context> limits_;
    std::chrono::steady_clock::time_point start_;
    std::int64_t steps_left_ = steps_per_text;
    std::size_t bytes_ = 0;
    std::uint64_t calls_ = 0;
    bool is_timed_ = false;
  };

  /// `where` names the part of the file, for messages. @throws onoma::error (unsupported).
  regex(std::string_view source, std::string_view where, regex_notation notation = regex_notation::oniguruma)
      : source_(source), where_(where) {
    code_ = notation == regex_notation::python
                ? compile(python_regex_syntax(source, where).translated(), 0)
                : compile(regex_syntax(source, where, lacking).translated(), PCRE2_MULTILINE);
  }

  /// The first match in valid UTF-8 from `from` on. @throws onoma::error (unsupported) if it takes
  /// too long.
  bool find(std::string_view text, std::uint32_t from, std::uint32_t& begin, std::uint32_t& end,
            search& s) const {
    // Some hundred places at a time, as there may be no match for long.
    constexpr std::size_t places = 512;
    for (std::size_t first = from; first <= text.size();) {
      pcre2_set_offset_limit_8(s.limits_.get(), first + places);
      const int rc = match(text, first, s);
      const bool failed = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
      if (failed || s.is_late(rc >= 0)) {
        fail(error_code::unsupported, where_, "a pattern that is found in reasonable time",
             "'" + source_ + "'");
      }
      if (rc == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
      if (rc >= 0) {
        const auto* range = pcre2_get_ovector_pointer_8(s.data_.get());
        begin = static_cast<std::uint32_t>(range[0]);
        end = static_cast<std::uint32_t>(range[1]);
        return true;
      }
      first += places + 1;
      while (first < text.size() && is_continuation(text[first])) ++first;
    }
    return false;
  }

 private:
  struct free_code {
    void operator()(pcre2_code_8* code) const { pcre2_code_free_8(code); }
  };
  struct free_compile {
    void operator()(pcre2_compile_context_8* context) const { pcre2_compile_context_free_8(context); }
  };
  using code = std::unique_ptr<pcre2_code_8, free_code>;

  /// As pcre2_match, with as many steps as it takes and the text has left.
  int match(std::string_view text, std::size_t first, search& s) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR8>(text.data());
    const auto run = [&](std::uint32_t options) {
      return pcre2_match_8(code_.get(), subject, text.size(), first, PCRE2_NO_UTF_CHECK | options,
                           s.data_.get(), s.limits_.get());
    };
    int rc = 0;
    for (const std::uint32_t steps : search::steps_of_level) {
      const bool is_first = steps == search::steps_of_level[0];
      if (!is_first) {
        if (!s.spend(steps)) break;
        pcre2_set_match_limit_8(s.limits_.get(), steps);
      }
      rc = run(0);
      if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = run(PCRE2_NO_JIT);
      if (!is_first) pcre2_set_match_limit_8(s.limits_.get(), search::steps_of_level[0]);
      if (rc != PCRE2_ERROR_MATCHLIMIT) break;
    }
    return rc;
  }

  [[nodiscard]] code compile(const std::string& pattern, std::uint32_t lines) const {
    const std::unique_ptr<pcre2_compile_context_8, free_compile> context(
        pcre2_compile_context_create_8(nullptr));
    if (!context) throw std::bad_alloc();
    pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit_8(context.get(), 100);
    const std::uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT | lines;
    int problem = 0;
    PCRE2_SIZE place = 0;
    code made(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(pattern.data()), pattern.size(), options,
                              &problem, &place, context.get()));
    if (!made && problem == PCRE2_ERROR_HEAP_FAILED) throw std::bad_alloc();
    if (!made) {
      std::array<PCRE2_UCHAR8, 200> message{};
      pcre2_get_error_message_8(problem, message.data(), message.size());
      fail(error_code::unsupported, where_, "a regular expression that PCRE2 understands",
           "'" + source_ + "': " + reinterpret_cast<const char*>(message.data()));
    }
    // Where there is no just-in-time compiler, patterns are interpreted.
    pcre2_jit_compile_8(made.get(), PCRE2_JIT_COMPLETE);
    return made;
  }

  /// The letters or numbers of Hugging Face's Unicode that PCRE2's is too old for.
  [[nodiscard]] static std::string lacking(char property) {
    std::string all;
    const auto append = [&all](const auto& table) {
      for (const auto& range : table) {
        for (auto c = range.first; c <= range.last; ++c) append_utf8(all, c);
      }
    };
    property == 'L' ? append(unicode::letter_ranges) : append(unicode::number_ranges);
    regex others;
    others.code_ = others.compile(std::string("\\P{") + property + "}", PCRE2_MULTILINE);
    search s;
    s.add(all.size());
    regex_syntax::ranges found;
    std::uint32_t begin = 0;
    for (std::uint32_t end = 0; others.find(all, end, begin, end, s);) {
      regex_syntax::add(found, decode_utf8(all, begin).code_point);
    }
    return regex_syntax::items(found);
  }

  regex() = default;

  std::string source_;
  std::string where_;
  code code_;
};

#else

/// Stands for regular expressions in programs without PCRE2: there is none.
class regex {
 public:
  struct search {
    void begin() {}
    void add(std::size_t) {}
  };
  /// @throws onoma::error (unsupported), always.
  regex(std::string_view source, std::string_view where, regex_notation = regex_notation::oniguruma) {
    fail(error_code::unsupported, std::string(where),
         "no regular expression, as onoma was built without PCRE2", "'" + std::string(source) + "'");
  }
  bool find(std::string_view, std::uint32_t, std::uint32_t&, std::uint32_t&, search&) const {
    return false;
  }
};

#endif

}  // namespace onoma::inline ONOMA_ABI
