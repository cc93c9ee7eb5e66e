/// Uses the library from end to end; the object's symbols are inspected, it is never run.
#include <onoma/onoma.hpp>

std::size_t tag(const char* folder, const char* text) {
  return onoma::pipeline::load(folder).tag(text).size();
}
