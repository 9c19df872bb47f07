// What the demonstration shows.
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "cli/demonstration_backend.h"

namespace cli {
namespace {

struct Fact {
  std::string_view label;
  std::string_view field;
};
// What the proxy says about the client's side, in fields that the demonstration's configuration
// sets.
constexpr std::array kFacts{
    Fact{"Protocol", "X-Sallyport-Protocol"}, Fact{"Cipher", "X-Sallyport-Cipher"},
    Fact{"Server name (SNI)", "X-Sallyport-Server-Name"}, Fact{"Client", "X-Real-IP"}};

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sallyport</title>
<style>
:root { color-scheme: light dark; --line: #8884; --faint: #777; --accent: #1a7f5a; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 3rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.9rem; margin: 0; letter-spacing: -.02em; }
h1::before { content: ""; display: inline-block; width: .55em; height: .75em; margin-right: .4em;
  border: .14em solid var(--accent); border-bottom: 0; border-radius: .3em .3em 0 0; }
h2 { font-size: 1rem; margin: 2.2rem 0 .4rem; color: var(--accent); }
p { color: var(--faint); margin: .4rem 0 0; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .35rem .6rem .35rem 0; vertical-align: top;
  overflow-wrap: anywhere; }
td:first-child { width: 14rem; color: var(--faint); }
td + td, code { font-family: ui-monospace, monospace; font-size: .92em; }
</style>
<h1>Sallyport</h1>
<p>Your TLS ended at the proxy. This is what it forwarded, as the backend saw it.</p>
)";

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("<tr><td>{}<td>{}\n", escape_html(name),
                     value.empty() ? "–" : escape_html(value));
}

}  // namespace

std::string_view SeenRequest::field(std::string_view name) const {
  for (const auto& [each, value] : fields) {
    if (base::equal_ignoring_case(each, name)) return value;
  }
  return {};
}

std::optional<SeenRequest> read_request(std::string_view head) {
  SeenRequest request;
  const auto take_line = [&head] {
    std::string_view line = base::split_first(head, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  };
  request.line = take_line();
  if (request.line.find(' ') == std::string_view::npos) return std::nullopt;
  while (!head.empty()) {
    std::string_view line = take_line();
    if (line.empty()) break;
    if (line.find(':') == std::string_view::npos) return std::nullopt;
    const std::string_view name = base::split_first(line, ':');
    request.fields.emplace_back(name, base::trim(line));
  }
  return request;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string render_page(const SeenRequest& request) {
  std::string page(kHead);
  page += "<h2>The client's side</h2>\n<table>\n";
  for (const Fact& fact : kFacts) page += row(fact.label, request.field(fact.field));
  page += "</table>\n<h2>The request</h2>\n";
  page += fmt::format("<p><code>{}</code></p>\n<table>\n", escape_html(request.line));
  for (const auto& [name, value] : request.fields) page += row(name, value);
  page += "</table>\n</html>\n";
  return page;
}

std::string render_text(const SeenRequest& request) {
  std::string text = "Sallyport forwarded this request. The client's side:\n\n";
  for (const Fact& fact : kFacts) {
    const std::string_view value = request.field(fact.field);
    text += fmt::format("  {:<18} {}\n", fact.label, value.empty() ? "-" : value);
  }
  text += fmt::format("\nAs the backend saw it:\n\n  {}\n", request.line);
  for (const auto& [name, value] : request.fields) text += fmt::format("  {}: {}\n", name, value);
  return text;
}

}  // namespace cli
