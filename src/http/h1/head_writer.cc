#include "http/h1/head_writer.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"
#include "http/characters.h"
#include "http/find_control.h"

namespace http::h1 {

namespace {

// No control byte but the line ends that were put there.
bool has_these_lines_alone(std::string_view head, std::size_t lines) noexcept {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = find_control(head, at)) < head.size(); at += 2) {
    if (head[at] != '\r' || at + 1 == head.size() || head[at + 1] != '\n') return false;
    ++found;
  }
  return found == lines;
}

// A name that is known was compared with one that is a token, when it was given its id.
bool is_safe_name(const Field& field) noexcept {
  return field.id != FieldName::other ? field.name.size() == text_of(field.id).size()
                                      : is_token(field.name);
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
  require(!target.empty() && target.find(' ') == std::string_view::npos &&
          target.find('\t') == std::string_view::npos);
  append(method);
  append(" ");
  append(target);
  append(" ");
  append(version_text(version));
  end_line();
}

void HeadWriter::status_line(Version version, unsigned status, std::string_view reason) noexcept {
  require(status >= 100 && status <= 999);
  const std::array<char, 3> code = {static_cast<char>('0' + status / 100 % 10),
                                    static_cast<char>('0' + status / 10 % 10),
                                    static_cast<char>('0' + status % 10)};
  append(version_text(version));
  append(" ");
  append({code.data(), code.size()});
  append(" ");
  append(reason);
  end_line();
}

void HeadWriter::line(std::string_view name, std::string_view value) noexcept {
  append(name);
  append(": ");
  append(value);
  end_line();
}

void HeadWriter::field(std::string_view name, std::string_view value) noexcept {
  require(is_token(name));
  line(name, value);
}

void HeadWriter::field(FieldName id, std::string_view value) noexcept {
  require(id != FieldName::other);
  line(text_of(id), value);
}

void HeadWriter::field(FieldName id, std::uint64_t value) noexcept {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), value);
  CHECK(error == std::errc{});
  field(id, std::string_view(digits.begin(), end));
}

void HeadWriter::fields(const Fields& all) noexcept {
  for (const Field& each : all) {
    require(is_safe_name(each));
    line(each.name, each.value);
  }
}

void HeadWriter::end_line() noexcept {
  append("\r\n");
  ++lines_;
}

HeadWriter::Verdict HeadWriter::verdict() const noexcept {
  if (unsafe_) return Verdict::unsafe;
  if (needed_ > into_.size()) return Verdict::overflow;
  return has_these_lines_alone(written(), lines_) ? Verdict::ok : Verdict::unsafe;
}

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
