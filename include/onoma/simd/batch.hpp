/// Vectors of float with partial loads and stores for the ends of rows.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/simd/arch.hpp>

#include <cstring>

namespace onoma::inline ONOMA_ABI::simd {

/// A vector of floats.
template <class Arch>
using floats = xsimd::batch<float, Arch>;

/// Floats in a vector.
template <class Arch>
inline constexpr index_t width = static_cast<index_t>(floats<Arch>::size);

/// `count` rounded up to whole vectors.
template <class Arch>
[[nodiscard]] constexpr index_t padded(index_t count) {
  return (count + width<Arch> - 1) / width<Arch> * width<Arch>;
}

/// From any address.
template <class Arch>
[[nodiscard]] inline floats<Arch> load(const float* p) {
  return floats<Arch>::load_unaligned(p);
}

/// To any address.
template <class Arch>
inline void store(float* p, floats<Arch> v) {
  v.store_unaligned(p);
}

#if defined(__AVX512F__)
/// The first `count` <= 16 lanes.
[[nodiscard]] inline __mmask16 first_lanes(index_t count) {
  return static_cast<__mmask16>((1U << count) - 1U);
}
#endif

/// The first `count` < width elements; the others are zero.
template <class Arch>
[[nodiscard]] inline floats<Arch> load_partial(const float* p, index_t count) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) return _mm512_maskz_loadu_ps(first_lanes(count), p);
#endif
  float buffer[static_cast<std::size_t>(width<Arch>)] = {};
  std::memcpy(buffer, p, static_cast<std::size_t>(count) * sizeof(float));
  return load<Arch>(buffer);
}

/// Writes the first `count` < width elements.
template <class Arch>
inline void store_partial(float* p, floats<Arch> v, index_t count) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) return _mm512_mask_storeu_ps(p, first_lanes(count), v);
#endif
  float buffer[static_cast<std::size_t>(width<Arch>)];
  store<Arch>(buffer, v);
  std::memcpy(p, buffer, static_cast<std::size_t>(count) * sizeof(float));
}

/// The first `count` < width elements of v; the others are zero.
template <class Arch>
[[nodiscard]] inline floats<Arch> keep_first(floats<Arch> v, index_t count) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) return _mm512_maskz_mov_ps(first_lanes(count), v);
#endif
  float buffer[static_cast<std::size_t>(width<Arch>)];
  store<Arch>(buffer, v);
  return load_partial<Arch>(buffer, count);
}

/// A product that is rounded before anything is added to it, whether or not the compiler would rather fuse
/// the two: for rows whose sums are finished in more than one place.
template <class Arch>
[[nodiscard]] inline floats<Arch> rounded(floats<Arch> product) {
  typename floats<Arch>::register_type value = product;
#if defined(__x86_64__)
  asm("" : "+v"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#endif
  return value;
}

/// The largest element.
template <class Arch>
[[nodiscard]] inline float largest(floats<Arch> v) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) return _mm512_reduce_max_ps(v);
#endif
  float buffer[static_cast<std::size_t>(width<Arch>)];
  store<Arch>(buffer, v);
  float most = buffer[0];
  for (const float x : buffer) most = x > most ? x : most;
  return most;
}

/// `load` or, at the end of a row (count < width), `load_partial`.
template <class Arch>
[[nodiscard]] inline floats<Arch> load_some(const float* p, index_t count) {
  return count == width<Arch> ? load<Arch>(p) : load_partial<Arch>(p, count);
}

/// `store` or, at the end of a row (count < width), `store_partial`.
template <class Arch>
inline void store_some(float* p, floats<Arch> v, index_t count) {
  if (count == width<Arch>) {
    store<Arch>(p, v);
  } else {
    store_partial<Arch>(p, v, count);
  }
}

/// y[i] = f(a[i], ...) for i in [0, count): whole vectors, then one partial.
template <class Arch, class F, class... Inputs>
inline void map_row(index_t count, float* y, F f, const Inputs*... a) {
  index_t i = 0;
  for (; i + width<Arch> <= count; i += width<Arch>) store<Arch>(y + i, f(load<Arch>(a + i)...));
  if (i < count) {
    store_partial<Arch>(y + i, f(load_partial<Arch>(a + i, count - i)...), count - i);
  }
}

/// Sum over i of f(a[i], ...). Four accumulators: an addition takes four cycles and one can begin in each.
template <class Arch, class F, class... Inputs>
[[nodiscard]] inline float sum_row(index_t count, F f, const Inputs*... a) {
  constexpr index_t w = width<Arch>;
  floats<Arch> s0(0.0F);
  floats<Arch> s1(0.0F);
  floats<Arch> s2(0.0F);
  floats<Arch> s3(0.0F);
  index_t i = 0;
  for (; i + 4 * w <= count; i += 4 * w) {
    s0 += f(load<Arch>(a + i)...);
    s1 += f(load<Arch>(a + i + w)...);
    s2 += f(load<Arch>(a + i + 2 * w)...);
    s3 += f(load<Arch>(a + i + 3 * w)...);
  }
  for (; i + w <= count; i += w) s0 += f(load<Arch>(a + i)...);
  if (i < count) s1 += keep_first<Arch>(f(load_partial<Arch>(a + i, count - i)...), count - i);
  return xsimd::hadd((s0 + s1) + (s2 + s3));
}

}  // namespace onoma::inline ONOMA_ABI::simd
