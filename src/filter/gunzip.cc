#include "filter/gunzip.h"

#include "base/text.h"
#include "filter/head_changes.h"

namespace filter {
namespace {

using config::Binding;
using http::FieldName;
using http::Then;
using O = GunzipOptions;

void set_buffers(Binding& binding) {
  if (const auto buffers = read_buffers(binding)) {
    binding.options<O>().buffers.set(*buffers, binding.where());
  }
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "gunzip",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether gzip is unpacked for clients that do not accept it.",
     .set = config::set_flag<&O::on>},
    {.name = "gunzip_buffers",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(2),
     .syntax = "NUMBER SIZE",
     .default_text = "32 4k",
     .documentation = "How much unpacked data is gathered before it is sent on, up to 64k.",
     .set = set_buffers},
};

}  // namespace

const config::Feature kGunzipFeature{"gunzip", kDirectives, config::inherit_options<O>};

bool is_for_gunzip(const GunzipOptions& options, const exchange::Exchange& exchange) {
  return *options.on && base::equal_ignoring_case(
                            exchange.response.fields.value(FieldName::content_encoding), "gzip");
}

void start_gunzip(const GunzipOptions& options, exchange::Exchange& exchange,
                  BodyFilters& filters) {
  filters.push_back(std::make_unique<GunzipFilter>(options.buffers->room()));
  exchange.response.fields.remove(FieldName::content_encoding);
  forget_length(exchange);
  weaken_etag(exchange);
}

async::Task<base::Result<void>> GunzipFilter::write(std::string_view piece, Then then,
                                                    io::Patience patience) {
  while (true) {
    const auto step = inflater_.run(piece, out_);
    if (step.broken) co_return base::fail(base::ErrorCode::protocol, "inflate() failed");
    piece.remove_prefix(step.taken);
    const std::string_view out(out_.data(), step.given);
    if (step.given == out_.size()) {
      CO_TRY_VOID(co_await next().write(out, Then::more, patience));
      continue;
    }
    if (then == Then::end && !inflater_.complete()) {
      co_return base::fail(base::ErrorCode::protocol,
                           "inflate() did not reach the end of the data on response end");
    }
    if (then == Then::more && out.empty()) co_return base::Result<void>{};
    co_return co_await next().write(out, then, patience);
  }
}

}  // namespace filter
