/// A program of a user: loads a model folder and tags a sentence.
#include <onoma/onoma.hpp>

#include <iostream>

std::size_t count_entities(const char* model, const char* text);  // other.cpp

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto ner = onoma::pipeline::load(argv[1]);
  const auto entities = ner.tag("Jane visited Berlin.");
  std::cout << "onoma " << ONOMA_VERSION_MAJOR << '.' << ONOMA_VERSION_MINOR << ": "
            << entities.size() << " entities\n";
  // The second translation unit includes the same headers: no symbol may be defined twice.
  return count_entities(argv[1], "Jane visited Berlin.") == entities.size() ? 0 : 1;
}
