#include "admission/secure_link.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>

#include "base/base64.h"
#include "base/constant_time.h"
#include "base/text.h"
#include "config/setters.h"
#include "exchange/exchange.h"
#include "tls/digest.h"

namespace admission {
namespace {

using Text = std::optional<std::string_view>;
using O = SecureLinkOptions;
using tls::Digest;

constexpr std::size_t kHashSize = 16;
constexpr std::size_t kLongestText = 24;  // of a hash in base64url, padded

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "secure_link",
     .contexts = config::kHttpServerLocation,
     .syntax = "TEXT",
     .documentation = "Where the hash of a link stands, and behind a comma until when it holds.",
     .set = config::set_word<&O::link>},
    {.name = "secure_link_md5",
     .contexts = config::kHttpServerLocation,
     .syntax = "TEXT",
     .documentation = "What the hash of a link must be the MD5 of.",
     .set = config::set_word<&O::md5>},
    {.name = "secure_link_secret",
     .contexts = config::kHttpServerLocation,  // nginx's documentation says location alone
     .syntax = "WORD",
     .documentation = "The secret of links of the form /PREFIX/HASH/LINK.",
     .set = config::set_text<&O::secret>},
};

void inherit(const config::Level* parent, config::Level& child) {
  const auto* above = parent != nullptr ? parent->find<O>() : nullptr;
  if (above == nullptr) {
    static_cast<void>(child.options<O>());
    return;
  }
  if (child.find<O>() == nullptr) return child.share_from<O>(*parent);
  O& mine = child.options<O>();
  if (mine.secret.is_set) return;
  mine.link.inherit(above->link);
  mine.md5.inherit(above->md5);
  if (!mine.link.is_set && !mine.md5.is_set) mine.secret.inherit(above->secret);
}

/// The value of `secure_link`, in its parts.
struct Link {
  std::string_view hash;
  std::optional<std::string_view> expires;
};

Link split(std::string_view value) noexcept {
  const std::size_t comma = value.find(',');
  if (comma == std::string_view::npos) return {value, std::nullopt};
  return {value.substr(0, comma), value.substr(comma + 1)};
}

/// Seconds since 1970; nothing for what is no time after that.
std::optional<std::int64_t> parse_time(std::string_view text) noexcept {
  const auto seconds = base::parse_number<std::uint64_t>(text);
  if (!seconds || *seconds == 0) return std::nullopt;
  if (*seconds > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*seconds);
}

Text check_link(script::Subject& subject, const SecureLinkPlan& plan) {
  const Link link = split(plan.link->evaluate(subject));
  std::int64_t expires = 0;
  if (link.expires) {
    const auto time = parse_time(*link.expires);
    if (!time) return std::nullopt;
    expires = *time;
  }
  if (link.hash.size() > kLongestText) return std::nullopt;
  std::array<char, base::base64_decoded_size(kLongestText)> hash{};
  const auto size = base::decode_base64(link.hash, base::Base64::url, hash);
  if (size != kHashSize) return std::nullopt;
  const std::string right = Digest(Digest::Kind::md5).add(plan.md5->evaluate(subject)).finish();
  if (!base::equal_in_constant_time({hash.data(), kHashSize}, right)) return std::nullopt;
  const std::int64_t now =
      std::chrono::floor<std::chrono::seconds>(subject.wall).time_since_epoch().count();
  return expires != 0 && expires < now ? "0" : "1";
}

// "/p/HASH/link": what stands behind the hash, as it was received and with its query.
Text check_path(script::Subject& subject, const SecureLinkPlan& plan) {
  const http::RequestHead& request = subject.exchange->request;
  std::string_view rest = request.has_query
                              ? subject.arena.join(request.raw_path, "?", request.query)
                              : request.raw_path;
  if (rest.empty()) return std::nullopt;
  rest.remove_prefix(1);
  const std::size_t first = rest.find('/');
  if (first == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(first + 1);
  const std::size_t second = rest.find('/');
  if (second != 2 * kHashSize || second + 1 == rest.size()) return std::nullopt;
  const std::string_view digits = rest.substr(0, second);
  const std::string_view link = rest.substr(second + 1);
  std::array<char, kHashSize> hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = base::hex_value(digits[2 * i]);
    const int low = base::hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash.at(i) = static_cast<char>(high * 16 + low);
  }
  const std::string right = Digest(Digest::Kind::md5).add(link).add(plan.secret).finish();
  if (!base::equal_in_constant_time({hash.data(), hash.size()}, right)) return std::nullopt;
  return link;
}

const SecureLinkPlan* plan_of(const script::Subject& subject) noexcept {
  if (subject.exchange == nullptr || subject.exchange->level == nullptr) return nullptr;
  return subject.exchange->level->find<SecureLinkPlan>();
}

Text secure_link(script::Subject& subject, const script::Suffix& /*none*/) {
  const SecureLinkPlan* plan = plan_of(subject);
  if (plan == nullptr) return std::nullopt;
  if (!plan->secret.empty()) return check_path(subject, *plan);
  return plan->link && plan->md5 ? check_link(subject, *plan) : std::nullopt;
}

Text secure_link_expires(script::Subject& subject, const script::Suffix& /*none*/) {
  const SecureLinkPlan* plan = plan_of(subject);
  if (plan == nullptr || !plan->link || !plan->md5) return std::nullopt;
  const Link link = split(plan->link->evaluate(subject));
  return link.expires && parse_time(*link.expires) ? link.expires : std::nullopt;
}

constexpr script::VariableSpec kSpecs[] = {
    {.name = "secure_link",
     .get = secure_link,
     .documentation = "what the check of a link says: 1, 0 when its time is over, or nothing"},
    {.name = "secure_link_expires",
     .get = secure_link_expires,
     .documentation = "until when a link holds, in seconds since 1970"},
};

}  // namespace

const config::Feature kSecureLinkFeature{"secure_link", kDirectives, inherit};
const script::VariableTable kSecureLinkVariables = kSpecs;

void provision_secure_link(config::Level& level, script::Variables& variables,
                           config::Diagnostics& diagnostics) {
  const auto& options = level.get<O>();
  const config::Level* parent = level.parent();
  if (parent != nullptr && parent->find<O>() == &options) {
    if (parent->find<SecureLinkPlan>() != nullptr) level.share_from<SecureLinkPlan>(*parent);
    return;
  }
  if (!options.link.is_set && !options.md5.is_set && !options.secret.is_set) return;
  if (options.secret.is_set && (options.link.is_set || options.md5.is_set)) {
    return diagnostics.error(options.secret.where,
                             "\"secure_link_secret\" cannot be mixed with \"secure_link\" and "
                             "\"secure_link_md5\"",
                             "secure_link and secure_link_md5 are the newer way");
  }
  auto& plan = level.options<SecureLinkPlan>();
  plan.secret = *options.secret;
  if (options.link.is_set) {
    plan.link = script::Value::compile(*options.link, variables, diagnostics);
  }
  if (options.md5.is_set) plan.md5 = script::Value::compile(*options.md5, variables, diagnostics);
}

}  // namespace admission
