/// Linear chains against pytorch-crf: log-likelihood, every gradient, best paths.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>

#include <doctest/doctest.h>
#include <golden/golden.hpp>
#include <support/compare.hpp>
#include <support/views.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

using onoma::index_t;
using onoma::mat;
using test::view;

constexpr int cases = 6;

/// The numbers of one case in any type. They are floats that the file holds in double.
template <class T>
struct golden_chain {
  const test::golden& file;
  std::string prefix;
  std::vector<T> emissions, transitions, start, end;
  std::vector<std::int32_t> offsets, tags;

  golden_chain(const test::golden& from, int number)
      : file(from),
        prefix(std::to_string(number) + "."),
        emissions(numbers("emissions")),
        transitions(numbers("transitions")),
        start(numbers("start")),
        end(numbers("end")),
        offsets(from.ids(prefix + "offsets")),
        tags(from.ids(prefix + "tags")) {}

  [[nodiscard]] std::vector<double> doubles(const std::string& name) const {
    const auto* tensor = file.file().find(prefix + name);
    REQUIRE(tensor != nullptr);
    std::vector<double> values(static_cast<std::size_t>(tensor->elements()));
    REQUIRE(tensor->bytes.size() == values.size() * sizeof(double));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
  }
  [[nodiscard]] std::vector<T> numbers(const std::string& name) const {
    std::vector<T> values;
    for (const double v : doubles(name)) values.push_back(static_cast<T>(v));
    return values;
  }
};

/// `relative`: of the largest gradient, and of the loss.
template <class B>
void check_chain(int number, double relative) {
  using T = typename B::scalar;
  INFO("case " << number);
  const test::golden file("crf");
  const golden_chain<T> c(file, number);
  const auto labels = static_cast<index_t>(c.start.size());
  const auto words = static_cast<index_t>(c.tags.size());
  const auto batch = onoma::sequences::of(view(c.offsets));
  const mat<const T> x(c.emissions.data(), words, labels);
  const onoma::crf_chain<T> chain{{{c.transitions.data(), labels, labels}, view(c.start), view(c.end)}, {}};
  std::vector<T> dx(c.emissions.size()), dt(c.transitions.size()), ds(c.start.size()), de(c.start.size());
  B device;
  const auto loss = device.crf_loss(chain, x, batch, {view(c.tags), {}}, T(1), {dx.data(), words, labels},
                                    {{dt.data(), labels, labels}, view(ds), view(de)});
  double sum = 0.0;
  for (const double one : c.doubles("loss")) sum += one;
  CHECK(test::difference(std::vector<double>{loss.sum}, std::vector<double>{sum}, relative, 1.0) == "");
  CHECK(loss.count == words);
  CHECK(test::difference(dx, c.doubles("grad.emissions"), relative, 1.0) == "");
  CHECK(test::difference(dt, c.doubles("grad.transitions"), relative, 1.0) == "");
  CHECK(test::difference(ds, c.doubles("grad.start"), relative, 1.0) == "");
  CHECK(test::difference(de, c.doubles("grad.end"), relative, 1.0) == "");
  std::vector<std::int32_t> best(c.tags.size());
  std::vector<double> scores(static_cast<std::size_t>(batch.count()));
  device.crf_viterbi(chain, x, batch, {}, view(best), view(scores));
  CHECK(best == c.file.ids(c.prefix + "best"));
}

}  // namespace

TEST_CASE("chains are those of pytorch-crf") {
  for (int number = 0; number < cases; ++number) {
    // Double on both sides, sums of some hundred terms.
    check_chain<onoma::reference_backend<double>>(number, 1e-12);
    // The fidelity that the project promises for float.
    check_chain<onoma::cpu_backend>(number, 1e-5);
  }
}
