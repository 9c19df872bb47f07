// `gunzip`: gzip from a backend or a file, unpacked for clients that don't accept it
// (ngx_http_gunzip_module). However much comes out of a few bytes, one buffer of it is held at a
// time, and the next is made when the client has taken that. Broken data ends the response.
#pragma once

#include <tuple>
#include <vector>

#include "base/deflate.h"
#include "config/directive.h"
#include "config/setters.h"
#include "filter/body_filter.h"
#include "filter/gzip.h"

namespace filter {

struct GunzipOptions {
  config::Setting<bool> on{false};
  config::Setting<FilterBuffers> buffers;
  auto settings(this auto& self) { return std::tie(self.on, self.buffers); }
};

extern const config::Feature kGunzipFeature;

/// Whether it would be unpacked for a client that does not accept it.
[[nodiscard]] bool is_for_gunzip(const GunzipOptions& options, const exchange::Exchange& exchange);
/// Changes the head and adds the filter.
void start_gunzip(const GunzipOptions& options, exchange::Exchange& exchange, BodyFilters& filters);

class GunzipFilter final : public BodyFilter {
 public:
  explicit GunzipFilter(std::size_t room) : out_(room) {}

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  base::Inflater inflater_;
  std::vector<char> out_;
};

}  // namespace filter
