#include "server/symbols.h"

#include <gtest/gtest.h>
#include <link.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>

namespace server {
namespace {

std::string shortened(std::string_view mangled) {
  std::array<char, 40> room{};
  return std::string(shorten_symbol(mangled, room));
}

TEST(ShortenSymbol, GivesTheNestedName) {
  EXPECT_EQ(shortened("_ZN5proxy5serveERNS_7ContextE"), "proxy::serve");
  EXPECT_EQ(shortened("_ZNK6server8Pressure8describeEv"), "server::Pressure::describe");
  EXPECT_EQ(shortened("_ZN5proxy12_GLOBAL__N_16lingerEv"), "proxy::(anonymous)::linger");
  EXPECT_EQ(shortened("_Z3foov"), "foo");
}

TEST(ShortenSymbol, LeavesWhatItDoesNotUnderstand) {
  EXPECT_EQ(shortened("main"), "main");
  EXPECT_EQ(shortened("_ZSt9terminatev"), "_ZSt9terminatev");
  EXPECT_EQ(shortened("_ZN99x"), "_ZN99x");
  EXPECT_EQ(shortened("_ZN99999999999999999999999999x"), "_ZN99999999999999999999999999x");
  EXPECT_EQ(shortened("_ZN"), "_ZN");
  EXPECT_EQ(shortened(""), "");
}

TEST(ShortenSymbol, CutsAtTheRoom) {
  EXPECT_EQ(
      shortened("_ZN30aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa30bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbEv").size(),
      40U);
}

TEST(Symbols, AreNoneInWhatIsNoProgram) {
  EXPECT_EQ(Symbols().find(1).name, "");
  const std::string text = "\177ELF, or so it says";
  EXPECT_EQ(Symbols(text).find(1).name, "");
  const std::string zeros(5000, '\0');
  EXPECT_EQ(Symbols(zeros).find(0).name, "");
}

std::uintptr_t load_address() {
  std::uintptr_t address = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* into) {
        *static_cast<std::uintptr_t*>(into) = info->dlpi_addr;
        return 1;  // the program comes first
      },
      &address);
  return address;
}

TEST(Symbols, OfTheProgramItselfNameItsFunctions) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(&load_address) - load_address();
  const auto found = Symbols(bytes).find(address + 1);
  EXPECT_NE(found.name.find("load_address"), std::string_view::npos) << found.name;
  EXPECT_EQ(found.distance, 1U);
  // Cut somewhere, it must not read beyond its end.
  for (const std::size_t size : {100UL, 5000UL, bytes.size() / 2, bytes.size() - 1}) {
    static_cast<void>(Symbols(std::span(bytes).first(size)).find(address));
  }
}

}  // namespace
}  // namespace server
