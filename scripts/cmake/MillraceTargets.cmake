# Flags that every target of this tree shares, and two helpers:
#   millrace_library(NAME SOURCES... LIBS...)   a static library, root-relative includes
#   millrace_program(NAME MAIN LIBS...)         a thin main over libraries, installed
#   millrace_unit_test(NAME LIBS...)            tests/unit/test_NAME.c, run by ctest

add_library(millrace_flags INTERFACE)
target_compile_features(millrace_flags INTERFACE c_std_17 cxx_std_17)
target_compile_definitions(millrace_flags INTERFACE _GNU_SOURCE MR_VERSION="${PROJECT_VERSION}")
target_include_directories(millrace_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(millrace_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-align -Wwrite-strings -Wvla -Wformat=2 -Wundef
  -fno-common -fstack-protector-strong
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>)
if(MR_WERROR)
  target_compile_options(millrace_flags INTERFACE -Werror)
endif()
if(MR_SANITIZE)
  target_compile_options(millrace_flags INTERFACE -fsanitize=address,undefined
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(millrace_flags INTERFACE -fsanitize=address,undefined)
endif()
if(MR_FUZZ)
  target_compile_options(millrace_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MR_CRASH_POINTS)
  target_compile_definitions(millrace_flags INTERFACE MR_CRASH_POINTS=1)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(millrace_flags INTERFACE _FORTIFY_SOURCE=2)
endif()

function(millrace_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC millrace_flags ${arg_LIBS})
endfunction()

function(millrace_program name)
  cmake_parse_arguments(arg "" "MAIN" "LIBS" ${ARGN})
  add_executable(${name} ${arg_MAIN})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${name}.1")
    install(FILES ${name}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endfunction()

function(millrace_unit_test name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  add_executable(test_${name} "${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c")
  target_link_libraries(test_${name} PRIVATE ${arg_LIBS} mr_test_support)
  set_target_properties(test_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endfunction()

function(millrace_bench name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  add_executable(bench_${name} "${CMAKE_SOURCE_DIR}/tests/bench/bench_${name}.c")
  target_link_libraries(bench_${name} PRIVATE ${arg_LIBS})
  set_target_properties(bench_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
endfunction()
