# Finds what onoma's headers need and gathers it in the target onoma::dependencies; ONOMA_MISSING lists what
# was not found. Used by the build and, installed, by onoma-config.cmake: one list for both.

include(OnomaLibraries)
find_package(xsimd 8.1 QUIET)
find_package(nlohmann_json 3.11 QUIET)

# utf8proc: upstream installs a CMake package, Debian does not. PCRE2 is optional.
find_path(ONOMA_UTF8PROC_INCLUDE_DIR utf8proc.h)
find_path(ONOMA_PCRE2_INCLUDE_DIR pcre2.h)
mark_as_advanced(ONOMA_UTF8PROC_INCLUDE_DIR ONOMA_PCRE2_INCLUDE_DIR)

set(ONOMA_MISSING)
if(NOT xsimd_FOUND)
  list(APPEND ONOMA_MISSING "xsimd 8.1 (Debian: libxsimd-dev)")
endif()
if(NOT nlohmann_json_FOUND)
  list(APPEND ONOMA_MISSING "nlohmann_json 3.11 (Debian: nlohmann-json3-dev)")
endif()
if(NOT Threads_FOUND)
  list(APPEND ONOMA_MISSING "threads")
endif()
if(NOT ONOMA_UTF8PROC_INCLUDE_DIR OR NOT ONOMA_UTF8PROC_LIBRARY)
  list(APPEND ONOMA_MISSING "utf8proc (Debian: libutf8proc-dev)")
endif()
list(JOIN ONOMA_MISSING ", " ONOMA_MISSING)

if(NOT ONOMA_MISSING AND NOT TARGET onoma::dependencies)
  add_library(onoma::dependencies INTERFACE IMPORTED GLOBAL)
  # Only xsimd's headers are wanted. Debian's target `xsimd` (8.1; later releases: `xsimd::xsimd`)
  # also asks for the optional library xtl, which is not installed with it.
  if(TARGET xsimd::xsimd)
    set(onoma_xsimd xsimd::xsimd)
  else()
    set(onoma_xsimd xsimd)
  endif()
  get_target_property(onoma_xsimd_include ${onoma_xsimd} INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(onoma::dependencies SYSTEM INTERFACE ${onoma_xsimd_include})
  target_include_directories(onoma::dependencies SYSTEM INTERFACE ${ONOMA_UTF8PROC_INCLUDE_DIR})
  target_link_libraries(onoma::dependencies INTERFACE
    nlohmann_json::nlohmann_json Threads::Threads ${ONOMA_UTF8PROC_LIBRARY})
  if(ONOMA_PCRE2_INCLUDE_DIR AND ONOMA_PCRE2_LIBRARY)
    target_include_directories(onoma::dependencies SYSTEM INTERFACE ${ONOMA_PCRE2_INCLUDE_DIR})
    target_link_libraries(onoma::dependencies INTERFACE ${ONOMA_PCRE2_LIBRARY})
    target_compile_definitions(onoma::dependencies INTERFACE ONOMA_PCRE2=1)
  endif()
endif()
