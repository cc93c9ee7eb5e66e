/// A libFuzzer target for what onoma loads as a whole: a model folder with other settings or another header of
/// weights, a packed cache and a training state with other headers.
///
/// The first byte of an input says which file it is a part of; the rest of the folder is that of bert-tiny
/// (ONOMA_TEST_DATA_DIR). Built and run by tests/fuzz/CMakeLists.txt.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/train/checkpoint.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using trainable = onoma::token_classifier<onoma::cpu_backend>;

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A folder that is loaded again and again, and files beside it.
struct place {
  place() {
    std::string name = (fs::temp_directory_path() / "onoma-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder = fs::path(name) / "model";
    cache = fs::path(name) / "packed";
    state = fs::path(name) / "state";
    fs::copy(fs::path(ONOMA_TEST_DATA_DIR) / "bert-tiny", folder);
    config = onoma::read_text_file(folder / "config.json");
    weights = onoma::read_text_file(folder / "model.safetensors");
    static_cast<void>(onoma::token_classifier_model<onoma::cpu_backend>::load(folder, device, {.packed_cache = cache}));
    packed = onoma::read_text_file(cache);
    fs::remove(cache);
    auto model = trainable::load(folder, {}, device);
    const onoma::adamw<onoma::cpu_backend> optimizer(model.parameters(), {});
    onoma::save_training_state(state, model.parameters(), optimizer, {}, {}, onoma::json::object());
    trained = onoma::read_text_file(state);
    write_seeds();
  }
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() {
    std::error_code ignored;
    fs::remove_all(folder.parent_path(), ignored);
  }

  /// Inputs that are whole files, into the folder that the environment names.
  void write_seeds() const {
    const char* to = std::getenv("ONOMA_FUZZ_SEEDS");
    if (to == nullptr) return;
    write(fs::path(to) / "config", "c" + config);
    write(fs::path(to) / "weights", "w" + header_of(weights));
    write(fs::path(to) / "packed", "p" + header_of(packed));
    write(fs::path(to) / "state", "t" + header_of(trained));
  }
  static std::string header_of(const std::string& file) { return file.substr(8, header_size(file)); }
  static std::size_t header_size(const std::string& file) {
    std::uint64_t size = 0;
    for (int i = 7; i >= 0; --i) size = size << 8U | static_cast<unsigned char>(file[static_cast<std::size_t>(i)]);
    return size;
  }

  onoma::cpu_backend device;
  fs::path folder;
  fs::path cache;
  fs::path state;
  std::string config;
  std::string weights;
  std::string packed;
  std::string trained;
};

/// The numbers of a file behind another header.
std::string with_header(const std::string& file, std::string_view header) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFFU));
  bytes += header;
  return bytes + file.substr(8 + place::header_size(file));
}

void load(place& p, bool cached) {
  static_cast<void>(onoma::token_classifier_model<onoma::cpu_backend>::load(
      p.folder, p.device, {.packed_cache = cached ? p.cache : fs::path(), .verify = onoma::verification::full}));
}

void resume(place& p) {
  auto model = trainable::load(p.folder, {}, p.device);
  onoma::adamw<onoma::cpu_backend> optimizer(model.parameters(), {});
  std::vector<float> best;
  static_cast<void>(
      onoma::load_training_state(p.state, model.parameters(), optimizer, best, onoma::json::object()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static place p;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 'c':
        write(p.folder / "config.json", input);
        load(p, false);
        break;
      case 'w':
        write(p.folder / "model.safetensors", with_header(p.weights, input));
        load(p, false);
        break;
      case 'p':
        write(p.cache, with_header(p.packed, input));
        load(p, true);
        break;
      case 't':
        write(p.state, with_header(p.trained, input));
        resume(p);
        break;
      default: break;
    }
  } catch (const onoma::error&) {
    // refused: good
  }
  write(p.folder / "config.json", p.config);
  write(p.folder / "model.safetensors", p.weights);
  fs::remove(p.cache);
  return 0;
}
