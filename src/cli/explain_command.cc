#include "cli/explain_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <expected>
#include <nlohmann/json.hpp>

#include "base/address.h"
#include "cli/columns.h"
#include "explain/explain.h"
#include "observe/journal.h"

namespace cli {
namespace {

int complain(std::string_view message) {
  fmt::print(stderr, "{}", observe::for_stderr(fmt::format("sallyport: [emerg] {}\n", message)));
  return 1;
}

std::expected<explain::Request, std::string> request_of(const ExplainOptions& wanted) {
  auto request = explain::parse_request(wanted.request);
  if (!request) return request;
  for (const std::string& header : wanted.headers) {
    if (!explain::is_header(header)) {
      return std::unexpected(fmt::format("invalid header \"{}\": 'Name: value'", header));
    }
  }
  request->headers = wanted.headers;
  const auto from = base::Address::from_ip(wanted.from, 40000);
  if (!from) return std::unexpected(fmt::format("\"{}\" is no IP address", wanted.from));
  request->from = *from;
  for (const std::string& assumption : wanted.assumptions) {
    if (assumption == "auth=200") {
      request->password = 200;
    } else if (assumption == "auth=401") {
      request->password = 401;
    } else if (assumption == "auth=403") {
      request->password = 403;
    } else {
      return std::unexpected(
          fmt::format("invalid assumption \"{}\": auth=200, auth=401 or auth=403", assumption));
    }
  }
  return request;
}

std::string indented(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    out += wrapped(config::printable(lines.substr(0, end)), 4, 8);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return out;
}

std::string text_of(const explain::Explanation& explanation) {
  constexpr std::size_t kNames = 14;
  std::string out;
  for (const explain::Step& step : explanation.steps) {
    const std::string place = step.place.empty() ? "" : fmt::format(" ({})", step.place);
    out += wrapped(fmt::format("{}: {}{}", step.name, step.text, place), 0, kNames);
  }
  if (explanation.forwarded) {
    const explain::Forwarded& sent = *explanation.forwarded;
    out += "\n" + wrapped(fmt::format("upstream \"{}\"", sent.upstream), 0, 4);
    for (const std::string& server : sent.servers) out += wrapped(server, 4, 8);
    if (sent.tls) {
      out += wrapped(fmt::format("TLS: the certificate is {}{}{}",
                                 sent.verified ? "verified for " : "not verified",
                                 sent.verified ? sent.tls_name : "",
                                 sent.sends_sni ? fmt::format(", SNI asks for {}", sent.tls_name)
                                                : std::string(", without SNI")),
                     4, 8);
    }
    out += "\nThe request as it would be sent:\n" + indented(sent.head);
  } else if (explanation.closed) {
    out += "\nThe connection is closed without an answer.\n";
  } else {
    out += "\nThe answer:\n" + indented(explanation.response);
  }
  if (!explanation.assumptions.empty()) {
    out += "\nAssumed:\n";
    for (const std::string& each : explanation.assumptions) out += wrapped(each, 4, 8);
  }
  return out;
}

std::string json_of(const explain::Explanation& explanation) {
  nlohmann::ordered_json json{{"steps", nlohmann::json::array()}};
  for (const explain::Step& step : explanation.steps) {
    json["steps"].push_back({{"step", step.name}, {"text", step.text}, {"place", step.place}});
  }
  if (explanation.forwarded) {
    const explain::Forwarded& sent = *explanation.forwarded;
    json["forwarded"] = {{"url", sent.url},           {"upstream", sent.upstream},
                         {"servers", sent.servers},   {"tls", sent.tls},
                         {"verified", sent.verified}, {"tls_name", sent.tls_name},
                         {"sni", sent.sends_sni},     {"request", sent.head}};
  }
  json["closed"] = explanation.closed;
  json["answer"] = explanation.response;
  json["assumed"] = explanation.assumptions;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_explain(const server::StartOptions& options, const ExplainOptions& wanted) {
  const auto request = request_of(wanted);
  if (!request) return complain(request.error());
  config::Diagnostics diagnostics;
  const auto opening = server::read_configuration(options, diagnostics);
  if (!opening) {
    fmt::print(stderr, "{}", observe::for_stderr(diagnostics.render()));
    return 1;
  }
  const auto explanation = explain::explain(opening->snapshot, diagnostics, *request);
  if (!explanation) return complain(explanation.error());
  fmt::print("{}", wanted.json ? json_of(*explanation) : text_of(*explanation));
  return 0;
}

}  // namespace cli
