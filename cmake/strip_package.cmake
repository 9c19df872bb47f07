# Takes the debugger's tables out of the packaged program. The symbols stay, unlike by CPACK_STRIP_FILES:
# the backtrace that a crash leaves in the error log is made of them.
set(program "${CPACK_TEMPORARY_DIRECTORY}/usr/sbin/sallyport")
execute_process(COMMAND strip --strip-debug "${program}" COMMAND_ERROR_IS_FATAL ANY)
