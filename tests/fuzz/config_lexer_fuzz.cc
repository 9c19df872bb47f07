// needs: config
// Any bytes as a configuration: no crash, bounded time, and what was understood without an error
// means the same when it is written out and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "config/memory_files.h"
#include "config/parser.h"
#include "config/values.h"

namespace {

using config::Directive;
using config::Word;

void write(const Word& word, std::string& out) {
  out += '"';
  for (const char c : word.text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void write(const std::vector<Directive>& directives, std::string& out) {
  for (const Directive& directive : directives) {
    write(directive.name, out);
    for (const Word& word : directive.arguments) {
      out += ' ';
      write(word, out);
    }
    if (directive.has_block) {
      out += '{';
      write(directive.block, out);
      out += '}';
    } else {
      out += ';';
    }
  }
}

bool equal(const std::vector<Directive>& a, const std::vector<Directive>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name.text != b[i].name.text || a[i].has_block != b[i].has_block ||
        a[i].arguments.size() != b[i].arguments.size() || !equal(a[i].block, b[i].block)) {
      return false;
    }
    for (std::size_t j = 0; j < a[i].arguments.size(); ++j) {
      if (a[i].arguments[j].text != b[i].arguments[j].text) return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(config::parse_duration(text));
  static_cast<void>(config::parse_size(text));
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  config::Tree tree;
  config::parse_text("fuzz", text, files, diagnostics, tree);
  static_cast<void>(diagnostics.render());
  static_cast<void>(diagnostics.list());
  if (diagnostics.has_errors()) return 0;

  std::string written;
  write(tree.directives, written);
  config::Diagnostics again;
  config::Tree copy;
  config::parse_text("written", written, files, again, copy);
  CHECK(!again.has_errors());
  CHECK(equal(tree.directives, copy.directives));
  return 0;
}
