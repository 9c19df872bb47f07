// Zone: what limit_req_zone and limit_conn_zone declare. Its states are in a table that is made
// elsewhere (zones.h), since it outlives the configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "guard/state_table.h"
#include "script/value.h"

namespace guard {

enum class ZoneKind : std::uint8_t { requests, connections };

/// As far as the table is concerned.
struct ZoneSpec {
  ZoneKind kind = ZoneKind::requests;
  std::string name;
  std::string key;  // as written: "$binary_remote_addr"
  std::size_t size = 0;
  bool operator==(const ZoneSpec&) const = default;
};

struct Zone {
  ZoneSpec spec;
  script::Value key;
  std::uint64_t rate = 1000;  // limit_req: thousandths of a request per second
};

/// By a zone's number.
using Tables = std::span<const std::shared_ptr<StateTable>>;

}  // namespace guard
