/// PyTorch's files: what torch.save wrote is read bit for bit, nothing is executed, and no damaged
/// or hostile file gets through.
#include "zip_writer.hpp"

#include <onoma/core/rng.hpp>
#include <onoma/io/pytorch.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace test::pytorch_tests {
namespace {

using namespace std::string_literals;
using onoma::index_t;

const std::filesystem::path files = std::filesystem::path(ONOMA_TEST_DATA_DIR) / "torch-files";

onoma::pytorch_file parse(const std::string& bytes) {
  return onoma::pytorch_file::from_bytes(bytes_of(bytes), "test");
}

/// The message of the refusal, or "" if the file is read.
std::string refusal(const std::string& bytes) {
  try {
    static_cast<void>(parse(bytes));
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return {};
}

/// Reads a file that may be damaged, and every byte of every tensor: a sanitizer sees a wrong view.
/// Returns whether it was accepted.
bool survives(const std::string& bytes) {
  try {
    const auto file = parse(bytes);
    unsigned sum = 0;
    for (const auto& tensor : file.tensors()) {
      CHECK(static_cast<std::size_t>(tensor.elements() * onoma::size_of(tensor.type)) ==
            tensor.bytes.size());
      for (const auto byte : tensor.bytes) sum += static_cast<unsigned>(byte);
    }
    static_cast<void>(sum);
    return true;
  } catch (const onoma::error&) {
    return false;  // refused with the library's own error
  }
}

std::string text(const std::string& s) {
  return "X" + raw(static_cast<std::uint32_t>(s.size())) + s;
}
std::string integer(std::int64_t n) { return "\x8a\x08"s + raw(n); }
std::string tuple(const std::vector<std::int64_t>& numbers) {
  std::string program = "(";
  for (const auto n : numbers) program += integer(n);
  return program + "t";
}

/// A tensor as torch.save describes it.
std::string tensor(const std::string& offset, const std::string& sizes, const std::string& strides,
                   const std::string& elements = integer(6)) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\nFloatStorage\n" +
         text("0") + text("cpu") + elements + "tQ" + offset + sizes + strides + "\x89" +
         "ccollections\nOrderedDict\n)RtR";
}
/// A file with one tensor over a storage of six floats.
std::string file_of(const std::string& value) {
  return zip_of({{"a/data.pkl", "\x80\x02}" + text("x") + value + "s."},
                 {"a/data/0", std::string(24, '\1')}});
}

}  // namespace

TEST_CASE("the checksum has the published check value") {
  CHECK(onoma::crc32(bytes_of("123456789")) == 0xcbf43926U);
  CHECK(onoma::crc32({}) == 0U);
}

TEST_CASE("tensors of every type and order are read as safetensors has them") {
  const auto expected = onoma::safetensors_file::open(files / "expected.safetensors");
  for (const char* name : {"tensors.bin", "protocol4.bin"}) {
    const auto file = onoma::pytorch_file::open(files / name);
    REQUIRE(file.tensors().size() == expected.tensors().size());
    for (const auto& found : file.tensors()) {
      INFO(name << " " << found.name);
      const auto* same = expected.find(found.name);
      REQUIRE(same != nullptr);
      CHECK(found.type == same->type);
      CHECK(found.shape == same->shape);
      CHECK(std::equal(found.bytes.begin(), found.bytes.end(), same->bytes.begin(),
                       same->bytes.end()));
    }
  }
  // The state dict of a module: an OrderedDict with attributes.
  const auto module = onoma::pytorch_file::open(files / "state_dict.bin");
  REQUIRE(module.tensors().size() == 1);
  float weight[6];
  onoma::to_float(module.tensors()[0], weight);
  CHECK(weight[5] == 5.0F);
}

TEST_CASE("what is no state dict of tensors is refused by name") {
  const auto message = [](const char* name) {
    try {
      static_cast<void>(onoma::pytorch_file::open(files / name));
    } catch (const onoma::error& problem) {
      return std::string(problem.what());
    }
    return std::string();
  };
  CHECK(message("legacy.bin").find("PyTorch 1.6") != std::string::npos);
  CHECK(message("not_tensors.bin").find("'step'") != std::string::npos);
  CHECK(message("module.bin").find("torch.nn.modules.linear.Linear") != std::string::npos);
  CHECK(message("repeated.bin").find("storage of 1,") != std::string::npos);
  CHECK(message("expected.safetensors").find("zip format") != std::string::npos);
  CHECK(refusal("version https://git-lfs.github.com/spec/v1\n").find("git-lfs") !=
        std::string::npos);
  CHECK(refusal("").find("zip format") != std::string::npos);
}

TEST_CASE("nothing is executed: a call is data, and other imports are refused") {
  const auto attack = [](const std::string& program) {
    return refusal(zip_of({{"a/data.pkl", "\x80\x02" + program}}));
  };
  CHECK(attack("cos\nsystem\n" + text("true") + "\x85R.").find("'os.system'") != std::string::npos);
  CHECK(attack(text("builtins") + text("eval") + "\x93.").find("'builtins.eval'") !=
        std::string::npos);
  CHECK(attack("ctorch._utils\n_rebuild_tensor_v2\n.").find("state dict") != std::string::npos);
  CHECK(attack("ccollections\nOrderedDict\n" + tuple({1}) + "R.").find("state dict") !=
        std::string::npos);
  for (const char* program : {"}",
                              ".",
                              "t.",
                              "(t",
                              "0.",
                              "}s.",
                              "}NNNu.",
                              "](u.",
                              "h\1.",
                              "(.",
                              "Nb.",
                              "}Nb",
                              "\x93.",
                              "\x8a\xff.",
                              "i",
                              "}q",
                              "X\xff\xff\xff\xff.",
                              "cx",
                              "}(NNu.",
                              "}.}",
                              "Nq\1h\1",
                              "}e.",
                              "}Na."}) {
    INFO(program);
    CHECK(attack(program) != "");
  }
  CHECK(refusal(zip_of({{"a/data.pkl", "\x80\x06}."}})).find("protocol") != std::string::npos);
  // Values that hold one another a hundred deep, doubled at each level: a tree would not end.
  std::string nested = "]q\1";
  for (int i = 0; i < 100; ++i)
    nested +=
        "]q\2h\1h\1\x86"
        "aq\1";
  CHECK(attack(nested + ".").find("state dict") != std::string::npos);
  const std::string endless(3'000'000, ']');
  CHECK(attack(endless).find("instructions") != std::string::npos);
}

TEST_CASE("a tensor is inside its storage") {
  const auto good = tensor(integer(0), tuple({2, 3}), tuple({3, 1}));
  REQUIRE(refusal(file_of(good)) == "");
  CHECK(refusal(file_of(tensor(integer(3), tuple({3}), tuple({1})))) == "");
  CHECK(refusal(file_of(tensor(integer(6), tuple({0}), tuple({1})))) == "");
  CHECK(refusal(file_of(tensor(integer(0), tuple({3, 2}), tuple({1, 3})))) == "");
  const std::vector<std::int64_t> ones(17, 1);
  const std::int64_t huge = std::int64_t{1} << 62;
  for (const auto& bad : {
           tensor(integer(4), tuple({3}), tuple({1})),
           tensor(integer(6), tuple({}), tuple({})),
           tensor(integer(-1), tuple({3}), tuple({1})),
           tensor(integer(0), tuple({7}), tuple({1})),
           tensor(integer(0), tuple({7}), tuple({0})),
           tensor(integer(0), tuple({2}), tuple({6})),
           tensor(integer(0), tuple({2}), tuple({-1})),
           tensor(integer(0), tuple({2}), tuple({huge})),
           tensor(integer(huge), tuple({2}), tuple({1})),
           tensor(integer(0), tuple({huge, 4}), tuple({4, 1})),
           tensor(integer(0), tuple({huge >> 16, huge >> 16, 0}), tuple({1, 1, 1})),
           tensor(integer(0), tuple({2, 3}), tuple({1})),
           tensor(integer(0), tuple(ones), tuple(ones)),
           tensor(integer(0), integer(2), tuple({1})),
           tensor(integer(0), tuple({2}), tuple({1}), integer(5)),
           tensor(integer(0), tuple({2}), tuple({1}), "N"),
           text("no tensor"),
           "ctorch._utils\n_rebuild_parameter\n)R"s,
           "ctorch._utils\n_rebuild_tensor_v2\nNR"s,
       }) {
    INFO(bad);
    CHECK(refusal(file_of(bad)) != "");
  }
  // Copies are bounded by the file, not by what a few bytes ask for.
  std::string many = "\x80\x02}";
  const auto transposed = tensor(integer(0), tuple({60, 100}), tuple({1, 60}), integer(6000));
  for (int i = 0; i < 100; ++i) many += text(std::to_string(i)) + transposed + "s";
  CHECK(refusal(zip_of({{"a/data.pkl", many + "."}, {"a/data/0", std::string(24000, 'x')}}))
            .find("copies") != std::string::npos);
}

TEST_CASE("archives: zip64, and what is refused") {
  const std::vector<std::pair<std::string, std::string>> files_of = {
      {"a/data.pkl", "\x80\x02}" + text("x") + tensor(integer(0), tuple({6}), tuple({1})) + "s."},
      {"a/data/0", std::string(24, '\1')},
      {"a/byteorder", "little"}};
  REQUIRE(refusal(zip_of(files_of)) == "");
  CHECK(refusal(zip_of(files_of, {.large = true})) == "");
  CHECK(refusal(zip_of(files_of) + "x") != "");
  CHECK(refusal(zip_of(files_of, {.method = 8})).find("compressed") != std::string::npos);
  CHECK(refusal(zip_of(files_of, {.flags = 1})).find("compressed") != std::string::npos);
  CHECK(refusal(zip_of(files_of, {.crc_change = 1})).find("checksum") != std::string::npos);
  auto other = files_of;
  other[2].second = "bigger";
  CHECK(refusal(zip_of(other)).find("byte order") != std::string::npos);
  other = files_of;
  other.push_back(other[1]);
  CHECK(refusal(zip_of(other)).find("twice") != std::string::npos);
  other = files_of;
  other.push_back({"b/data.pkl", other[0].second});
  CHECK(refusal(zip_of(other)).find("two") != std::string::npos);
  other = files_of;
  other[1].first = "a/data/1";
  CHECK(refusal(zip_of(other)).find("storage '0'") != std::string::npos);
  other = files_of;
  other[0].second = "\x80\x02}" + text("x") + tensor(integer(0), tuple({6}), tuple({1})) + "s" +
                    text("x") + tensor(integer(0), tuple({6}), tuple({1})) + "s.";
  CHECK(refusal(zip_of(other)).find("'x' twice") != std::string::npos);
  // Known before the values are looked at: a name costs a few bytes each time, whatever its length.
  other[0].second = "\x80\x02}" + text("x") + integer(1) + "s" + text("x") + integer(1) + "s.";
  CHECK(refusal(zip_of(other)).find("'x' twice") != std::string::npos);
}

TEST_CASE("entries over the same bytes are refused: each would be read as a whole") {
  // The content of data/0 is the entry data/1, of which the directory knows too.
  const std::string content(5000, 'c');
  const std::string inner = zip_of({{"a/data/1", content}});
  const std::size_t record = 30 + 8 + 3 + content.size();
  std::string known = inner.substr(record, 46 + 8);
  const auto bytes = [&](int key, std::size_t size) {
    const auto count = integer(static_cast<int>(size));
    return text("t" + std::to_string(key)) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
           "ctorch\nByteStorage\n" + text(std::to_string(key)) + text("cpu") + count + "tQ" + integer(0) +
           tuple({static_cast<int>(size)}) + tuple({1}) + "\x89" + "ccollections\nOrderedDict\n)RtRs";
  };
  const auto archive = [&](bool both) {
    const std::string pickle =
        "\x80\x02}" + bytes(0, record) + (both ? bytes(1, content.size()) : std::string()) + ".";
    std::string outer = zip_of({{"a/data.pkl", pickle}, {"a/data/0", inner.substr(0, record)}});
    const std::size_t end = outer.size() - 22;  // the record of the directory's end
    const auto offset = static_cast<std::uint32_t>(outer.find("PK\x03\x04", outer.find("a/data/0")));
    known.replace(42, 4, raw(offset));
    outer.insert(end, known);
    const auto place = end + known.size();
    outer.replace(place + 8, 4, raw<std::uint16_t>(3) + raw<std::uint16_t>(3));
    std::uint32_t size = 0;
    std::memcpy(&size, outer.data() + place + 12, 4);
    outer.replace(place + 12, 4, raw(static_cast<std::uint32_t>(size + known.size())));
    return outer;
  };
  CHECK(survives(archive(false)));
  CHECK(refusal(archive(true)).find("overlap") != std::string::npos);
}

TEST_CASE("every truncation is refused, and no damaged file is read beyond its end") {
  for (const char* name : {"tensors.bin", "protocol4.bin", "state_dict.bin"}) {
    INFO(name);
    const onoma::mapped_file file(files / name);
    const std::string whole(file.text());
    REQUIRE(survives(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK(refusal(whole.substr(0, size)) != "");
    // Bits of the archive: the checksums find what changes an entry's content.
    for (std::size_t i = 0; i < whole.size(); ++i) {
      auto changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
      static_cast<void>(survives(changed));
    }
  }
}

TEST_CASE("damaged pickles behind a right checksum") {
  const onoma::mapped_file file(files / "tensors.bin");
  const onoma::zip_archive archive(file.bytes(), "test");
  std::vector<std::pair<std::string, std::string>> entries;
  std::size_t pickle = 0;
  for (const auto& entry : archive.entries()) {
    const auto content = archive.read(entry);
    if (entry.name.ends_with("data.pkl")) pickle = entries.size();
    entries.emplace_back(
        entry.name, std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  }
  REQUIRE(survives(zip_of(entries)));
  const std::string whole = entries[pickle].second;
  onoma::random_stream random(11);
  const auto size = static_cast<std::uint32_t>(whole.size());
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto changed = whole;
    const auto changes = 1 + random.below(3);
    for (std::uint32_t i = 0; i < changes; ++i) {
      const auto at = random.below(static_cast<std::uint32_t>(changed.size()));
      switch (random.below(3)) {
        case 0: changed[at] = static_cast<char>(random.below(256)); break;
        case 1: changed.erase(at, 1 + random.below(8)); break;
        // Instructions of one place at another.
        default: changed.insert(at, whole.substr(random.below(size), 1 + random.below(16)));
      }
    }
    entries[pickle].second = changed;
    accepted += survives(zip_of(entries)) ? 1 : 0;
  }
  // Most changes are seen; those of a name or of a number within its bounds cannot be.
  CHECK(accepted > 0);
  CHECK(accepted < 15'000);
}

}  // namespace test::pytorch_tests
