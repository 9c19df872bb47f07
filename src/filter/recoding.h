// Recoding: a text of one character set given out in another, in pieces: the tables of charset_map
// (ngx_http_charset_module). One of the two has one byte for each character, the other too or is
// UTF-8. Knows nothing of HTTP.
//
// To UTF-8: a byte without an entry becomes "?". From UTF-8: a character without one becomes an
// HTML entity, "&#1234;"; what is no UTF-8 becomes "?".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace filter {

struct RecodingTable {
  enum class Kind : std::uint8_t { bytes, to_utf8, from_utf8 };
  struct Character {
    std::uint8_t size = 0;  // <= bytes.size()
    std::array<char, 4> bytes{};
  };

  Kind kind = Kind::bytes;
  std::array<char, 256> bytes{};            // Kind::bytes
  std::array<Character, 256> characters{};  // Kind::to_utf8
  std::vector<std::uint8_t> codes;          // Kind::from_utf8, by code point: kCodes; 0: none

  static constexpr std::size_t kCodes = 0x10000;

  /// ASCII is itself; all else has no entry yet.
  explicit RecodingTable(Kind kind_of_table);

  [[nodiscard]] bool changes_length() const noexcept { return kind != Kind::bytes; }
};

class Recoding {
 public:
  /// `table` outlives it.
  explicit Recoding(const RecodingTable& table) noexcept : table_(table) {}

  /// Appends to `out`, of a piece with n bytes 10 n at most. Holds back a character that is not
  /// whole.
  void run(std::string_view piece, std::string& out);
  /// Behind the last piece.
  void finish(std::string& out);

 private:
  void run_from_utf8(unsigned char byte, std::string& out);
  void begin(unsigned char byte, std::string& out);
  void put(std::uint32_t code, std::string& out) const;

  const RecodingTable& table_;
  // A character of UTF-8 that has begun: how many bytes are missing (0: none has), what it is so
  // far, and what the next byte may be.
  std::uint8_t missing_ = 0;
  std::uint32_t code_ = 0;
  std::uint8_t low_ = 0x80;
  std::uint8_t high_ = 0xbf;
};

/// The code point of one whole character of UTF-8, up to U+FFFF; kNotOne for anything else.
inline constexpr std::uint32_t kNotOne = 0xffffffff;
[[nodiscard]] std::uint32_t decode_utf8(std::string_view text) noexcept;

}  // namespace filter
