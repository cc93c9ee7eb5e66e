/// The product of a linear layer by onoma and by the libraries that CMake found: Eigen, OpenBLAS, oneDNN.
///
/// y [N, M] = x [N, K] w^T at the shapes of MiniLM, DistilBERT / BERT-base and BERT-large, on one
/// thread, random operands. onoma and oneDNN read w as each packed it beforehand; Eigen and BLAS have
/// no way to. Every result is compared with onoma's before it is timed.
#include "support.hpp"

#include <onoma/backend/cpu/backend.hpp>

#if ONOMA_BENCH_EIGEN
#include <Eigen/Core>
#endif
#if ONOMA_BENCH_BLAS
#include <cblas.h>
#endif
#if ONOMA_BENCH_DNNL
#include <oneapi/dnnl/dnnl.hpp>
#endif

#include <cmath>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

using onoma::mat;

struct product {
  index_t tokens, in, out;
  std::vector<float> x, w, y, expected;
  onoma::cpu_backend device;
  onoma::cpu_backend::packed_weight packed;

  explicit product(const benchmark::State& state)
      : tokens(state.range(0)),
        in(state.range(1)),
        out(state.range(2)),
        x(normals(tokens * in, 1)),
        w(normals(out * in, 2)),
        y(static_cast<std::size_t>(tokens * out)),
        packed(device.make_packed(out, in, false)) {
    device.pack(mat<const float>{w.data(), out, in}, packed);
    with_onoma();
    expected = y;
  }

  void with_onoma() {
    device.linear({x.data(), tokens, in}, packed, {}, {y.data(), tokens, out});
  }

  /// Sums of `in` products of unit variance differ by some 1e-6 of sqrt(in): 1e-4 of it is an error.
  template <class Run>
  void measure(benchmark::State& state, Run&& run) {
    std::fill(y.begin(), y.end(), 0.0F);
    run();
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (std::abs(y[i] - expected[i]) > 1e-4F * std::sqrt(static_cast<float>(in))) {
        throw std::runtime_error("wrong product");
      }
    }
    for (auto _ : state) run();
    count_flops(state, 2.0 * static_cast<double>(tokens * in * out));
  }
};

void onoma_linear(benchmark::State& state) {
  product p(state);
  p.measure(state, [&] { p.with_onoma(); });
}

#if ONOMA_BENCH_EIGEN
void eigen_product(benchmark::State& state) {
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  product p(state);
  const Eigen::Map<const matrix> x(p.x.data(), p.tokens, p.in);
  const Eigen::Map<const matrix> w(p.w.data(), p.out, p.in);
  Eigen::Map<matrix> y(p.y.data(), p.tokens, p.out);
  p.measure(state, [&] { y.noalias() = x * w.transpose(); });
}
#endif

#if ONOMA_BENCH_BLAS
void blas_sgemm(benchmark::State& state) {
  product p(state);
  openblas_set_num_threads(1);
  const auto n = static_cast<int>(p.tokens), k = static_cast<int>(p.in), m = static_cast<int>(p.out);
  p.measure(state, [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0F, p.x.data(), k, p.w.data(), k,
                0.0F, p.y.data(), m);
  });
}
#endif

#if ONOMA_BENCH_DNNL
void dnnl_inner_product(benchmark::State& state) {
  using namespace dnnl;
  product p(state);
  engine cpu(engine::kind::cpu, 0);
  stream queue(cpu);
  const memory::desc x({p.tokens, p.in}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc y({p.tokens, p.out}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc w({p.in, p.out}, memory::data_type::f32, memory::format_tag::ba);
  const memory::desc any({p.in, p.out}, memory::data_type::f32, memory::format_tag::any);
#if DNNL_VERSION_MAJOR >= 3
  const matmul::primitive_desc plan(cpu, x, any, y);
#else
  const matmul::primitive_desc plan(matmul::desc(x, any, y), cpu);
#endif
  memory from(x, cpu, p.x.data()), plain(w, cpu, p.w.data()), to(y, cpu, p.y.data());
  memory packed(plan.weights_desc(), cpu);
  reorder(plain, packed).execute(queue, plain, packed);
  const matmul multiply(plan);
  p.measure(state, [&] {
    multiply.execute(queue,
                     {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, to}});
    queue.wait();
  });
}
#endif

void shapes(benchmark::internal::Benchmark* b) {
  for (const index_t hidden : {384, 768, 1024}) {
    for (const index_t tokens : {16, 128, 512}) {
      b->Args({tokens, hidden, 3 * hidden});
      b->Args({tokens, hidden, 4 * hidden});
      b->Args({tokens, 4 * hidden, hidden});
    }
  }
  b->ArgNames({"tokens", "in", "out"})->MeasureProcessCPUTime();
}

BENCHMARK(onoma_linear)->Apply(shapes);
#if ONOMA_BENCH_EIGEN
BENCHMARK(eigen_product)->Apply(shapes);
#endif
#if ONOMA_BENCH_BLAS
BENCHMARK(blas_sgemm)->Apply(shapes);
#endif
#if ONOMA_BENCH_DNNL
BENCHMARK(dnnl_inner_product)->Apply(shapes);
#endif

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
