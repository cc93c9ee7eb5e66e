/// Feature macros and the inline namespace that keeps differently compiled copies apart.
#pragma once

#include <onoma/version.hpp>

// One message instead of the thousands that follow it: the include of a file that is nowhere ends the unit.
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "onoma needs C++20: compile with -std=c++20 or newer"
#include <onoma needs C++20>
#elif !defined(__cpp_exceptions)
#error "onoma reports errors by exceptions: compile without -fno-exceptions"
#include <onoma needs exceptions>
#endif

// Two translation units of one program that were compiled with different flags would share inline
// functions, and the linker would keep whichever it saw first: one of them might run instructions
// that its machine lacks. The inline namespace ONOMA_ABI names the instruction set and the mode, so
// that each unit runs the code that was compiled for it.

/// @def ONOMA_ARCH
/// The instruction set that this unit is compiled for, as a part of a name.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define ONOMA_ARCH avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define ONOMA_ARCH avx2
#elif defined(__AVX__)
#define ONOMA_ARCH avx
#elif defined(__SSE4_1__)
#define ONOMA_ARCH sse4
#elif defined(__ARM_NEON) || defined(__aarch64__)
#define ONOMA_ARCH neon
#else
#define ONOMA_ARCH sse2
#endif

/// @def ONOMA_MODE
/// The end of the name of ONOMA_ABI. onoma_add_dispatch() (docs/dispatch.md) defines one of two modes:
/// ONOMA_DISPATCH for the units of a program, whose kernels are picked at run time, and
/// ONOMA_DISPATCH_UNIT for the units that hold the kernels. Neither: static mode, the unit's own flags
/// choose.
#if defined(ONOMA_DISPATCH_UNIT)
#define ONOMA_MODE _unit
#elif defined(ONOMA_DISPATCH)
#define ONOMA_MODE _dispatched
#else
#define ONOMA_MODE
#endif

#define ONOMA_JOIN_(a, b, c) a##b##c              ///< For ONOMA_JOIN.
#define ONOMA_JOIN(a, b, c) ONOMA_JOIN_(a, b, c)  ///< One name of three, which may be macros.
/// The inline namespace of everything that has code. Programs write `onoma::` alone.
#define ONOMA_ABI ONOMA_JOIN(v0_, ONOMA_ARCH, ONOMA_MODE)

/// Plain structs and enumerations that pass between differently compiled units live here instead: the
/// same name for all of them. No inline function is in this namespace.
#define ONOMA_SEAM v0

// 1: PCRE2 is there for regular expressions of tokenizer.json. CMake's target says so.
#if !defined(ONOMA_PCRE2)
#define ONOMA_PCRE2 0
#endif

/// @def ONOMA_DEBUG_CHECKS
/// 1: `debug_check` checks. It does where NDEBUG is not defined.
#if !defined(ONOMA_DEBUG_CHECKS)
#if defined(NDEBUG)
#define ONOMA_DEBUG_CHECKS 0
#else
#define ONOMA_DEBUG_CHECKS 1
#endif
#endif
