# Flags that every target gets. Hardening is not an option: it is always on. FORTIFY needs an
# optimised build and confuses the sanitizers, so only the release preset has it.
option(SALLYPORT_LTO "thin link-time optimisation" OFF)
option(SALLYPORT_FUZZ "build the libFuzzer targets under tests/fuzz" OFF)
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
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
# -DNDEBUG is kept out: there is no assert() in the tree, CHECK is always on.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

if(SALLYPORT_LTO)
  add_compile_options(-flto=thin)
  add_link_options(-flto=thin -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto)
endif()
