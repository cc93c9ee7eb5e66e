# Fails if a per-arch object has a weak symbol whose name does not say its instruction set: the linker
# may make that copy the one that every unit runs. Fails too if the object needs the C++ library: its
# templates are inlined today and may be such symbols with the next compiler.
# Needs: OBJECT (path of the object file), ARCH, NM.
# The unit of AMX has the flags of AVX-512: the two may share functions.
set(flags ${ARCH})
if(ARCH STREQUAL amx)
  set(flags avx512)
endif()
execute_process(COMMAND ${NM} --demangle ${OBJECT} OUTPUT_VARIABLE symbols RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "nm failed on ${OBJECT}")
endif()
# A check on the check: the table is there.
if(NOT symbols MATCHES " [DdRr] onoma::v[0-9]+::${ARCH}_kernels\n")
  message(FATAL_ERROR "${OBJECT} holds no kernels of ${ARCH}")
endif()
# Brackets and semicolons are special in lists of CMake.
string(REGEX REPLACE "[][;]" "_" symbols "${symbols}")
string(REPLACE "\n" ";" symbols "${symbols}")
set(bad)
foreach(symbol IN LISTS symbols)
  # The reference to the personality routine is data without instructions, equal in every unit.
  if(symbol MATCHES "^[0-9a-f ]+ [WwVvu] " AND NOT symbol MATCHES "${flags}"
      AND NOT symbol MATCHES "DW\\.ref\\.__gxx_personality_v0$")
    string(APPEND bad "\n${symbol}")
  endif()
  if(symbol MATCHES "^ +U (std::|operator )")
    string(APPEND bad "\n${symbol}")
  endif()
endforeach()
if(bad)
  message(FATAL_ERROR "symbols that do not belong into the unit of ${ARCH}:${bad}")
endif()
