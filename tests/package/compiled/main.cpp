/// A program of a user: everything that the compiled library does, from a file that includes nothing else.
#include <onoma/compiled.hpp>

#include <iostream>

#if defined(ONOMA_ABI) || defined(XSIMD_VERSION_MAJOR) || defined(NLOHMANN_JSON_VERSION_MAJOR)
#error "compiled.hpp includes what its users need not have"
#endif

namespace {

int fail(const char* what) {
  std::cerr << "wrong: " << what << '\n';
  return 1;
}

bool equal(const onoma::compiled::tagged_text& a, const onoma::compiled::tagged_text& b) {
  if (a.entities.size() != b.entities.size()) return false;
  for (std::size_t i = 0; i < a.entities.size(); ++i) {
    const auto& x = a.entities[i];
    const auto& y = b.entities[i];
    if (x.text != y.text || x.label != y.label || x.bytes.begin != y.bytes.begin || x.score < y.score ||
        x.score > y.score) {
      return false;
    }
  }
  return true;
}

int train(const std::string& folder, const std::string& output) {
  const std::vector<onoma::compiled::sentence> data = {
      {{"Jane", "visited", "Berlin"}, {"B-PER", "O", "B-LOC"}}};
  onoma::compiled::training_options options;
  options.epochs = 2;
  onoma::compiled::trainer trainer(folder, data, data, options);
  if (trainer.total_steps() != 2 || trainer.labels().size() != 3) return fail("a trainer");
  int calls = 0;
  const auto result = trainer.run([&](const onoma::compiled::training_progress& p) {
    if (p.is_epoch && (p.dev == nullptr || p.dev->micro.support != 2)) ++calls;
    return ++calls < 2;
  });
  if (!result.stopped || result.steps != 1 || calls != 2) return fail("a run that is stopped");
  struct stop {};
  try {
    trainer.run([](const onoma::compiled::training_progress&) -> bool { throw stop(); });
    return fail("a callback that throws");
  } catch (const stop&) {
  }
  if (trainer.evaluate(data).micro.support != 2) return fail("scores");
  trainer.save(output);
  return onoma::compiled::model::load(output).labels().size() == 3 ? 0 : fail("a saved model");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    auto model = onoma::compiled::model::load(argv[1]);
    const std::string text = "Jane Doe moved from Paris to New York.";
    const auto tagged = model.tag(text);
    for (const auto& e : tagged.entities) {
      const auto size = static_cast<std::size_t>(e.bytes.end - e.bytes.begin);
      if (text.substr(static_cast<std::size_t>(e.bytes.begin), size) != e.text) return fail("a place");
    }
    if (tagged.entities.empty() || !equal(tagged, model.share().tag(text))) return fail("entities");
    if (!equal(tagged, model.tag_batch({"", text}).back())) return fail("a batch");
    auto moved = std::move(model);
    if (moved.tag_words({"Jane", "visited", "Berlin"}).windows != 1) return fail("words");
    try {
      moved.tag("\xFF");
      return fail("a text that is not UTF-8");
    } catch (const onoma::compiled::error& e) {
      if (e.code() != onoma::compiled::error_code::parse || e.operation().empty() || e.expected().empty()) {
        return fail(e.what());
      }
    }
    try {
      (void)moved.evaluate({{{"Jane"}, {}}});
      return fail("a sentence without tags");
    } catch (const onoma::compiled::error& e) {
      if (e.code() != onoma::compiled::error_code::shape_mismatch) return fail(e.what());
    }
    return train(argv[1], argv[2]);
  } catch (const onoma::compiled::error& problem) {
    return fail(problem.what());
  }
}
