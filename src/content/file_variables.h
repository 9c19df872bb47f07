// Variables about the files that a request stands for: $document_root, $realpath_root,
// $request_filename. They lead nowhere where no root is known.
#pragma once

#include "script/variables.h"

namespace content {

extern const script::VariableTable kFileVariables;

}  // namespace content
