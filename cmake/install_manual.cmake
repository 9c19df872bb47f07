# Run at installation, with the variables that install.cmake sets.
set(folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${mandir}")

function(install_page section name)
  set(page "${folder}/man${section}/${name}.${section}.gz")
  file(MAKE_DIRECTORY "${folder}/man${section}")
  execute_process(COMMAND ${ARGN} COMMAND gzip -9n OUTPUT_FILE "${page}" RESULTS_VARIABLE status)
  if(NOT status STREQUAL "0;0")
    message(FATAL_ERROR "${page} could not be made: ${status}")
  endif()
  file(CHMOD "${page}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  message(STATUS "Installing: ${page}")
endfunction()

install_page(8 sallyport cat "${pages}/sallyport.8")
install_page(5 sallyport.conf "${program}" manual-page)
