// `try_files FILE... FALLBACK` and `internal`. A block's own, never inherited.
#pragma once

#include <optional>
#include <vector>

#include "config/directive.h"
#include "script/value.h"

namespace content {

/// As written.
struct TryFilesOptions {
  std::vector<config::Word> files;  // the last one is the fallback
};

struct TryFilesPlan {
  struct Candidate {
    script::Value path;  // below the root
    bool directory = false;  // written with a slash at its end: a directory is looked for
  };
  std::vector<Candidate> candidates;
  std::optional<unsigned> status;  // "=404"
  script::Value fallback;          // else: "@name", or a path for an internal redirect
};

/// Of a location.
struct InternalOptions {
  bool internal = false;
};

extern const config::Feature kTryFilesFeature;

void provision_try_files(config::Level& level, script::Variables& variables,
                         config::Diagnostics& diagnostics);

}  // namespace content
