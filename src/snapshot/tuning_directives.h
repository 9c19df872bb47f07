// nginx's directives that load and have no effect here.
#pragma once

#include "config/directive.h"

namespace snapshot {

extern const config::Feature kTuningFeature;
extern const config::Feature kHttpTuningFeature;

}  // namespace snapshot
