// `gzip_static`: "file.gz" sent in place of "file" (ngx_http_gzip_static_module). The files are
// found in proxy/find_file.cc.
#pragma once

#include <cstdint>
#include <tuple>

#include "config/directive.h"
#include "config/setters.h"

namespace filter {

enum class GzipStatic : std::uint8_t { off, on, always };

struct GzipStaticOptions {
  config::Setting<GzipStatic> mode{GzipStatic::off};
  auto settings(this auto& self) { return std::tie(self.mode); }
};

extern const config::Feature kGzipStaticFeature;

}  // namespace filter
