# What `cmake --install` puts where. It installs what is built and builds nothing: `all` would be the
# tests and benchmarks, too.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(GNUInstallDirs)

# As a file, not as a target: there is no RPATH to change, and CMake can't tell that of the files that
# thin LTO makes.
install(PROGRAMS $<TARGET_FILE:sallyport> DESTINATION ${CMAKE_INSTALL_SBINDIR})

# The manual pages. sallyport.conf(5) is asked of the program that is installed.
install(CODE "
  set(program \"$<TARGET_FILE:sallyport>\")
  set(pages \"${PROJECT_SOURCE_DIR}/docs/man\")
  set(mandir \"${CMAKE_INSTALL_MANDIR}\")")
install(SCRIPT cmake/install_manual.cmake)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/guide examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Where the program and systemd look for them, whatever the prefix.
install(FILES packaging/sallyport.conf DESTINATION /etc/sallyport)
install(FILES packaging/sallyport.logrotate DESTINATION /etc/logrotate.d RENAME sallyport)
install(FILES packaging/sallyport.service DESTINATION /lib/systemd/system)
