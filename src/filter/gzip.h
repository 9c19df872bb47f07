// `gzip`: compresses responses for clients that accept it (ngx_http_gzip_module).
//
// Memory of a response while it is compressed: zlib's window and hash (some 268 KB with the usual
// gzip_window and gzip_hash, less for a response that is known to be short), one buffer of
// gzip_buffers, 64 KB at most, and what postpone_gzipping holds back.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/deflate.h"
#include "config/directive.h"
#include "filter/body_filter.h"
#include "filter/gzip_acceptance.h"
#include "filter/mime_types.h"
#include "script/variables.h"

namespace filter {

/// "gzip_buffers NUMBER SIZE"
struct FilterBuffers {
  std::uint64_t number = 32;
  std::uint64_t size = 4096;
  /// What is gathered before it goes on, at most. 1 <= room <= kMost.
  [[nodiscard]] std::size_t room() const noexcept;
  static constexpr std::size_t kMost = std::size_t{64} * 1024;
};
[[nodiscard]] std::optional<FilterBuffers> read_buffers(const config::Binding& binding);

struct GzipOptions {
  config::Setting<bool> on{false};
  config::Setting<MimeTypes> types{MimeTypes{.all = false, .types = {"text/html"}}};
  config::Setting<int> level{1};
  config::Setting<std::uint64_t> min_length{20};
  config::Setting<FilterBuffers> buffers;
  config::Setting<int> window_bits{15};
  config::Setting<int> memory_level{8};
  config::Setting<bool> no_buffer{false};
  config::Setting<std::uint64_t> postpone{0};
  auto settings(this auto& self) {
    return std::tie(self.on, self.types, self.level, self.min_length, self.buffers,
                    self.window_bits, self.memory_level, self.no_buffer, self.postpone);
  }
};

extern const config::Feature kGzipFeature;

/// Whether nginx would compress it if the client accepts it: status, type, length, no encoding yet.
[[nodiscard]] bool is_for_gzip(const GzipOptions& options, const exchange::Exchange& exchange);
/// Changes the head and adds the filter. False: too many fields.
[[nodiscard]] bool start_gzip(const GzipOptions& options, exchange::Exchange& exchange,
                              BodyFilters& filters);

class GzipFilter final : public BodyFilter {
 public:
  /// `ratio` is given how much was taken and given when the body has ended.
  GzipFilter(const GzipOptions& options, base::Deflater::Parameters parameters,
             exchange::GzipRatio& ratio);

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  [[nodiscard]] async::Task<base::Result<void>> compress(std::string_view piece,
                                                         base::Deflater::Flush flush,
                                                         io::Patience patience);

  const GzipOptions& options_;
  base::Deflater::Parameters parameters_;
  exchange::GzipRatio& ratio_;
  std::optional<base::Deflater> deflater_;  // from the first byte that is compressed, to the end
  std::string held_;  // until then; size <= postpone_gzipping
  std::vector<char> out_;
  std::size_t used_ = 0;  // of out_
  exchange::GzipRatio counted_;
};

/// $gzip_ratio
extern const script::VariableTable kGzipVariables;

}  // namespace filter
