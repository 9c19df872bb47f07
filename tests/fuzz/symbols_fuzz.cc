// needs: server
// ELF files, as a crash report reads its own: nothing is read beyond the bytes, and a name is a
// part of them. What a name is shortened to fits the room that there is.
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/check.h"
#include "server/symbols.h"

namespace {

bool lies_in(std::string_view part, std::span<const char> whole) {
  const std::less_equal<const char*> not_after;
  return part.empty() || (not_after(whole.data(), part.data()) &&
                          not_after(part.data() + part.size(), whole.data() + whole.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span file(reinterpret_cast<const char*>(data), size);
  const server::Symbols symbols(file);
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x1000},
                                      std::uint64_t{0x1010}, ~std::uint64_t{0}}) {
    const auto found = symbols.find(address);
    CHECK(lies_in(found.name, file));
    std::array<char, 40> room{};
    const auto name = server::shorten_symbol(found.name, room);
    CHECK(lies_in(name, file) || name.size() <= room.size());
  }
  // Names alone, too: an ELF file with one is not soon found.
  std::array<char, 24> room{};
  const std::string_view text(file.data(), file.size());
  const auto name = server::shorten_symbol(text, room);
  CHECK(lies_in(name, file) || lies_in(name, room));
  return 0;
}
