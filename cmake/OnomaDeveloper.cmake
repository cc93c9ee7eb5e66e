# onoma_developer_options(target [DISPATCH]): the flags of our own tests, examples and benchmarks.
# Nothing here reaches a consumer of onoma::onoma.
#
# DISPATCH: kernels of every instruction set, picked at run time. Else static mode, compiled for this
# machine if ONOMA_NATIVE_ARCH is on.
include(CheckCXXCompilerFlag)

if(ONOMA_NATIVE_ARCH)
  check_cxx_compiler_flag(-march=native ONOMA_HAS_MARCH_NATIVE)
endif()

function(onoma_developer_flags target)
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow>
    # GCC 12 warns inside its own AVX-512 intrinsics (GCC bug 105593).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
  if(ONOMA_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE
      $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Werror>)
  endif()
  if(ONOMA_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

function(onoma_developer_options target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DISPATCH" "" "")
  onoma_developer_flags(${target})
  if(arg_DISPATCH)
    onoma_add_dispatch(${target})
  elseif(ONOMA_NATIVE_ARCH AND ONOMA_HAS_MARCH_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
endfunction()

# The units of dispatch are held to the same warnings, and sanitized with the rest.
onoma_dispatch_units(onoma_units)
foreach(unit IN LISTS onoma_units)
  onoma_developer_flags(${unit})
endforeach()
