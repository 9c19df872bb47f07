#include "accesslog/format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "observe/redact.h"

namespace accesslog {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

template <class Predicate>
consteval std::array<bool, 256> make_table(Predicate predicate) {
  std::array<bool, 256> table{};
  for (unsigned i = 0; i < table.size(); ++i) table[i] = predicate(i);
  return table;
}
constexpr auto kTextEscapes =
    make_table([](unsigned c) { return c < 0x20 || c > 0x7e || c == '"' || c == '\\'; });
constexpr auto kJsonEscapes =
    make_table([](unsigned c) { return c < 0x20 || c == '"' || c == '\\'; });

void append_text_escape(unsigned char c, std::string& out) {
  out += "\\x";
  out += kHex[c >> 4U];
  out += kHex[c & 15U];
}

void append_json_escape(unsigned char c, std::string& out) {
  out += '\\';
  switch (c) {
    case '"':
    case '\\': out += static_cast<char>(c); break;
    case '\b': out += 'b'; break;
    case '\f': out += 'f'; break;
    case '\n': out += 'n'; break;
    case '\r': out += 'r'; break;
    case '\t': out += 't'; break;
    default:
      out += "u00";
      out += kHex[c >> 4U];
      out += kHex[c & 15U];
  }
}

template <class AppendEscape>
void append_runs(std::string_view text, const std::array<bool, 256>& escapes, std::string& out,
                 AppendEscape append_escape) {
  const auto needs_escape = [&escapes](char c) { return escapes[static_cast<unsigned char>(c)]; };
  while (!text.empty()) {
    const auto end = std::ranges::find_if(text, needs_escape);
    const auto plain = static_cast<std::size_t>(end - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    append_escape(static_cast<unsigned char>(text.front()), out);
    text.remove_prefix(1);
  }
}

void warn_of_secrets(const FormatSpec& spec, std::span<const script::Piece> pieces,
                     config::Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const script::Piece& piece : pieces) {
    if (!piece.secret()) continue;
    std::string name = "$" + piece.text();
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  if (names.empty()) return;
  diagnostics.warning(spec.name.at,
                      fmt::format("log format \"{}\" writes credentials as \"{}\": {}",
                                  spec.name.text, observe::kRedacted, fmt::join(names, ", ")),
                      "they never appear in a log; remove them from the format");
}

}  // namespace

void append_escaped(Escape escape, std::string_view text, std::string& out) {
  switch (escape) {
    case Escape::text: return append_runs(text, kTextEscapes, out, append_text_escape);
    case Escape::json: return append_runs(text, kJsonEscapes, out, append_json_escape);
    case Escape::none: out += text;
  }
}

Format Format::compile(const FormatSpec& spec, script::Variables& variables,
                       config::Diagnostics& diagnostics) {
  Format format;
  format.escape_ = spec.escape;
  for (const config::Word& word : spec.texts) {
    const script::Value value = script::Value::compile(word, variables, diagnostics);
    format.pieces_.insert(format.pieces_.end(), value.pieces().begin(), value.pieces().end());
  }
  if (spec.name.at != config::Position{}) warn_of_secrets(spec, format.pieces_, diagnostics);
  return format;
}

void Format::append_line(script::Subject& subject, std::string& out) const {
  const std::size_t end = out.size() + kMaxLine - 1;
  for (const script::Piece& piece : pieces_) {
    const auto value = piece.evaluate(subject);
    if (piece.kind() == script::Piece::Kind::literal) {
      out += *value;
    } else if (!value) {
      if (escape_ == Escape::text) out += '-';
    } else if (piece.secret()) {
      out += observe::kRedacted;
    } else {
      append_escaped(escape_, value->substr(0, kMaxLine), out);
    }
    if (out.size() > end) {
      out.resize(end);
      break;
    }
  }
  out += '\n';
}

const FormatSpec& combined_format() {
  static const FormatSpec spec{
      .name = {"combined", {}, false},
      .escape = Escape::text,
      .texts = {{"$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
                 "\"$http_referer\" \"$http_user_agent\"",
                 {},
                 false}}};
  return spec;
}

}  // namespace accesslog
