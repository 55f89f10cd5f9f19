# Read into each interface package by CMAKE_PROJECT_INCLUDE where ROS comes as wheels. Nothing but Python speaks the
# interfaces there, over Fast DDS, which registers a type by C's introspection of it: C++, most of what a compiler would
# read, is not generated. A ROS installation generates everything, for recorders and tools in C++.

# To be called just before rosidl_generate_interfaces, when every find_package has registered its generators.
macro(generate_for_python_alone)
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")
endmacro()

# The generated files are small and their headers large: a compiler reads the headers once for many files.
function(compile_together)
  foreach(kind typesupport_fastrtps_c typesupport_introspection_c typesupport_c generator_py)
    if(TARGET ${PROJECT_NAME}__rosidl_${kind})
      set_target_properties(${PROJECT_NAME}__rosidl_${kind} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 18)
    endif()
  endforeach()
endfunction()

cmake_language(DEFER CALL compile_together)
