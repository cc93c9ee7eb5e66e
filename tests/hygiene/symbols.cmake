# Fails if an object that uses the whole library calls a function that a guest must not call.
# Needs: OBJECT (path of the object file), NM.
execute_process(COMMAND ${NM} --undefined-only --demangle ${OBJECT}
  OUTPUT_VARIABLE symbols RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "nm failed on ${OBJECT}")
endif()
# A check on the check: an object of the library surely calls memcpy or operator new.
if(NOT symbols MATCHES "operator new")
  message(FATAL_ERROR "nm printed no symbol of ${OBJECT}")
endif()
# std::terminate is not in the list: compilers call it for noexcept.
foreach(name abort exit _exit quick_exit __assert_fail printf puts putchar "std::cout" "std::cerr"
    "std::clog" rand srand setlocale signal)
  if(symbols MATCHES " U ${name}(@[A-Z0-9_.]+)?\n")
    message(FATAL_ERROR "the library refers to ${name}")
  endif()
endforeach()
