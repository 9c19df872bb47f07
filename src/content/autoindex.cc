#include "content/autoindex.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <iterator>
#include <span>

#include "base/text.h"
#include "config/setters.h"
#include "http/date.h"

namespace content {
namespace {

using Format = AutoindexOptions::Format;
using Kind = FileStatus::Kind;
using A = AutoindexOptions;

constexpr std::size_t kNameWidth = 50;  // nginx's column of names
constexpr std::string_view kCut = "..&gt;";

constexpr config::Choice<Format> kFormats[] = {
    {"html", Format::html}, {"json", Format::json}, {"jsonp", Format::jsonp}, {"xml", Format::xml}};

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "autoindex",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Lists a directory that has no index file.",
     .set = config::set_flag<&A::enabled>},
    {.name = "autoindex_exact_size",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether HTML shows sizes in bytes, or rounded to kilobytes and more.",
     .set = config::set_flag<&A::exact_size>},
    {.name = "autoindex_format",
     .contexts = config::kHttpServerLocation,
     .syntax = "html | xml | json | jsonp",
     .default_text = "html",
     .documentation = "What a list is written in.",
     .set = config::set_enum<&A::format, kFormats>},
    {.name = "autoindex_localtime",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether HTML shows local time, or GMT.",
     .set = config::set_flag<&A::local_time>},
    {.name = "autoindex_max_entries",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "10000",
     .documentation = "Most entries of a directory that is listed; one with more is a 500.",
     .set = config::set_number<&A::max_entries, 1, A::kMost>},
    {.name = "random_index",
     .contexts = config::Context::location,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "A path that ends with a slash shows a file of the directory by chance.",
     .set = config::set_flag<&RandomIndexOptions::enabled>},
};

void append_html(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
}

// nginx's NGX_ESCAPE_URI_COMPONENT: all but RFC 3986's unreserved characters.
void append_component(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (base::is_alpha(c) || base::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

void append_json(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04X}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
}

// As nginx, the offset that holds now, not the one of the file's time.
std::int64_t local_offset(base::WallTime now) {
  const std::time_t time = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  return ::localtime_r(&time, &parts) != nullptr ? parts.tm_gmtoff : 0;
}

std::tm broken_down(std::int64_t time) {
  std::tm parts{};
  const std::time_t seconds = time;
  static_cast<void>(::gmtime_r(&seconds, &parts));
  return parts;
}

// "12K": never less than 1,000 units where there is a smaller one, rounded.
void append_rounded_size(std::uint64_t size, std::string& out) {
  struct Unit {
    std::uint64_t bytes;
    std::uint64_t from;
    char letter;
  };
  static constexpr std::array<Unit, 3> kUnits{{{1ULL << 30U, 1ULL << 30U, 'G'},
                                               {1ULL << 20U, 1ULL << 20U, 'M'},
                                               {1ULL << 10U, 10'000, 'K'}}};
  for (const Unit& unit : kUnits) {
    if (size < unit.from) continue;
    const std::uint64_t rounded = size / unit.bytes + (size % unit.bytes >= unit.bytes / 2 ? 1 : 0);
    fmt::format_to(std::back_inserter(out), "{:6}{}", rounded, unit.letter);
    return;
  }
  fmt::format_to(std::back_inserter(out), " {:6}", size);
}

// Bytes that the character at the beginning of `text` has as UTF-8; 0: it is none.
std::size_t character_size(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text.front());
  std::size_t size = 0;
  if (first < 0x80) size = 1;
  if (first >= 0xC2 && first <= 0xDF) size = 2;
  if (first >= 0xE0 && first <= 0xEF) size = 3;
  if (first >= 0xF0 && first <= 0xF4) size = 4;
  if (size == 0 || size > text.size()) return 0;
  const bool goes_on = std::ranges::all_of(text.substr(1, size - 1), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
  });
  return goes_on ? size : 0;
}

// How wide a name is, and its beginning that is kNameWidth - 3 wide: in characters, or in bytes
// where it is not UTF-8.
struct Width {
  std::size_t all = 0;
  std::size_t beginning = 0;  // in bytes
};
Width width_of(std::string_view name, Names names) noexcept {
  constexpr std::size_t kBeginning = kNameWidth - 3;
  const Width bytes{.all = name.size(), .beginning = std::min(name.size(), kBeginning)};
  if (names == Names::bytes) return bytes;
  Width width;
  for (std::size_t at = 0; at < name.size(); ++width.all) {
    const std::size_t size = character_size(name.substr(at));
    if (size == 0) return bytes;
    at += size;
    if (width.all < kBeginning) width.beginning = at;
  }
  return width;
}

void append_html_entry(const AutoindexOptions& options, const DirectoryEntry& entry, Names names,
                       std::int64_t offset, std::string& out) {
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const bool is_directory = entry.kind == Kind::directory;
  out += "<a href=\"";
  append_component(entry.name, out);
  out += is_directory ? "/\">" : "\">";
  auto [width, beginning] = width_of(entry.name, names);
  if (width > kNameWidth) {
    append_html(std::string_view(entry.name).substr(0, beginning), out);
    out += kCut;
    width = kNameWidth;
  } else {
    append_html(entry.name, out);
    if (is_directory && width < kNameWidth) {
      out += '/';
      ++width;
    }
  }
  out += "</a>";
  out.append(kNameWidth - width, ' ');
  const std::tm time = broken_down(entry.modified + offset);
  fmt::format_to(std::back_inserter(out), " {:02}-{}-{} {:02}:{:02} ", time.tm_mday,
                 kMonths.at(static_cast<std::size_t>(time.tm_mon)), time.tm_year + 1900,
                 time.tm_hour, time.tm_min);
  if (is_directory) {
    fmt::format_to(std::back_inserter(out), "{:>{}}", '-', *options.exact_size ? 19 : 7);
  } else if (*options.exact_size) {
    fmt::format_to(std::back_inserter(out), "{:19}", entry.size);
  } else {
    append_rounded_size(entry.size, out);
  }
  out += "\r\n";
}

std::string make_html(const AutoindexOptions& options, std::string_view uri,
                      std::span<const DirectoryEntry> entries, Names names, base::WallTime now) {
  std::string out = "<html>\r\n<head><title>Index of ";
  append_html(uri, out);
  out += "</title></head>\r\n<body>\r\n<h1>Index of ";
  append_html(uri, out);
  out += "</h1><hr><pre><a href=\"../\">../</a>\r\n";
  const std::int64_t offset = *options.local_time ? local_offset(now) : 0;
  for (const DirectoryEntry& entry : entries) append_html_entry(options, entry, names, offset, out);
  out += "</pre><hr></body>\r\n</html>\r\n";
  return out;
}

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::directory: return "directory";
    case Kind::regular: return "file";
    case Kind::special: break;
  }
  return "other";
}

std::string make_xml(std::span<const DirectoryEntry> entries) {
  std::string out = "<?xml version=\"1.0\"?>\r\n<list>\r\n";
  for (const DirectoryEntry& entry : entries) {
    const std::string_view type = name_of(entry.kind);
    const std::tm time = broken_down(entry.modified);
    fmt::format_to(std::back_inserter(out), "<{} mtime=\"{:4}-{:02}-{:02}T{:02}:{:02}:{:02}Z\"",
                   type, time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour,
                   time.tm_min, time.tm_sec);
    if (entry.kind == Kind::regular) {
      fmt::format_to(std::back_inserter(out), " size=\"{}\"", entry.size);
    }
    out += '>';
    append_html(entry.name, out);
    fmt::format_to(std::back_inserter(out), "</{}>\r\n", type);
  }
  out += "</list>\r\n";
  return out;
}

std::string make_json(std::span<const DirectoryEntry> entries, std::string_view callback) {
  std::string out;
  if (!callback.empty()) out = fmt::format("/* callback */\r\n{}(", callback);
  out += '[';
  std::string_view separator = "";
  for (const DirectoryEntry& entry : entries) {
    out += separator;
    separator = ",";
    out += "\r\n{ \"name\":\"";
    append_json(entry.name, out);
    const auto date =
        http::http_date(std::chrono::sys_seconds(std::chrono::seconds(entry.modified)));
    fmt::format_to(std::back_inserter(out), "\", \"type\":\"{}\", \"mtime\":\"{}\"",
                   name_of(entry.kind), http::view(date));
    if (entry.kind == Kind::regular) {
      fmt::format_to(std::back_inserter(out), ", \"size\":{}", entry.size);
    }
    out += " }";
  }
  out += "\r\n]";
  if (!callback.empty()) out += ");";
  return out;
}

bool stands_before(const DirectoryEntry& a, const DirectoryEntry& b) {
  const bool a_first = a.kind == Kind::directory;
  const bool b_first = b.kind == Kind::directory;
  return a_first != b_first ? a_first : a.name < b.name;
}

}  // namespace

const config::Feature kAutoindexFeature{
    "autoindex", kDirectives, config::inherit_options<AutoindexOptions, RandomIndexOptions>};

bool is_callback_name(std::string_view name) noexcept {
  constexpr std::size_t kLongest = 128;
  return name.size() <= kLongest && std::ranges::all_of(name, [](char c) {
           return base::is_alpha(c) || base::is_digit(c) || c == '_' || c == '.';
         });
}

DirectoryPage make_directory_page(const AutoindexOptions& options, std::string_view uri,
                                  std::string_view callback, Directory& directory, Names names,
                                  base::WallTime now) {
  std::ranges::sort(directory.entries, stands_before);
  switch (*options.format) {
    case Format::html: break;
    case Format::xml:
      return {.type = "text/xml; charset=utf-8", .text = make_xml(directory.entries)};
    case Format::jsonp:
      if (!callback.empty()) {
        return {.type = "application/javascript", .text = make_json(directory.entries, callback)};
      }
      [[fallthrough]];
    case Format::json:
      return {.type = "application/json", .text = make_json(directory.entries, {})};
  }
  return {.type = "text/html", .text = make_html(options, uri, directory.entries, names, now)};
}

}  // namespace content
