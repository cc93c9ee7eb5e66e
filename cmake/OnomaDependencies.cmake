# Finds what onoma's headers need and gathers it in the target onoma::dependencies.
# Used by the build and, installed, by onoma-config.cmake: one list for both.

find_package(xsimd 8.1 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(Threads REQUIRED)

# utf8proc: upstream installs a CMake package, Debian does not.
find_path(ONOMA_UTF8PROC_INCLUDE_DIR utf8proc.h)
find_library(ONOMA_UTF8PROC_LIBRARY utf8proc)
mark_as_advanced(ONOMA_UTF8PROC_INCLUDE_DIR ONOMA_UTF8PROC_LIBRARY)
if(NOT ONOMA_UTF8PROC_INCLUDE_DIR OR NOT ONOMA_UTF8PROC_LIBRARY)
  message(FATAL_ERROR "onoma: utf8proc was not found (Debian: apt-get install libutf8proc-dev)")
endif()

if(NOT TARGET onoma::dependencies)
  add_library(onoma::dependencies INTERFACE IMPORTED GLOBAL)
  # Debian's xsimd 8.1 exports `xsimd`; later releases export `xsimd::xsimd` beside it.
  if(TARGET xsimd::xsimd)
    set(onoma_xsimd xsimd::xsimd)
  else()
    set(onoma_xsimd xsimd)
  endif()
  target_include_directories(onoma::dependencies SYSTEM INTERFACE ${ONOMA_UTF8PROC_INCLUDE_DIR})
  target_link_libraries(onoma::dependencies INTERFACE
    ${onoma_xsimd} nlohmann_json::nlohmann_json Threads::Threads ${ONOMA_UTF8PROC_LIBRARY})
endif()
