// The directives that make variables from data: map, geo and split_clients. Their blocks are
// compiled when all directives were read, since they hold values with variables.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "config/directive.h"
#include "script/variables.h"

namespace script {

/// The blocks of one http level, in the order of the file. The directives live as long as the
/// configuration's tree.
struct DataBlocks {
  std::vector<const config::Directive*> maps;
  std::vector<const config::Directive*> geos;
  std::vector<const config::Directive*> splits;
};

extern const config::Feature kDataFeature;

/// Defines the variables of all blocks of the http level, and $invalid_referer. Anywhere before
/// variables.finish().
void provision_data(const config::Level& http, Variables& variables,
                    config::Diagnostics& diagnostics);

/// "name" of a word "$name"; anything else is reported: `invalid variable name "name"`.
[[nodiscard]] std::optional<std::string_view> read_variable_name(const config::Word& word,
                                                                 config::Diagnostics& diagnostics);

// One block each.
void compile_map(const config::Directive& block, Variables& variables,
                 config::Diagnostics& diagnostics);
void compile_geo(const config::Directive& block, Variables& variables,
                 config::Diagnostics& diagnostics);
void compile_split_clients(const config::Directive& block, Variables& variables,
                           config::Diagnostics& diagnostics);

}  // namespace script
