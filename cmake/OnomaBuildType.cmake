# A hint for projects that ask for no optimisation, which is CMake's default. Used by the build and, installed,
# by onoma-config.cmake.
get_property(onoma_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT onoma_multi_config AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CXX_FLAGS MATCHES "-O[1-3sf]")
  message(NOTICE "onoma: CMAKE_BUILD_TYPE is not set, so the compiler does not optimise and onoma is about 35 times "
    "slower. Configure with -DCMAKE_BUILD_TYPE=Release.")
endif()
