// explain: the way of one request through a configuration, without serving anybody.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/diagnostics.h"
#include "snapshot/snapshot.h"

namespace explain {

inline constexpr std::size_t kMaxAnswer = 64 * 1024;  // bytes of the response that are kept
inline constexpr std::chrono::seconds kPatience{10};

struct Request {
  std::string method = "GET";
  bool https = false;
  std::string authority;  // "host" or "host:port"
  std::string target = "/";
  std::vector<std::string> headers{};  // "Name: value"
  base::Address from;  // who asks
  std::optional<unsigned> password{};  // --assume auth=STATUS: 200, 401 or 403
};

/// "GET https://host/path" or a URL alone. The error is a sentence.
[[nodiscard]] std::expected<Request, std::string> parse_request(std::string_view text);
/// Whether it can stand in a request's head: "Name: value", in one line.
[[nodiscard]] bool is_header(std::string_view text) noexcept;

struct Step {
  std::string name;  // "server", "location", ...
  std::string text;
  std::string place{};  // FILE:LINE of what decided; empty: none
};

/// A request as a backend would get it.
struct Forwarded {
  std::string url;  // "https://backend/path"
  std::string upstream;  // the group's name, or the host
  std::vector<std::string> servers;  // "10.0.0.1:80 weight=5"; none: the name is known at run time
  bool tls = false;
  bool verified = false;
  std::string tls_name;  // what its certificate must bear
  bool sends_sni = false;
  std::string head;  // request line and fields, with line feeds
};

struct Explanation {
  std::vector<Step> steps;
  std::optional<Forwarded> forwarded{};
  std::string response;  // the head of our own answer, with line feeds; empty: none
  bool closed = false;  // the connection is closed without an answer
  std::vector<std::string> assumptions;
};

/// On the calling thread, whose executor must be free. `diagnostics` has the snapshot's sources.
/// The error says why the configuration can't be asked.
[[nodiscard]] std::expected<Explanation, std::string> explain(
    const std::shared_ptr<const snapshot::Snapshot>& snapshot,
    const config::Diagnostics& diagnostics, const Request& request);

}  // namespace explain
