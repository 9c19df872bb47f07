// The demonstration's backend: a child process with a little HTTP/1.1 server on a loopback port.
// Its page shows the request as it arrived, so that a user sees what the proxy forwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

/// The first argument that makes main() call run_demonstration_backend; nobody types it.
inline constexpr std::string_view kDemonstrationBackendArgument = "demonstration-backend";

/// In the child after fork: never returns. `listener` becomes the new program's descriptor 3.
[[noreturn]] void exec_demonstration_backend(int listener) noexcept;

/// The exit status. Ends with its parent.
[[nodiscard]] int run_demonstration_backend();

/// A request's head as it came.
struct SeenRequest {
  std::string_view line;
  std::vector<std::pair<std::string_view, std::string_view>> fields;

  /// The first of that name, or "".
  [[nodiscard]] std::string_view field(std::string_view name) const;
};
[[nodiscard]] std::optional<SeenRequest> read_request(std::string_view head);

/// `text` as HTML shows it.
[[nodiscard]] std::string escape_html(std::string_view text);
/// The page for browsers, and the text for curl.
[[nodiscard]] std::string render_page(const SeenRequest& request);
[[nodiscard]] std::string render_text(const SeenRequest& request);

}  // namespace cli
