/// The entry point of test binaries whose kernels are picked at run time: proves first that the
/// instruction set that the environment asks for is the active one.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <onoma/backend/cpu/backend.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  const char* forced = std::getenv("ONOMA_FORCE_ARCH");
  try {
    const std::string active = onoma::cpu_backend{}.kernels().name;
    std::cout << "instruction set: " << active << '\n';
    if (forced != nullptr && active != forced) {
      std::cout << "ONOMA_FORCE_ARCH asks for " << forced << '\n';
      return 1;
    }
  } catch (const onoma::error& e) {
    std::cout << "skipped: " << e.what() << '\n';
    return 77;  // what CTest is told to count as skipped
  }
  return doctest::Context(argc, argv).run();
}
