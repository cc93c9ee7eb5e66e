# onoma_developer_options(target): the flags of our own tests, examples and benchmarks.
# Nothing here reaches a consumer of onoma::onoma.
include(CheckCXXCompilerFlag)

if(ONOMA_NATIVE_ARCH)
  check_cxx_compiler_flag(-march=native ONOMA_HAS_MARCH_NATIVE)
endif()

function(onoma_developer_options target)
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow>
    # GCC 12 warns inside its own AVX-512 intrinsics (GCC bug 105593).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
  if(ONOMA_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE
      $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Werror>)
  endif()
  if(ONOMA_NATIVE_ARCH AND ONOMA_HAS_MARCH_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
  if(ONOMA_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()
