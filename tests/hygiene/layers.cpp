/// The folders are layers: every #include is checked against the table of docs/architecture.md.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace test::layers_tests {
namespace {

namespace fs = std::filesystem;

/// A header's layer: the folder under include/onoma, two levels deep for kernels.
std::string layer_of(const std::string& path) {
  const auto first = path.find('/');
  if (first == std::string::npos) return path;  // onoma.hpp, pipeline.hpp, version.hpp
  if (path.substr(0, first) == "kernels") {
    const auto second = path.find('/', first + 1);
    return second == std::string::npos ? "kernels" : path.substr(0, second);
  }
  // The concept is a layer of its own: nn sees it and never a concrete backend.
  if (path == "backend/concept.hpp") return path;
  return path.substr(0, first);
}

/// For each layer the layers that it may include, besides itself.
const std::map<std::string, std::set<std::string>>& allowed() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"version.hpp", {}},
      {"compiled.hpp", {}},
      {"core", {"version.hpp"}},
      {"interop", {"core"}},
      {"exec", {"core"}},
      {"simd", {"core"}},
      {"io", {"core", "exec"}},
      {"ner", {"core", "io"}},
      {"data", {"core", "io", "ner"}},
      {"text", {"core", "exec", "io"}},
      {"match", {"core", "io", "ner", "data", "text"}},
      {"classic", {"core", "exec", "io", "ner", "data", "text", "match"}},
      {"kernels/ref", {"core"}},
      {"kernels/cpu", {"core", "simd", "kernels"}},
      {"kernels", {"core"}},
      {"backend/concept.hpp", {"core"}},
      {"backend", {"core", "exec", "simd", "kernels", "kernels/ref", "kernels/cpu", "backend/concept.hpp"}},
      {"nn", {"core", "backend/concept.hpp"}},
      {"heads", {"core", "backend/concept.hpp", "nn", "io", "ner"}},
      {"models", {"core", "exec", "backend/concept.hpp", "nn", "heads", "io", "ner"}},
      {"predict", {"core", "exec", "io", "heads", "models", "classic", "text", "ner", "data", "match"}},
      {"train",
       {"core", "version.hpp", "exec", "backend/concept.hpp", "nn", "heads", "models", "io", "text", "ner", "data",
        "predict"}},
      {"pipeline.hpp",
       {"core", "exec", "backend/concept.hpp", "backend", "nn", "heads", "models", "classic", "io", "text", "ner",
        "data", "match", "predict"}},
  };
  return table;
}

std::string violation(const std::string& from, const std::string& to) {
  if (from == "onoma.hpp") return {};  // the umbrella includes everything
  if (to == "onoma.hpp") return from + " includes the umbrella";
  const std::string a = layer_of(from);
  const std::string b = layer_of(to);
  const auto row = allowed().find(a);
  if (row == allowed().end()) return from + ": the layer '" + a + "' is not in the table";
  if (a == b || row->second.count(b) != 0) return {};
  return from + " (" + a + ") must not include " + to + " (" + b + ")";
}

struct source {
  std::string path;  // relative to include/onoma
  std::vector<std::string> lines;
};

std::vector<source> read_tree(const fs::path& root) {
  std::vector<source> sources;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (extension != ".hpp" && extension != ".cpp" && extension != ".cuh") continue;
    source s{fs::relative(entry.path(), root).generic_string(), {}};
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) s.lines.push_back(line);
    sources.push_back(std::move(s));
  }
  std::sort(sources.begin(), sources.end(),
            [](const source& a, const source& b) { return a.path < b.path; });
  return sources;
}

const fs::path source_dir = ONOMA_SOURCE_DIR;

/// Names of `detail` that a file uses and does not declare: every declaration names them without `detail::`.
std::set<std::string> foreign_details(const source& s) {
  std::set<std::string> used;
  std::set<std::string> named;
  const auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (const auto& line : s.lines) {
    for (std::size_t at = 0; at < line.size();) {
      if (!is_name(line[at])) {
        ++at;
        continue;
      }
      std::size_t end = at;
      while (end < line.size() && is_name(line[end])) ++end;
      const bool qualified = at >= 8 && line.compare(at - 8, 8, "detail::") == 0;
      (qualified ? used : named).insert(line.substr(at, end - at));
      at = end;
    }
  }
  std::set<std::string> foreign;
  std::set_difference(used.begin(), used.end(), named.begin(), named.end(),
                      std::inserter(foreign, foreign.end()));
  return foreign;
}

}  // namespace

TEST_CASE("no header uses what another one calls a detail") {
  CHECK(foreign_details({"", {"void f() { detail::g(); }"}}) == std::set<std::string>{"g"});
  CHECK(foreign_details({"", {"namespace detail { void g(); }", "void f() { detail::g(); }"}}).empty());
  for (const auto& s : read_tree(source_dir / "include" / "onoma")) {
    for (const auto& name : foreign_details(s)) {
      CHECK_MESSAGE(false, s.path << " uses detail::" << name);
    }
  }
}

TEST_CASE("the layer check refuses what the table forbids") {
  CHECK(violation("nn/linear.hpp", "backend/concept.hpp").empty());
  CHECK_FALSE(violation("nn/linear.hpp", "backend/cpu/backend.hpp").empty());
  CHECK_FALSE(violation("text/tokenizer.hpp", "backend/concept.hpp").empty());
  CHECK_FALSE(violation("core/view.hpp", "exec/executor.hpp").empty());
  CHECK_FALSE(violation("models/encoder.hpp", "onoma.hpp").empty());
  CHECK_FALSE(violation("kernels/ref/norm.hpp", "kernels/cpu/norm.hpp").empty());
}

TEST_CASE("headers include only what their layer may") {
  const auto sources = read_tree(source_dir / "include" / "onoma");
  REQUIRE(sources.size() > 30);
  const std::string prefix = "#include <onoma/";
  for (const auto& s : sources) {
    for (const auto& line : s.lines) {
      if (line.rfind(prefix, 0) != 0) continue;
      const std::string target = line.substr(prefix.size(), line.find('>') - prefix.size());
      const std::string problem = violation(s.path, target);
      CHECK_MESSAGE(problem.empty(), problem);
    }
  }
}

TEST_CASE("files say what they are for and stay short") {
  for (const char* folder : {"include", "capi", "tools", "tests", "examples", "bench"}) {
    for (const auto& s : read_tree(source_dir / folder)) {
      INFO(folder << "/" << s.path);
      REQUIRE_FALSE(s.lines.empty());
      CHECK(s.lines.front().rfind("/// ", 0) == 0);
      const bool generated = s.lines.front().find("enerated") != std::string::npos;
      if (!generated) CHECK(s.lines.size() <= 600);
      const auto widest = std::max_element(
          s.lines.begin(), s.lines.end(),
          [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
      // Bytes, not columns: lines with non-ASCII text may be a little longer.
      if (!generated) CHECK_MESSAGE(widest->size() <= 120, *widest);
    }
  }
}

TEST_CASE("the library is a good guest: no output, no exit, no unprefixed macro") {
  for (const auto& s : read_tree(source_dir / "include" / "onoma")) {
    for (const auto& line : s.lines) {
      INFO(s.path << ": " << line);
      CHECK(line.find("#include <iostream>") == std::string::npos);
      for (const char* call : {"std::abort(", "std::exit(", " printf(",
                               "std::cout", "std::cerr", "assert("}) {
        const bool found = line.find(call) != std::string::npos &&
                           line.find("static_assert(") == std::string::npos;
        CHECK_MESSAGE(!found, call);
      }
      // PCRE2 wants to be told its width before it is included, unless the host has done so.
      const bool width = line.rfind("#define PCRE2_CODE_UNIT_WIDTH 8", 0) == 0;
      if (line.rfind("#define ", 0) == 0 && !width) CHECK(line.rfind("#define ONOMA_", 0) == 0);
    }
  }
}

}  // namespace test::layers_tests
