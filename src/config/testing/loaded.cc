#include "config/testing/loaded.h"

#include <array>

#include "config/interpreter.h"
#include "config/parser.h"

namespace config::testing {
namespace {

constexpr DirectiveSpec kBlocks[] = {{.name = "http",
                                      .contexts = Context::main,
                                      .arguments = takes(0),
                                      .block = opens(Context::http),
                                      .documentation = "d"},
                                     {.name = "server",
                                      .contexts = Context::http,
                                      .arguments = takes(0),
                                      .block = opens(Context::server),
                                      .repeat = Repeat::repeatable,
                                      .documentation = "d"},
                                     {.name = "location",
                                      .contexts = Context::server,
                                      .arguments = takes(1),
                                      .block = opens(Context::location),
                                      .repeat = Repeat::repeatable,
                                      .documentation = "d"}};

}  // namespace

void Loaded::interpret(std::string_view text) {
  const std::array features{Feature{.name = "blocks", .directives = kBlocks, .inherit = nullptr},
                            feature_};
  const Vocabulary vocabulary(features, {});
  parse_text("t.conf", std::string(text), files_, diagnostics_, tree_);
  config::interpret(tree_, vocabulary, root_, diagnostics_, files_, {});
}

std::vector<std::string> Loaded::messages() const {
  std::vector<std::string> texts;
  for (const Diagnostic& each : diagnostics_.list()) texts.push_back(each.message);
  return texts;
}

}  // namespace config::testing
