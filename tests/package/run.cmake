# Builds the consumer project in one of its modes and runs it.
# Needs: MODE, SOURCE_DIR, WORK_DIR, GENERATOR, CXX_COMPILER, BASELINE (instruction set).
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
# Debug in one of them: dispatched kernels are optimised all the same (their units check that).
set(build_type Release)
if(MODE STREQUAL add_subdirectory)
  set(build_type Debug)
endif()
set(common -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_BUILD_TYPE=${build_type})
set(consumer ${SOURCE_DIR}/tests/package/consumer)

if(MODE STREQUAL find_package)
  run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${WORK_DIR}/onoma ${common}
    -DONOMA_BUILD_TESTS=OFF -DONOMA_BUILD_EXAMPLES=OFF -DONOMA_BUILD_TOOLS=OFF -DONOMA_BUILD_COMPILED=OFF
    -DCMAKE_INSTALL_PREFIX=${WORK_DIR}/prefix)
  run(${CMAKE_COMMAND} --build ${WORK_DIR}/onoma --target install)
  list(APPEND common -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
  # A project that does not ask for optimisation is told so, others are not.
  foreach(type "" Release)
    execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package/optional -B ${WORK_DIR}/type${type}
      ${common} -DCMAKE_BUILD_TYPE=${type} ERROR_VARIABLE said OUTPUT_QUIET)
    if(type STREQUAL "" AND NOT said MATCHES "onoma: CMAKE_BUILD_TYPE is not set")
      message(FATAL_ERROR "no hint without a build type: ${said}")
    elseif(type AND said MATCHES "CMAKE_BUILD_TYPE")
      message(FATAL_ERROR "a hint for a build of ${type}: ${said}")
    endif()
  endforeach()
  # Where one of its dependencies is not, the package is not found, and the project goes on.
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package/optional -B ${WORK_DIR}/optional
    ${common} -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON RESULT_VARIABLE result OUTPUT_VARIABLE output)
  if(NOT result EQUAL 0 OR NOT output MATCHES "onoma_FOUND 0: [^\n]*xsimd")
    message(FATAL_ERROR "a missing dependency ended the configuration (${result}): ${output}")
  endif()
endif()

run(${CMAKE_COMMAND} -S ${consumer} -B ${WORK_DIR}/build ${common}
  -DMODE=${MODE} -DONOMA_SOURCE=${SOURCE_DIR})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer ${SOURCE_DIR}/tests/golden/data/bert-tiny)
run(${WORK_DIR}/build/dispatched)
run(${CMAKE_COMMAND} -E env ONOMA_FORCE_ARCH=${BASELINE} ${WORK_DIR}/build/dispatched ${BASELINE})
execute_process(COMMAND ${CMAKE_COMMAND} -E env ONOMA_FORCE_ARCH=none ${WORK_DIR}/build/dispatched
  RESULT_VARIABLE result OUTPUT_VARIABLE output)
if(NOT result EQUAL 2 OR NOT output MATCHES "one of ${BASELINE}.*found 'none'")
  message(FATAL_ERROR "an unknown instruction set was not refused (${result}): ${output}")
endif()
