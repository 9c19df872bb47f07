#include "proxy/grpc_directives.h"

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "proxy/grpc_options.h"

namespace proxy {
namespace {

void set_grpc_pass(config::Binding& binding) { set_target(binding, PassOptions::Protocol::grpc); }

constexpr config::DirectiveSpec kPass = {
    .name = "grpc_pass",
    .contexts = config::Context::location | config::Context::if_in_location,
    .syntax = "ADDRESS",
    .documentation =
        "Where the location's requests go over HTTP/2, bodies unbuffered both ways: "
        "grpc:// (which may be left out) or grpcs://, a name, an address, a group or "
        "unix:/path.",
    .set = set_grpc_pass};

}  // namespace

std::string in_grpc_names(std::string_view text) {
  constexpr std::string_view kProxy = "proxy_";
  // There is no other version for gRPC.
  constexpr std::array<std::string_view, 2> kAdvice{", or set proxy_http_version 1.1",
                                                    ": see proxy_http_version"};
  std::string out(text);
  for (const std::string_view advice : kAdvice) {
    if (const auto at = out.find(advice); at != std::string::npos) out.erase(at, advice.size());
  }
  for (auto at = out.find(kProxy); at != std::string::npos; at = out.find(kProxy, at)) {
    out.replace(at, kProxy.size(), "grpc_");
  }
  return out;
}

config::DirectiveTable grpc_directives(config::DirectiveTable proxy, AlsoPass also_pass) {
  static std::deque<std::string> texts;  // a deque: what is in it stays where it is
  static std::deque<std::vector<config::DirectiveSpec>> tables;
  auto& table = tables.emplace_back(proxy.begin(), proxy.end());
  for (config::DirectiveSpec& row : table) {
    row.name = texts.emplace_back(in_grpc_names(row.name));
    row.documentation = texts.emplace_back(in_grpc_names(row.documentation));
  }
  if (also_pass == AlsoPass::yes) table.insert(table.begin(), kPass);
  return table;
}

}  // namespace proxy
