/// Memory runs out at every point of loading, tagging, training, saving and quantising: once, and from there on.
///
/// Usage: test_allocations SCENARIO [FIRST STEP]: refuses allocation FIRST, FIRST + STEP, ... until there are no
/// more. After each: an error that names no other reason, nothing lost, nothing half-written, and what is left
/// works, or says that it does not.
#include "failing_memory.hpp"

#include <onoma/onoma.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

namespace fs = std::filesystem;

const fs::path data = ONOMA_TEST_DATA_DIR;
const std::vector<std::string> texts = {
    "Jane Doe moved from Paris to Berlin in 2019.", "\xC3\xA9t\xC3\xA9 \xE4\xB8\xAD a\xCC\x81 aaaaaaaaaaaaaaaaaa!!",
    "jane was in berlin , anna saw london jane was in berlin , anna saw london jane was in berlin , anna saw london"};

/// A folder of this run alone, removed at its end.
class scratch {
 public:
  scratch() {
    std::string name = (fs::temp_directory_path() / "onoma-allocations-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// What a scenario does. `attempt` may fail at any point; `look` then says what is wrong, or nothing.
struct scenario {
  std::function<void()> attempt;
  std::function<std::string(bool failed)> look = [](bool) { return std::string(); };
};

std::string show(const std::vector<onoma::tagged_text>& tagged) {
  std::string all;
  for (const auto& text : tagged) {
    for (const auto& entity : text) all += entity.text + '|' + entity.label + '|' + std::to_string(entity.score) + ';';
    all += '\n';
  }
  return all;
}

std::string tag_all(onoma::pipeline& pipeline) {
  auto all = show(pipeline.tag_batch(texts));
  all += show({pipeline.tag_words(std::vector<std::string>{"jane", "in", "berlin"})});
  return all;
}

using folder_contents = std::map<std::string, std::string>;

/// Bytes of every file of a folder, by name; those of folders in it too.
folder_contents contents(const fs::path& folder) {
  folder_contents all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      all[fs::relative(entry.path(), folder).string()] = onoma::read_text_file(entry.path());
    }
  }
  return all;
}

/// Loads a folder and tags. What it finds is what it found before, or there is an error.
scenario load(const std::string& model, onoma::index_t threads) {
  const onoma::pipeline_options options{.threads = threads};
  auto expected = std::make_shared<std::string>();
  return {[=] {
            auto pipeline = onoma::pipeline::load(data / model, options);
            const auto found = tag_all(pipeline);
            if (expected->empty()) *expected = found;
            if (found != *expected) throw std::logic_error("other entities");
          }};
}

/// The same with a packed cache that is not there, and one that is.
scenario load_cached(bool there) {
  const auto folder = std::make_shared<scratch>();
  const auto cache = folder->path() / "packed";
  const onoma::pipeline_options options{.packed_cache = cache};
  auto expected = std::make_shared<std::string>();
  return {[=] {
            if (!there) fs::remove(cache);
            auto pipeline = onoma::pipeline::load(data / "bert-tiny", options);
            const auto found = tag_all(pipeline);
            if (expected->empty()) *expected = found;
            if (found != *expected) throw std::logic_error("other entities");
          },
          [=](bool) -> std::string {
            for (const auto& entry : fs::directory_iterator(folder->path())) {
              if (entry.path() != cache) return "a file is left: " + entry.path().string();
            }
            return {};
          }};
}

/// Loads weights of other forms.
scenario load_weights(const std::string& model) {
  const auto device = std::make_shared<onoma::cpu_backend>();
  return {[=] { static_cast<void>(onoma::token_classifier_model<onoma::cpu_backend>::load(data / model, *device)); }};
}

/// Loads a tokenizer and encodes.
scenario tokenizer(const fs::path& file) {
  auto expected = std::make_shared<std::vector<std::int32_t>>();
  return {[=] {
    const auto golden = onoma::parse_json(onoma::read_text_file(file), "golden");
    const auto tokens = onoma::tokenizer_from_json(golden.at("tokenizer").dump());
    std::vector<std::int32_t> found;
    for (const auto& text : texts) {
      for (const auto& window : tokens.encode(text)) found.insert(found.end(), window.ids.begin(), window.ids.end());
    }
    if (expected->empty()) *expected = found;
    if (found != *expected) throw std::logic_error("other ids");
  }};
}

/// Tags with a pipeline that goes on to be used.
scenario tag(const std::string& model, onoma::index_t threads) {
  const auto pipeline =
      std::make_shared<onoma::pipeline>(onoma::pipeline::load(data / model, {.threads = threads}));
  const auto expected = tag_all(*pipeline);
  return {[=] {
            if (tag_all(*pipeline) != expected) throw std::logic_error("other entities");
          },
          [=](bool) { return tag_all(*pipeline) == expected ? std::string() : "other entities afterwards"; }};
}

using model_type = onoma::token_classifier<onoma::cpu_backend>;

const std::vector<std::string> labels = {"B-LOC", "B-PER", "O"};

std::vector<onoma::sentence> corpus() {
  return onoma::parse_conll("jane B-PER\nwas O\nin O\nberlin B-LOC\n\nanna B-PER\nsaw O\nlondon B-LOC\n\n",
                            "corpus", {});
}

model_type new_model(onoma::cpu_backend& device) {
  return model_type::load(data / "bert-tiny", labels, device, {.seed = 1, .replace_head = true});
}

/// A run that fails somewhere and goes on: the weights at its end are those of a run without failure, or it says
/// that it cannot go on. Its checkpoint is whole.
scenario train(onoma::index_t threads) {
  struct state {
    explicit state(onoma::index_t n) : pool(n), device(pool), tokens(onoma::load_tokenizer(data / "bert-tiny")) {}
    onoma::thread_pool pool;
    onoma::cpu_backend device;
    onoma::tokenizer tokens;
    scratch folder;
    std::vector<onoma::sentence> sentences = corpus();
    std::vector<float> expected;
    std::string wrong;
  };
  const auto s = std::make_shared<state>(threads);
  return {[=] {
            // What is made here may fail too: nothing has begun then.
            auto model = new_model(s->device);
            onoma::training_options options;
            options.epochs = 2;
            options.batch.batch_size = 1;
            options.learning_rate = 1e-3;
            options.checkpoint = s->folder.path() / "state";
            onoma::trainer trainer(model, s->tokens, s->sentences, s->sentences, options);
            std::exception_ptr problem;
            try {
              static_cast<void>(trainer.run());
            } catch (...) {
              problem = std::current_exception();
            }
            failing_memory::cancel();
            s->wrong.clear();
            try {
              if (problem) static_cast<void>(trainer.run());
              const auto values = model.parameters().values();
              const std::vector<float> found(values.begin(), values.end());
              if (s->expected.empty()) s->expected = found;
              if (found != s->expected) s->wrong = "other weights after going on";
            } catch (const onoma::error& refusal) {
              if (refusal.expected().find("resume from a checkpoint") == std::string::npos) s->wrong = refusal.what();
            }
            if (problem) std::rethrow_exception(problem);
          },
          [=](bool) {
            for (const auto& entry : fs::directory_iterator(s->folder.path())) {
              if (entry.path().string().ends_with(".tmp")) return "a file is left: " + entry.path().string();
            }
            return s->wrong;
          }};
}

/// Names of files that differ.
std::string difference(const folder_contents& a, const folder_contents& b) {
  std::string names;
  for (const auto* one : {&a, &b}) {
    for (const auto& [name, bytes] : *one) {
      const auto other = (one == &a ? b : a).find(name);
      if (other == (one == &a ? b : a).end() || other->second != bytes) {
        names += (one == &a ? " found " : " expected ") + name + " of " + std::to_string(bytes.size()) + " bytes";
      }
    }
  }
  return names;
}

/// Saves into a new folder, or over another model: what is there is old or new and whole.
scenario save(bool over, const std::function<void(const fs::path&)>& write) {
  const auto folder = std::make_shared<scratch>();
  const auto place = folder->path() / "model";
  const auto fresh = folder->path() / "fresh";
  write(fresh);
  const auto new_one = contents(fresh);
  fs::remove_all(fresh);
  const auto old_one = contents(data / "bert-tiny");
  const auto begin = [=] {
    fs::remove_all(place);
    if (over) fs::copy(data / "bert-tiny", place, fs::copy_options::recursive);
  };
  begin();
  return {[=] { write(place); },
          [=](bool failed) -> std::string {
            std::string wrong;
            if (!fs::exists(place)) {
              if (over || !failed) wrong = "no folder is there";
            } else {
              const auto found = contents(place);
              // What onoma did not write stays.
              auto kept = new_one;
              if (over) kept.insert(old_one.begin(), old_one.end());
              const bool is_old = failed && over && found == old_one;
              if (found != kept && !is_old) wrong = "other files: " + difference(found, kept);
            }
            for (const auto& entry : fs::directory_iterator(folder->path())) {
              if (entry.path() != place) wrong = "something is left: " + entry.path().string();
            }
            begin();
            return wrong;
          }};
}

scenario save_model(bool over) {
  const auto device = std::make_shared<onoma::cpu_backend>();
  const auto model = std::make_shared<model_type>(new_model(*device));
  return save(over, [device, model](const fs::path& to) { model->save(to); });
}

scenario quantize() {
  return save(true, [](const fs::path& to) { static_cast<void>(onoma::quantize_folder(data / "bert-tiny", to)); });
}

scenario find(std::string_view name) {
  if (name == "load") return load("bert-tiny", 1);
  if (name == "load-pickle") return load_weights("roberta-tiny-bin");
  if (name == "load-modern") return load_weights("modernbert-tiny");
  if (name == "load-threads") return load("bert-tiny", 2);
  if (name == "load-cache") return load_cached(true);
  if (name == "load-new-cache") return load_cached(false);
  if (name == "tag") return tag("bert-tiny", 1);
  if (name == "tag-threads") return tag("bert-tiny", 2);
  if (name == "train") return train(1);
  if (name == "train-threads") return train(2);
  if (name == "save") return save_model(false);
  if (name == "save-over") return save_model(true);
  if (name == "quantize") return quantize();
  if (fs::exists(data / "tokenizers" / name)) return tokenizer(data / "tokenizers" / name);
  std::fprintf(stderr, "no scenario '%s'\n", std::string(name).c_str());
  std::exit(2);
}

struct counts {
  long points = 0;
  long survived = 0;
  long bad_alloc = 0;
  long errors = 0;
  long wrong = 0;
};

/// The lowest descriptor that is free: it rises where one is lost.
int free_descriptor() {
  const int found = ::dup(0);
  ::close(found);
  return found;
}

/// One failure. False where there was no such allocation any more.
bool attempt(const scenario& s, long n, bool lasting, counts& c, bool again = false) {
  const long before = failing_memory::live;
  const int descriptor = free_descriptor();
  const char* what = "";
  bool failed = true;
  std::string wrong;
  failing_memory::order(n, lasting);
  try {
    s.attempt();
    failing_memory::cancel();
    failed = false;
  } catch (const std::bad_alloc&) {
    failing_memory::cancel();
    what = "bad_alloc";
  } catch (const onoma::error& problem) {
    failing_memory::cancel();
    what = "onoma::error";
    if (std::getenv("ONOMA_SHOW_ERRORS") != nullptr) std::printf("%ld: %s\n", n, problem.what());
  } catch (const std::exception& problem) {
    failing_memory::cancel();
    what = "another exception";
    wrong = problem.what();
  }
  const long leaked = failing_memory::live - before;
  if (!failed && failing_memory::refused == 0) {
    static_cast<void>(s.look(failed));
    return false;
  }
  ++c.points;
  if (wrong.empty() && leaked != 0 && !again) {
    // A thread may have got work, and its buffers, for the first time. What is lost is lost again.
    static_cast<void>(s.look(failed));
    --c.points;
    return attempt(s, n, lasting, c, true);
  }
  if (wrong.empty() && leaked != 0) wrong = std::to_string(leaked) + " blocks lost";
  if (wrong.empty() && free_descriptor() != descriptor) wrong = "a descriptor is lost";
  if (const auto more = s.look(failed); wrong.empty()) wrong = more;
  if (!failed) ++c.survived;
  c.bad_alloc += what == std::string_view("bad_alloc") ? 1 : 0;
  c.errors += what == std::string_view("onoma::error") ? 1 : 0;
  if (!wrong.empty()) {
    ++c.wrong;
    std::printf("allocation %ld, %s: %s: %s\n", n, lasting ? "lasting" : "once", what, wrong.c_str());
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: test_allocations SCENARIO [FIRST STEP]\n");
    return 2;
  }
  const auto s = find(argv[1]);
  const long first = argc > 2 ? std::atol(argv[2]) : 0;
  const long step = argc > 3 ? std::atol(argv[3]) : 1;
  // What is made once and kept (tables, buffers of streams, of threads) is there before anything is counted.
  for (int i = 0; i < 2; ++i) {
    s.attempt();
    if (const auto wrong = s.look(false); !wrong.empty()) {
      std::printf("without any failure: %s\n", wrong.c_str());
      return 1;
    }
  }
  counts c;
  for (const bool lasting : {false, true}) {
    for (long n = first; attempt(s, n, lasting, c); n += step) {
    }
  }
  std::printf("%s: %ld points, %ld without effect, %ld bad_alloc, %ld onoma::error, %ld wrong\n", argv[1], c.points,
              c.survived, c.bad_alloc, c.errors, c.wrong);
  if (c.points == 0) std::puts("no point was reached");
  return c.wrong == 0 && c.points > 0 ? 0 : 1;
}
