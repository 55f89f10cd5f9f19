# A workspace that is built inside a virtual environment brings that environment's libraries along when its
# setup.bash is sourced: nodes run on the environment's Python, but `ros2 launch` on the system's, which reads the
# launch files and what they import.
if(DEFINED ENV{VIRTUAL_ENV})
  file(GLOB VITAL_PYTHON_LIBRARIES "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages")
  ament_environment_hooks("${CMAKE_CURRENT_LIST_DIR}/../env-hooks/python_libraries.dsv.in")
endif()
