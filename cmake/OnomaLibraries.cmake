# Finds the libraries that onoma's code calls and gathers them in the target onoma::libraries, without any
# headers; ONOMA_MISSING_LIBRARIES lists what was not found. Used by the build and, installed, by
# onoma-config.cmake: who links onoma::compiled needs no more.

find_package(Threads QUIET)
find_library(ONOMA_UTF8PROC_LIBRARY utf8proc)
# PCRE2 is optional, unless a compiled onoma calls it (ONOMA_COMPILED_PCRE2): tokenizers whose files have
# regular expressions of their own need it.
find_library(ONOMA_PCRE2_LIBRARY pcre2-8)
mark_as_advanced(ONOMA_UTF8PROC_LIBRARY ONOMA_PCRE2_LIBRARY)

set(ONOMA_MISSING_LIBRARIES)
if(NOT Threads_FOUND)
  list(APPEND ONOMA_MISSING_LIBRARIES "threads")
endif()
if(NOT ONOMA_UTF8PROC_LIBRARY)
  list(APPEND ONOMA_MISSING_LIBRARIES "utf8proc (Debian: libutf8proc-dev)")
endif()
if(ONOMA_COMPILED_PCRE2 AND NOT ONOMA_PCRE2_LIBRARY)
  list(APPEND ONOMA_MISSING_LIBRARIES "PCRE2 (Debian: libpcre2-dev)")
endif()
list(JOIN ONOMA_MISSING_LIBRARIES ", " ONOMA_MISSING_LIBRARIES)

if(NOT ONOMA_MISSING_LIBRARIES AND NOT TARGET onoma::libraries)
  add_library(onoma::libraries INTERFACE IMPORTED GLOBAL)
  target_link_libraries(onoma::libraries INTERFACE Threads::Threads ${ONOMA_UTF8PROC_LIBRARY})
  if(ONOMA_PCRE2_LIBRARY)
    target_link_libraries(onoma::libraries INTERFACE ${ONOMA_PCRE2_LIBRARY})
  endif()
endif()
