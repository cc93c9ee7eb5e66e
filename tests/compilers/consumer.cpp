/// What a consumer's unit may do: names of <strings.h>, the whole library and its whole namespace.
#include <strings.h>  // index() of POSIX

#include <onoma/onoma.hpp>

using namespace onoma;

int main() {
  pipeline (*const load)(const std::filesystem::path&) = nullptr;
  const index_t size = 0;
  return static_cast<int>(size) + (load == nullptr ? 0 : 1);
}
