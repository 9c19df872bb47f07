#include "admission/auth_basic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "config/setters.h"
#include "http/basic_credentials.h"

namespace admission {
namespace {

using config::Binding;
using config::Context;
using Kind = AuthVerdict::Kind;
using Answer = PasswordDesk::Answer;
using O = AuthBasicOptions;

constexpr auto kEverywhere = config::kHttpServerLocation | Context::limit_except;

void set_user_file(Binding& binding) {
  UserFileSetting file{.name = binding.word(0),
                       .directory = binding.files.full_name("", config::Purpose::list),
                       .held = {}};
  if (!script::has_variables(binding.argument(0))) {
    auto fd = binding.files.open(binding.argument(0), config::Purpose::list);
    if (fd) {
      file.held = std::make_shared<const base::Fd>(*std::move(fd));
    } else if (fd.error().os_error == ENOENT) {
      // As nginx, which looks for it when a request comes.
      const std::string name = binding.files.full_name(binding.argument(0), config::Purpose::list);
      binding.warn_at(0, config::describe_failure(name, fd.error()),
                      "until it is there, requests are answered 403");
    } else {
      return binding.report_failure(0, config::Purpose::list, fd.error());
    }
  }
  binding.options<O>().user_file.set(std::move(file), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "auth_basic",
     .contexts = kEverywhere,
     .syntax = "REALM | off",
     .default_text = "off",
     .documentation = "Asks for a name and a password of auth_basic_user_file.",
     .set = config::set_word<&O::realm>},
    {.name = "auth_basic_user_file",
     .contexts = kEverywhere,
     .syntax = "FILE",
     .documentation = "Lines of NAME:PASSWORD as htpasswd makes them; changes count at once.",
     .set = set_user_file},
};

// A realm may have a variable's value in it, and a header has one line.
std::string_view challenge_for(std::string_view realm, base::Arena& arena) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
  if (std::ranges::any_of(realm, is_control)) {
    const auto clean = arena.allocate_chars(realm.size());
    const auto end = std::ranges::remove_copy_if(realm, clean.begin(), is_control).out;
    realm = {clean.data(), static_cast<std::size_t>(end - clean.begin())};
  }
  return arena.join("Basic realm=\"", realm, "\"");
}

// RFC 9110 §11.7: who asks for a tunnel shows itself to a proxy.
bool is_connect(const exchange::Exchange& exchange) {
  return exchange.request.method == http::Method::connect;
}

AuthVerdict refuse_to_read(std::string_view name, const base::Error& error,
                           exchange::Exchange& exchange) {
  const bool missing = error.os_error == ENOENT || error.os_error == ENOTDIR;
  AuthVerdict verdict{.kind = missing ? Kind::forbidden : Kind::failed};
  verdict.level = missing ? observe::Level::error : observe::Level::crit;
  // Without a name that is none: it may be anything.
  if (error.is(base::ErrorCode::invalid)) {
    verdict.line = "auth_basic_user_file is no file's name; see where its variables come from";
  } else if (error.os_error == EACCES) {
    verdict.line = exchange.arena.copy(
        fmt::format("{}; server processes read it as their \"user\": let that user read it, or "
                    "reload",
                    config::describe_failure(name, error)));
  } else {
    verdict.line = exchange.arena.copy(config::describe_failure(name, error));
  }
  return verdict;
}

// What clients call themselves, fit for a line of a log.
std::string_view shown(std::string_view user) {
  constexpr std::size_t kLongest = 256;
  return user.substr(0, kLongest);
}

}  // namespace

const config::Feature kAuthBasicFeature{"auth_basic", kDirectives,
                                        config::inherit_options<AuthBasicOptions>};

void provision_auth_basic(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics) {
  const auto& options = level.get<AuthBasicOptions>();
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<AuthBasicPlan>() != nullptr &&
      parent->find<AuthBasicOptions>() == &options) {
    return level.share_from<AuthBasicPlan>(*parent);
  }
  auto& plan = level.options<AuthBasicPlan>();
  if (!options.realm.is_set || options.realm->text == "off") return;
  if (!options.user_file.is_set) {
    // As nginx. In http and server blocks the file may still come, further inside.
    if (level.context() != Context::http && level.context() != Context::server) {
      diagnostics.warning(options.realm.where, "\"auth_basic\" lets everyone in here",
                          "there is no auth_basic_user_file");
    }
    return;
  }
  plan.asks = true;
  plan.realm = script::Value::compile(*options.realm, variables, diagnostics);
  plan.user_file = script::Value::compile(options.user_file->name, variables, diagnostics);
  plan.directory = options.user_file->directory;
  plan.held = options.user_file->held;
}

bool asks_password(const config::Level& level) noexcept {
  const auto* plan = level.find<AuthBasicPlan>();
  return plan != nullptr && plan->asks;
}

async::Task<AuthVerdict> authenticate(const config::Level& level, exchange::Exchange& exchange,
                                      PasswordDesk& desk) {
  const auto& plan = level.get<AuthBasicPlan>();
  base::Arena& arena = exchange.arena;
  if (!plan.asks) co_return AuthVerdict{};
  const std::string_view realm = plan.realm.evaluate(exchange);
  if (realm == "off") co_return AuthVerdict{};
  AuthVerdict refusal{.kind = Kind::unauthorised, .challenge = challenge_for(realm, arena)};
  const auto credentials = http::parse_basic_credentials(
      exchange.request.fields.value(is_connect(exchange) ? http::FieldName::proxy_authorization
                                                         : http::FieldName::authorization),
      arena);
  if (!credentials) {
    refusal.level = observe::Level::info;
    refusal.line = "no user/password was provided for basic authentication";
    co_return refusal;
  }
  refusal.wrong = true;
  std::string_view name = plan.user_file.evaluate(exchange);
  if (!name.starts_with('/')) name = arena.join(plan.directory, name);
  const auto file = desk.files().get({.name = name, .held = plan.held.get()});
  if (!file) co_return refuse_to_read(name, file.error(), exchange);
  const auto stored = (*file)->find(credentials->user);
  // Another user's password must not be found out by whoever knows no user's name: for an unknown
  // one a password is compared that nobody has.
  const std::string_view compared = stored.value_or((*file)->example());
  const std::string_view password =
      stored ? credentials->password : arena.join(credentials->password, "\n");
  Answer answer = Answer::wrong;
  if (!compared.empty()) answer = co_await desk.check(compared, password);
  switch (answer) {
    case Answer::right:
      if (stored) co_return AuthVerdict{.kind = Kind::passed};
      break;
    case Answer::wrong: break;
    case Answer::busy:
      co_return AuthVerdict{.kind = Kind::busy, .line = "too many passwords wait to be compared"};
    case Answer::cancelled: co_return AuthVerdict{.kind = Kind::cancelled};
  }
  const std::string_view user = shown(credentials->user);
  refusal.line = stored ? arena.join("user \"", user, "\": password mismatch")
                        : arena.join("user \"", user, "\" was not found in \"", name, "\"");
  co_return refusal;
}

}  // namespace admission
