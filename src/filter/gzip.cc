#include "filter/gzip.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "filter/head_changes.h"
#include "script/getters.h"

namespace filter {

using base::Deflater;
using config::Binding;
using config::Context;
using http::FieldName;
using http::Then;
using O = GzipOptions;

std::size_t FilterBuffers::room() const noexcept {
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(
      size >= kMost ? kMost : std::min<std::uint64_t>(number, kMost) * size, 1, kMost));
}

std::optional<FilterBuffers> read_buffers(const Binding& binding) {
  const auto number = config::read_number(binding, 0, 1);
  const auto size = config::read_size(binding, 1);
  if (!number || !size) return std::nullopt;
  if (*size == 0) {
    binding.invalid(1, "a buffer has a byte at least");
    return std::nullopt;
  }
  return FilterBuffers{.number = *number, .size = *size};
}

namespace {

void set_buffers(Binding& binding) {
  if (const auto buffers = read_buffers(binding)) {
    binding.options<O>().buffers.set(*buffers, binding.where());
  }
}

// A power of two, stored as `most` minus its distance from `largest`.
template <auto Member>
void set_power(Binding& binding, std::uint64_t largest, int most, std::string_view hint) {
  const auto size = config::read_size(binding);
  if (!size) return;
  int value = most;
  for (std::uint64_t power = largest; power >= 512; power /= 2, --value) {
    if (power == *size) return (binding.options<O>().*Member).set(value, binding.where());
  }
  binding.error_at(0, "\"" + std::string(binding.name()) + "\" directive " + std::string(hint));
}
void set_window(Binding& binding) {
  set_power<&O::window_bits>(binding, 32 * 1024, 15, "must be 512, 1k, 2k, 4k, 8k, 16k, or 32k");
}
void set_hash(Binding& binding) {
  set_power<&O::memory_level>(binding, 128 * 1024, 9,
                              "must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k");
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "gzip",
     .contexts = config::kHttpServerLocation | Context::if_in_location,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether responses are compressed for clients that accept gzip.",
     .set = config::set_flag<&O::on>},
    {.name = "gzip_types",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .syntax = "TYPE ... | *",
     .default_text = "text/html",
     .documentation = "The types of responses that gzip compresses besides text/html.",
     .set = set_types<&O::types>},
    {.name = "gzip_comp_level",
     .contexts = config::kHttpServerLocation,
     .syntax = "LEVEL",
     .default_text = "1",
     .documentation = "How hard gzip tries: 1 (fastest) to 9 (smallest).",
     .set = config::set_number<&O::level, 1, 9>},
    {.name = "gzip_min_length",
     .contexts = config::kHttpServerLocation,
     .syntax = "LENGTH",
     .default_text = "20",
     .documentation = "Responses with a shorter Content-Length are not compressed.",
     .set = config::set_size<&O::min_length>},
    {.name = "gzip_buffers",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(2),
     .syntax = "NUMBER SIZE",
     .default_text = "32 4k",
     .documentation = "How much compressed data is gathered before it is sent on, up to 64k.",
     .set = set_buffers},
    {.name = "gzip_window",
     .contexts = config::kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "32k",
     .documentation = "How far back gzip looks for repetitions.",
     .set = set_window},
    {.name = "gzip_hash",
     .contexts = config::kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "64k",
     .documentation = "The size of the table in which gzip looks for them.",
     .set = set_hash},
    {.name = "gzip_no_buffer",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether compressed data is sent on as soon as there is any.",
     .set = config::set_flag<&O::no_buffer>},
    {.name = "postpone_gzipping",
     .contexts = config::kHttpServerLocation,
     .syntax = "SIZE",
     .default_text = "0",
     .documentation = "How much of a response is awaited before it is compressed.",
     .set = config::set_size<&O::postpone>},
};

// A response that is known to be short needs no large window (nginx's rule; zlib uses 262 bytes of
// it for itself).
Deflater::Parameters parameters_for(const O& options, std::optional<std::uint64_t> length) {
  Deflater::Parameters parameters{.level = *options.level,
                                  .window_bits = *options.window_bits,
                                  .memory_level = *options.memory_level};
  if (length && *length > 0) {
    while (parameters.window_bits > 9 && *length + 262 < std::uint64_t{1}
                                                             << (parameters.window_bits - 1)) {
      --parameters.window_bits;
      --parameters.memory_level;
    }
    parameters.memory_level = std::max(parameters.memory_level, 1);
  }
  return parameters;
}

std::optional<std::string_view> gzip_ratio(exchange::Exchange& exchange) {
  const auto [in, out] = exchange.gzip_ratio;
  if (out == 0) return std::nullopt;
  const std::uint64_t hundredths = (in * 1000 / out + 5) / 10;
  return exchange.arena.copy(fmt::format("{}.{:02}", hundredths / 100, hundredths % 100));
}

constexpr script::VariableSpec kVariables[] = {
    {.name = "gzip_ratio",
     .get = script::of_exchange<gzip_ratio>,
     .documentation = "how many times smaller gzip has made the response's body"},
};

}  // namespace

const config::Feature kGzipFeature{"gzip", kDirectives, config::inherit_options<O>};
constinit const script::VariableTable kGzipVariables = kVariables;

bool is_for_gzip(const GzipOptions& options, const exchange::Exchange& exchange) {
  const http::ResponseHead& response = exchange.response;
  if (!*options.on) return false;
  if (response.status != 200 && response.status != 403 && response.status != 404) return false;
  if (!response.fields.value(FieldName::content_encoding).empty()) return false;
  const auto length = known_length(exchange);
  if (length && *length < *options.min_length) return false;
  return options.types->match(content_type_of(exchange).type);
}

bool start_gzip(const GzipOptions& options, exchange::Exchange& exchange, BodyFilters& filters) {
  filters.push_back(std::make_unique<GzipFilter>(
      options, parameters_for(options, known_length(exchange)), exchange.gzip_ratio));
  forget_length(exchange);
  weaken_etag(exchange);
  return exchange.response.fields.set(FieldName::content_encoding, "gzip");
}

GzipFilter::GzipFilter(const GzipOptions& options, Deflater::Parameters parameters,
                       exchange::GzipRatio& ratio)
    : options_(options), parameters_(parameters), ratio_(ratio) {}

async::Task<base::Result<void>> GzipFilter::write(std::string_view piece, Then then,
                                                  io::Patience patience) {
  if (!deflater_) {
    if (then == Then::more && piece.size() <= *options_.postpone &&
        held_.size() <= *options_.postpone - piece.size()) {
      held_ += piece;
      co_return base::Result<void>{};
    }
    deflater_.emplace(parameters_);
    out_.resize(options_.buffers->room());
  }
  if (!held_.empty()) {
    CO_TRY_VOID(co_await compress(held_, Deflater::Flush::none, patience));
    held_ = {};
  }
  const auto flush = then == Then::end     ? Deflater::Flush::finish
                     : then == Then::flush ? Deflater::Flush::sync
                                           : Deflater::Flush::none;
  CO_TRY_VOID(co_await compress(piece, flush, patience));
  if (then == Then::end) {
    ratio_ = counted_;
    deflater_.reset();  // the client may take its time for the rest
  }
  if (then == Then::more && (used_ == 0 || !*options_.no_buffer)) co_return base::Result<void>{};
  const std::string_view out(out_.data(), std::exchange(used_, 0));
  co_return co_await next().write(out, then, patience);
}

// Leaves less than a buffer in out_.
async::Task<base::Result<void>> GzipFilter::compress(std::string_view piece, Deflater::Flush flush,
                                                     io::Patience patience) {
  while (true) {
    const auto step = deflater_->run(piece, std::span(out_).subspan(used_), flush);
    piece.remove_prefix(step.taken);
    used_ += step.given;
    counted_.in += step.taken;
    counted_.out += step.given;
    if (used_ < out_.size()) co_return base::Result<void>{};
    used_ = 0;
    CO_TRY_VOID(co_await next().write({out_.data(), out_.size()}, Then::more, patience));
  }
}

}  // namespace filter
