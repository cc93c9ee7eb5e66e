# The shared library exports the names of symbols.txt and no others. Templates and the standard library's
# versions of a name differ between compilers, so that names are compared without arguments.
# Needs: LIBRARY, LIST (symbols.txt), NM.
execute_process(COMMAND ${NM} --dynamic --defined-only --demangle ${LIBRARY}
  OUTPUT_VARIABLE lines RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "nm failed on ${LIBRARY}")
endif()
string(REPLACE ";" "," lines "${lines}")
string(REPLACE "\n" ";" lines "${lines}")
set(found)
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^[0-9a-f]+ [A-Za-z] " "" name "${line}")
  string(REGEX REPLACE "(\\(|\\[abi:|@).*" "" name "${name}")
  if(NOT name MATCHES "^ONOMA_[0-9.]+$")  # the version that all of them have
    list(APPEND found "${name}")
  endif()
endforeach()
list(REMOVE_DUPLICATES found)
list(SORT found)
file(STRINGS ${LIST} expected REGEX "^[^#]")
list(SORT expected)
set(missing ${expected})
list(REMOVE_ITEM missing ${found})
set(more ${found})
list(REMOVE_ITEM more ${expected})
if(missing OR more)
  message(FATAL_ERROR
    "exported symbols differ from ${LIST}\n  not exported: ${missing}\n  not listed: ${more}")
endif()
