// The directives of nginx's rewrite module as they are written; provision_program() compiles those
// of a block. A block's own, never inherited; rewrite_log and uninitialized_variable_warn are.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "config/directive.h"
#include "config/level.h"
#include "script/program.h"

namespace script {

struct RewriteSettings {
  config::Setting<bool> log{false};
  config::Setting<bool> warn{true};
  auto settings(this auto& self) { return std::tie(self.log, self.warn); }
};

struct SetAsWritten {
  config::Word name;
  config::Word value;
};

struct RewriteAsWritten {
  enum class Flag : std::uint8_t { none, last, stop, redirect, permanent };
  config::Word pattern;
  config::Word replacement;
  Flag flag = Flag::none;
};

struct ConditionAsWritten {
  enum class Kind : std::uint8_t { truth, equality, match, match_ignoring_case, file };
  Kind kind = Kind::truth;
  bool negative = false;
  FileTest file_test = FileTest::file;
  config::Word left;   // a variable; nothing for `file`
  config::Word right;  // nothing for `truth`
};

struct IfAsWritten {
  ConditionAsWritten condition;
  config::Level* level = nullptr;
};

struct ReturnAsWritten {
  unsigned status = 0;
  bool has_text = false;
  bool is_redirect = false;
  config::Word text;
};

struct RewriteOptions {
  using Entry = std::variant<SetAsWritten, RewriteAsWritten, IfAsWritten, Break, ReturnAsWritten>;
  std::vector<Entry> entries;  // in the order of the file
};

extern const config::Feature kRewriteFeature;

/// Gives the level its Program, if it has any such directive.
void provision_program(config::Level& level, Variables& variables,
                       config::Diagnostics& diagnostics);

}  // namespace script
