# onoma_add_dispatch(target): the target's CPU backends use the best instruction set of the machine
# that they run on. docs/dispatch.md explains.
#
# One small unit per instruction set holds the kernels, compiled with that set's flags and always
# with -O3 (in Debug too; -O2 makes a forward pass 13 % slower); one more picks among them. They are
# compiled once per build tree and put into every target that asks. Used by the build and, installed,
# by onoma-config.cmake.

set(ONOMA_DISPATCH_DIR ${CMAKE_CURRENT_LIST_DIR}/dispatch CACHE INTERNAL "")

# The instruction sets, the best last, and their flags. The names are those of simd/arch.hpp and
# exec/cpu_features.hpp. Flags begin with the baseline: it takes back a -march of the project.
function(onoma_dispatch_archs out)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(archs sse2 avx2 avx512)
    set(flags_sse2 -march=x86-64 PARENT_SCOPE)
    set(flags_avx2 -march=x86-64 -mavx2 -mfma PARENT_SCOPE)
    set(flags_avx512 -march=x86-64 -mavx2 -mfma
      -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl)
    set(flags_avx512 ${flags_avx512} PARENT_SCOPE)
    if(CMAKE_SYSTEM_NAME STREQUAL Linux)  # which grants the tiles
      list(APPEND archs amx)
      set(flags_amx ${flags_avx512} PARENT_SCOPE)
    endif()
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    set(archs neon)
    set(flags_neon "" PARENT_SCOPE)
  else()
    message(FATAL_ERROR "onoma_add_dispatch: no kernels for '${CMAKE_SYSTEM_PROCESSOR}'")
  endif()
  set(${out} ${archs} PARENT_SCOPE)
endfunction()

# The object library `name` of one unit.
function(onoma_dispatch_unit name template arch flags)
  set(header kernels/cpu/table.hpp)
  set(table "cpu::make_table<simd::default_arch>()")
  if(arch STREQUAL amx)
    set(header kernels/cpu/amx_table.hpp)
    set(table "cpu::amx::make_table()")
  endif()
  set(source ${CMAKE_BINARY_DIR}/onoma_dispatch/${name}.cpp)
  configure_file(${ONOMA_DISPATCH_DIR}/${template} ${source} @ONLY)
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE onoma::onoma)
  target_compile_options(${name} PRIVATE ${flags} -O3 -fno-lto
    # GCC 12 warns inside its own AVX-512 intrinsics (GCC bug 105593).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
  target_compile_definitions(${name} PRIVATE NDEBUG)
  set_target_properties(${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    INTERPROCEDURAL_OPTIMIZATION OFF
    UNITY_BUILD OFF)
endfunction()

# The object libraries of all units, made on the first call.
function(onoma_dispatch_units out)
  onoma_dispatch_archs(archs)
  set(units)
  set(declarations)
  foreach(arch IN LISTS archs)
    list(APPEND units onoma_kernels_${arch})
    string(APPEND declarations "ONOMA_KERNELS(${arch})\n")
  endforeach()
  if(NOT TARGET onoma_kernels_pick)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
      message(FATAL_ERROR "onoma_add_dispatch: needs GCC or Clang, found ${CMAKE_CXX_COMPILER_ID}")
    endif()
    foreach(arch IN LISTS archs)
      onoma_dispatch_unit(onoma_kernels_${arch} kernels.cpp.in ${arch} "${flags_${arch}}")
    endforeach()
    list(GET archs 0 baseline)
    onoma_dispatch_unit(onoma_kernels_pick pick.cpp.in ${baseline} "${flags_${baseline}}")
  endif()
  set(${out} ${units} onoma_kernels_pick PARENT_SCOPE)
endfunction()

function(onoma_add_dispatch target)
  onoma_dispatch_units(units)
  foreach(unit IN LISTS units)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${unit}>)
  endforeach()
  target_compile_definitions(${target} PRIVATE ONOMA_DISPATCH)
endfunction()
