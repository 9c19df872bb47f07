# Flags that every target gets. Hardening is not an option: it is always on. FORTIFY needs an
# optimised build and confuses the sanitizers, so only the release preset has it.
option(SALLYPORT_LTO "thin link-time optimisation" OFF)
option(SALLYPORT_FUZZ "count coverage in all code and build the libFuzzer targets of tests/fuzz" OFF)
set(SALLYPORT_PROFILE "" CACHE STRING "profile-guided optimisation: generate, use, or empty")
set(SALLYPORT_SANITIZE "" CACHE STRING "value of -fsanitize=, empty for none")

# ccache: precompiled headers are compared by their content (no time stamps in them), and paths below
# the source folder are taken relative to it, so that a second checkout finds what the first compiled.
if(CMAKE_CXX_COMPILER_LAUNCHER STREQUAL "ccache")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true ccache)
endif()
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")

add_compile_options(
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
  -Werror
  -fstack-protector-strong -fcf-protection -ftrivial-auto-var-init=zero
  -fno-omit-frame-pointer -fPIE)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_link_options(-pie -Wl,-z,relro,-z,now)

if(SALLYPORT_SANITIZE)
  add_compile_options(-fsanitize=${SALLYPORT_SANITIZE} -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${SALLYPORT_SANITIZE})
  add_compile_definitions(SALLYPORT_SANITIZED=1)
  # The counters cost the other tests less than a build of the fuzzers' own would.
  if(SALLYPORT_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
# -DNDEBUG is kept out: there is no assert() in the tree, CHECK is always on.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

if(SALLYPORT_LTO)
  add_compile_options(-flto=thin)
  add_link_options(-flto=thin -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto)
endif()

# What the program does under load, recorded by script/profile: the compiler then lays out and inlines
# for it. Functions that have changed since are compiled as without a profile, hence no warnings.
set(SALLYPORT_PROFILE_FILE ${PROJECT_SOURCE_DIR}/cmake/profile/sallyport.profdata)
if(SALLYPORT_PROFILE STREQUAL "generate")
  add_compile_options(-fprofile-generate)
  add_link_options(-fprofile-generate)
elseif(SALLYPORT_PROFILE STREQUAL "use" AND EXISTS ${SALLYPORT_PROFILE_FILE})
  # The hash makes a new profile a new command line, so that everything is compiled anew.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SALLYPORT_PROFILE_FILE})
  file(SHA256 ${SALLYPORT_PROFILE_FILE} profile_hash)
  string(SUBSTRING ${profile_hash} 0 16 profile_hash)
  add_compile_definitions(SALLYPORT_PROFILE_HASH="${profile_hash}")
  add_compile_options(-fprofile-use=${SALLYPORT_PROFILE_FILE} -Wno-profile-instr-unprofiled
    -Wno-profile-instr-out-of-date -Wno-backend-plugin)
endif()
