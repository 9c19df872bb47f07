#include "filter/userid.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/base64.h"
#include "base/random.h"
#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"
#include "http/find_control.h"
#include "script/request_lookups.h"

namespace filter {
namespace {

using config::Binding;
using O = UserIdOptions;
using Text = std::optional<std::string_view>;

constexpr std::size_t kDigits = 22;  // of 16 bytes in base64, without padding
using Id = std::array<char, 16>;

constexpr config::Choice<O::Mode> kModes[] = {
    {"off", O::Mode::off}, {"log", O::Mode::log}, {"v1", O::Mode::v1}, {"on", O::Mode::on}};

// A text that stands in a Set-Cookie or P3P field.
template <auto Member>
void set_line(Binding& binding) {
  const std::string& text = binding.argument(0);
  if (http::find_control(text, 0) != text.size()) {
    return binding.invalid(0, "it is one line of a header");
  }
  const bool none = text == "none" && Member != &O::name && Member != &O::path;
  (binding.options<O>().*Member).set(none ? std::string() : text, binding.where());
}

void set_flags(Binding& binding) {
  O::Flags flags;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string_view word = binding.argument(i);
    if (word == "off") continue;
    if (word == "secure") {
      flags.secure = true;
    } else if (word == "httponly") {
      flags.http_only = true;
    } else if (word == "samesite=strict") {
      flags.same_site = O::SameSite::strict;
    } else if (word == "samesite=lax") {
      flags.same_site = O::SameSite::lax;
    } else if (word == "samesite=none") {
      flags.same_site = O::SameSite::none;
    } else {
      return binding.invalid(i, "off, or secure, httponly, samesite=strict|lax|none");
    }
  }
  binding.options<O>().flags.set(flags, binding.where());
}

void set_expires(Binding& binding) {
  const std::string& text = binding.argument(0);
  O::Lifetime lifetime;
  if (text == "max") {
    lifetime.kind = O::Expires::max;
  } else if (text != "off") {
    const auto time = config::parse_seconds(text);
    if (!time) return binding.invalid(0, "a time, max or off");
    if (time->count() > 0) lifetime = {O::Expires::after, *time};
  }
  binding.options<O>().expires.set(lifetime, binding.where());
}

void set_mark(Binding& binding) {
  const std::string& text = binding.argument(0);
  char mark = '\0';
  if (text != "off") {
    const bool good =
        text.size() == 1 && (base::is_alpha(text[0]) || base::is_digit(text[0]) || text[0] == '=');
    if (!good) {
      return binding.error_at(0, "value must be \"off\" or a single letter, digit or \"=\"");
    }
    mark = text[0];
  }
  binding.options<O>().mark.set(mark, binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "userid",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | v1 | log | off",
     .default_text = "off",
     .documentation = "Whether clients get a cookie to be known again by; log: only read it.",
     .set = config::set_enum<&O::mode, kModes>},
    {.name = "userid_domain",
     .contexts = config::kHttpServerLocation,
     .syntax = "NAME | none",
     .default_text = "none",
     .documentation = "The domain of the cookie.",
     .set = set_line<&O::domain>},
    {.name = "userid_expires",
     .contexts = config::kHttpServerLocation,
     .syntax = "TIME | max | off",
     .default_text = "off",
     .documentation = "How long browsers keep the cookie; off: until they are closed.",
     .set = set_expires},
    {.name = "userid_flags",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 3),
     .syntax = "off | secure | httponly | samesite=strict|lax|none ...",
     .default_text = "off",
     .documentation = "Attributes of the cookie.",
     .set = set_flags},
    {.name = "userid_mark",
     .contexts = config::kHttpServerLocation,
     .syntax = "LETTER | DIGIT | = | off",
     .default_text = "off",
     .documentation = "A mark in the cookie; one without it is sent again with it.",
     .set = set_mark},
    {.name = "userid_name",
     .contexts = config::kHttpServerLocation,
     .syntax = "NAME",
     .default_text = "uid",
     .documentation = "The name of the cookie.",
     .set = set_line<&O::name>},
    {.name = "userid_p3p",
     .contexts = config::kHttpServerLocation,
     .syntax = "TEXT | none",
     .default_text = "none",
     .documentation = "The P3P field that goes along with the cookie.",
     .set = set_line<&O::p3p>},
    {.name = "userid_path",
     .contexts = config::kHttpServerLocation,
     .syntax = "PATH",
     .default_text = "/",
     .documentation = "The path of the cookie.",
     .set = set_line<&O::path>},
    {.name = "userid_service",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "the address of the server",
     .documentation = "Who gave the cookie, where several servers do.",
     .set = config::set_number<&O::service>},
};

std::uint32_t word_of(const Id& id, std::size_t i) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, &id.at(i * sizeof word), sizeof word);
  return word;
}

enum class Order : bool { host, network };
void put(Id& id, std::size_t i, std::uint32_t word, Order order) noexcept {
  if (order == Order::network) word = __builtin_bswap32(word);
  std::memcpy(&id.at(i * sizeof word), &word, sizeof word);
}

// An id whose last number is 0 is none.
bool is_id(const Id& id) noexcept { return word_of(id, 3) != 0; }

// nginx's notation: each number as the machine reads it.
std::string text_of(const O& options, const Id& id) {
  return fmt::format("{}={:08X}{:08X}{:08X}{:08X}", *options.name, word_of(id, 0), word_of(id, 1),
                     word_of(id, 2), word_of(id, 3));
}

Id id_in(std::string_view text) {
  Id id{};
  const std::string_view digits = text.substr(text.size() - 2 * id.size());
  for (std::size_t i = 0; i < 4; ++i) {
    put(id, i, base::parse_number<std::uint32_t>(digits.substr(i * 8, 8), 16).value_or(0),
        Order::host);
  }
  return id;
}

/// What the client brought.
struct Got {
  Id id{};
  std::string_view cookie{};
  std::string_view problem{};  // with a cookie: why it is no id
};

Got read_cookie(const O& options, const exchange::Exchange& exchange) {
  Got got;
  const auto cookie = script::find_cookie(exchange.request.fields, *options.name);
  if (!cookie) return got;
  got.cookie = *cookie;
  if (cookie->size() < kDigits) {
    got.problem = "client sent too short userid cookie";
    return got;
  }
  Id id{};
  // What follows is a mark, or what old cookies have there in place of padding.
  if (base::decode_base64(cookie->substr(0, kDigits), base::Base64::standard, id)) {
    got.id = id;
  } else {
    got.problem = "client sent invalid userid cookie";
  }
  return got;
}

bool is_marked(const O& options, std::string_view cookie) noexcept {
  return *options.mark == '\0' || (cookie.size() > kDigits + 1 &&
                                   cookie[kDigits] == *options.mark && cookie[kDigits + 1] == '=');
}

bool is_wanted(std::string_view reset) noexcept { return !reset.empty() && reset != "0"; }

// The last four bytes of the address that the client connected to; 0 for a Unix socket.
std::uint32_t service_of(const exchange::Exchange& exchange) noexcept {
  const std::string_view bytes = exchange.connection.local.ip_bytes();
  std::uint32_t service = 0;
  if (bytes.size() >= sizeof service) {
    std::memcpy(&service, bytes.substr(bytes.size() - sizeof service).data(), sizeof service);
  }
  return service;
}

Id make_id(const O& options, const exchange::Exchange& exchange) noexcept {
  // Of the process: all of its threads count in them.
  static const auto kProcess = static_cast<std::uint32_t>(base::random_u64());
  static std::atomic<std::uint32_t> sequence_v1{1};
  static std::atomic<std::uint32_t> sequence{0x03030302};
  constexpr std::uint32_t kStep = 0x100;  // the last byte is the version
  const auto time = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(exchange.now_wall).time_since_epoch().count());
  Id id{};
  if (*options.mode == O::Mode::v1) {
    put(id, 0, *options.service, Order::host);
    put(id, 1, time, Order::host);
    put(id, 2, kProcess, Order::host);
    put(id, 3, sequence_v1.fetch_add(kStep, std::memory_order_relaxed), Order::host);
    return id;
  }
  if (options.service.is_set) {
    put(id, 0, *options.service, Order::network);
  } else {
    put(id, 0, service_of(exchange), Order::host);  // it is in network order
  }
  put(id, 1, time, Order::network);
  put(id, 2, kProcess, Order::network);
  put(id, 3, sequence.fetch_add(kStep, std::memory_order_relaxed), Order::network);
  return id;
}

const O* options_of(const script::Subject& subject) noexcept {
  if (subject.exchange == nullptr || subject.exchange->level == nullptr) return nullptr;
  return subject.exchange->level->find<O>();
}

/// $uid_set.
class UidSet final : public script::Source {
 public:
  [[nodiscard]] Text compute(script::Subject& subject) const override {
    const O* options = options_of(subject);
    if (options == nullptr || *options->mode < O::Mode::v1) return std::nullopt;
    const auto* plan = subject.exchange->level->find<UserIdPlan>();
    if (plan == nullptr) return std::nullopt;
    const Got got = read_cookie(*options, *subject.exchange);
    Id id = got.id;
    if (is_id(id) && !is_wanted(plan->reset.evaluate(subject))) {
      if (is_marked(*options, got.cookie)) return std::nullopt;
    } else {
      id = make_id(*options, *subject.exchange);
    }
    return subject.arena.copy(text_of(*options, id));
  }
};

/// $uid_reset, where no `set` has given it a value.
class UidReset final : public script::Source {
 public:
  [[nodiscard]] Text compute(script::Subject& /*subject*/) const override { return ""; }
};

Text uid_got(script::Subject& subject, const script::Suffix& /*none*/) {
  const O* options = options_of(subject);
  if (options == nullptr || *options->mode == O::Mode::off) return std::nullopt;
  const Got got = read_cookie(*options, *subject.exchange);
  if (!is_id(got.id)) return std::nullopt;
  return subject.arena.copy(text_of(*options, got.id));
}

constexpr script::VariableSpec kSpecs[] = {
    {.name = "uid_got",
     .get = uid_got,
     .documentation = "the name and the value of the cookie that the client sent"},
};

// Years of four digits are for those that two can't say (nginx's ngx_http_cookie_time).
std::string cookie_date(std::chrono::sys_seconds time) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  static_cast<void>(::gmtime_r(&seconds, &parts));
  const int year = parts.tm_year + 1900;
  const std::string shown =
      year > 2037 ? fmt::format("{}", year) : fmt::format("{:02}", year % 100);
  return fmt::format("{}, {:02}-{}-{} {:02}:{:02}:{:02} GMT",
                     kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                     kMonths.at(static_cast<std::size_t>(parts.tm_mon)), shown, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

std::string make_cookie(const O& options, const Id& id, base::WallTime now) {
  std::string cookie = *options.name + "=" + base::encode_base64({id.data(), id.size()});
  if (*options.mark != '\0') cookie[cookie.size() - 2] = *options.mark;
  switch (options.expires->kind) {
    case O::Expires::off: break;
    case O::Expires::max: cookie += "; expires=Thu, 31-Dec-37 23:55:55 GMT"; break;
    case O::Expires::after:
      cookie += "; expires=" +
                cookie_date(std::chrono::floor<std::chrono::seconds>(now) + options.expires->time);
      break;
  }
  if (!options.domain->empty()) cookie += "; domain=" + *options.domain;
  cookie += "; path=" + *options.path;
  if (options.flags->secure) cookie += "; secure";
  if (options.flags->http_only) cookie += "; httponly";
  switch (options.flags->same_site) {
    case O::SameSite::unset: break;
    case O::SameSite::strict: cookie += "; samesite=strict"; break;
    case O::SameSite::lax: cookie += "; samesite=lax"; break;
    case O::SameSite::none: cookie += "; samesite=none"; break;
  }
  return cookie;
}

}  // namespace

const config::Feature kUserIdFeature{"userid", kDirectives, config::inherit_options<UserIdOptions>};
const script::VariableTable kUserIdVariables = kSpecs;

void define_user_id(script::Variables& variables, config::Diagnostics& diagnostics) {
  using script::Caching;
  variables.define("uid_set", std::make_unique<UidSet>(), Caching::whole_exchange, {}, diagnostics);
  variables.define("uid_reset", std::make_unique<UidReset>(), Caching::whole_exchange, {},
                   diagnostics);
}

void provision_user_id(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics) {
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<UserIdPlan>() != nullptr) {
    return level.share_from<UserIdPlan>(*parent);
  }
  const auto value = [&](std::string_view name) {
    return script::Value::compile({.text = std::string(name), .at = level.where(), .quoted = false},
                                  variables, diagnostics);
  };
  level.options<UserIdPlan>() = {value("$uid_set"), value("$uid_reset")};
}

bool apply_user_id(const config::Level& level, exchange::Exchange& exchange, UserIdNote& note) {
  const auto& options = level.get<UserIdOptions>();
  if (*options.mode < O::Mode::v1) return true;
  const auto* plan = level.find<UserIdPlan>();
  if (plan == nullptr) return true;
  const Got got = read_cookie(options, exchange);
  if (!got.problem.empty()) {
    note.text = exchange.arena.copy(fmt::format("{} \"{}\"", got.problem, got.cookie));
  } else if (is_id(got.id) && plan->reset.evaluate(exchange) == "log") {
    note.text = exchange.arena.copy(
        fmt::format("userid cookie \"{}\" was reset", text_of(options, got.id)));
    note.reset = true;
  }
  const std::string_view set = plan->set.evaluate(exchange);
  if (set.empty()) return true;
  const std::string cookie = make_cookie(options, id_in(set), exchange.now_wall);
  http::Fields& fields = exchange.response.fields;
  return fields.add(http::FieldName::set_cookie, exchange.arena.copy(cookie)) &&
         (options.p3p->empty() || fields.add("P3P", *options.p3p));
}

}  // namespace filter
