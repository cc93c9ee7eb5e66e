/// Feature macros and the inline namespace that keeps differently compiled copies apart.
#pragma once

#include <onoma/version.hpp>

// In the header-only (static) mode the consumer's own flags choose the instruction set. Two
// translation units of one program that were compiled with different flags would otherwise share
// inline functions, and the linker would keep whichever it saw first. The inline namespace names
// the instruction set, so that each unit runs the code that was compiled for it.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define ONOMA_ABI v0_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define ONOMA_ABI v0_avx2
#elif defined(__ARM_NEON) || defined(__aarch64__)
#define ONOMA_ABI v0_neon
#else
#define ONOMA_ABI v0_baseline
#endif

// Plain structs and enumerations that pass between differently compiled units live here instead: the
// same name for all of them. Nothing in this namespace has functions.
#define ONOMA_SEAM v0

#if !defined(ONOMA_DEBUG_CHECKS)
#if defined(NDEBUG)
#define ONOMA_DEBUG_CHECKS 0
#else
#define ONOMA_DEBUG_CHECKS 1
#endif
#endif
