// Symbols: names for addresses of this program, read from its own file. Everything here may run in
// a signal handler: no allocation, no lock, only the mapped file.
//
// The program is not linked with -rdynamic: exporting every function would keep the linker from
// dropping and inlining them, for the sake of a moment that should not come. The file's .symtab
// costs nothing while it runs; a stripped file has none, and then there are offsets only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace server {

class Symbols {
 public:
  Symbols() = default;
  /// Of an ELF file's bytes, which outlive it. Anything that is not sound is as good as no symbols.
  explicit Symbols(std::span<const char> file) noexcept;

  struct Found {
    std::string_view name{};  // mangled; empty: unknown
    std::uint64_t distance = 0;  // from the function's first byte
  };
  /// The function that has this address, counted from where the file is loaded.
  [[nodiscard]] Found find(std::uint64_t address) const noexcept;

 private:
  std::string_view table_;  // Elf64_Sym, one after the other
  std::string_view strings_;
};

/// "proxy::serve" for "_ZN5proxy5serveERNS_7ContextE", cut to `room`; what is not understood is
/// given as it is. Enough to read a backtrace; `c++filt` knows the rest.
[[nodiscard]] std::string_view shorten_symbol(std::string_view mangled,
                                              std::span<char> room) noexcept;

}  // namespace server
