# The ROS wheels unpack into the prefix of pip's build environment; ament has to be told where.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
execute_process(
  COMMAND ${Python3_EXECUTABLE} -c
    "import ament_package as a, pathlib as p; print(p.Path(a.__file__).resolve().parents[4])"
  OUTPUT_VARIABLE _ros_wheels_prefix OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(PREPEND CMAKE_PREFIX_PATH "${_ros_wheels_prefix}")
set(ENV{AMENT_PREFIX_PATH} "${_ros_wheels_prefix}")

# The targets they export still name an include folder of the container they were built in, and
# CMake refuses a target whose include folder is missing.
function(_ros_wheels_fix_targets)
  get_property(_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_includes ${_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(_includes)
      list(FILTER _includes EXCLUDE REGEX "^/opt/(python|_internal)/")
      set_target_properties(${_target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_includes}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL _ros_wheels_fix_targets)
