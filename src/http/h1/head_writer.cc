#include "http/h1/head_writer.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"
#include "http/characters.h"
#include "http/find_control.h"

namespace http::h1 {

namespace {

bool is_clean(std::string_view text) noexcept {
  // Most values are shorter than a step of find_control's.
  if (text.size() < 16) return character_class::all(text, character_class::kValue);
  return find_control(text, 0) == text.size();
}

// HTTP/2 and 3 heads are spelled as 1.1: that is what this connection speaks.
std::string_view version_text(Version version) noexcept {
  return text_of(version == Version::http_1_0 ? Version::http_1_0 : Version::http_1_1);
}

}  // namespace

void HeadWriter::append(std::string_view text) noexcept {
  if (needed_ <= into_.size() && text.size() <= into_.size() - needed_) {
    base::copy_bytes(text, into_.subspan(needed_));
  }
  needed_ += text.size();
}

void HeadWriter::request_line(std::string_view method, std::string_view target,
                              Version version) noexcept {
  require(is_token(method));
  require(!target.empty() && is_clean(target) &&
          target.find_first_of(" \t") == std::string_view::npos);
  append(method);
  append(" ");
  append(target);
  append(" ");
  append(version_text(version));
  append("\r\n");
}

void HeadWriter::status_line(Version version, unsigned status, std::string_view reason) noexcept {
  require(status >= 100 && status <= 999);
  require(is_clean(reason));
  const std::array<char, 3> code = {static_cast<char>('0' + status / 100 % 10),
                                    static_cast<char>('0' + status / 10 % 10),
                                    static_cast<char>('0' + status % 10)};
  append(version_text(version));
  append(" ");
  append({code.data(), code.size()});
  append(" ");
  append(reason);
  append("\r\n");
}

void HeadWriter::field(std::string_view name, std::string_view value) noexcept {
  require(is_token(name));
  require(is_clean(value));
  append(name);
  append(": ");
  append(value);
  append("\r\n");
}

void HeadWriter::field(FieldName id, std::string_view value) noexcept {
  require(id != FieldName::other);
  require(is_clean(value));
  append(text_of(id));
  append(": ");
  append(value);
  append("\r\n");
}

void HeadWriter::field(FieldName id, std::uint64_t value) noexcept {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), value);
  CHECK(error == std::errc{});
  field(id, std::string_view(digits.begin(), end));
}

void HeadWriter::fields(const Fields& all) noexcept {
  for (const Field& each : all) field(each.name, each.value);
}

void HeadWriter::end() noexcept { append("\r\n"); }

std::string_view chunk_header(std::uint64_t size, std::span<char, 18> into) noexcept {
  CHECK(size > 0);
  const auto digits = into.first<16>();
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
  CHECK(error == std::errc{});
  const auto count = static_cast<std::size_t>(end - digits.data());
  std::ranges::copy(std::string_view("\r\n"), into.subspan(count).begin());
  return {into.data(), count + 2};
}

}  // namespace http::h1
