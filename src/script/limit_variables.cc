// What limit_req and limit_conn did with the request.
#include "script/getters.h"

namespace script {
namespace {

using exchange::Exchange;
using exchange::LimitStatus;

// nginx's words.
Text text_of(LimitStatus status) {
  switch (status) {
    case LimitStatus::none: return std::nullopt;
    case LimitStatus::passed: return "PASSED";
    case LimitStatus::delayed: return "DELAYED";
    case LimitStatus::rejected: return "REJECTED";
    case LimitStatus::delayed_dry_run: return "DELAYED_DRY_RUN";
    case LimitStatus::rejected_dry_run: return "REJECTED_DRY_RUN";
  }
  return std::nullopt;
}
Text limit_req_status(Exchange& ex) { return text_of(ex.limit_req_status); }
Text limit_conn_status(Exchange& ex) { return text_of(ex.limit_conn_status); }

constexpr VariableSpec kTable[] = {
    {.name = "limit_conn_status",
     .get = of_exchange<limit_conn_status>,
     .documentation = "PASSED, REJECTED or REJECTED_DRY_RUN, if limit_conn counted the request"},
    {.name = "limit_req_status",
     .get = of_exchange<limit_req_status>,
     .documentation =
         "PASSED, DELAYED, REJECTED, DELAYED_DRY_RUN or REJECTED_DRY_RUN, if limit_req "
         "counted the request"},
};

}  // namespace

constinit const VariableTable kLimitVariables = kTable;

}  // namespace script
