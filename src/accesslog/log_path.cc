#include "accesslog/log_path.h"

#include <fmt/format.h>
#include <limits.h>

#include <algorithm>
#include <string_view>

namespace accesslog {
namespace {

using script::Piece;

bool is_good(std::string_view value) {
  return std::ranges::none_of(
      value, [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

LogPath LogPath::compile(const config::Word& word, script::Variables& variables,
                         config::Diagnostics& diagnostics) {
  LogPath path;
  path.value_ = script::Value::compile(word, variables, diagnostics);
  for (const Piece& piece : path.value_.pieces()) {
    if (piece.secret()) {
      diagnostics.error(word.at,
                        fmt::format("\"${}\" in the path of a log is a credential", piece.text()),
                        "name the file after something that may be seen");
    }
  }
  return path;
}

std::optional<std::string> LogPath::evaluate(script::Subject& subject) const {
  std::string path;
  bool has_value = false;  // the part behind the last slash
  const auto part_is_good = [&path, &has_value] {
    const std::string_view part = std::string_view(path).substr(path.rfind('/') + 1);
    return !has_value || (part != "." && part != "..");
  };
  for (const Piece& piece : value_.pieces()) {
    const std::string_view text = piece.evaluate(subject).value_or(std::string_view{});
    if (piece.kind() != Piece::Kind::literal) {
      if (!is_good(text)) return std::nullopt;
      path += text;
      has_value = true;
      continue;
    }
    const std::size_t slash = text.find('/');
    path += text.substr(0, slash);
    if (slash == std::string_view::npos) continue;
    if (!part_is_good()) return std::nullopt;
    path += text.substr(slash);
    has_value = false;
  }
  if (!part_is_good() || path.size() >= PATH_MAX) return std::nullopt;
  return path;
}

}  // namespace accesslog
