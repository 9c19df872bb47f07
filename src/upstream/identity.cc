#include "upstream/identity.h"

namespace upstream {

OwnIdentity::OwnIdentity(const Identity& identity)
    : peer_(identity.peer),
      locality_(identity.locality),
      from_(identity.from != nullptr ? *identity.from : base::Address()),
      over_tls_(identity.tls != nullptr) {
  if (identity.tls == nullptr) return;
  context_ = identity.tls->context_id;
  server_name_ = identity.tls->server_name;
  verify_name_ = identity.tls->verify_name;
}

bool OwnIdentity::matches(const Identity& identity) const noexcept {
  if (peer_ != identity.peer || locality_ != identity.locality) return false;
  if (from_ != (identity.from != nullptr ? *identity.from : base::Address())) return false;
  if (identity.tls == nullptr) return !over_tls_;
  return over_tls_ && context_ == identity.tls->context_id &&
         server_name_ == identity.tls->server_name && verify_name_ == identity.tls->verify_name;
}

}  // namespace upstream
