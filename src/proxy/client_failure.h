// What a client's failure to send its body means: for its answer and for the error log.
#pragma once

#include <string>

#include "proxy/context.h"

namespace proxy {

/// Counts the limit that was passed. `error` is of RequestBody or HeldBody.
[[nodiscard]] Answer answer_client_failure(Context& context, const base::Error& error);

/// For the error log, in nginx's words where it has some.
[[nodiscard]] std::string client_sentence(const Context& context, const base::Error& error);

}  // namespace proxy
