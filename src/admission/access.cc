#include "admission/access.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "config/setters.h"

namespace admission {
namespace {

using config::Binding;
using config::Context;

constexpr auto kEverywhere = config::kHttpServerLocation | Context::limit_except;

// "10.1.2.3/8": nginx takes it for 10.0.0.0/8 and says so. The text is a sound network.
bool has_host_bits(std::string_view text) {
  const std::string_view address = base::split_first(text, '/');
  const auto prefix = base::parse_number<unsigned>(text);
  const auto parsed = base::Address::from_ip(address, 0);
  if (!parsed || !prefix) return false;
  unsigned place = 0;  // of the byte's first bit
  for (const char byte : parsed->ip_bytes()) {
    const unsigned kept = *prefix > place ? std::min(*prefix - place, 8U) : 0;
    if ((static_cast<unsigned char>(byte) & (0xffU >> kept)) != 0) return true;
    place += 8;
  }
  return false;
}

void add_rule(Binding& binding, bool deny) {
  const std::string& text = binding.argument(0);
  AccessRule rule{.network = {}, .deny = deny};
  if (text != "all") {
    rule.network = base::Network::parse(text);
    if (!rule.network) {
      return binding.error_at(0, "invalid parameter \"" + text + "\"",
                              "an address, a block such as 10.0.0.0/8, \"unix:\" or \"all\"; host "
                              "names are not resolved here");
    }
    if (has_host_bits(text)) {
      binding.warn_at(0, "low address bits of " + text + " are meaningless");
    }
  }
  binding.options<AccessOptions>().rules.append(rule, binding.where());
}

void add_allow(Binding& binding) { add_rule(binding, false); }
void add_deny(Binding& binding) { add_rule(binding, true); }

constexpr config::Choice<Satisfy> kSatisfy[] = {{"all", Satisfy::all}, {"any", Satisfy::any}};

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "allow",
     .contexts = kEverywhere,
     .repeat = config::Repeat::repeatable,
     .syntax = "ADDRESS | CIDR | unix: | all",
     .documentation =
         "Clients that may come in. Of allow and deny the first rule that fits decides.",
     .set = add_allow},
    {.name = "deny",
     .contexts = kEverywhere,
     .repeat = config::Repeat::repeatable,
     .syntax = "ADDRESS | CIDR | unix: | all",
     .documentation = "Clients that are answered 403.",
     .set = add_deny},
    {.name = "satisfy",
     .contexts = config::kHttpServerLocation,
     .syntax = "all | any",
     .default_text = "all",
     .documentation = "Whether a request must pass allow/deny and auth_basic, or one of them.",
     .set = config::set_enum<&SatisfyOptions::satisfy, kSatisfy>},
    {.name = "auth_delay",
     .contexts = config::kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "0s",
     .documentation = "How long a 401 is held back, against guessing of passwords.",
     .set = config::set_duration<&SatisfyOptions::auth_delay>},
};

}  // namespace

const config::Feature kAccessFeature{"access", kDirectives,
                                     config::inherit_options<AccessOptions, SatisfyOptions>};

Access check_access(const config::Level& level, const base::Address& client) noexcept {
  for (const AccessRule& rule : *level.get<AccessOptions>().rules) {
    if (rule.network && !rule.network->contains(client)) continue;
    return rule.deny ? Access::denied : Access::allowed;
  }
  return Access::none;
}

}  // namespace admission
