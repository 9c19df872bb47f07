// needs: filter
// SSI commands in a page, in pieces of any size: the same as the page in one piece, no byte of text
// lost or made, and sound commands found where a slow reader finds them. Texts and conditions of
// any bytes.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "filter/ssi_parser.h"
#include "filter/ssi_text.h"

namespace {

using filter::SsiParser;

constexpr std::size_t kMaxValue = 20;

struct Found {
  std::string text;  // with a \1 for each command, and a \2 for each error
  std::vector<std::string> commands;
};

Found read_in_pieces(std::string_view page, std::size_t piece) {
  SsiParser parser(kMaxValue);
  Found found;
  while (!page.empty()) {
    std::string_view rest = page.substr(0, piece);
    page.remove_prefix(rest.size());
    while (true) {
      const std::size_t before = rest.size();
      const SsiParser::Step step = parser.next(rest);
      CHECK(rest.size() <= before);
      if (step.kind == SsiParser::Step::Kind::more) {
        CHECK(rest.empty());
        break;
      }
      switch (step.kind) {
        case SsiParser::Step::Kind::text: found.text += step.text; break;
        case SsiParser::Step::Kind::error:
          CHECK(!step.text.empty());
          found.text += '\2';
          break;
        case SsiParser::Step::Kind::command: {
          const filter::SsiCommand& command = parser.command();
          CHECK(!command.name.empty() && command.name.size() <= SsiParser::kMaxName);
          CHECK(command.parameters.size() <= SsiParser::kMaxParameters);
          for (const auto& parameter : command.parameters) {
            CHECK(parameter.value.size() <= kMaxValue);
          }
          found.commands.push_back(command.text());
          found.text += '\1';
          break;
        }
        case SsiParser::Step::Kind::more: break;
      }
    }
  }
  found.text += parser.finish();
  return found;
}

// Outside of commands: what stands between "<!--#" and the next "-->" that may end it is left to
// the parser, everything else is text.
std::string text_before_first_command(std::string_view page) {
  return std::string(page.substr(0, page.find("<!--#")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const std::string page(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Found whole = read_in_pieces(page, page.size() + 1);
  const Found parts = read_in_pieces(page, piece);
  CHECK(whole.text == parts.text);
  CHECK(whole.commands == parts.commands);
  CHECK(whole.text.starts_with(text_before_first_command(page)));
  if (!page.contains("<!--#")) CHECK(whole.text == page);
  for (const std::string& command : whole.commands) {
    CHECK(read_in_pieces(command, command.size()).commands == std::vector{command});
  }
  const auto lookup = [&](std::string_view name) -> std::optional<std::string_view> {
    CHECK(!name.empty());
    if (name.size() % 2 == 0) return std::nullopt;
    return std::string_view(page).substr(0, 3);
  };
  if (const auto expanded = filter::expand_ssi(page, lookup)) {
    CHECK(expanded->size() <= 2 * page.size());
  }
  if (const auto condition = filter::parse_ssi_condition(page)) {
    CHECK(condition->left.size() + condition->right.value_or("").size() <= page.size());
  }
  CHECK(filter::escape_entities(page).size() <= 6 * page.size());
  CHECK(filter::escape_for_url(page).size() <= 3 * page.size());
  return 0;
}
