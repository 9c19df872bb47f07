#include "script/getters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/text.h"
#include "observe/redact.h"

namespace script {
namespace {

// As nginx compares: the suffix is in lower case and has '_' where the header's name has '-'.
bool is_name(std::string_view field, std::string_view suffix) noexcept {
  return std::ranges::equal(field, suffix, [](char in_field, char in_suffix) {
    return (in_field == '-' ? '_' : base::to_lower(in_field)) == in_suffix;
  });
}

std::span<char> print_number(std::span<char> into, std::uint64_t number) noexcept {
  const auto end = std::to_chars(into.data(), into.data() + into.size(), number).ptr;
  return into.first(static_cast<std::size_t>(end - into.data()));
}

struct Decimal {
  std::array<char, 3> digits{};
  std::uint8_t size = 0;
};

// 0 to 255.
constexpr std::array<Decimal, 256> kDecimals = [] {
  std::array<Decimal, 256> all{};
  for (std::size_t number = 0; number < all.size(); ++number) {
    Decimal& one = all[number];
    for (const std::size_t unit : {100U, 10U, 1U}) {
      if (unit > 1 && number < unit) continue;
      one.digits[one.size++] = static_cast<char>('0' + number / unit % 10);
    }
  }
  return all;
}();

// Without a trip through std::string: this is in most access logs and most forwarded requests.
// Numbers are written with all their three places, and the next dot over what is too much.
std::string_view ipv4_text(base::Arena& arena, std::string_view ip) {
  const std::span<char> text = arena.allocate_chars(16);
  std::size_t size = 0;
  for (const char byte : ip) {
    const Decimal& number = kDecimals[static_cast<unsigned char>(byte)];
    if (size != 0) text[size++] = '.';
    base::copy_bytes({number.digits.data(), number.digits.size()}, text.subspan(size));
    size += number.size;
  }
  return {text.data(), size};
}

}  // namespace

std::string_view number_text(base::Arena& arena, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto text = print_number(digits, number);
  return arena.copy({text.data(), text.size()});
}

std::string_view seconds_text(base::Arena& arena, base::Duration duration) {
  const auto total = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(total, 0));
  std::array<char, 24> text{};
  const std::size_t whole = print_number(text, milliseconds / 1000).size();
  text[whole] = '.';
  text[whole + 1] = static_cast<char>('0' + milliseconds % 1000 / 100);
  text[whole + 2] = static_cast<char>('0' + milliseconds % 100 / 10);
  text[whole + 3] = static_cast<char>('0' + milliseconds % 10);
  return arena.copy({text.data(), whole + 4});
}

Text ip_text(base::Arena& arena, const base::Address& address) {
  if (address.is_unix()) return "unix:";
  if (!address.is_ip()) return std::nullopt;
  const std::string_view ip = address.ip_bytes();
  return ip.size() == 4 ? ipv4_text(arena, ip) : arena.copy(address.ip_text());
}

Text port_text(base::Arena& arena, const base::Address& address) {
  if (address.is_unix()) return "";
  if (!address.is_ip()) return std::nullopt;
  return number_text(arena, address.port());
}

std::uint32_t prepare_field(std::string_view suffix) {
  std::string name(suffix);
  std::ranges::replace(name, '_', '-');
  return static_cast<std::uint32_t>(http::intern(name));
}

bool is_secret_header(std::string_view suffix) { return observe::is_secret_field(suffix); }

Text joined_fields(base::Arena& arena, const http::Fields& fields, const Suffix& suffix,
                   std::string_view separator) {
  const auto id = static_cast<http::FieldName>(suffix.tag);
  const bool known = id != http::FieldName::other;
  if (known && !fields.has(id)) return std::nullopt;
  const auto matches = [&](const http::Field& field) {
    return field.id == id && (known || is_name(field.name, suffix.text));
  };
  const auto first = std::ranges::find_if(fields, matches);
  if (first == fields.end()) return std::nullopt;
  const auto more = std::ranges::subrange(first + 1, fields.end());
  const auto others = static_cast<std::size_t>(std::ranges::count_if(more, matches));
  if (others == 0) return first->value;
  const std::span<std::string_view> pieces = arena.make_array<std::string_view>(2 * others + 1);
  pieces[0] = first->value;
  std::size_t count = 1;
  for (const http::Field& field : more) {
    if (!matches(field)) continue;
    pieces[count] = separator;
    pieces[count + 1] = field.value;
    count += 2;
  }
  return arena.concat(pieces);
}

}  // namespace script
