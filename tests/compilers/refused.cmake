# COMMAND fails, and says MESSAGE and little else.
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE result ERROR_VARIABLE said)
string(FIND "${said}" "${MESSAGE}" place)
string(REGEX MATCHALL "error: " errors "${said}")
list(LENGTH errors count)
if(result EQUAL 0 OR place EQUAL -1 OR count GREATER 2)
  message(FATAL_ERROR "expected one message (${MESSAGE}), found ${count}, status ${result}: ${said}")
endif()
