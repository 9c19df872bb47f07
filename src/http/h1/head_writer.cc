#include "http/h1/head_writer.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"
#include "http/characters.h"
#include "http/find_control.h"

namespace http::h1 {

namespace {

constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";

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

// The room is asked for once: a head is a dozen of these.
void HeadWriter::line(std::string_view name, std::string_view value) noexcept {
  const std::size_t size = name.size() + kColon.size() + value.size() + kLineEnd.size();
  if (needed_ <= into_.size() && size <= into_.size() - needed_) {
    std::span<char> rest = into_.subspan(needed_, size);
    for (const std::string_view part : {name, kColon, value, kLineEnd}) {
      base::copy_bytes(part, rest);
      rest = rest.subspan(part.size());
    }
  }
  needed_ += size;
  ++lines_;
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
  append(kLineEnd);
  ++lines_;
}

HeadWriter::Verdict HeadWriter::verdict() const noexcept {
  if (unsafe_) return Verdict::unsafe;
  if (needed_ > into_.size()) return Verdict::overflow;
  // The line ends that were put there, and no other control byte.
  return count_controls(written()) == kLineEnd.size() * lines_ ? Verdict::ok : Verdict::unsafe;
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
