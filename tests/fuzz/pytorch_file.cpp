/// A libFuzzer target for PyTorch's files: whole archives, and pickles in an archive with right
/// checksums.
///
/// Built and run by tests/fuzz/CMakeLists.txt.
/// The first byte of an input says which; seeds are the archives and pickles of tests/golden/data.
#include "zip_writer.hpp"

#include <onoma/io/pytorch.hpp>

#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'p') {
    bytes = test::zip_of({{"a/data.pkl", bytes},
                          {"a/byteorder", "little"},
                          {"a/data/0", std::string(80, '\1')},
                          {"a/data/1", std::string(96, '\2')},
                          {"a/data/2", std::string(8, '\3')}});
  }
  try {
    const auto file = onoma::pytorch_file::from_bytes(test::bytes_of(bytes), "input");
    unsigned sum = 0;
    for (const auto& tensor : file.tensors()) {
      const auto expected = tensor.elements() * onoma::size_of(tensor.type);
      if (expected != static_cast<onoma::index_t>(tensor.bytes.size())) std::abort();
      for (const auto byte : tensor.bytes) sum += static_cast<unsigned>(byte);
    }
    static_cast<void>(sum);
  } catch (const onoma::error&) {
    // refused: good
  }
  return 0;
}
