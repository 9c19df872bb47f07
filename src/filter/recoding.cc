#include "filter/recoding.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace filter {

RecodingTable::RecodingTable(Kind kind_of_table) : kind(kind_of_table) {
  for (std::size_t i = 0; i < 256; ++i) {
    const char shown = i < 0x80 ? static_cast<char>(i) : '?';
    bytes[i] = shown;
    characters[i] = {.size = 1, .bytes = {shown}};
  }
  if (kind == Kind::from_utf8) codes.resize(kCodes);
}

void Recoding::run(std::string_view piece, std::string& out) {
  switch (table_.kind) {
    case RecodingTable::Kind::bytes:
      for (const char byte : piece) out += table_.bytes[static_cast<unsigned char>(byte)];
      return;
    case RecodingTable::Kind::to_utf8:
      for (const char byte : piece) {
        const auto& character = table_.characters[static_cast<unsigned char>(byte)];
        out.append(character.bytes.data(), character.size);
      }
      return;
    case RecodingTable::Kind::from_utf8:
      for (const char byte : piece) run_from_utf8(static_cast<unsigned char>(byte), out);
      return;
  }
}

void Recoding::finish(std::string& out) {
  if (std::exchange(missing_, 0) > 0) out += '?';
}

// RFC 3629 §4. A sequence that breaks off is one "?"; what broke it begins anew.
void Recoding::run_from_utf8(unsigned char byte, std::string& out) {
  if (missing_ == 0) return begin(byte, out);
  if (byte < low_ || byte > high_) {
    missing_ = 0;
    out += '?';
    return begin(byte, out);
  }
  code_ = (code_ << 6U) | (byte & 0x3fU);
  low_ = 0x80;
  high_ = 0xbf;
  if (--missing_ == 0) put(code_, out);
}

void Recoding::begin(unsigned char byte, std::string& out) {
  low_ = 0x80;
  high_ = 0xbf;
  if (byte < 0x80) {
    out += static_cast<char>(byte);
  } else if (byte >= 0xc2 && byte <= 0xdf) {
    missing_ = 1;
    code_ = byte & 0x1fU;
  } else if (byte >= 0xe0 && byte <= 0xef) {
    missing_ = 2;
    code_ = byte & 0x0fU;
    if (byte == 0xe0) low_ = 0xa0;   // shorter forms exist
    if (byte == 0xed) high_ = 0x9f;  // surrogates
  } else if (byte >= 0xf0 && byte <= 0xf4) {
    missing_ = 3;
    code_ = byte & 0x07U;
    if (byte == 0xf0) low_ = 0x90;
    if (byte == 0xf4) high_ = 0x8f;  // beyond U+10FFFF
  } else {
    out += '?';
  }
}

void Recoding::put(std::uint32_t code, std::string& out) const {
  const std::uint8_t byte = code < RecodingTable::kCodes ? table_.codes[code] : 0;
  if (byte != 0) {
    out += static_cast<char>(byte);
  } else {
    fmt::format_to(std::back_inserter(out), "&#{};", code);
  }
}

std::uint32_t decode_utf8(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80; };
  if (text.size() == 1 && at(0) < 0x80) return at(0);
  if (text.size() == 2 && at(0) >= 0xc2 && at(0) <= 0xdf && follows(1)) {
    return ((at(0) & 0x1fU) << 6U) | (at(1) & 0x3fU);
  }
  if (text.size() == 3 && at(0) >= 0xe0 && at(0) <= 0xef && follows(1) && follows(2)) {
    const std::uint32_t code = ((at(0) & 0x0fU) << 12U) | ((at(1) & 0x3fU) << 6U) | (at(2) & 0x3fU);
    if (code >= 0x800 && (code < 0xd800 || code > 0xdfff)) return code;
  }
  return kNotOne;
}

}  // namespace filter
