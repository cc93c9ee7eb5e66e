/// What a unit that uses the compiled library includes: both of its headers, and none of the others.
#include <onoma.h>
#include <onoma/compiled.hpp>

#if defined(ONOMA_ABI)
#error "compiled.hpp includes the other headers"
#endif

std::size_t count(onoma::compiled::model& model, const onoma_result* result);

std::size_t count(onoma::compiled::model& model, const onoma_result* result) {
  return model.tag("Berlin").entities.size() + onoma_result_entity_count(result, 0);
}
