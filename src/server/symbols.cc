#include "server/symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace server {
namespace {

/// A copy of the T at `offset`, if all of it lies in the file.
template <class T>
std::optional<T> read_at(std::string_view bytes, std::uint64_t offset) noexcept {
  if (bytes.size() < sizeof(T) || offset > bytes.size() - sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.substr(offset).data(), sizeof value);
  return value;
}

std::string_view slice(std::string_view bytes, std::uint64_t offset, std::uint64_t size) noexcept {
  if (offset > bytes.size() || size > bytes.size() - offset) return {};
  return bytes.substr(offset, size);
}

}  // namespace

Symbols::Symbols(std::span<const char> file) noexcept {
  const std::string_view bytes(file.data(), file.size());
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr)) return;
  const auto section = [&](std::uint64_t index) {
    return read_at<Elf64_Shdr>(bytes, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto found = section(i);
    if (!found || found->sh_type != SHT_SYMTAB) continue;
    const auto names = section(found->sh_link);
    if (!names || names->sh_type != SHT_STRTAB) return;
    table_ = slice(bytes, found->sh_offset, found->sh_size);
    strings_ = slice(bytes, names->sh_offset, names->sh_size);
    return;
  }
}

Symbols::Found Symbols::find(std::uint64_t address) const noexcept {
  for (std::string_view rest = table_; rest.size() >= sizeof(Elf64_Sym);
       rest.remove_prefix(sizeof(Elf64_Sym))) {
    const auto symbol = *read_at<Elf64_Sym>(rest, 0);
    const bool is_function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
    if (!is_function || address < symbol.st_value || address - symbol.st_value >= symbol.st_size) {
      continue;
    }
    if (symbol.st_name >= strings_.size()) return {};
    const std::string_view name = strings_.substr(symbol.st_name);
    return {name.substr(0, name.find('\0')), address - symbol.st_value};
  }
  return {};
}

std::string_view shorten_symbol(std::string_view mangled, std::span<char> room) noexcept {
  std::string_view rest = mangled;
  if (!rest.starts_with("_Z")) return rest;
  rest.remove_prefix(2);
  if (rest.starts_with('N')) rest.remove_prefix(1);
  while (!rest.empty() && std::string_view("KVRO").contains(rest.front())) rest.remove_prefix(1);
  std::size_t used = 0;
  const auto put = [&](std::string_view text) {
    text = text.substr(0, room.size() - used);
    std::ranges::copy(text, room.subspan(used).begin());
    used += text.size();
  };
  while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    std::size_t size = 0;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9' && size < mangled.size()) {
      size = size * 10 + static_cast<std::size_t>(rest.front() - '0');
      rest.remove_prefix(1);
    }
    if (size == 0 || size > rest.size()) return mangled;
    const std::string_view name = rest.substr(0, size);
    rest.remove_prefix(size);
    if (used > 0) put("::");
    put(name == "_GLOBAL__N_1" ? "(anonymous)" : name);
  }
  if (used == 0) return mangled;
  return {room.data(), used};
}

}  // namespace server
