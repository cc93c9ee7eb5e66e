/// The second translation unit of the consumer: the headers must survive being linked twice.
#include <onoma/onoma.hpp>

std::size_t count_entities(const char* model, const char* text) {
  return onoma::pipeline::load(model).tag(text).size();
}
