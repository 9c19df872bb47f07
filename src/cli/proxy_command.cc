#include "cli/proxy_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/address.h"
#include "base/text.h"
#include "cli/development_files.h"
#include "server/paths.h"
#include "server/supervise.h"

namespace cli {
namespace {

using Failure = std::unexpected<std::string>;

template <class... Arguments>
Failure failure(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return Failure(fmt::format(format, std::forward<Arguments>(arguments)...));
}

// What may stand in the configuration as it is: a quote, a brace or a variable would change what
// the file says. Spaces are allowed where the text is quoted (a path).
bool is_plain(std::string_view text, bool quoted) {
  return !text.empty() && std::ranges::all_of(text, [quoted](char c) {
    return static_cast<unsigned char>(c) > (quoted ? 0x1f : 0x20) && c != 0x7f &&
           std::string_view("\"'\\;{}$#").find(c) == std::string_view::npos;
  });
}

std::optional<unsigned> parse_port(std::string_view text) {
  const auto port = base::parse_number<std::uint16_t>(text);
  if (!port || *port == 0) return std::nullopt;
  return *port;
}

// "NAME:PORT", "[::1]:PORT": where the port begins; npos without one.
std::size_t colon_of_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos ||
      authority.substr(colon).find(']') != std::string_view::npos)
    return std::string_view::npos;
  return colon;
}

struct Backend {
  std::string scheme;
  std::string server;
  std::string path;
};

// "3000" and ":3000" are a port of this machine, as people say it.
std::expected<Backend, std::string> parse_backend(std::string_view text) {
  Backend backend{.scheme = "http", .server = {}, .path = {}};
  std::string_view rest = text;
  if (const std::size_t end = rest.find("://"); end != std::string_view::npos) {
    backend.scheme = base::lower(rest.substr(0, end));
    rest.remove_prefix(end + 3);
  }
  if (backend.scheme != "http" && backend.scheme != "https") {
    return failure("--to {}: backends speak http or https, not {}", text, backend.scheme);
  }
  if (!is_plain(rest, false) || rest.find('@') < rest.find('/')) {
    return failure("--to {}: this is not an address, such as http://127.0.0.1:3000", text);
  }
  if (rest.starts_with("unix:/")) {
    backend.server = rest;
    return backend;
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash);
  backend.path = rest.substr(slash);
  if (backend.path == "/") backend.path.clear();
  if (authority.starts_with(':')) authority.remove_prefix(1);
  if (parse_port(authority)) {
    backend.server = fmt::format("127.0.0.1:{}", authority);
    return backend;
  }
  const std::size_t colon = colon_of_port(authority);
  if (colon != std::string_view::npos && !parse_port(authority.substr(colon + 1))) {
    return failure("--to {}: \"{}\" is not a port", text, authority.substr(colon + 1));
  }
  if (authority.empty()) {
    return failure("--to {}: this is not an address, such as http://127.0.0.1:3000", text);
  }
  backend.server = authority;
  if (colon == std::string_view::npos) backend.server += backend.scheme == "https" ? ":443" : ":80";
  return backend;
}

std::expected<void, std::string> plan_backends(const ProxyRequest& request, ProxyPlan& plan) {
  if (request.to.empty()) return failure("--to is missing: where do requests go?");
  for (const std::string& text : request.to) {
    auto backend = parse_backend(text);
    if (!backend) return std::unexpected(backend.error());
    if (plan.servers.empty()) {
      plan.scheme = backend->scheme;
      plan.path = backend->path;
    } else if (plan.scheme != backend->scheme) {
      return failure("--to {}: all backends speak the same, here {}", text, plan.scheme);
    }
    plan.servers.push_back(std::move(backend->server));
    if (plan.servers.size() > 1 && plan.scheme == "https") {
      return failure("--to {}: only one backend that speaks https can be verified by its name",
                     text);
    }
    if (plan.servers.size() > 1 && !(plan.path.empty() && backend->path.empty())) {
      return failure("--to {}: several backends can't have a path", text);
    }
  }
  return {};
}

std::expected<void, std::string> plan_listener(const ProxyRequest& request, bool ipv6,
                                               ProxyPlan& plan) {
  const std::string_view text = request.listen;
  const std::size_t colon = colon_of_port(text);
  const auto port = parse_port(colon == std::string_view::npos ? text : text.substr(colon + 1));
  if (!port) return failure("--listen {}: this is not a port, such as :8443", text);
  plan.port = *port;
  const auto address = colon == std::string_view::npos ? "" : text.substr(0, colon);
  if (address.empty() || address == "*") {
    plan.listen.push_back(fmt::format("{}", *port));
    if (ipv6) plan.listen.push_back(fmt::format("[::]:{}", *port));
    return {};
  }
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  const auto bare = bracketed ? address.substr(1, address.size() - 2) : address;
  if (!base::Address::from_ip(bare, 0)) {
    return failure("--listen {}: \"{}\" is not an address of this machine", text, address);
  }
  plan.listen.push_back(std::string(text));
  return {};
}

std::expected<void, std::string> plan_names(const ProxyRequest& request, ProxyPlan& plan) {
  for (const std::string& name : request.domains) {
    if (!is_plain(name, false) || name.find('/') != std::string::npos) {
      return failure("--domain {}: this is not a name, such as example.com", name);
    }
    plan.names.push_back(base::lower(name));
  }
  if (plan.names.empty()) plan.names.emplace_back("localhost");
  if (request.certificate.empty() != request.key.empty()) {
    return failure("--cert and --key belong together: one of them is missing");
  }
  for (const std::string* path : {&request.certificate, &request.key}) {
    if (!path->empty() && !is_plain(*path, true)) {
      return failure("\"{}\": a path can't have quotes, braces, ; $ # or \\ here", *path);
    }
  }
  std::error_code error;
  if (!request.certificate.empty()) {
    plan.certificate = std::filesystem::absolute(request.certificate, error).string();
    plan.key = std::filesystem::absolute(request.key, error).string();
  }
  return {};
}

std::string url_of(const ProxyPlan& plan) {
  const std::string& name = plan.names.front();
  return plan.port == 443 ? fmt::format("https://{}/", name)
                          : fmt::format("https://{}:{}/", name, plan.port);
}

std::string welcome(const ProxyPlan& plan, const std::string& file, bool development) {
  std::string text = fmt::format("\n  {}  is passed on to  {}://{}{}\n\n", url_of(plan),
                                 plan.scheme, fmt::join(plan.servers, ", "), plan.path);
  if (development) {
    text += fmt::format(
        "The certificate is for development: browsers warn, curl wants to be told.\n"
        "  curl --cacert {} {}\n",
        plan.certificate, url_of(plan));
  }
  text += fmt::format("The configuration is {}    Ctrl-C ends this.\n\n", file);
  return text;
}

int complain(std::string_view sentence) {
  fmt::print(stderr, "sallyport: [emerg] {}\n", sentence);
  return 1;
}

}  // namespace

std::expected<ProxyPlan, std::string> plan_proxy(const ProxyRequest& request, bool ipv6) {
  ProxyPlan plan;
  if (auto done = plan_backends(request, plan); !done) return std::unexpected(done.error());
  if (auto done = plan_listener(request, ipv6, plan); !done) return std::unexpected(done.error());
  if (auto done = plan_names(request, plan); !done) return std::unexpected(done.error());
  return plan;
}

std::string proxy_prefix(std::string_view state_directory, const ProxyRequest& request) {
  const std::size_t colon = colon_of_port(request.listen);
  const auto port =
      std::string_view(request.listen).substr(colon == std::string_view::npos ? 0 : colon + 1);
  return server::below(state_directory, fmt::format("proxy-{}", parse_port(port).value_or(0)));
}

std::string proxy_configuration(const ProxyPlan& plan) {
  std::string text = "# Written by `sallyport proxy`: copy it before you change it.\n";
  const auto line = [&text]<class... Arguments>(fmt::format_string<Arguments...> format,
                                                Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
    text += '\n';
  };
  line("daemon off;\n");
  line("events {{\n    worker_connections 1024;\n}}\n");
  line("http {{");
  const bool group = plan.servers.size() > 1;
  if (group) {
    line("    upstream backends {{");
    for (const std::string& server : plan.servers) line("        server {};", server);
    line("    }}\n");
  }
  line("    server {{");
  for (const std::string& listen : plan.listen) line("        listen {} ssl;", listen);
  line("        server_name {};", fmt::join(plan.names, " "));
  line("        ssl_certificate     \"{}\";", plan.certificate);
  line("        ssl_certificate_key \"{}\";\n", plan.key);
  line("        location / {{");
  const std::string target = group ? "backends" : plan.servers.front();
  line("            proxy_pass {}://{}{};", plan.scheme, target, plan.path);
  // A service of one's own is asked as the client asked; a site elsewhere by its own name.
  line("            proxy_set_header Host {};",
       plan.scheme == "https" ? "$proxy_host" : "$http_host");
  line("            proxy_set_header X-Real-IP $remote_addr;");
  line("            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;");
  line("            proxy_set_header X-Forwarded-Proto $scheme;");
  line("        }}\n    }}\n}}");
  return text;
}

int run_proxy(const ProxyRequest& request, server::StartOptions options) {
  auto plan = plan_proxy(request, has_ipv6());
  if (!plan) return complain(plan.error());
  const std::string& directory = options.paths.prefix;
  const bool development = plan->certificate.empty();
  if (development) {
    plan->certificate = directory + "/certificate.pem";
    plan->key = directory + "/key.pem";
  }
  if (const auto made = server::make_directories(directory, 0755); !made) {
    return complain(fmt::format("{}: {}", directory, base::describe(made.error())));
  }
  if (development) {
    if (const auto made = provide_development_certificate(directory, plan->names); !made) {
      return complain(fmt::format("{}: {}", plan->certificate, base::describe(made.error())));
    }
  }
  const std::string text = proxy_configuration(*plan);
  if (request.print) {
    fmt::print("{}", text);
    return 0;
  }
  const std::string file = directory + "/sallyport.conf";
  if (const auto written = write_file(file, text, 0644); !written) {
    return complain(fmt::format("{}: {}", file, base::describe(written.error())));
  }
  options.paths.configuration = options.load.file = file;
  options.note = welcome(*plan, file, development);
  return server::supervise(options);
}

}  // namespace cli
